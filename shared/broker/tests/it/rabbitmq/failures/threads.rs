//! lapin's threads, which must not outlive their connections.

use std::process::{Command, Stdio};

use alioth_broker::Queue;
use alioth_testkit::{Direction, Fault, wait_until};

use super::proxied;
use crate::support::*;

/// lapin runs each connection in a thread of its own, and waits without limit for a silent server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_servers_leave_no_connection_thread_behind() {
    if std::env::var_os("BROKER_TEST_ALONE").is_none() {
        // In a process without other tests, whose connections would be counted too.
        let name = "rabbitmq::failures::threads::silent_servers_leave_no_connection_thread_behind";
        let alone = tokio::task::spawn_blocking(move || {
            Command::new(std::env::current_exe().expect("this binary"))
                .args(["--exact", name])
                .env("BROKER_TEST_ALONE", "1")
                .stdin(Stdio::null())
                .output()
                .expect("this binary runs")
        });
        let alone = alone.await.expect("no panic");
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(
            alone.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let (proxy, through, straight) = proxied().await;
    let publisher = publisher(&through).await;
    let consumer = through.consume(Queue::Ingest, 4).await.expect("open");
    wait_until(SOON, || async {
        consumer.is_ready() && connection_threads() == 2
    })
    .await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    wait_until(SOON, || async {
        !publisher.is_ready() && !consumer.is_ready()
    })
    .await;
    let before = proxy.connections();
    wait_until(SOON, || async { proxy.connections() >= before + 4 }).await;
    assert!(connection_threads() <= 2, "{}", connection_threads());
    through.close().await;
    straight.close().await;
    wait_until(SOON, || async { connection_threads() == 0 }).await;
}

fn connection_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task")
        .expect("a list of threads")
        .flatten();
    let name = |thread: std::fs::DirEntry| {
        std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default()
    };
    threads
        .map(name)
        .filter(|name| name.starts_with("lapin-io-loop"))
        .count()
}
