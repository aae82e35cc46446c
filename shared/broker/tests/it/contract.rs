//! What every backend does alike. Each function is one test, run on both.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use alioth_broker::{
    Broker, ConsumeError, HeaderValue, OutgoingMessage, PublishError, Queue, QueueLimits, headers,
};
use alioth_testkit::wait_until;
use bytes::Bytes;

use crate::support::*;

/// Where a test gets its brokers from.
pub(crate) trait Backend: Send + Sync {
    /// A broker over the queues of a prefix, declared.
    fn broker(
        &self,
        prefix: &str,
        limits: QueueLimits,
    ) -> impl Future<Output = Arc<dyn Broker>> + Send;
}

async fn fresh(backend: &impl Backend) -> Arc<dyn Broker> {
    backend.broker(&prefix(), QueueLimits::default()).await
}

/// Every test of the contract, for one backend.
#[macro_export]
macro_rules! contract {
    ($backend:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::contract::$name(&$backend).await;
            }
        )*
    };
    ($backend:expr) => {
        $crate::contract! { $backend;
            confirmed_publish_is_consumed_once
            messages_come_in_the_order_they_were_published
            prefetch_bounds_what_is_unsettled
            requeue_raises_the_delivery_count
            dropped_consumer_gives_its_deliveries_back
            closed_consumer_gives_its_deliveries_back_in_order
            full_queue_refuses_until_it_is_drained
            full_by_bytes_refuses
            one_return_too_many_dead_letters_with_the_reason
            cancelled_consumer_drains_what_it_has_and_ends
            properties_and_headers_survive
            declaring_again_changes_nothing
            prefixes_keep_queues_apart
            a_large_message_survives
            ten_thousand_messages_of_many_publishers_arrive_once
            competing_consumers_share_and_lose_nothing
            next_can_be_cancelled_without_loss
            an_abandoned_publish_gives_its_share_back
            depth_counts_what_is_ready
            closed_broker_refuses_at_once
        }
    };
}

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

pub(crate) async fn prefetch_bounds_what_is_unsettled(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..10)).await;
    let mut consumer = broker.consume(Queue::Ingest, 3).await.expect("open");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut consumer).await);
    }
    nothing(&mut consumer).await;
    held.remove(1).ack().await.expect("it is live");
    held.push(next(&mut consumer).await);
    nothing(&mut consumer).await;
    for delivery in held {
        delivery.ack().await.expect("it is live");
    }
    assert_eq!(take(&mut consumer, 6).await, ids(4..10));
    broker.close().await;
}

pub(crate) async fn requeue_raises_the_delivery_count(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, vec![message("a")]).await;
    let mut consumer = broker.consume(Queue::Ingest, 1).await.expect("open");
    for count in 0..4 {
        let delivery = next(&mut consumer).await;
        assert_eq!(
            (delivery.delivery_count, delivery.redelivered),
            (count, count > 0)
        );
        assert_eq!(delivery.body, Bytes::from_static(b"a"));
        delivery.requeue().await.expect("it is live");
    }
    assert_eq!(take(&mut consumer, 1).await, ["a"]);
    broker.close().await;
}

pub(crate) async fn dropped_consumer_gives_its_deliveries_back(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..5)).await;
    let mut first = broker.consume(Queue::Ingest, 5).await.expect("open");
    let delivery = next(&mut first).await;
    drop(first);
    let mut second = broker.consume(Queue::Ingest, 5).await.expect("open");
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        let delivery = next(&mut second).await;
        assert_eq!(delivery.delivery_count, 1);
        seen.insert(delivery.message_id.clone());
        delivery.ack().await.expect("it is live");
    }
    assert_eq!(seen, ids(0..5).into_iter().collect());
    let stale = delivery.ack().await;
    assert!(matches!(stale, Err(ConsumeError::Away { .. })), "{stale:?}");
    nothing(&mut second).await;
    broker.close().await;
}

pub(crate) async fn closed_consumer_gives_its_deliveries_back_in_order(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..6)).await;
    let mut first = broker.consume(Queue::Ingest, 6).await.expect("open");
    let held = [next(&mut first).await, next(&mut first).await];
    let settled = next(&mut first).await;
    assert_eq!(settled.message_id, "2");
    settled.ack().await.expect("it is live");
    first.close().await;
    drop(held);
    let mut second = broker.consume(Queue::Ingest, 6).await.expect("open");
    assert_eq!(take(&mut second, 5).await, ["0", "1", "3", "4", "5"]);
    nothing(&mut second).await;
    broker.close().await;
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

pub(crate) async fn one_return_too_many_dead_letters_with_the_reason(backend: &impl Backend) {
    let limits = QueueLimits {
        delivery_limit: 2,
        ..QueueLimits::default()
    };
    let broker = backend.broker(&prefix(), limits).await;
    publish(&broker, vec![message("poison")]).await;
    let mut consumer = broker.consume(Queue::Ingest, 1).await.expect("open");
    for _ in 0..3 {
        next(&mut consumer)
            .await
            .requeue()
            .await
            .expect("it is live");
    }
    let mut dead = broker.consume(Queue::IngestDead, 1).await.expect("open");
    let delivery = next(&mut dead).await;
    assert_eq!(delivery.message_id, "poison");
    assert_eq!(delivery.body, Bytes::from_static(b"poison"));
    let reason = HeaderValue::Text(headers::DEAD_REASON_DELIVERY_LIMIT.to_owned());
    assert_eq!(delivery.header(headers::DEAD_REASON), Some(&reason));
    assert_eq!(
        delivery.header("alioth-chunk"),
        Some(&HeaderValue::Text("1/1".to_owned()))
    );
    delivery.ack().await.expect("it is live");
    nothing(&mut consumer).await;
    broker.close().await;
}

pub(crate) async fn cancelled_consumer_drains_what_it_has_and_ends(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..20)).await;
    let mut consumer = broker.consume(Queue::Ingest, 5).await.expect("open");
    let first = next(&mut consumer).await;
    consumer.cancel().await;
    assert!(!consumer.is_ready());
    let mut held = vec![first];
    while let Some(delivery) = tokio::time::timeout(SOON, consumer.next())
        .await
        .expect("in time")
    {
        held.push(delivery);
    }
    assert!(held.len() <= 5, "{}", held.len());
    assert!(consumer.next().await.is_none());
    let mut settled = Vec::new();
    for (index, delivery) in held.into_iter().enumerate() {
        if index % 2 == 0 {
            settled.push(delivery.message_id.clone());
            delivery.ack().await.expect("the channel stays until close");
        } else {
            delivery
                .requeue()
                .await
                .expect("the channel stays until close");
        }
    }
    consumer.close().await;
    let mut other = broker.consume(Queue::Ingest, 50).await.expect("open");
    let mut rest = take(&mut other, 20 - settled.len()).await;
    nothing(&mut other).await;
    rest.append(&mut settled);
    assert_eq!(
        rest.into_iter().collect::<BTreeSet<_>>(),
        ids(0..20).into_iter().collect()
    );
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

pub(crate) async fn competing_consumers_share_and_lose_nothing(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let mut left = broker.consume(Queue::Ingest, 5).await.expect("open");
    let mut right = broker.consume(Queue::Ingest, 5).await.expect("open");
    wait_until(SOON, || async { left.is_ready() && right.is_ready() }).await;
    publish(&broker, messages(0..10)).await;
    let mut seen = BTreeSet::new();
    for consumer in [&mut left, &mut right] {
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(next(consumer).await);
        }
        for delivery in held {
            seen.insert(delivery.message_id.clone());
            delivery.ack().await.expect("it is live");
        }
    }
    assert_eq!(seen, ids(0..10).into_iter().collect());
    broker.close().await;
}

pub(crate) async fn next_can_be_cancelled_without_loss(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let publishing = {
        let broker = Arc::clone(&broker);
        tokio::spawn(async move {
            for id in 0..200 {
                publish(&broker, messages(id..id + 1)).await;
            }
        })
    };
    let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
    let mut seen = Vec::new();
    let taking = async {
        while seen.len() < 200 {
            // Cut short at every possible place.
            let brief = Duration::from_micros(50 * (seen.len() as u64 % 7));
            if let Ok(Some(delivery)) = tokio::time::timeout(brief, consumer.next()).await {
                seen.push(delivery.message_id.clone());
                delivery.ack().await.expect("it is live");
            }
        }
    };
    tokio::time::timeout(SOON, taking)
        .await
        .expect("all in time");
    publishing.await.expect("the publisher does not panic");
    assert_eq!(seen, ids(0..200));
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
