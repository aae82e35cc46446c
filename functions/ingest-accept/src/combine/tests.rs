//! What shares a message and what does not, over a broker that confirms when it is told to.

use super::*;
use crate::budget::Budget;
use alioth_broker::HeaderValue;
use alioth_points::{Ordering, UpsertQuery, Write};
use alioth_telemetry::prometheus::{IntGauge, Registry};
use async_trait::async_trait;
use tokio::{sync::mpsc, task::JoinHandle};
use uuid::Uuid;

const RECORDED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_RECORDED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

type Confirm = oneshot::Sender<Result<(), PublishError>>;

/// Hands what is published to the test, which answers for it.
struct Held(mpsc::UnboundedSender<(Vec<OutgoingMessage>, Confirm)>);

#[async_trait]
impl Publisher for Held {
    async fn publish(&self, _: Queue, messages: Vec<OutgoingMessage>) -> Result<(), PublishError> {
        let (confirm, confirmed) = oneshot::channel();
        self.0.send((messages, confirm)).unwrap();
        confirmed.await.unwrap()
    }

    fn is_ready(&self) -> bool {
        true
    }
}

struct Rig {
    combiner: Arc<Combiner>,
    metrics: Metrics,
    budget: Budget,
    published: mpsc::UnboundedReceiver<(Vec<OutgoingMessage>, Confirm)>,
    writes: u128,
}

impl Rig {
    fn new(limit: usize) -> Self {
        let (publisher, published) = mpsc::unbounded_channel();
        let metrics = Metrics::register(&Registry::new()).unwrap();
        Self {
            combiner: Combiner::new(Arc::new(Held(publisher)), &metrics, limit),
            metrics,
            budget: Budget::new(1 << 20, IntGauge::new("held", "held").unwrap()),
            published,
            writes: 0,
        }
    }

    /// Publishes a write of this id, its number being that of writes before it, and lets it get as far as it can.
    async fn write(
        &mut self,
        collection: &str,
        query: UpsertQuery,
        traceparent: Option<&str>,
    ) -> JoinHandle<Result<(), PublishError>> {
        self.writes += 1;
        let body = format!(r#"{{"points":[{{"id":{},"vector":[1]}}]}}"#, self.writes);
        self.write_body(collection, query, traceparent, &body).await
    }

    async fn write_body(
        &self,
        collection: &str,
        query: UpsertQuery,
        traceparent: Option<&str>,
        body: &str,
    ) -> JoinHandle<Result<(), PublishError>> {
        let write = Write::parse_upsert(collection, query, body.as_bytes()).unwrap();
        let envelope = Envelope {
            ingest_id: Uuid::from_u128(self.writes),
            accepted_at_ms: self.writes as i64,
            traceparent: traceparent.map(str::to_owned),
        };
        let (combiner, reservation) = (Arc::clone(&self.combiner), self.budget.reserve());
        let chunks = write.into_messages(1 << 20);
        let handle =
            tokio::spawn(async move { combiner.publish(chunks, &envelope, reservation).await });
        settle().await;
        handle
    }

    async fn plain(&mut self) -> JoinHandle<Result<(), PublishError>> {
        self.write("films", UpsertQuery::default(), None).await
    }

    /// Occupies every carrier of the lane of `films`.
    async fn fill(&mut self) -> Vec<(JoinHandle<Result<(), PublishError>>, Confirm)> {
        let mut full = Vec::new();
        for _ in 0..CARRIERS {
            let write = self.plain().await;
            let (message, confirm) = self.next();
            assert_eq!(writes(&message), None);
            full.push((write, confirm));
        }
        full
    }

    /// The one message of the publish that is under way.
    fn next(&mut self) -> (OutgoingMessage, Confirm) {
        let (mut messages, confirm) = self.published.try_recv().expect("a publish");
        assert_eq!(messages.len(), 1);
        (messages.remove(0), confirm)
    }

    fn is_idle(&mut self) -> bool {
        self.published.try_recv().is_err()
    }
}

/// One thread: every task runs until it waits for something that only the test can give.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

/// The header that tells whose points they are, by the writes' numbers.
fn writes(message: &OutgoingMessage) -> Option<Vec<(u128, usize)>> {
    let (_, list) = message
        .headers
        .iter()
        .find(|(name, _)| name == "alioth-writes")?;
    let HeaderValue::Text(list) = list else {
        panic!("{list:?}")
    };
    let each = list.split(',').map(|write| {
        let (id, points) = write.split_once(':').unwrap();
        (
            id.parse::<Uuid>().unwrap().as_u128(),
            points.parse().unwrap(),
        )
    });
    Some(each.collect())
}

fn ids(message: &OutgoingMessage) -> Vec<String> {
    let message = UpsertMessage::scan(message.body.clone()).unwrap();
    message.ids().map(|id| id.unwrap().to_string()).collect()
}

#[tokio::test]
async fn a_write_that_finds_nobody_waiting_goes_at_once_alone() {
    let mut rig = Rig::new(64 * 1024);
    let write = rig.plain().await;
    let (message, confirm) = rig.next();
    assert_eq!(writes(&message), None);
    assert_eq!(message.message_id, Uuid::from_u128(1).to_string());
    assert!(!write.is_finished());
    confirm.send(Ok(())).unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(rig.metrics.messages.get(), 1);
    assert_eq!(rig.metrics.combined.get(), 0);
    settle().await;
    assert!(rig.combiner.lanes().is_empty());
}

#[tokio::test]
async fn those_that_come_meanwhile_share_a_message_and_are_told_by_its_confirm() {
    let mut rig = Rig::new(64 * 1024);
    let mut full = rig.fill().await;
    let (a, b) = (rig.plain().await, rig.plain().await);
    assert!(rig.is_idle());
    let (first, confirm) = full.remove(0);
    confirm.send(Ok(())).unwrap();
    first.await.unwrap().unwrap();
    settle().await;
    let (message, confirm) = rig.next();
    let (number, next) = (CARRIERS as u128 + 1, CARRIERS as u128 + 2);
    assert_eq!(writes(&message), Some(vec![(number, 1), (next, 1)]));
    assert_eq!(ids(&message), [number.to_string(), next.to_string()]);
    assert_eq!(message.message_id, Uuid::from_u128(number).to_string());
    assert!(!a.is_finished() && !b.is_finished());
    confirm.send(Ok(())).unwrap();
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
    assert_eq!(rig.metrics.messages.get(), 2);
    assert_eq!(rig.metrics.combined.get(), 2);
    for (write, confirm) in full {
        confirm.send(Ok(())).unwrap();
        write.await.unwrap().unwrap();
    }
    settle().await;
    assert!(rig.combiner.lanes().is_empty());
}

#[tokio::test]
async fn a_message_that_is_refused_is_refused_to_each_write_in_it() {
    let mut rig = Rig::new(64 * 1024);
    let mut full = rig.fill().await;
    let (a, b) = (rig.plain().await, rig.plain().await);
    let (first, confirm) = full.remove(0);
    confirm.send(Ok(())).unwrap();
    first.await.unwrap().unwrap();
    settle().await;
    let (_, confirm) = rig.next();
    let queue = "ingest".to_owned();
    confirm
        .send(Err(PublishError::QueueFull { queue }))
        .unwrap();
    for write in [a, b] {
        let error = write.await.unwrap().unwrap_err();
        assert!(matches!(error, PublishError::QueueFull { .. }), "{error}");
    }
    assert_eq!(rig.metrics.messages.get(), 1);
    assert_eq!(rig.metrics.combined.get(), 0);
}

#[tokio::test]
async fn a_client_that_goes_takes_no_other_with_it_and_is_not_written_for() {
    let mut rig = Rig::new(64 * 1024);
    let mut full = rig.fill().await;
    let (gone, stays) = (rig.plain().await, rig.plain().await);
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    // The one whose task started the carrier.
    let (first, confirm) = full.remove(0);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    confirm.send(Ok(())).unwrap();
    settle().await;
    let (message, confirm) = rig.next();
    assert_eq!(ids(&message), [(CARRIERS + 2).to_string()]);
    confirm.send(Ok(())).unwrap();
    stays.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_may_not_share_goes_alone_at_once() {
    let mut rig = Rig::new(1024);
    let _full = rig.fill().await;
    let vector = "1.5,".repeat(100);
    let large = format!(
        r#"{{"points":[{{"id":99,"vector":[{}]}}]}}"#,
        vector.trim_end_matches(',')
    );
    let insert_only = r#"{"points":[{"id":99,"vector":[1]}],"update_mode":"insert_only"}"#;
    let trace = Some(RECORDED);
    let plain = r#"{"points":[{"id":99,"vector":[1]}]}"#;
    let ordered = UpsertQuery {
        ordering: Some(Ordering::Strong),
        ..UpsertQuery::default()
    };
    let rows = [
        (
            "of another collection",
            "series",
            None,
            plain,
            UpsertQuery::default(),
        ),
        ("with other options", "films", None, plain, ordered),
        (
            "whose trace is recorded",
            "films",
            trace,
            plain,
            UpsertQuery::default(),
        ),
        (
            "large",
            "films",
            None,
            large.as_str(),
            UpsertQuery::default(),
        ),
        (
            "of which the order matters",
            "films",
            None,
            insert_only,
            UpsertQuery::default(),
        ),
    ];
    for (what, collection, traceparent, body, query) in rows {
        let _write = rig.write_body(collection, query, traceparent, body).await;
        let (message, _) = rig.next();
        assert_eq!(ids(&message), ["99"], "{what}");
    }
}

#[tokio::test]
async fn a_write_whose_trace_nobody_records_shares_without_it() {
    let mut rig = Rig::new(64 * 1024);
    let mut full = rig.fill().await;
    let query = UpsertQuery::default();
    let _first = rig.write("films", query, Some(NOT_RECORDED)).await;
    let _second = rig.write("films", query, Some(NOT_RECORDED)).await;
    assert!(rig.is_idle());
    let (_, confirm) = full.remove(0);
    confirm.send(Ok(())).unwrap();
    settle().await;
    let (message, _confirm) = rig.next();
    assert_eq!(writes(&message).map(|writes| writes.len()), Some(2));
    let names: Vec<_> = message.headers.iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&&"traceparent".to_owned()), "{names:?}");
}

#[tokio::test]
async fn whole_messages_that_wait_go_without_waiting_for_those_on_the_way() {
    let mut rig = Rig::new(100);
    let mut full = rig.fill().await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(rig.plain().await);
    }
    let mut extra = Vec::new();
    while let Ok((message, confirm)) = rig.published.try_recv() {
        assert_eq!(message.len(), 1);
        extra.push((message, confirm));
    }
    let sent: usize = extra
        .iter()
        .map(|(message, _)| ids(&message[0]).len())
        .sum();
    let left: usize = rig.combiner.lanes().values().map(|lane| lane.bytes).sum();
    // What is left is less than a message.
    assert!(extra.len() > CARRIERS && left < 100, "{left} bytes");
    // Confirmed, they leave the rest to the two that are on the way.
    for (_, confirm) in extra {
        confirm.send(Ok(())).unwrap();
    }
    settle().await;
    assert!(rig.is_idle());
    let (_, confirm) = full.remove(0);
    confirm.send(Ok(())).unwrap();
    settle().await;
    if left > 0 {
        let (message, _confirm) = rig.next();
        assert_eq!(sent + ids(&message).len(), waiting.len());
    }
}

#[tokio::test]
async fn a_shared_message_keeps_to_its_limit_and_none_is_shared_with_none() {
    let mut rig = Rig::new(100);
    let mut full = rig.fill().await;
    let waiting: Vec<_> = [
        rig.plain().await,
        rig.plain().await,
        rig.plain().await,
        rig.plain().await,
    ]
    .into();
    let (_, confirm) = full.remove(0);
    confirm.send(Ok(())).unwrap();
    settle().await;
    let (message, _confirm) = rig.next();
    assert!(message.body.len() <= 100, "{}", message.body.len());
    let count = writes(&message).map_or(1, |writes| writes.len());
    assert!((1..waiting.len()).contains(&count), "{count}");

    let mut rig = Rig::new(0);
    for _ in 0..CARRIERS + 1 {
        let _write = rig.plain().await;
        rig.next();
    }
}
