//! Qdrant or the dead-letter queue in trouble, as a real one is; nothing lost, nothing set aside wrongly.

use std::time::{Duration, Instant};

use alioth_broker::{AmqpConfig, Queue};
use alioth_config::Secret;
use alioth_testkit::{
    Qdrant, RabbitMq, ScriptedQdrant,
    qdrant::Keys,
    scripted_qdrant::{Answer, Code},
    wait_until,
};
use qdrant_client::qdrant::{PointStruct, UpdateStatus};

use crate::{
    DEADLINE,
    world::{
        Queues, Running, collection, count, message, point, qdrant, quick, unique_prefix, writes,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn qdrant_away_for_thirty_seconds_loses_nothing_and_nothing_spins() {
    let queues = Queues::rabbitmq().await;
    let mut server = Qdrant::start().await;
    let films = collection(&server).await;
    let mut config = quick();
    config.consume.retry_max.0 = Duration::from_secs(2);
    let running = Running::start_with(&queues, config, &qdrant(&server.grpc_url()));
    queues.publish(writes(&films, 0..100)).await;
    running.wait_applied(100).await;

    server.stop().await;
    let stopped = Instant::now();
    queues.publish(writes(&films, 100..600)).await;
    wait_until(DEADLINE, || async {
        running.metric("alioth_consume_breaker_state", "") == 2.0
    })
    .await;
    wait_until(DEADLINE, || async {
        stopped.elapsed() >= Duration::from_secs(30)
    })
    .await;
    let tries = running.metric("alioth_consume_upserts_total", "unavailable");
    assert!((10.0..80.0).contains(&tries), "{tries} tries in 30 s");

    server.start_again().await;
    let back = Instant::now();
    running.wait_applied(600).await;
    assert!(
        back.elapsed() < Duration::from_secs(10),
        "noticed after {:?}",
        back.elapsed()
    );
    assert_eq!(count(&server, &films).await, 600);
    running.wait_settled().await;
    running.stop().await;
    assert_eq!(queues.ready(Queue::IngestDead).await, 0);
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_not_ready_until_it_works_and_dead_letters_nothing() {
    let queues = Queues::rabbitmq().await;
    let keys = |full: &str| Keys {
        full: Some(full.to_owned()),
        read_only: None,
    };
    let right = Qdrant::start_with_keys(keys("right")).await;
    let films = collection(&right).await;
    let mut config = qdrant(&right.grpc_url());
    config.api_key = Secret::from("wrong");
    let running = Running::start_with(&queues, quick(), &config);
    queues.publish(writes(&films, 0..50)).await;
    wait_until(DEADLINE, || async {
        running.metric("alioth_consume_upserts_total", "denied") >= 5.0
    })
    .await;
    assert_eq!(running.readiness.unready(), ["qdrant-access"]);
    running.stop().await;
    assert_eq!(queues.ready(Queue::IngestDead).await, 0);

    config.api_key = Secret::from("right");
    let running = Running::start_with(&queues, quick(), &config);
    running.wait_applied(50).await;
    wait_until(DEADLINE, || async { running.readiness.is_ready() }).await;
    assert_eq!(count(&right, &films).await, 50);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_mended_at_the_server_is_ready_again() {
    let queues = Queues::rabbitmq().await;
    let server =
        ScriptedQdrant::start(|_| Answer::Status(Code::PermissionDenied, "forbidden", vec![]))
            .await;
    let running = Running::start(&queues, &server.grpc_url());
    queues
        .publish(vec![message("films", vec![point(1, 1)])])
        .await;
    wait_until(DEADLINE, || async {
        running.readiness.unready() == ["qdrant-access"]
    })
    .await;
    server.answer_by(|_| Answer::Applied(UpdateStatus::Completed));
    running.wait_applied(1).await;
    wait_until(DEADLINE, || async { running.readiness.is_ready() }).await;
    running.stop().await;
    assert_eq!(queues.ready(Queue::IngestDead).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_for_as_long_as_it_says() {
    let queues = Queues::rabbitmq().await;
    let server = ScriptedQdrant::start(|_| {
        Answer::Status(
            Code::ResourceExhausted,
            "write rate",
            vec![("retry-after", "2")],
        )
    })
    .await;
    let running = Running::start(&queues, &server.grpc_url());
    queues.publish(writes("films", 0..20)).await;
    wait_until(DEADLINE, || async { !server.arrived().is_empty() }).await;
    let limited = Instant::now();
    server.answer_by(|_| Answer::Applied(UpdateStatus::Completed));
    running.wait_applied(20).await;
    assert!(
        limited.elapsed() >= Duration::from_millis(1_900),
        "{:?}",
        limited.elapsed()
    );
    // What was in flight, and each of those once more.
    assert!(
        server.arrived().len() <= 10,
        "{} upserts",
        server.arrived().len()
    );
    running.stop().await;
    assert_eq!(queues.ready(Queue::IngestDead).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn upserts_in_flight_are_as_many_as_configured() {
    let queues = Queues::rabbitmq().await;
    let server = ScriptedQdrant::start(|_| Answer::Applied(UpdateStatus::Completed)).await;
    server.hold(true);
    let mut config = quick();
    config.consume.upserts_in_flight = 3;
    config.consume.upsert_points = 1;
    let running = Running::start_with(&queues, config, &qdrant(&server.grpc_url()));
    queues.publish(writes("films", 0..20)).await;
    wait_until(DEADLINE, || async { server.most_in_flight() == 3 }).await;
    server.hold(false);
    running.wait_applied(20).await;
    assert_eq!(server.most_in_flight(), 3);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_dead_letter_queue_is_full_the_original_stays() {
    let rabbitmq = RabbitMq::shared().await;
    let queues = Queues::with(AmqpConfig {
        url: Secret::from(rabbitmq.amqp_url().as_str()),
        queue_prefix: unique_prefix(),
        max_length: 3,
        ..AmqpConfig::default()
    })
    .await;
    let server = Qdrant::start().await;
    let films = collection(&server).await;
    let running = Running::start(&queues, &server.grpc_url());
    // A quorum queue goes a little over its bound before it refuses.
    let mut published = 0;
    while running.metric("alioth_consume_dead_letter_failures_total", "") == 0.0 {
        assert!(published < 100, "the dead-letter queue takes all");
        let bad = PointStruct::new(published, vec![0.5; 3], qdrant_client::Payload::new());
        queues.publish(vec![message(&films, vec![bad])]).await;
        published += 1;
        let dead = || running.metric("alioth_consume_dead_letters_total", "");
        let failed = || running.metric("alioth_consume_dead_letter_failures_total", "");
        wait_until(DEADLINE, || async {
            dead() == published as f64 || failed() > 0.0
        })
        .await;
    }
    let acknowledged = running.metric("alioth_consume_messages_total", "dead_lettered");
    assert!(acknowledged < published as f64);
    // The rest is not held up.
    queues
        .publish(vec![message(&films, vec![point(1, 1)])])
        .await;
    running.wait_applied(1).await;

    let letters = queues.dead_letters(published as usize).await;
    assert_eq!(letters.len() as u64, published);
    running.wait_settled().await;
    running.stop().await;
    assert_eq!(queues.ready(Queue::Ingest).await, 0);
}
