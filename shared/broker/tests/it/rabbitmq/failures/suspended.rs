//! A publisher that cannot know what became of its connection, as after its process was suspended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use alioth_broker::{AmqpConfig, Broker, Publisher, Queue, QueueLimits, RabbitMqBroker, UrlSource};
use alioth_config::{Secret, Span};
use alioth_testkit::{Direction, Fault, FaultProxy, RabbitMq, wait_until};

use super::{config, impatient, is_away, open};
use crate::support::*;

/// A node behind a proxy, and a publisher whose heartbeat tells of nothing while a test runs.
async fn unheard() -> (FaultProxy, Arc<dyn Broker>, Arc<dyn Publisher>) {
    let node = RabbitMq::shared().await;
    let proxy = FaultProxy::start(node.amqp_address()).await;
    let config = AmqpConfig {
        heartbeat: Span(Duration::from_secs(600)),
        ..impatient(node.amqp_url_through(proxy.address()), &prefix())
    };
    let broker = open(&config);
    let publisher = publisher(&broker).await;
    (proxy, broker, publisher)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connection_is_replaced_before_the_publish() {
    let (proxy, broker, publisher) = unheard().await;
    for count in 0..20 {
        proxy.cut_connections().await;
        assert!(publisher.prove(SOON).await);
        let published = publisher
            .publish(Queue::Ingest, vec![message(&count.to_string())])
            .await;
        published.expect("a proven connection publishes");
    }
    let mut consumer = broker.consume(Queue::Ingest, 20).await.expect("open");
    assert_eq!(take(&mut consumer, 20).await, ids(0..20));
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_that_died_in_silence_is_found_out_and_replaced() {
    let (proxy, broker, publisher) = unheard().await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    // Nothing has told of it.
    assert!(publisher.is_ready());
    let before = proxy.connections();
    let proving = tokio::spawn({
        let publisher = Arc::clone(&publisher);
        async move { publisher.prove(SOON).await }
    });
    wait_until(SOON, || async { proxy.connections() > before }).await;
    assert!(!publisher.is_ready());
    proxy.set(Fault::Pass).await;
    assert!(proving.await.expect("no panic"));
    let published = publisher.publish(Queue::Ingest, vec![message("a")]).await;
    published.expect("a proven connection publishes");
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_a_proof_fails_in_its_time_and_comes_as_soon_as_there_is_one() {
    let (proxy, broker, publisher) = unheard().await;
    proxy.set(Fault::Cut).await;
    assert!(!publisher.prove(Duration::from_millis(300)).await);
    let proving = tokio::spawn({
        let publisher = Arc::clone(&publisher);
        async move { publisher.prove(SOON).await }
    });
    proxy.set(Fault::Pass).await;
    assert!(proving.await.expect("no panic"));
    assert!(publisher.is_ready());
    broker.close().await;
}

/// Has one other URL, and counts how often it is asked.
#[derive(Debug)]
struct Rotated {
    url: Option<String>,
    asked: AtomicU32,
}

#[async_trait::async_trait]
impl UrlSource for Rotated {
    async fn renewed(&self) -> Option<Secret> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.url.clone().map(Secret::from)
    }
}

async fn with_a_wrong_password(renewed: bool) -> (Arc<Rotated>, Arc<dyn Broker>) {
    let right = RabbitMq::shared().await.amqp_url();
    let wrong = right.replace("guest:guest", "guest:of-yesterday");
    let source = Arc::new(Rotated {
        url: renewed.then_some(right),
        asked: AtomicU32::new(0),
    });
    let config = config(wrong, &prefix(), QueueLimits::default());
    let urls = Some(Arc::clone(&source) as Arc<dyn UrlSource>);
    let broker = RabbitMqBroker::renewing(&config, "alioth-broker tests", metrics(), urls);
    (source, Arc::new(broker.expect("a good URL")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_asked_for_anew_within_the_attempt() {
    let (source, broker) = with_a_wrong_password(true).await;
    publish(&broker, vec![message("a")]).await;
    assert_eq!(source.asked.load(Ordering::SeqCst), 1);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_that_nobody_renews_stay_refused() {
    let (source, broker) = with_a_wrong_password(false).await;
    let publisher = broker.publisher();
    wait_until(SOON, || async { source.asked.load(Ordering::SeqCst) >= 2 }).await;
    assert!(!publisher.is_ready());
    assert!(is_away(
        &publisher.publish(Queue::Ingest, vec![message("a")]).await
    ));
    broker.close().await;
}
