//! The process itself: its exit codes, its probes, its death.

use std::time::{Duration, Instant};

use alioth_testkit::{Qdrant, wait_until};
use tokio::process::Command;

use crate::{
    DEADLINE,
    binary::Process,
    world::{Queues, collection, count, message, point, writes},
};

#[tokio::test(flavor = "multi_thread")]
async fn bad_configuration_names_every_problem_and_exits_64() {
    let output = Command::new(env!("CARGO_BIN_EXE_ingest-consume"))
        .env_clear()
        .env("ALIOTH_PREFETCH", "0")
        .env("ALIOTH_QDRANT_URL", "qdrant")
        .env("ALIOTH_LINGRE", "5ms")
        .output()
        .await
        .expect("the binary");
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in [
        "ALIOTH_PREFETCH",
        "ALIOTH_QDRANT_URL",
        "ALIOTH_LINGRE",
        "ALIOTH_AMQP_URL",
    ] {
        assert!(said.contains(name), "{name} in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_soon_after_its_start() {
    let queues = Queues::rabbitmq().await;
    let started = Instant::now();
    let mut process = Process::start(&queues, "http://127.0.0.1:1", &[]);
    process.wait_ready().await;
    // 100 ms when optimised and alone; here neither.
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(process.status("/livez").await, Some(200));
    process.signal("TERM").await;
    assert_eq!(process.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_it_is_alive_and_not_ready() {
    let mut queues = Queues::embedded().await;
    queues.amqp.url = "amqp://guest:guest@127.0.0.1:1/%2f".into();
    let mut process = Process::start(&queues, "http://127.0.0.1:1", &[]);
    wait_until(DEADLINE, || async {
        process.status("/livez").await == Some(200)
    })
    .await;
    assert_eq!(process.status("/readyz").await, Some(503));
    process.signal("TERM").await;
    assert_eq!(process.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_by_itself_once_the_queue_is_empty() {
    const WRITES: u64 = 200;
    let queues = Queues::rabbitmq().await;
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    queues.publish(writes(&films, 0..WRITES)).await;
    let idle = [("ALIOTH_EXIT_WHEN_IDLE", "300ms")];
    let mut process = Process::start(&queues, &qdrant.grpc_url(), &idle);
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
    assert_eq!(count(&qdrant, &films).await, WRITES);
    assert_eq!(queues.ready(alioth_broker::Queue::Ingest).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_holds_what_qdrant_does_not_take_is_not_idle() {
    let queues = Queues::rabbitmq().await;
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    queues.publish(writes(&films, 0..3)).await;
    let idle = [
        ("ALIOTH_EXIT_WHEN_IDLE", "300ms"),
        ("ALIOTH_RETRY_MIN", "500ms"),
        ("ALIOTH_RETRY_MAX", "500ms"),
    ];
    let mut process = Process::start(&queues, "http://127.0.0.1:1", &idle);
    let retries = || process.metric("alioth_consume_retries_total");
    // The pauses before these are longer than it may be idle.
    wait_until(DEADLINE, || async { retries().await >= 4.0 }).await;
    assert_eq!(process.status("/livez").await, Some(200));
    process.signal("TERM").await;
    assert_eq!(process.wait().await.code(), Some(0));
}

/// Loads the queue, ends processes in the given way while it works, and counts what is in Qdrant.
async fn nothing_is_lost_when_processes_end_by(signal: &str) {
    const WRITES: u64 = 3_000;
    const ROUNDS: usize = 3;
    let queues = Queues::rabbitmq().await;
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let writes =
        (0..WRITES).map(|id| message(&films, vec![point(2 * id, 1), point(2 * id + 1, 1)]));
    queues.publish(writes.collect()).await;
    for _ in 0..ROUNDS {
        let settings = [("ALIOTH_UPSERT_POINTS", "20"), ("ALIOTH_PREFETCH", "64")];
        let mut process = Process::start(&queues, &qdrant.grpc_url(), &settings);
        let applied = || process.metric("alioth_consume_points_applied_total");
        wait_until(DEADLINE, || async { applied().await > 100.0 }).await;
        process.signal(signal).await;
        let status = process.wait().await;
        assert_eq!(
            status.success(),
            signal == "TERM",
            "{status} {}",
            process.log()
        );
    }
    let process = Process::start(&queues, &qdrant.grpc_url(), &[]);
    wait_until(DEADLINE, || async {
        count(&qdrant, &films).await == 2 * WRITES
    })
    .await;
    let held = || process.metric("alioth_consume_held_messages");
    wait_until(DEADLINE, || async { held().await == 0.0 }).await;
    assert_eq!(queues.ready(alioth_broker::Queue::Ingest).await, 0);
    assert_eq!(queues.ready(alioth_broker::Queue::IngestDead).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_loses_nothing_and_exits_0() {
    nothing_is_lost_when_processes_end_by("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigkill_under_load_loses_nothing() {
    nothing_is_lost_when_processes_end_by("KILL").await;
}
