//! lapin's threads, which must not outlive their connections.

use std::process::{Command, Stdio};

use alioth_broker::Queue;
use alioth_testkit::{Direction, Fault, wait_until};
use futures_util::FutureExt;

use super::proxied;
use crate::support::*;

/// lapin runs each connection in a thread of its own, and waits without limit for a silent server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_servers_leave_no_connection_thread_behind() {
    if passed_alone("silent_servers_leave_no_connection_thread_behind").await {
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

/// Its thread goes on connecting when nobody waits for the connection any more, and nobody would shut that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_given_up_before_they_connect_leave_no_thread_behind() {
    if passed_alone("connections_given_up_before_they_connect_leave_no_thread_behind").await {
        return;
    }
    let (proxy, through, straight) = proxied().await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let before = proxy.connections();
    for _ in 0..20 {
        // Asked for and dropped before the answer: that is while its thread connects, or before.
        assert!(through.depth(Queue::Ingest).now_or_never().is_none());
    }
    wait_until(SOON, || async { connection_threads() == 0 }).await;
    assert!(proxy.connections() > before, "none of them connected");
    through.close().await;
    straight.close().await;
}

/// Runs the test `name` of this file in a process without other tests, whose connections would be counted too.
/// `false` in that process, where the test is to be done.
async fn passed_alone(name: &str) -> bool {
    if std::env::var_os("BROKER_TEST_ALONE").is_some() {
        return false;
    }
    let name = format!("rabbitmq::failures::threads::{name}");
    let alone = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", &name])
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
    true
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
