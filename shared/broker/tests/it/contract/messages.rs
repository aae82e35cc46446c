//! From a confirmed publish to a delivery: whole, in order, once.

use std::sync::Arc;

use alioth_broker::{HeaderValue, OutgoingMessage, Queue};
use bytes::Bytes;
use std::time::Duration;

use super::{Backend, fresh};
use crate::support::*;

pub(crate) async fn confirmed_publish_is_consumed_once(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, vec![message("a")]).await;
    let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.body, Bytes::from_static(b"a"));
    assert!(!delivery.redelivered);
    assert_eq!(delivery.delivery_count, 0);
    assert!(consumer.is_ready());
    delivery.ack().await.expect("it is live");
    nothing(&mut consumer).await;
    consumer.close().await;
    let mut again = broker.consume(Queue::Ingest, 10).await.expect("open");
    nothing(&mut again).await;
    broker.close().await;
}

pub(crate) async fn messages_come_in_the_order_they_were_published(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..100)).await;
    for id in 100..110 {
        publish(&broker, messages(id..id + 1)).await;
    }
    let mut consumer = broker.consume(Queue::Ingest, 50).await.expect("open");
    assert_eq!(take(&mut consumer, 110).await, ids(0..110));
    broker.close().await;
}

pub(crate) async fn properties_and_headers_survive(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let text = |text: &str| HeaderValue::Text(text.to_owned());
    let headers = vec![
        (
            "alioth-accepted-at-ms".to_owned(),
            HeaderValue::Int(1_763_800_000_123),
        ),
        ("alioth-chunk".to_owned(), text("2/3")),
        ("alioth-negative".to_owned(), HeaderValue::Int(i64::MIN)),
        ("alioth-dead-reason".to_owned(), text("Größe falsch: 4 ≠ 5")),
        (
            "traceparent".to_owned(),
            text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ),
    ];
    let sent = OutgoingMessage {
        body: Bytes::from_static(&[0, 159, 255, 10]),
        content_type: "application/x-protobuf".to_owned(),
        kind: "qdrant.UpsertPoints".to_owned(),
        message_id: "019ab3f0-0000-7000-8000-000000000001".to_owned(),
        headers: headers.clone(),
    };
    publish(&broker, vec![sent.clone()]).await;
    let mut consumer = broker.consume(Queue::Ingest, 1).await.expect("open");
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.body, sent.body);
    assert_eq!(delivery.content_type, sent.content_type);
    assert_eq!(delivery.kind, sent.kind);
    assert_eq!(delivery.message_id, sent.message_id);
    let mut sorted = headers;
    sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
    assert_eq!(delivery.headers, sorted);
    delivery.ack().await.expect("it is live");
    broker.close().await;
}

pub(crate) async fn a_large_message_survives(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let body: Bytes = (0..8_u32 << 20).map(|index| (index % 251) as u8).collect();
    publish(
        &broker,
        vec![message_of("large", body.clone()), message("small")],
    )
    .await;
    let mut consumer = broker.consume(Queue::Ingest, 2).await.expect("open");
    let delivery = next(&mut consumer).await;
    assert!(delivery.body == body, "{} bytes", delivery.body.len());
    delivery.ack().await.expect("it is live");
    assert_eq!(take(&mut consumer, 1).await, ["small"]);
    broker.close().await;
}

pub(crate) async fn ten_thousand_messages_of_many_publishers_arrive_once(backend: &impl Backend) {
    const PUBLISHERS: u32 = 20;
    const EACH: u32 = 500;
    let broker = fresh(backend).await;
    let publisher = publisher(&broker).await;
    let mut consumer = broker.consume(Queue::Ingest, 200).await.expect("open");
    let publishing: Vec<_> = (0..PUBLISHERS)
        .map(|number| {
            let publisher = Arc::clone(&publisher);
            tokio::spawn(async move {
                let mine = messages(number * EACH..(number + 1) * EACH);
                for batch in mine.chunks(7) {
                    publisher
                        .publish(Queue::Ingest, batch.to_vec())
                        .await
                        .expect("confirmed");
                }
            })
        })
        .collect();
    let arrived = take(&mut consumer, (PUBLISHERS * EACH) as usize).await;
    for publishing in publishing {
        publishing.await.expect("no publisher panics");
    }
    nothing(&mut consumer).await;
    let mut numbers: Vec<u32> = arrived
        .iter()
        .map(|id| id.parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..PUBLISHERS * EACH).collect::<Vec<u32>>());
    broker.close().await;
}

pub(crate) async fn an_abandoned_publish_gives_its_share_back(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let publisher = publisher(&broker).await;
    let body = Bytes::from(vec![1; 100_000]);
    // Far more than the bounds admit at once.
    for round in 0..40_u32 {
        let batch = (0..50).map(|index| message_of(&format!("{round}/{index}"), body.clone()));
        let publish = publisher.publish(Queue::Ingest, batch.collect());
        let _ = tokio::time::timeout(Duration::from_micros(300), publish).await;
    }
    let last = publisher.publish(Queue::Ingest, vec![message("last")]);
    tokio::time::timeout(SOON, last)
        .await
        .expect("there is a share")
        .expect("confirmed");
    broker.close().await;
}
