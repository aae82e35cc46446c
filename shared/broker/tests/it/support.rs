//! Messages, names and waits the tests share.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use alioth_broker::{
    Broker, BrokerMetrics, Consumer, Delivery, HeaderValue, OutgoingMessage, PublishError,
    Publisher, Queue,
};
use bytes::Bytes;
use prometheus::Registry;

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// Long enough for what must not happen to have happened, nearly always.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(200);

/// A queue prefix no other test has.
pub(crate) fn prefix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "t{}.{}.",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

pub(crate) fn metrics() -> BrokerMetrics {
    BrokerMetrics::register(&Registry::new()).expect("a new registry")
}

/// A message whose id and body are `id`.
pub(crate) fn message(id: &str) -> OutgoingMessage {
    message_of(id, Bytes::copy_from_slice(id.as_bytes()))
}

pub(crate) fn message_of(id: &str, body: Bytes) -> OutgoingMessage {
    OutgoingMessage {
        body,
        content_type: "application/x-protobuf".to_owned(),
        kind: "qdrant.UpsertPoints".to_owned(),
        message_id: id.to_owned(),
        headers: vec![(
            "alioth-chunk".to_owned(),
            HeaderValue::Text("1/1".to_owned()),
        )],
    }
}

pub(crate) fn messages(ids: std::ops::Range<u32>) -> Vec<OutgoingMessage> {
    ids.map(|id| message(&id.to_string())).collect()
}

/// The publisher, once it has a broker.
pub(crate) async fn publisher(broker: &Arc<dyn Broker>) -> Arc<dyn Publisher> {
    let publisher = broker.publisher();
    alioth_testkit::wait_until(SOON, || async { publisher.is_ready() }).await;
    publisher
}

pub(crate) async fn publish(broker: &Arc<dyn Broker>, messages: Vec<OutgoingMessage>) {
    let published = publisher(broker)
        .await
        .publish(Queue::Ingest, messages)
        .await;
    published.expect("every message is confirmed");
}

/// The next delivery, which must come.
pub(crate) async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    let next = tokio::time::timeout(SOON, consumer.next()).await;
    next.expect("a delivery in time")
        .expect("the consumer goes on")
}

/// The next deliveries, so many, unsettled.
pub(crate) async fn hold(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Delivery> {
    let mut held = Vec::with_capacity(count);
    while held.len() < count {
        held.push(next(consumer).await);
    }
    held
}

/// Asserts that nothing is delivered for a moment.
pub(crate) async fn nothing(consumer: &mut Box<dyn Consumer>) {
    let next = tokio::time::timeout(A_MOMENT, consumer.next()).await;
    assert!(next.is_err(), "{next:?}");
}

/// Takes and acks everything until nothing comes for a moment; the ids in order.
pub(crate) async fn drain(consumer: &mut Box<dyn Consumer>) -> Vec<String> {
    let mut ids = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(A_MOMENT, consumer.next()).await {
        ids.push(delivery.message_id.clone());
        delivery.ack().await.expect("the delivery is live");
    }
    ids
}

/// Takes and acks `count` deliveries; the ids in order.
pub(crate) async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let delivery = next(consumer).await;
        ids.push(delivery.message_id.clone());
        delivery.ack().await.expect("the delivery is live");
    }
    ids
}

/// Asserts that everything confirmed was kept.
pub(crate) fn none_is_lost(confirmed: &BTreeSet<String>, kept: &BTreeSet<String>) {
    let lost: Vec<&String> = confirmed.difference(kept).collect();
    assert!(
        lost.is_empty(),
        "{} of {} confirmed are lost: {lost:?}",
        lost.len(),
        confirmed.len()
    );
}

pub(crate) fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|id| id.to_string()).collect()
}

/// Publishes until it is confirmed, as a client that is told to come back does.
pub(crate) async fn publish_until_confirmed(
    publisher: &Arc<dyn Publisher>,
    queue: Queue,
    message: OutgoingMessage,
) {
    alioth_testkit::wait_until(SOON, || async {
        match publisher.publish(queue, vec![message.clone()]).await {
            Ok(()) => true,
            Err(
                PublishError::QueueFull { .. }
                | PublishError::Unroutable { .. }
                | PublishError::Away { .. }
                | PublishError::TimedOut { .. },
            ) => false,
        }
    })
    .await;
}
