//! Each step of the drain, of the process itself.

use std::time::{Duration, Instant};

use alioth_broker::Queue;
use alioth_testkit::{ScriptedQdrant, scripted_qdrant::Answer, wait_until};
use qdrant_client::qdrant::UpdateStatus;

use crate::{
    DEADLINE,
    binary::Process,
    world::{Queues, message, point, writes},
};

/// A process with one upsert in flight that Qdrant keeps waiting, and nineteen messages behind it.
async fn loaded(more: &[(&str, &str)]) -> (Queues, ScriptedQdrant, Process) {
    let queues = Queues::rabbitmq().await;
    let server = ScriptedQdrant::start(|_| Answer::Applied(UpdateStatus::Completed)).await;
    server.hold(true);
    let mut settings = vec![
        ("ALIOTH_UPSERTS_IN_FLIGHT", "1"),
        ("ALIOTH_UPSERT_POINTS", "1"),
    ];
    settings.extend_from_slice(more);
    let process = Process::start(&queues, &server.grpc_url(), &settings);
    process.wait_ready().await;
    queues.publish(writes("films", 0..20)).await;
    let held = || process.metric("alioth_consume_held_messages");
    wait_until(DEADLINE, || async {
        held().await == 20.0 && !server.arrived().is_empty()
    })
    .await;
    (queues, server, process)
}

#[tokio::test(flavor = "multi_thread")]
async fn step_1_it_is_not_ready_and_still_alive() {
    let (_queues, server, mut process) = loaded(&[]).await;
    process.signal("TERM").await;
    wait_until(DEADLINE, || async {
        process.status("/readyz").await == Some(503)
    })
    .await;
    assert_eq!(process.status("/livez").await, Some(200));
    server.hold(false);
    assert_eq!(process.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_2_the_subscription_is_cancelled() {
    let (queues, server, mut process) = loaded(&[]).await;
    process.signal("TERM").await;
    wait_until(DEADLINE, || async {
        process.log().contains("cancelled the subscription")
    })
    .await;
    // What is published now stays in the queue.
    wait_until(DEADLINE, || async {
        queues.ready(Queue::Ingest).await == 19
    })
    .await;
    queues
        .publish(vec![message("films", vec![point(100, 1)])])
        .await;
    assert_eq!(queues.ready(Queue::Ingest).await, 20);
    server.hold(false);
    assert_eq!(process.wait().await.code(), Some(0));
    assert_eq!(queues.ready(Queue::Ingest).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_3_what_has_not_started_goes_back_while_the_rest_is_in_flight() {
    let (queues, server, mut process) = loaded(&[]).await;
    process.signal("TERM").await;
    wait_until(DEADLINE, || async {
        queues.ready(Queue::Ingest).await == 19
    })
    .await;
    assert_eq!(process.status("/livez").await, Some(200));
    server.hold(false);
    assert_eq!(process.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_4_what_is_in_flight_is_waited_for_and_settled() {
    let (queues, server, mut process) = loaded(&[]).await;
    process.signal("TERM").await;
    wait_until(DEADLINE, || async {
        queues.ready(Queue::Ingest).await == 19
    })
    .await;
    server.hold(false);
    assert_eq!(process.wait().await.code(), Some(0));
    // The twentieth was acknowledged: with the connection gone it would be back otherwise.
    assert_eq!(queues.ready(Queue::Ingest).await, 19);
    assert_eq!(server.arrived().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_5_the_steps_are_logged_in_their_order() {
    let (_queues, server, mut process) = loaded(&[]).await;
    process.signal("TERM").await;
    server.hold(false);
    assert_eq!(process.wait().await.code(), Some(0));
    let log = process.log();
    let steps = [
        "drain: not ready",
        "drain: cancelled the subscription",
        "drain: requeued what had not started",
        "drain: settled what was in flight",
        "drain: closed the channel and connection",
    ];
    let positions: Vec<_> = steps.iter().map(|step| log.find(step)).collect();
    assert!(
        positions.iter().all(Option::is_some) && positions.is_sorted(),
        "{positions:?} {log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_deadline_says_so_and_exits_non_zero_and_loses_nothing() {
    let (queues, server, mut process) = loaded(&[("ALIOTH_DRAIN_TIMEOUT", "300ms")]).await;
    let started = Instant::now();
    process.signal("TERM").await;
    let status = process.wait().await;
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(status.code(), Some(1));
    let log = process.log();
    assert!(
        log.contains("drain missed its deadline of 300ms with 1 upserts"),
        "{log}"
    );
    wait_until(DEADLINE, || async {
        queues.ready(Queue::Ingest).await == 20
    })
    .await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_consumer_is_gone_at_once() {
    let queues = Queues::rabbitmq().await;
    let mut process = Process::start(&queues, "http://127.0.0.1:1", &[]);
    process.wait_ready().await;
    let started = Instant::now();
    process.signal("TERM").await;
    assert_eq!(process.wait().await.code(), Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}
