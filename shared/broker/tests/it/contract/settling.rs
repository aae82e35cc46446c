//! What a consumer has, settles, and gives back.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use alioth_broker::{
    Broker, ConsumeError, Consumer, Delivery, HeaderValue, Queue, QueueLimits, headers,
};
use alioth_testkit::wait_until;
use bytes::Bytes;

use super::{Backend, fresh};
use crate::support::*;

pub(crate) async fn prefetch_bounds_what_is_unsettled(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..10)).await;
    let mut consumer = broker.consume(Queue::Ingest, 3).await.expect("open");
    let mut held = hold(&mut consumer, 3).await;
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

pub(crate) async fn a_renewed_subscription_has_a_whole_prefetch_and_keeps_what_was_delivered(
    backend: &impl Backend,
) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..20)).await;
    let mut consumer = broker.consume(Queue::Ingest, 3).await.expect("open");
    let mut held = Vec::new();
    for count in [3, 6, 9] {
        while held.len() < count {
            held.push(next(&mut consumer).await);
        }
        nothing(&mut consumer).await;
        if count < 9 {
            consumer.renew();
        }
    }
    let seen: Vec<String> = held.iter().map(|it| it.message_id.clone()).collect();
    assert_eq!(seen, ids(0..9));
    // What an ended subscription delivered can be settled, and is no credit for the present one.
    for of_an_ended_one in [4, 0] {
        let delivery = held.remove(of_an_ended_one);
        delivery.ack().await.expect("it is live");
    }
    nothing(&mut consumer).await;
    let of_the_present_one = held.pop().expect("seven are held");
    of_the_present_one.ack().await.expect("it is live");
    held.push(next(&mut consumer).await);
    nothing(&mut consumer).await;
    assert!(consumer.is_ready());
    for delivery in held {
        delivery.ack().await.expect("it is live");
    }
    assert_eq!(take(&mut consumer, 10).await, ids(10..20));
    nothing(&mut consumer).await;
    broker.close().await;
}

/// A consumer of `0..8` with a prefetch of 3 that has renewed its subscription once, and `0..6`, which it holds.
async fn renewed(broker: &Arc<dyn Broker>) -> (Box<dyn Consumer>, Vec<Delivery>) {
    publish(broker, messages(0..8)).await;
    let mut consumer = broker.consume(Queue::Ingest, 3).await.expect("open");
    let mut held = vec![next(&mut consumer).await];
    consumer.renew();
    // What was prefetched comes first, then a whole prefetch again.
    while held.len() < 6 {
        held.push(next(&mut consumer).await);
    }
    let seen: Vec<String> = held.iter().map(|it| it.message_id.clone()).collect();
    assert_eq!(seen, ids(0..6));
    (consumer, held)
}

pub(crate) async fn what_several_subscriptions_delivered_is_requeued_in_order(
    backend: &impl Backend,
) {
    let broker = fresh(backend).await;
    let (mut consumer, held) = renewed(&broker).await;
    for delivery in held {
        delivery.requeue().await.expect("it is live");
    }
    assert_eq!(take(&mut consumer, 8).await, ids(0..8));
    broker.close().await;
}

pub(crate) async fn a_renewed_consumer_gives_everything_back(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let (mut consumer, held) = renewed(&broker).await;
    consumer.close().await;
    drop(held);
    let mut other = broker.consume(Queue::Ingest, 50).await.expect("open");
    // RabbitMQ takes the subscriptions in any order.
    let mut back = take(&mut other, 8).await;
    back.sort();
    assert_eq!(back, ids(0..8));
    nothing(&mut other).await;
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

pub(crate) async fn acknowledged_in_any_order_exactly_those_are_gone(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..300)).await;
    let mut first = broker.consume(Queue::Ingest, 100).await.expect("open");
    let mut held: Vec<_> = (0..100).zip(hold(&mut first, 100).await).collect();
    // Runs and gaps of both, not in the order of delivery, and with pauses in which some are told of.
    held.sort_by_key(|(number, _)| (number * 37) % 100);
    let (mut kept, mut settled) = (Vec::new(), 0);
    for (position, (number, delivery)) in held.into_iter().enumerate() {
        if number >= 20 && number % 7 == 0 {
            kept.push((number, delivery));
        } else {
            delivery.ack().await.expect("it is live");
            settled += 1;
        }
        if position % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // As many as were acknowledged are delivered in their place.
    let more = hold(&mut first, settled).await;
    nothing(&mut first).await;
    first.close().await;
    drop(more);
    kept.sort_by_key(|(number, _)| *number);
    let kept = kept.iter().map(|(number, _)| number.to_string());
    let expected: Vec<String> = kept.chain(ids(100..300)).collect();
    let mut second = broker.consume(Queue::Ingest, 300).await.expect("open");
    assert_eq!(take(&mut second, expected.len()).await, expected);
    nothing(&mut second).await;
    broker.close().await;
}

pub(crate) async fn acknowledged_right_before_a_close_they_are_gone(backend: &impl Backend) {
    let broker = fresh(backend).await;
    publish(&broker, messages(0..200)).await;
    let mut first = broker.consume(Queue::Ingest, 200).await.expect("open");
    let mut held = hold(&mut first, 200).await;
    // As merges end: the later before the earlier, and what is not applied goes back.
    for upsert in [100..150, 50..100, 0..50] {
        for delivery in held.drain(upsert) {
            delivery.ack().await.expect("it is live");
        }
    }
    for delivery in held {
        delivery.requeue().await.expect("it is live");
    }
    first.close().await;
    let mut second = broker.consume(Queue::Ingest, 200).await.expect("open");
    let again: BTreeSet<String> = drain(&mut second).await.into_iter().collect();
    assert_eq!(again, ids(150..200).into_iter().collect());
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

pub(crate) async fn competing_consumers_share_and_lose_nothing(backend: &impl Backend) {
    let broker = fresh(backend).await;
    let mut left = broker.consume(Queue::Ingest, 5).await.expect("open");
    let mut right = broker.consume(Queue::Ingest, 5).await.expect("open");
    wait_until(SOON, || async { left.is_ready() && right.is_ready() }).await;
    publish(&broker, messages(0..10)).await;
    let mut seen = BTreeSet::new();
    for consumer in [&mut left, &mut right] {
        for delivery in hold(consumer, 5).await {
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
