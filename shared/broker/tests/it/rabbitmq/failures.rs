//! RabbitMQ and the network failing in every way that was thought of.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use alioth_broker::{
    AmqpConfig, Broker, ConsumeError, DeclareError, PublishError, Queue, QueueLimits,
};
use alioth_config::Span;
use alioth_testkit::{Direction, Fault, FaultProxy, RabbitMq, wait_until};

use super::{config, open};
use crate::support::*;

/// Short, so that tests need not wait; longer than any confirm here.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);

/// A configuration that notices failures soon.
fn impatient(url: String, prefix: &str) -> AmqpConfig {
    AmqpConfig {
        confirm_timeout: Span(CONFIRM_TIMEOUT),
        connect_timeout: Span(Duration::from_secs(2)),
        heartbeat: Span(Duration::from_secs(1)),
        ..config(url, prefix, QueueLimits::default())
    }
}

/// A broker behind a proxy before the shared node, and one that goes straight to it.
async fn proxied() -> (FaultProxy, Arc<dyn Broker>, Arc<dyn Broker>) {
    let node = RabbitMq::shared().await;
    let proxy = FaultProxy::start(node.amqp_address()).await;
    let prefix = prefix();
    let through = open(&impatient(node.amqp_url_through(proxy.address()), &prefix));
    let straight = open(&impatient(node.amqp_url(), &prefix));
    straight.declare().await.expect("the node is there");
    (proxy, through, straight)
}

fn is_away(result: &Result<(), PublishError>) -> bool {
    matches!(result, Err(PublishError::Away { .. }))
}

async fn ready(broker: &Arc<dyn Broker>, queue: Queue) -> u64 {
    broker.depth(queue).await.expect("the node is there").ready
}

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
    let lost: Vec<&String> = confirmed.difference(&kept).collect();
    assert!(
        lost.is_empty(),
        "{} of {} confirmed are lost: {lost:?}",
        lost.len(),
        confirmed.len()
    );
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
    assert_eq!(ready(&straight, Queue::Ingest).await, 1);
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
    assert_eq!(ready(&straight, Queue::Ingest).await, 1);
    through.close().await;
    straight.close().await;
}

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
        let lost: Vec<&String> = confirmed.difference(&kept).collect();
        assert!(
            lost.is_empty(),
            "{} of {} confirmed are lost: {lost:?}",
            lost.len(),
            confirmed.len()
        );
    }
    assert!(unroutable > 0);
    broker.close().await;
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

/// lapin runs each connection in a thread of its own, and waits without limit for a silent server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_servers_leave_no_connection_thread_behind() {
    if std::env::var_os("BROKER_TEST_ALONE").is_none() {
        // In a process without other tests, whose connections would be counted too.
        let name = "rabbitmq::failures::silent_servers_leave_no_connection_thread_behind";
        let alone = tokio::task::spawn_blocking(move || {
            Command::new(std::env::current_exe().expect("this binary"))
                .args(["--exact", name])
                .env("BROKER_TEST_ALONE", "1")
                .stdin(Stdio::null())
                .output()
                .expect("this binary runs")
        });
        let alone = alone.await.expect("no panic");
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(
            alone.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let (proxy, through, straight) = proxied().await;
    let publisher = publisher(&through).await;
    let consumer = through.consume(Queue::Ingest, 4).await.expect("open");
    wait_until(SOON, || async {
        consumer.is_ready() && connection_threads() == 2
    })
    .await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    wait_until(SOON, || async {
        !publisher.is_ready() && !consumer.is_ready()
    })
    .await;
    let before = proxy.connections();
    wait_until(SOON, || async { proxy.connections() >= before + 4 }).await;
    assert!(connection_threads() <= 2, "{}", connection_threads());
    through.close().await;
    straight.close().await;
    wait_until(SOON, || async { connection_threads() == 0 }).await;
}

fn connection_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task")
        .expect("a list of threads")
        .flatten();
    let name = |thread: std::fs::DirEntry| {
        std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default()
    };
    threads
        .map(name)
        .filter(|name| name.starts_with("lapin-io-loop"))
        .count()
}
