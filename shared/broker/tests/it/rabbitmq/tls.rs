//! amqps: the right server is worked with, any other is refused with the reason.

use std::{path::PathBuf, sync::Arc, time::Duration};

use alioth_broker::{AmqpConfig, Broker, DeclareError, PublishError, Queue, QueueLimits};
use alioth_config::Span;
use alioth_testkit::{Authority, Extra, RabbitMq, rabbitmq::TlsListener, wait_until};

use super::{config, open};
use crate::support::*;

fn listener(node: &RabbitMq) -> &TlsListener {
    node.tls().expect("it was started with one")
}

fn broker(url: String, ca_file: Option<PathBuf>) -> Arc<dyn Broker> {
    open(&AmqpConfig {
        ca_file,
        connect_timeout: Span(Duration::from_secs(10)),
        ..config(url, &prefix(), QueueLimits::default())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_the_configured_authority_is_published_to_and_consumed_from() {
    let node = RabbitMq::start_with(Extra::Tls).await;
    let listener = listener(&node);
    let broker = broker(
        listener.url("localhost"),
        Some(listener.ca_file().to_owned()),
    );
    broker.declare().await.expect("the right server");
    let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
    publish(&broker, messages(0..50)).await;
    assert_eq!(take(&mut consumer, 50).await, ids(0..50));
    let large = vec![7; 1 << 20].into();
    publish(&broker, vec![message_of("large", large)]).await;
    let delivery = next(&mut consumer).await;
    assert!(delivery.body.len() == 1 << 20 && delivery.body.iter().all(|byte| *byte == 7));
    delivery.ack().await.expect("it is live");
    let by_tls = node.rabbitmqctl(&["list_connections", "ssl"]).await;
    assert!(
        by_tls.contains("true") && !by_tls.contains("false"),
        "{by_tls}"
    );
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_or_name_is_refused_with_the_reason() {
    let node = RabbitMq::start_with(Extra::Tls).await;
    let listener = listener(&node);
    let dir = tempfile::tempdir().expect("a directory");
    let other = dir.path().join("other.pem");
    std::fs::write(&other, Authority::new().pem()).expect("written");
    let right = listener.ca_file().to_owned();
    for (host, ca_file, reason) in [
        ("localhost", Some(other), "UnknownIssuer"),
        // Whether or not this machine has authorities of its own.
        ("localhost", None, "certificate"),
        ("127.0.0.1", Some(right), "not valid for name"),
    ] {
        refuses(&broker(listener.url(host), ca_file), reason).await;
    }
}

/// Never ready, and everything that is tried says why.
async fn refuses(broker: &Arc<dyn Broker>, expected: &str) {
    let declared = broker.declare().await;
    assert!(
        matches!(&declared, Err(DeclareError::Away { reason }) if reason.contains(expected)),
        "{expected}: {declared:?}"
    );
    let publisher = broker.publisher();
    let consumer = broker.consume(Queue::Ingest, 1).await.expect("it waits");
    wait_until(SOON, || async {
        match publisher.publish(Queue::Ingest, vec![message("a")]).await {
            Err(PublishError::Away { reason }) => reason.contains(expected),
            other => panic!("{other:?}"),
        }
    })
    .await;
    assert!(!publisher.is_ready() && !consumer.is_ready());
    broker.close().await;
}
