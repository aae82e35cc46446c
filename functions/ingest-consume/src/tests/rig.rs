//! A whole consumer over a broker and a Qdrant of memory, on paused time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alioth_broker::{
    Broker, ConsumeError, Consumer, DeclareError, Delivery, HeaderValue, OutgoingMessage,
    PublishError, Publisher, Queue, QueueDepth, Settle,
};
use alioth_cluster::{Applied, UpsertError};
use alioth_points::{UpsertBody, UpsertMessage};
use alioth_telemetry::{Readiness, Tracer};
use alioth_testkit::wait_until;
use prometheus::Registry;
use prost::Message;
use qdrant_client::qdrant::{PointStruct, UpsertPoints, point_id::PointIdOptions, value::Kind};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{Config, RunError, applier::Upserts, run_with};

/// Of paused time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3600);

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A point that says which write it is from.
pub(crate) fn point(id: u64, version: i64) -> PointStruct {
    PointStruct::new(id, vec![0.5; 4], [("version", version.into())])
}

pub(crate) fn version(point: &PointStruct) -> i64 {
    match point
        .payload
        .get("version")
        .and_then(|value| value.kind.as_ref())
    {
        Some(Kind::IntegerValue(version)) => *version,
        other => panic!("no version: {other:?}"),
    }
}

pub(crate) fn number(point: &PointStruct) -> u64 {
    match point
        .id
        .as_ref()
        .and_then(|id| id.point_id_options.as_ref())
    {
        Some(PointIdOptions::Num(number)) => *number,
        other => panic!("no number: {other:?}"),
    }
}

/// A message of points as accept would publish it.
pub(crate) fn outgoing(collection: &str, points: Vec<PointStruct>) -> OutgoingMessage {
    let upsert = UpsertPoints {
        collection_name: collection.to_owned(),
        points,
        ..Default::default()
    };
    OutgoingMessage {
        body: upsert.encode_to_vec().into(),
        content_type: "application/x-protobuf".to_owned(),
        kind: "qdrant.UpsertPoints".to_owned(),
        message_id: "write".to_owned(),
        headers: vec![("alioth-accepted-at-ms".to_owned(), HeaderValue::Int(1))],
    }
}

/// Answers an upsert; called in the order the upserts end.
pub(crate) type Script = Box<dyn FnMut(&UpsertPoints) -> Result<Applied, UpsertError> + Send>;

/// A Qdrant of memory. What it rejects leaves no trace, what it accepts overwrites by id.
pub(crate) struct FakeQdrant {
    script: Mutex<Script>,
    pub(crate) takes: Mutex<Duration>,
    pub(crate) calls: Mutex<Vec<(Instant, UpsertPoints)>>,
    pub(crate) points: Mutex<BTreeMap<(String, u64), i64>>,
}

#[async_trait::async_trait]
impl Upserts for FakeQdrant {
    async fn upsert(&self, body: Arc<UpsertBody>) -> Result<Applied, UpsertError> {
        let bytes = body.pieces.concat();
        // A broken point is the server's to notice, as in life.
        let Ok(upsert) = UpsertPoints::decode(&bytes[..]) else {
            return Err(UpsertError::Internal {
                reason: "failed to decode".to_owned(),
            });
        };
        lock(&self.calls).push((Instant::now(), upsert.clone()));
        let takes = *lock(&self.takes);
        tokio::time::sleep(takes).await;
        let answer = (lock(&self.script))(&upsert);
        if answer.is_ok() {
            let mut points = lock(&self.points);
            for point in &upsert.points {
                points.insert(
                    (upsert.collection_name.clone(), number(point)),
                    version(point),
                );
            }
        }
        answer
    }
}

impl FakeQdrant {
    pub(crate) fn calls(&self) -> usize {
        lock(&self.calls).len()
    }

    pub(crate) fn answer_by(
        &self,
        script: impl FnMut(&UpsertPoints) -> Result<Applied, UpsertError> + Send + 'static,
    ) {
        *lock(&self.script) = Box::new(script);
    }
}

/// What happened at the broker, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Acked(u64),
    Requeued(u64),
    Cancelled,
    Closed,
    DeadLettered,
}

/// A broker of memory.
#[derive(Default)]
pub(crate) struct FakeBroker {
    ready: Mutex<VecDeque<(u64, OutgoingMessage)>>,
    unsettled: Mutex<BTreeMap<u64, OutgoingMessage>>,
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) dead: Mutex<Vec<OutgoingMessage>>,
    pub(crate) dead_queue_is_full: AtomicBool,
    pub(crate) dead_publishes: Mutex<usize>,
    cancelled: AtomicBool,
    changed: Notify,
    next: Mutex<u64>,
}

impl FakeBroker {
    pub(crate) fn put(&self, message: OutgoingMessage) -> u64 {
        let mut next = lock(&self.next);
        let id = *next;
        *next += 1;
        lock(&self.ready).push_back((id, message));
        self.changed.notify_one();
        id
    }

    fn deliver(&self, prefetch: usize) -> Option<(u64, OutgoingMessage)> {
        let mut unsettled = lock(&self.unsettled);
        if unsettled.len() >= prefetch {
            return None;
        }
        let (id, message) = lock(&self.ready).pop_front()?;
        unsettled.insert(id, message.clone());
        Some((id, message))
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.ready).is_empty() && lock(&self.unsettled).is_empty()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    pub(crate) fn acked(&self) -> Vec<u64> {
        let acked = self.events().into_iter();
        acked
            .filter_map(|event| {
                if let Event::Acked(id) = event {
                    Some(id)
                } else {
                    None
                }
            })
            .collect()
    }

    pub(crate) fn requeued(&self) -> Vec<u64> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| {
                if let Event::Requeued(id) = event {
                    Some(id)
                } else {
                    None
                }
            })
            .collect()
    }
}

struct FakeSettle {
    broker: Arc<FakeBroker>,
    id: u64,
}

#[async_trait::async_trait]
impl Settle for FakeSettle {
    async fn ack(&self) -> Result<(), ConsumeError> {
        lock(&self.broker.unsettled).remove(&self.id);
        lock(&self.broker.events).push(Event::Acked(self.id));
        self.broker.changed.notify_one();
        Ok(())
    }

    async fn requeue(&self) -> Result<(), ConsumeError> {
        let message = lock(&self.broker.unsettled).remove(&self.id);
        let mut ready = lock(&self.broker.ready);
        ready.extend(message.map(|message| (self.id, message)));
        ready.make_contiguous().sort_by_key(|(id, _)| *id);
        lock(&self.broker.events).push(Event::Requeued(self.id));
        self.broker.changed.notify_one();
        Ok(())
    }
}

struct FakeConsumer {
    broker: Arc<FakeBroker>,
    prefetch: usize,
}

#[async_trait::async_trait]
impl Consumer for FakeConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let changed = self.broker.changed.notified();
            if self.broker.cancelled.load(Ordering::SeqCst) {
                return None;
            }
            if let Some((id, message)) = self.broker.deliver(self.prefetch) {
                let broker = Arc::clone(&self.broker);
                return Some(Delivery::new(message, Box::new(FakeSettle { broker, id })));
            }
            changed.await;
        }
    }

    async fn cancel(&mut self) {
        self.broker.cancelled.store(true, Ordering::SeqCst);
        lock(&self.broker.events).push(Event::Cancelled);
    }

    async fn close(&mut self) {
        lock(&self.broker.events).push(Event::Closed);
    }

    fn is_ready(&self) -> bool {
        !self.broker.cancelled.load(Ordering::SeqCst)
    }
}

struct FakePublisher(Arc<FakeBroker>);

#[async_trait::async_trait]
impl Publisher for FakePublisher {
    async fn publish(
        &self,
        queue: Queue,
        messages: Vec<OutgoingMessage>,
    ) -> Result<(), PublishError> {
        assert_eq!(queue, Queue::IngestDead);
        *lock(&self.0.dead_publishes) += 1;
        if self.0.dead_queue_is_full.load(Ordering::SeqCst) {
            return Err(PublishError::QueueFull {
                queue: queue.name().to_owned(),
            });
        }
        lock(&self.0.dead).extend(messages);
        lock(&self.0.events).push(Event::DeadLettered);
        Ok(())
    }

    fn is_ready(&self) -> bool {
        true
    }
}

struct Handle(Arc<FakeBroker>);

#[async_trait::async_trait]
impl Broker for Handle {
    async fn declare(&self) -> Result<(), DeclareError> {
        Ok(())
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(FakePublisher(Arc::clone(&self.0)))
    }

    async fn consume(&self, _: Queue, prefetch: u16) -> Result<Box<dyn Consumer>, ConsumeError> {
        let broker = Arc::clone(&self.0);
        Ok(Box::new(FakeConsumer {
            broker,
            prefetch: usize::from(prefetch),
        }))
    }

    async fn depth(&self, _: Queue) -> Result<QueueDepth, ConsumeError> {
        Ok(QueueDepth {
            ready: 0,
            unsettled: None,
        })
    }

    async fn close(&self) {}
}

/// A consumer that runs, and what it runs on.
pub(crate) struct Rig {
    pub(crate) broker: Arc<FakeBroker>,
    pub(crate) qdrant: Arc<FakeQdrant>,
    pub(crate) readiness: Readiness,
    pub(crate) registry: Registry,
    pub(crate) config: Config,
    pub(crate) shutdown: CancellationToken,
    running: Option<JoinHandle<Result<(), RunError>>>,
}

impl Rig {
    /// Everything but the consumer itself; [`Rig::start`] starts it.
    pub(crate) fn new(
        script: impl FnMut(&UpsertPoints) -> Result<Applied, UpsertError> + Send + 'static,
    ) -> Self {
        Self {
            broker: Arc::default(),
            qdrant: Arc::new(FakeQdrant {
                script: Mutex::new(Box::new(script)),
                takes: Mutex::new(Duration::from_millis(10)),
                calls: Mutex::default(),
                points: Mutex::default(),
            }),
            readiness: Readiness::new(),
            registry: Registry::new(),
            config: Config::default(),
            shutdown: CancellationToken::new(),
            running: None,
        }
    }

    /// A Qdrant that takes everything.
    pub(crate) fn sound() -> Self {
        Self::new(|_| Ok(Applied::Completed))
    }

    pub(crate) fn start(&mut self) {
        let broker = Arc::new(Handle(Arc::clone(&self.broker)));
        let qdrant = Arc::clone(&self.qdrant) as Arc<dyn Upserts>;
        let (registry, readiness) = (self.registry.clone(), self.readiness.clone());
        let (config, shutdown) = (self.config, self.shutdown.clone());
        self.running = Some(tokio::spawn(async move {
            let tracer = Tracer::default();
            run_with(
                config, broker, qdrant, &registry, &readiness, tracer, shutdown,
            )
            .await
        }));
    }

    pub(crate) fn put(&self, collection: &str, points: Vec<PointStruct>) -> u64 {
        self.broker.put(outgoing(collection, points))
    }

    /// Starts it, and waits until the queue is empty and everything settled.
    pub(crate) async fn run_dry(&mut self) {
        self.start();
        self.wait_dry().await;
    }

    pub(crate) async fn wait_dry(&self) {
        wait_until(DEADLINE, || async { self.broker.is_empty() }).await;
    }

    pub(crate) async fn stop(&mut self) -> Result<(), RunError> {
        self.shutdown.cancel();
        let running = self.running.take().expect("it was started");
        running.await.expect("no panic")
    }

    /// Ids in a collection with the version that was applied last.
    pub(crate) fn applied(&self, collection: &str) -> BTreeMap<u64, i64> {
        let points = lock(&self.qdrant.points);
        let of = points.iter().filter(|((name, _), _)| name == collection);
        of.map(|((_, id), version)| (*id, *version)).collect()
    }

    /// The dead letters: ids, and headers as text.
    pub(crate) fn dead(&self) -> Vec<(Vec<u64>, BTreeMap<String, String>)> {
        let dead = lock(&self.broker.dead);
        let text = |value: &HeaderValue| match value {
            HeaderValue::Text(text) => text.clone(),
            HeaderValue::Int(int) => int.to_string(),
        };
        dead.iter()
            .map(|letter| {
                let upsert = UpsertPoints::decode(letter.body.clone()).unwrap_or_default();
                let ids = upsert.points.iter().map(number).collect();
                let headers = letter
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), text(value)));
                (ids, headers.collect())
            })
            .collect()
    }

    /// A counter or gauge by name, summed over those labels that have the given value.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
        let of = metrics.iter().filter(|metric| {
            label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
        });
        of.map(|metric| {
            metric.get_counter().get_value()
                + metric.get_gauge().get_value()
                + metric.get_histogram().get_sample_count() as f64
        })
        .sum()
    }
}

/// A message whose surface is sound and whose point with this number is not.
pub(crate) fn broken(collection: &str, ids: &[u64], at: usize) -> OutgoingMessage {
    let message: UpsertMessage = crate::test_messages::with_broken_point(collection, ids, at);
    OutgoingMessage {
        body: message.to_bytes(),
        ..outgoing(collection, Vec::new())
    }
}
