//! Queues: their bounds, their names, their depth, and their end.

use std::sync::Arc;

use alioth_broker::{Broker, OutgoingMessage, PublishError, Queue, QueueLimits};
use alioth_testkit::wait_until;
use bytes::Bytes;

use super::{Backend, fresh};
use crate::support::*;

pub(crate) async fn full_queue_refuses_until_it_is_drained(backend: &impl Backend) {
    let limits = QueueLimits {
        max_length: 10,
        ..QueueLimits::default()
    };
    let broker = backend.broker(&prefix(), limits).await;
    let confirmed = fill(&broker, |count| message(&count.to_string())).await;
    assert!(confirmed >= 10, "{confirmed}");
    let mut consumer = broker.consume(Queue::Ingest, 100).await.expect("open");
    let drained = drain(&mut consumer).await;
    let confirmed: Vec<String> = (0..confirmed).map(|count| count.to_string()).collect();
    assert_eq!(drained, confirmed);
    publish_until_confirmed(&broker.publisher(), Queue::Ingest, message("again")).await;
    assert_eq!(take(&mut consumer, 1).await, ["again"]);
    broker.close().await;
}

pub(crate) async fn full_by_bytes_refuses(backend: &impl Backend) {
    let limits = QueueLimits {
        max_length_bytes: 100_000,
        ..QueueLimits::default()
    };
    let broker = backend.broker(&prefix(), limits).await;
    let body = Bytes::from(vec![7; 20_000]);
    let confirmed = fill(&broker, |count| {
        message_of(&count.to_string(), body.clone())
    })
    .await;
    assert!((5..100).contains(&confirmed), "{confirmed}");
    broker.close().await;
}

pub(crate) async fn declaring_again_changes_nothing(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, vec![message("kept")]).await;
    broker.declare().await.expect("the same arguments");
    broker.declare().await.expect("the same arguments");
    let mut consumer = broker.consume(Queue::Ingest, 1).await.expect("open");
    assert_eq!(take(&mut consumer, 1).await, ["kept"]);
    broker.close().await;
}

pub(crate) async fn prefixes_keep_queues_apart(backend: &impl Backend) {
    let (blue, green) = (fresh(backend).await, fresh(backend).await);
    publish(&blue, vec![message("blue")]).await;
    publish(&green, vec![message("green")]).await;
    for (broker, own) in [(blue, "blue"), (green, "green")] {
        let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
        assert_eq!(take(&mut consumer, 1).await, [own]);
        nothing(&mut consumer).await;
        broker.close().await;
    }
}

pub(crate) async fn depth_counts_what_is_ready(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..7)).await;
    let ready = || async { broker.depth(Queue::Ingest).await.expect("it exists").ready };
    wait_until(SOON, || async { ready().await == 7 }).await;
    let mut consumer = broker.consume(Queue::Ingest, 3).await.expect("open");
    let held = next(&mut consumer).await;
    wait_until(SOON, || async { ready().await == 4 }).await;
    let depth = broker.depth(Queue::Ingest).await.expect("it exists");
    assert!(
        depth.unsettled.is_none_or(|unsettled| unsettled == 3),
        "{depth:?}"
    );
    assert_eq!(
        broker
            .depth(Queue::IngestDead)
            .await
            .expect("it exists")
            .ready,
        0
    );
    drop(held);
    broker.close().await;
}

pub(crate) async fn closed_broker_refuses_at_once(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let publisher = publisher(&broker).await;
    let mut consumer = broker.consume(Queue::Ingest, 3).await.expect("open");
    broker.close().await;
    let refused = publisher
        .publish(Queue::Ingest, vec![message("late")])
        .await;
    assert!(
        matches!(refused, Err(PublishError::Away { .. })),
        "{refused:?}"
    );
    assert!(!publisher.is_ready());
    assert!(!consumer.is_ready());
    assert!(broker.consume(Queue::Ingest, 3).await.is_err());
    let ended = tokio::time::timeout(SOON, consumer.next())
        .await
        .expect("in time");
    assert!(ended.is_none());
}

pub(crate) async fn a_proven_publisher_has_a_broker_and_a_closed_one_has_none(
    backend: &impl Backend,
) {
    let broker = fresh(backend).await;
    let publisher = broker.publisher();
    // Asked before it can have connected.
    assert!(publisher.prove(SOON).await);
    let published = publisher.publish(Queue::Ingest, vec![message("a")]).await;
    published.expect("it has just been proven");
    assert!(publisher.prove(SOON).await);
    let mut consumer = broker.consume(Queue::Ingest, 2).await.expect("open");
    assert_eq!(take(&mut consumer, 1).await, ["a"]);
    broker.close().await;
    assert!(!publisher.prove(SOON).await);
}

/// Publishes one by one until the queue is full; how many were confirmed.
async fn fill(broker: &Arc<dyn Broker>, message: impl Fn(usize) -> OutgoingMessage) -> usize {
    let publisher = publisher(broker).await;
    // RabbitMQ tells its publishers of a full queue a little late.
    for count in 0..1000 {
        match publisher.publish(Queue::Ingest, vec![message(count)]).await {
            Ok(()) => {}
            Err(PublishError::QueueFull { queue }) => {
                assert!(queue.ends_with("ingest"), "{queue}");
                return count;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it is never full")
}
