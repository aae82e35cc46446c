//! What is delivered while the broker or the network fails: settled once, or delivered again.

use std::collections::BTreeSet;

use alioth_broker::{ConsumeError, Queue};
use alioth_testkit::{Direction, Fault, RabbitMq, wait_until};

use super::{impatient, open, proxied, ready};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_cut_while_consuming_redelivers_and_makes_settles_fail() {
    let (proxy, through, straight) = proxied().await;
    publish(&straight, messages(0..6)).await;
    let mut consumer = through.consume(Queue::Ingest, 4).await.expect("open");
    let (stale, acked) = (next(&mut consumer).await, next(&mut consumer).await);
    acked.ack().await.expect("it is live");
    // The ack is written; the broker has it once somebody else gets the next message.
    wait_until(SOON, || async {
        ready(&straight, Queue::Ingest).await == 1
    })
    .await;
    proxy.cut_connections().await;
    let mut seen = BTreeSet::new();
    while seen.len() < 5 {
        let delivery = next(&mut consumer).await;
        let id = delivery.message_id.clone();
        if delivery.ack().await.is_ok() {
            seen.insert(id);
        }
    }
    let expected: BTreeSet<String> = ["0", "2", "3", "4", "5"].map(str::to_owned).into();
    assert_eq!(seen, expected);
    let settled = stale.ack().await;
    assert!(
        matches!(settled, Err(ConsumeError::Away { .. })),
        "{settled:?}"
    );
    nothing(&mut consumer).await;
    through.close().await;
    straight.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_after_its_end_a_subscription_s_deliveries_are_gone_while_the_channel_stays() {
    let node = RabbitMq::shared().await;
    let prefix = prefix();
    let broker = open(&impatient(node.amqp_url(), &prefix));
    broker.declare().await.expect("the broker is there");
    publish(&broker, messages(0..4)).await;
    let mut consumer = broker.consume(Queue::Ingest, 4).await.expect("open");
    let mut held = hold(&mut consumer, 4).await;
    consumer.cancel().await;
    assert!(consumer.next().await.is_none());
    let kept = held.pop();
    for delivery in held {
        delivery.ack().await.expect("the channel stays until close");
    }
    let expected = format!("{prefix}ingest\t1");
    wait_until(SOON, || async {
        let columns = ["list_queues", "name", "messages_unacknowledged"];
        let queues = node.rabbitmqctl(&columns).await;
        queues.lines().any(|line| line == expected)
    })
    .await;
    drop(kept);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connection_is_noticed_by_its_consumer() {
    let (proxy, through, straight) = proxied().await;
    let mut consumer = through.consume(Queue::Ingest, 4).await.expect("open");
    wait_until(SOON, || async { consumer.is_ready() }).await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    wait_until(SOON, || async { !consumer.is_ready() }).await;
    proxy.set(Fault::Pass).await;
    publish(&straight, vec![message("heard")]).await;
    assert_eq!(take(&mut consumer, 1).await, ["heard"]);
    through.close().await;
    straight.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumer_of_a_deleted_queue_declares_it_again() {
    let node = RabbitMq::shared().await;
    let prefix = prefix();
    let broker = open(&impatient(node.amqp_url(), &prefix));
    let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
    wait_until(SOON, || async { consumer.is_ready() }).await;
    node.rabbitmqctl(&["delete_queue", &format!("{prefix}ingest")])
        .await;
    // Nobody else declares it: RabbitMQ 3.10 does not tell a consumer of a deletion when the queue is back at once.
    wait_until(SOON, || async { broker.depth(Queue::Ingest).await.is_ok() }).await;
    publish(&broker, vec![message("again")]).await;
    assert_eq!(take(&mut consumer, 1).await, ["again"]);
    broker.close().await;
}
