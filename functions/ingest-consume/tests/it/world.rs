//! A broker with queues of the test's own, a Qdrant with a collection of its own, and a consumer between.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use alioth_broker::{
    AmqpConfig, Broker, BrokerMetrics, EmbeddedBroker, EmbeddedOptions, HeaderValue,
    OutgoingMessage, Queue, RabbitMqBroker,
};
use alioth_cluster::{Cluster, ClusterMetrics, QdrantConfig};
use alioth_config::{Secret, Span};
use alioth_telemetry::{Readiness, Tracer};
use alioth_testkit::{Qdrant, RabbitMq, metric, unique_collection, wait_until};
use ingest_consume::{Config, Deps, RunError};
use prometheus::Registry;
use prost::Message;
use qdrant_client::qdrant::{
    CountPointsBuilder, CreateCollectionBuilder, Distance, GetPointsBuilder, PointStruct,
    UpsertPoints, VectorParamsBuilder, value::Kind,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::DEADLINE;

/// Dimensions of the vectors here.
pub(crate) const SIZE: u64 = 4;

/// A queue prefix nobody else uses.
pub(crate) fn unique_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(
        "consume-{}-{}.",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The queue, and all that is needed to reach it again.
pub(crate) struct Queues {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) amqp: AmqpConfig,
    _directory: Option<TempDir>,
}

impl Queues {
    /// On the RabbitMQ all tests share.
    pub(crate) async fn rabbitmq() -> Self {
        Self::on(&RabbitMq::shared().await.amqp_url()).await
    }

    /// On some RabbitMQ.
    pub(crate) async fn on(url: &str) -> Self {
        Self::with(AmqpConfig {
            url: Secret::from(url),
            queue_prefix: unique_prefix(),
            ..AmqpConfig::default()
        })
        .await
    }

    /// With these settings.
    pub(crate) async fn with(amqp: AmqpConfig) -> Self {
        let metrics = BrokerMetrics::register(&Registry::new()).expect("an empty registry");
        let broker = RabbitMqBroker::new(&amqp, "test", metrics).expect("a good URL");
        broker.declare().await.expect("the topology");
        Self {
            broker: Arc::new(broker),
            amqp,
            _directory: None,
        }
    }

    /// In a file.
    pub(crate) async fn embedded() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let metrics = BrokerMetrics::register(&Registry::new()).expect("an empty registry");
        let options = EmbeddedOptions::default();
        let broker = EmbeddedBroker::open(directory.path(), options, metrics).await;
        Self {
            broker: Arc::new(broker.expect("a new queue")),
            amqp: AmqpConfig::default(),
            _directory: Some(directory),
        }
    }

    /// Publishes, and waits for the confirms; through outages too.
    pub(crate) async fn publish(&self, messages: Vec<OutgoingMessage>) {
        let publisher = self.broker.publisher();
        wait_until(DEADLINE, || async {
            publisher
                .publish(Queue::Ingest, messages.clone())
                .await
                .is_ok()
        })
        .await;
    }

    pub(crate) async fn ready(&self, queue: Queue) -> u64 {
        self.broker.depth(queue).await.expect("a depth").ready
    }

    /// Takes this many dead letters.
    pub(crate) async fn dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        let mut consumer = self
            .broker
            .consume(Queue::IngestDead, 1_000)
            .await
            .expect("a consumer");
        let mut letters = Vec::new();
        while letters.len() < count {
            let next = tokio::time::timeout(DEADLINE, consumer.next()).await;
            let delivery = next.expect("a dead letter in time").expect("an open queue");
            let text = |value: &HeaderValue| match value {
                HeaderValue::Text(text) => text.clone(),
                HeaderValue::Int(int) => int.to_string(),
            };
            let headers = delivery
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), text(value)));
            letters.push(DeadLetter {
                headers: headers.collect(),
                message_id: delivery.message_id.clone(),
                upsert: UpsertPoints::decode(delivery.body.clone()).ok(),
            });
            delivery.ack().await.expect("an open channel");
        }
        consumer.close().await;
        letters
    }
}

#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) message_id: String,
    pub(crate) upsert: Option<UpsertPoints>,
}

/// A point that says which write it is from.
pub(crate) fn point(id: u64, version: i64) -> PointStruct {
    PointStruct::new(id, vec![0.5; SIZE as usize], [("version", version.into())])
}

/// A message as accept publishes it.
pub(crate) fn message(collection: &str, points: Vec<PointStruct>) -> OutgoingMessage {
    let upsert = UpsertPoints {
        collection_name: collection.to_owned(),
        points,
        ..Default::default()
    };
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    OutgoingMessage {
        body: upsert.encode_to_vec().into(),
        content_type: "application/x-protobuf".to_owned(),
        kind: "qdrant.UpsertPoints".to_owned(),
        message_id: "write-1".to_owned(),
        headers: vec![(
            "alioth-accepted-at-ms".to_owned(),
            HeaderValue::Int(now.as_millis() as i64),
        )],
    }
}

/// A write of each of these points, in its first version.
pub(crate) fn writes(collection: &str, ids: Range<u64>) -> Vec<OutgoingMessage> {
    ids.map(|id| message(collection, vec![point(id, 1)]))
        .collect()
}

/// Makes a collection.
pub(crate) async fn collection(qdrant: &Qdrant) -> String {
    let name = unique_collection("films");
    let request = CreateCollectionBuilder::new(&name)
        .vectors_config(VectorParamsBuilder::new(SIZE, Distance::Cosine));
    qdrant
        .client()
        .create_collection(request)
        .await
        .expect("a new collection");
    name
}

pub(crate) async fn count(qdrant: &Qdrant, collection: &str) -> u64 {
    let request = CountPointsBuilder::new(collection).exact(true);
    let response = qdrant.client().count(request).await.expect("a count");
    response.result.expect("a result").count
}

/// The version of a point that is there.
pub(crate) async fn version(qdrant: &Qdrant, collection: &str, id: u64) -> Option<i64> {
    let request = GetPointsBuilder::new(collection, vec![id.into()]).with_payload(true);
    let response = qdrant
        .client()
        .get_points(request)
        .await
        .expect("an answer");
    let point = response.result.into_iter().next()?;
    match point.payload.get("version")?.kind {
        Some(Kind::IntegerValue(version)) => Some(version),
        _ => None,
    }
}

/// A consumer that runs in this process.
pub(crate) struct Running {
    pub(crate) registry: Registry,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    pub(crate) fn start(queues: &Queues, qdrant_url: &str) -> Self {
        Self::start_with(queues, quick(), &qdrant(qdrant_url))
    }

    pub(crate) fn start_with(queues: &Queues, config: Config, qdrant: &QdrantConfig) -> Self {
        let (registry, readiness) = (Registry::new(), Readiness::new());
        let metrics = ClusterMetrics::register(&registry).expect("an empty registry");
        let deps = Deps {
            broker: Arc::clone(&queues.broker),
            cluster: Cluster::new(qdrant, metrics).expect("a good URL"),
            registry: registry.clone(),
            readiness: readiness.clone(),
            tracer: Tracer::default(),
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(ingest_consume::run(config, deps, shutdown.clone()));
        Self {
            registry,
            readiness,
            shutdown,
            task,
        }
    }

    /// A metric by name, summed over those labels that have the given value.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        metric(&self.registry, name, label)
    }

    /// Waits until so many points are in Qdrant, by the consumer's own count.
    pub(crate) async fn wait_applied(&self, points: u64) {
        let applied = || self.metric("alioth_consume_points_applied_total", "");
        wait_until(DEADLINE, || async { applied() >= points as f64 }).await;
    }

    /// Waits until nothing is held.
    pub(crate) async fn wait_settled(&self) {
        let held = || self.metric("alioth_consume_held_messages", "");
        wait_until(DEADLINE, || async { held() == 0.0 }).await;
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task
            .await
            .expect("no panic")
            .expect("an orderly drain");
    }
}

/// Retries that do not keep a test waiting.
pub(crate) fn quick() -> Config {
    let mut config = Config::default();
    config.consume.retry_min = Span(Duration::from_millis(20));
    config.consume.retry_max = Span(Duration::from_millis(500));
    config
}

pub(crate) fn qdrant(url: &str) -> QdrantConfig {
    QdrantConfig {
        url: vec![url.to_owned()],
        ..QdrantConfig::default()
    }
}
