//! What is in the file after its process ended in every way that was thought of.
//!
//! The process that ends is this test binary, started again to run one test's other half.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use alioth_broker::{
    Broker, EmbeddedBroker, EmbeddedOptions, HeaderValue, OpenError, PublishError, Queue,
    QueueLimits, headers,
};
use alioth_testkit::wait_until;
use bytes::Bytes;

use crate::support::*;

/// Set in the process that is to end: the queue's directory.
const OTHER_HALF: &str = "BROKER_TEST_DIR";

async fn open_with(dir: &Path, limits: QueueLimits) -> Arc<dyn Broker> {
    let options = EmbeddedOptions {
        limits,
        ..EmbeddedOptions::default()
    };
    Arc::new(
        EmbeddedBroker::open(dir, options, metrics())
            .await
            .expect("the file opens"),
    )
}

async fn open(dir: &Path) -> Arc<dyn Broker> {
    open_with(dir, QueueLimits::default()).await
}

/// Starts this binary again for one test, through a shell that first does `before`.
fn start_other_half(test: &str, dir: &Path, before: &str) -> Child {
    let binary = std::env::current_exe().expect("this binary");
    Command::new("sh")
        // It dies with the test's thread should that not get to kill it.
        .args([
            "-c",
            &format!("{before}\nexec setpriv --pdeathsig KILL -- \"$@\""),
            "sh",
        ])
        .arg(binary)
        .args([
            "--exact",
            "--nocapture",
            &format!("embedded::crash::{test}"),
        ])
        .env(OTHER_HALF, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this binary starts")
}

/// Says a word to the half that started this one; the marker keeps it apart from the test harness's own.
fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@{word}\n").as_bytes())
        .expect("the other half listens");
    out.flush().expect("the other half listens");
}

/// The words of the other half, as they come, until it ends.
fn words(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let out = BufReader::new(child.stdout.take().expect("it is piped"));
    out.lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix('@').map(str::to_owned))
}

/// SIGKILL, and the words said before.
fn kill(mut child: Child, words: impl Iterator<Item = String>) -> Vec<String> {
    child.kill().expect("it is there to be killed");
    let rest = words.collect();
    child.wait().expect("it ends");
    rest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_publishes_survive_kill_nine() {
    if let Some(dir) = std::env::var_os(OTHER_HALF) {
        let publisher = open(Path::new(&dir)).await.publisher();
        let publishing: Vec<_> = (0..16)
            .map(|number| {
                let publisher = Arc::clone(&publisher);
                tokio::spawn(async move {
                    for count in 0.. {
                        let id = format!("{}/{number}/{count}", std::process::id());
                        let body = Bytes::from(id.repeat(50));
                        let sent = vec![message_of(&id, body)];
                        publisher
                            .publish(Queue::Ingest, sent)
                            .await
                            .expect("confirmed");
                        say(&id);
                    }
                })
            })
            .collect();
        for publishing in publishing {
            publishing.await.expect("it is killed first");
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut confirmed = BTreeSet::new();
    for _ in 0..3 {
        let mut child =
            start_other_half("acknowledged_publishes_survive_kill_nine", dir.path(), "");
        let mut words = words(&mut child);
        confirmed.extend(words.by_ref().take(700));
        confirmed.extend(kill(child, words));
    }
    assert!(confirmed.len() >= 2100, "{}", confirmed.len());
    let broker = open(dir.path()).await;
    let ready = broker.depth(Queue::Ingest).await.expect("open").ready;
    let mut consumer = broker.consume(Queue::Ingest, 100).await.expect("open");
    let mut kept = Vec::new();
    for _ in 0..ready {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.body, Bytes::from(delivery.message_id.repeat(50)));
        kept.push(delivery.message_id.clone());
        delivery.ack().await.expect("it is live");
    }
    nothing(&mut consumer).await;
    let distinct: BTreeSet<String> = kept.iter().cloned().collect();
    assert_eq!(distinct.len(), kept.len(), "something is there twice");
    none_is_lost(&confirmed, &distinct);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_that_kills_its_consumer_is_counted_and_finally_buried() {
    if let Some(dir) = std::env::var_os(OTHER_HALF) {
        let broker = open(Path::new(&dir)).await;
        let mut consumer = broker.consume(Queue::Ingest, 1).await.expect("open");
        let held = next(&mut consumer).await;
        // A publish is on disk with everything noted before it.
        publish(&broker, vec![message("other")]).await;
        say(&held.delivery_count.to_string());
        std::future::pending::<()>().await;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let broker = open(dir.path()).await;
    publish(&broker, vec![message("poison")]).await;
    broker.close().await;
    for count in 0..2 {
        let test = "message_that_kills_its_consumer_is_counted_and_finally_buried";
        let mut child = start_other_half(test, dir.path(), "");
        let mut words = words(&mut child);
        assert_eq!(words.next(), Some(count.to_string()));
        kill(child, words);
    }
    let limits = QueueLimits {
        delivery_limit: 1,
        ..QueueLimits::default()
    };
    let broker = open_with(dir.path(), limits).await;
    let mut dead = broker.consume(Queue::IngestDead, 1).await.expect("open");
    let delivery = next(&mut dead).await;
    assert_eq!(delivery.message_id, "poison");
    let reason = HeaderValue::Text(headers::DEAD_REASON_DELIVERY_LIMIT.to_owned());
    assert_eq!(delivery.header(headers::DEAD_REASON), Some(&reason));
    let mut consumer = broker.consume(Queue::Ingest, 5).await.expect("open");
    assert_eq!(take(&mut consumer, 2).await, ["other", "other"]);
    nothing(&mut consumer).await;
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_and_opened_again_it_has_what_was_not_settled() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = open(dir.path()).await;
    publish(&broker, messages(0..5)).await;
    let mut consumer = broker.consume(Queue::Ingest, 3).await.expect("open");
    let held = next(&mut consumer).await;
    next(&mut consumer).await.ack().await.expect("it is live");
    // In its place another is delivered, unless the close is seen at the same moment.
    wait_until(SOON, || async {
        broker.depth(Queue::Ingest).await.expect("open").ready == 1
    })
    .await;
    broker.close().await;
    assert!(held.ack().await.is_err());
    let broker = open(dir.path()).await;
    let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
    for (id, count) in [("0", 1), ("2", 1), ("3", 1), ("4", 0)] {
        let delivery = next(&mut consumer).await;
        assert_eq!(
            (delivery.message_id.as_str(), delivery.delivery_count),
            (id, count)
        );
        delivery.ack().await.expect("it is live");
    }
    nothing(&mut consumer).await;
    broker.close().await;
    // What was acked last is forgotten by a clean end too.
    let broker = open(dir.path()).await;
    assert_eq!(broker.depth(Queue::Ingest).await.expect("open").ready, 0);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_in_use_or_damaged_is_not_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = open(dir.path()).await;
    let second = EmbeddedBroker::open(dir.path(), EmbeddedOptions::default(), metrics()).await;
    assert!(matches!(second, Err(OpenError::Store { .. })), "{second:?}");
    broker.close().await;
    std::fs::write(dir.path().join("queue.redb"), b"no queue").expect("it is written");
    let damaged = EmbeddedBroker::open(dir.path(), EmbeddedOptions::default(), metrics()).await;
    assert!(
        matches!(damaged, Err(OpenError::Store { .. })),
        "{damaged:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_that_cannot_grow_refuses_publishes_and_keeps_what_it_had() {
    if let Some(dir) = std::env::var_os(OTHER_HALF) {
        let broker = open(Path::new(&dir)).await;
        let publisher = broker.publisher();
        for count in 0..1000 {
            let id = count.to_string();
            let sent = vec![message_of(&id, Bytes::from(vec![b'x'; 100_000]))];
            match publisher.publish(Queue::Ingest, sent).await {
                Ok(()) => say(&id),
                Err(PublishError::Away { reason }) => {
                    assert!(reason.contains("commit"), "{reason}");
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(!publisher.is_ready());
        let refused = publisher
            .publish(Queue::Ingest, vec![message("late")])
            .await;
        assert!(
            matches!(refused, Err(PublishError::Away { .. })),
            "{refused:?}"
        );
        assert!(broker.depth(Queue::Ingest).await.is_err());
        say("refused");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let test = "file_that_cannot_grow_refuses_publishes_and_keeps_what_it_had";
    // Blocks of 512 bytes; the signal that goes with the limit is ignored, so that writing fails instead.
    let mut child = start_other_half(test, dir.path(), "ulimit -f 20000; trap '' XFSZ");
    let mut said: Vec<String> = words(&mut child).collect();
    assert!(child.wait().expect("it ends").success());
    assert_eq!(said.pop().as_deref(), Some("refused"));
    assert!(said.len() > 10, "{said:?}");
    let broker = open(dir.path()).await;
    let mut consumer = broker.consume(Queue::Ingest, 10).await.expect("open");
    assert_eq!(take(&mut consumer, said.len()).await, said);
    broker.close().await;
}
