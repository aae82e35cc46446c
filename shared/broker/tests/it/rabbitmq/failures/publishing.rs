//! What is published while the broker or the network fails: confirmed and there, or an error.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use alioth_broker::{Broker, PublishError, Queue};
use alioth_testkit::{Direction, Fault, FaultProxy, RabbitMq, wait_until};

use super::{CONFIRM_TIMEOUT, impatient, is_away, open, proxied, ready};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_killed_under_load_has_everything_it_confirmed() {
    let node = RabbitMq::start().await;
    let broker = open(&impatient(node.amqp_url(), &prefix()));
    let publisher = publisher(&broker).await;
    let publishing: Vec<_> = (0..16_u32)
        .map(|number| {
            let publisher = Arc::clone(&publisher);
            tokio::spawn(async move {
                let mut confirmed = Vec::new();
                for count in 0.. {
                    let id = format!("{number}/{count}");
                    match publisher.publish(Queue::Ingest, vec![message(&id)]).await {
                        Ok(()) => confirmed.push(id),
                        Err(_) => break,
                    }
                }
                confirmed
            })
        })
        .collect();
    wait_until(SOON, || async { ready(&broker, Queue::Ingest).await > 500 }).await;
    node.kill().await;
    let mut confirmed = BTreeSet::new();
    for publishing in publishing {
        confirmed.extend(publishing.await.expect("no publisher panics"));
    }
    assert!(confirmed.len() > 400, "{}", confirmed.len());
    node.start_again().await;
    let mut consumer = broker.consume(Queue::Ingest, 200).await.expect("open");
    let first = next(&mut consumer).await;
    let mut kept = BTreeSet::from([first.message_id.clone()]);
    first.ack().await.expect("it is live");
    kept.extend(drain(&mut consumer).await);
    none_is_lost(&confirmed, &kept);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_killed_between_publish_and_confirm_is_never_a_success() {
    let node = RabbitMq::start().await;
    let proxy = FaultProxy::start(node.amqp_address()).await;
    let prefix = prefix();
    let through = open(&impatient(node.amqp_url_through(proxy.address()), &prefix));
    let straight = open(&impatient(node.amqp_url(), &prefix));
    let publisher = publisher(&through).await;
    proxy.set(Fault::BlackHole(Direction::ToClient)).await;
    let publishing = tokio::spawn({
        let publisher = Arc::clone(&publisher);
        async move { publisher.publish(Queue::Ingest, messages(0..20)).await }
    });
    wait_until(SOON, || async {
        ready(&straight, Queue::Ingest).await == 20
    })
    .await;
    node.kill().await;
    proxy.set(Fault::Cut).await;
    let published = publishing.await.expect("no panic");
    let failed = matches!(
        published,
        Err(PublishError::Away { .. } | PublishError::TimedOut { .. })
    );
    assert!(failed, "{published:?}");
    node.start_again().await;
    proxy.set(Fault::Pass).await;
    publish_until_confirmed(&publisher, Queue::Ingest, message("after")).await;
    let mut consumer = through.consume(Queue::Ingest, 50).await.expect("open");
    let mut expected = ids(0..20);
    expected.push("after".to_owned());
    assert_eq!(take(&mut consumer, 21).await, expected);
    through.close().await;
    straight.close().await;
}

/// That nothing of before was kept. "after" may be there more than once: a try that had no confirm in time was
/// told as an error and made again, though its message arrived.
async fn only_after_is_there(broker: &Arc<dyn Broker>) {
    let mut consumer = broker.consume(Queue::Ingest, 50).await.expect("open");
    let mut seen = take(&mut consumer, 1).await;
    seen.extend(drain(&mut consumer).await);
    assert!(seen.iter().all(|id| id == "after"), "{seen:?}");
}

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn count(&self, words: &str) -> usize {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).matches(words).count()
    }
}

impl Write for Said {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection that comes back at once leaves no other trace of why publishes were refused.
#[tokio::test]
async fn a_lost_connection_is_said_once_though_it_comes_back_at_once() {
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .finish();
    // Were this the only subscriber alive, tracing would ask whichever thread first comes by a log line whether it
    // is wanted, for all threads and for good; another test's thread has no subscriber and says no.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    // One thread runs all of this test, its tasks too.
    let _listening = tracing::subscriber::set_default(subscriber);
    let (proxy, through, straight) = proxied().await;
    let publisher = publisher(&through).await;
    proxy.cut_connections().await;
    let away = "rabbitmq is away for publishing";
    wait_until(SOON, || async { said.count(away) == 1 }).await;
    publish_until_confirmed(&publisher, Queue::Ingest, message("after")).await;
    assert_eq!(said.count(away), 1);
    through.close().await;
    straight.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_cut_before_the_confirm_is_away() {
    let (proxy, through, straight) = proxied().await;
    let publisher = publisher(&through).await;
    proxy.set(Fault::BlackHole(Direction::ToServer)).await;
    let publishing = tokio::spawn({
        let publisher = Arc::clone(&publisher);
        async move { publisher.publish(Queue::Ingest, messages(0..5)).await }
    });
    tokio::task::yield_now().await;
    proxy.cut_connections().await;
    let published = publishing.await.expect("no panic");
    assert!(published.is_err(), "{published:?}");
    proxy.set(Fault::Pass).await;
    publish_until_confirmed(&publisher, Queue::Ingest, message("after")).await;
    only_after_is_there(&straight).await;
    through.close().await;
    straight.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn black_hole_fails_publishes_within_the_confirm_timeout_and_then_at_once() {
    let (proxy, through, straight) = proxied().await;
    let publisher = publisher(&through).await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let begun = Instant::now();
    let published = publisher
        .publish(Queue::Ingest, vec![message("lost")])
        .await;
    // The heartbeat may notice first.
    let failed = matches!(
        published,
        Err(PublishError::Away { .. } | PublishError::TimedOut { .. })
    );
    assert!(failed, "{published:?}");
    assert!(
        begun.elapsed() < CONFIRM_TIMEOUT * 3,
        "{:?}",
        begun.elapsed()
    );
    wait_until(SOON, || async { !publisher.is_ready() }).await;
    let begun = Instant::now();
    for _ in 0..100 {
        let refused = publisher
            .publish(Queue::Ingest, vec![message("refused")])
            .await;
        assert!(is_away(&refused), "{refused:?}");
    }
    assert!(
        begun.elapsed() < CONFIRM_TIMEOUT / 2,
        "{:?}",
        begun.elapsed()
    );
    proxy.set(Fault::Pass).await;
    publish_until_confirmed(&publisher, Queue::Ingest, message("after")).await;
    only_after_is_there(&straight).await;
    through.close().await;
    straight.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_publishers_fail_at_once_and_consumers_go_on() {
    let node = RabbitMq::start().await;
    let broker = open(&impatient(node.amqp_url(), &prefix()));
    let publisher = publisher(&broker).await;
    publish(&broker, vec![message("before")]).await;
    node.rabbitmqctl(&["set_vm_memory_high_watermark", "0.0000001"])
        .await;
    // RabbitMQ tells a connection that it blocks when it next publishes.
    wait_until(SOON, || async {
        let _ = publisher
            .publish(Queue::Ingest, vec![message("unsure")])
            .await;
        !publisher.is_ready()
    })
    .await;
    let refused = publisher
        .publish(Queue::Ingest, vec![message("refused")])
        .await;
    assert!(
        matches!(&refused, Err(PublishError::Away { reason }) if reason.contains("block")),
        "{refused:?}"
    );
    let mut consumer = broker.consume(Queue::Ingest, 1).await.expect("open");
    assert_eq!(take(&mut consumer, 1).await, ["before"]);
    node.rabbitmqctl(&["set_vm_memory_high_watermark", "0.9"])
        .await;
    publish_until_confirmed(&publisher, Queue::Ingest, message("after")).await;
    let mut seen = String::new();
    while seen != "after" {
        seen = take(&mut consumer, 1).await.remove(0);
        assert!(seen == "unsure" || seen == "after", "{seen}");
    }
    broker.close().await;
}

/// Two queues over one channel: a message returned from one must not pass for confirmed because lapin gave the
/// return to a confirm of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publish_to_a_deleted_queue_is_unroutable_or_there_and_the_queue_comes_back() {
    let node = RabbitMq::shared().await;
    let prefix = prefix();
    let broker = open(&impatient(node.amqp_url(), &prefix));
    let publisher = publisher(&broker).await;
    let mut unroutable = 0;
    for round in 0..4 {
        node.rabbitmqctl(&["delete_queue", &format!("{prefix}ingest")])
            .await;
        let publishing: Vec<_> = (0..200_u32)
            .map(|count| {
                let publisher = Arc::clone(&publisher);
                tokio::spawn(async move {
                    let queue = if count % 2 == 0 {
                        Queue::Ingest
                    } else {
                        Queue::Backup
                    };
                    let id = format!("{round}/{count}");
                    let published = publisher.publish(queue, vec![message(&id)]).await;
                    (queue, id, published)
                })
            })
            .collect();
        let mut confirmed = BTreeSet::new();
        for publishing in publishing {
            match publishing.await.expect("no panic") {
                (_, id, Ok(())) => {
                    confirmed.insert(id);
                }
                (Queue::Ingest, _, Err(PublishError::Unroutable { queue })) => {
                    assert_eq!(queue, format!("{prefix}ingest"));
                    unroutable += 1;
                }
                (_, _, Err(PublishError::Away { .. })) => {}
                (queue, _, Err(error)) => panic!("{queue:?}: {error}"),
            }
        }
        // The connection is made anew, which declares the queue.
        publish_until_confirmed(&publisher, Queue::Ingest, message("back")).await;
        let mut kept = BTreeSet::new();
        for queue in [Queue::Ingest, Queue::Backup] {
            let mut consumer = broker.consume(queue, 100).await.expect("open");
            wait_until(SOON, || async { consumer.is_ready() }).await;
            kept.extend(drain(&mut consumer).await);
            consumer.close().await;
        }
        none_is_lost(&confirmed, &kept);
    }
    assert!(unroutable > 0);
    broker.close().await;
}
