//! A broker that is not there, comes back, or will not have us.

use std::time::{Duration, Instant};

use alioth_broker::{DeclareError, PublishError, Queue, QueueLimits};
use alioth_testkit::{Fault, RabbitMq, wait_until};

use super::{config, impatient, is_away, open, proxied};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absent_broker_refuses_publishes_at_once_and_is_used_when_it_comes() {
    let (proxy, through, straight) = proxied().await;
    proxy.set(Fault::Cut).await;
    let publisher = through.publisher();
    let mut consumer = through.consume(Queue::Ingest, 1).await.expect("it waits");
    let begun = Instant::now();
    for _ in 0..100 {
        let refused = publisher
            .publish(Queue::Ingest, vec![message("refused")])
            .await;
        assert!(is_away(&refused), "{refused:?}");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert!(!publisher.is_ready() && !consumer.is_ready());
    let declared = through.declare().await;
    assert!(
        matches!(declared, Err(DeclareError::Away { .. })),
        "{declared:?}"
    );
    assert!(through.depth(Queue::Ingest).await.is_err());
    proxy.set(Fault::Pass).await;
    publish_until_confirmed(&publisher, Queue::Ingest, message("now")).await;
    assert_eq!(take(&mut consumer, 1).await, ["now"]);
    through.close().await;
    straight.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarted_broker_gets_its_publisher_and_consumer_back() {
    let node = RabbitMq::start().await;
    let broker = open(&impatient(node.amqp_url(), &prefix()));
    let publisher = publisher(&broker).await;
    let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
    publish(&broker, vec![message("before")]).await;
    assert_eq!(take(&mut consumer, 1).await, ["before"]);
    node.stop().await;
    wait_until(SOON, || async {
        !publisher.is_ready() && !consumer.is_ready()
    })
    .await;
    node.start_again().await;
    publish_until_confirmed(&publisher, Queue::Ingest, message("after")).await;
    assert_eq!(take(&mut consumer, 1).await, ["after"]);
    assert!(publisher.is_ready() && consumer.is_ready());
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_with_other_arguments_is_a_conflict_that_names_it() {
    let node = RabbitMq::shared().await;
    let prefix = prefix();
    let before = open(&config(node.amqp_url(), &prefix, QueueLimits::default()));
    before.declare().await.expect("the node is there");
    let other = QueueLimits {
        delivery_limit: 7,
        ..QueueLimits::default()
    };
    let broker = open(&config(node.amqp_url(), &prefix, other));
    match broker.declare().await {
        Err(DeclareError::Conflict {
            queue, argument, ..
        }) => {
            assert_eq!(
                (queue, argument.as_str()),
                (format!("{prefix}ingest"), "x-delivery-limit")
            );
        }
        other => panic!("{other:?}"),
    }
    let publisher = broker.publisher();
    wait_until(SOON, || async {
        match publisher.publish(Queue::Ingest, vec![message("a")]).await {
            Err(PublishError::Away { reason }) => reason.contains("x-delivery-limit"),
            other => panic!("{other:?}"),
        }
    })
    .await;
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_password_and_wrong_protocol_are_told_without_the_password() {
    let node = RabbitMq::shared().await;
    let right = node.amqp_url();
    let urls = [
        right.replace("guest:guest", "guest:hunter2"),
        right.replace("amqp://", "amqps://"),
    ];
    for url in urls {
        let broker = open(&impatient(url, &prefix()));
        match broker.declare().await {
            Err(DeclareError::Away { reason }) => {
                assert!(
                    !reason.is_empty() && !reason.contains("hunter2"),
                    "{reason}"
                );
            }
            other => panic!("{other:?}"),
        }
        broker.close().await;
    }
}
