//! What the tests have in common: the process, a client, the queue behind it, collections.

mod http;

pub(crate) use http::{Answer, Http};

/// How ingest-accept runs is its test binary's to say.
pub(crate) use crate::process::{CARRIES_LARGE_REPLIES, HAS_METRICS, Process};

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use alioth_broker::{
    AmqpConfig, Broker, BrokerMetrics, Delivery, HeaderValue, Queue, RabbitMqBroker,
};
use alioth_points::UpsertMessage;
use alioth_telemetry::prometheus::Registry;
use alioth_testkit::{FaultProxy, Qdrant, RabbitMq, unique_collection};
use qdrant_client::qdrant::{CreateCollectionBuilder, Distance, VectorParamsBuilder};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Generous: CI may be many times slower than an idle machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The Qdrant all tests of this process share, for those that leave it running.
pub(crate) async fn shared_qdrant() -> &'static Qdrant {
    static SHARED: OnceCell<Qdrant> = OnceCell::const_new();
    SHARED.get_or_init(Qdrant::start).await
}

/// A queue prefix no other test uses.
pub(crate) fn unique_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("accept-{}-{number}-", std::process::id())
}

/// Makes a collection with one unnamed vector.
pub(crate) async fn collection(qdrant: &Qdrant, size: u64) -> String {
    let name = unique_collection("accept");
    create(qdrant, &name, size).await;
    name
}

pub(crate) async fn create(qdrant: &Qdrant, name: &str, size: u64) {
    let vectors = VectorParamsBuilder::new(size, Distance::Cosine);
    let request = CreateCollectionBuilder::new(name).vectors_config(vectors);
    qdrant.client().create_collection(request).await.unwrap();
}

/// The process over a RabbitMQ and a Qdrant, with queues of its own.
pub(crate) struct World {
    pub(crate) process: Process,
    pub(crate) http: Http,
    pub(crate) prefix: String,
    amqp_url: String,
    max_length: Option<u64>,
}

impl World {
    /// Over the shared services, ready to take writes.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with further settings.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let amqp_url = RabbitMq::shared().await.amqp_url();
        let world = Self::over(&amqp_url, &amqp_url, shared_qdrant().await, settings).await;
        world.until_ready().await;
        world
    }

    /// The same, with a proxy between the process and this RabbitMQ.
    pub(crate) async fn behind_proxy(
        rabbitmq: &RabbitMq,
        settings: &[(&str, &str)],
    ) -> (Self, FaultProxy) {
        let proxy = FaultProxy::start(rabbitmq.amqp_address()).await;
        let url = rabbitmq.amqp_url_through(proxy.address());
        let direct = rabbitmq.amqp_url();
        let world = Self::over(&url, &direct, shared_qdrant().await, settings).await;
        world.until_ready().await;
        (world, proxy)
    }

    /// Over these services, started and not waited for. `amqp_url` may lead through a proxy; the
    /// test itself looks at the queue through `direct_amqp_url`.
    pub(crate) async fn over(
        amqp_url: &str,
        direct_amqp_url: &str,
        qdrant: &Qdrant,
        settings: &[(&str, &str)],
    ) -> Self {
        let prefix = unique_prefix();
        let qdrant_url = qdrant.grpc_url();
        let mut all = vec![
            ("ALIOTH_AMQP_URL", amqp_url),
            ("ALIOTH_AMQP_QUEUE_PREFIX", prefix.as_str()),
            ("ALIOTH_QDRANT_URL", qdrant_url.as_str()),
        ];
        all.extend_from_slice(settings);
        let max_length = settings
            .iter()
            .find(|(name, _)| *name == "ALIOTH_AMQP_MAX_LENGTH");
        let max_length = max_length.map(|(_, value)| value.parse().unwrap());
        let process = Process::start(&all);
        let http = process.http();
        http.until_alive().await;
        Self {
            process,
            http,
            prefix,
            amqp_url: direct_amqp_url.to_owned(),
            max_length,
        }
    }

    pub(crate) async fn until_ready(&self) {
        self.http.until_status("/readyz", 200).await;
    }

    /// The broker as the test sees it, beside the process.
    pub(crate) fn broker(&self) -> RabbitMqBroker {
        let defaults = AmqpConfig::default();
        let config = AmqpConfig {
            url: self.amqp_url.as_str().into(),
            queue_prefix: self.prefix.clone(),
            // A queue is only ever declared with the arguments it was made with.
            max_length: self.max_length.unwrap_or(defaults.max_length),
            ..defaults
        };
        let metrics = BrokerMetrics::register(&Registry::new()).unwrap();
        RabbitMqBroker::new(&config, "test", metrics).unwrap()
    }

    /// Takes everything that stands in the queue.
    pub(crate) async fn drain_queue(&self) -> Vec<Message> {
        let broker = self.broker();
        let count = broker.depth(Queue::Ingest).await.unwrap().ready;
        let messages = take(&broker, usize::try_from(count).unwrap()).await;
        broker.close().await;
        messages
    }

    /// Asserts something of one series of `/metrics`; where there are none, that there are none.
    pub(crate) async fn assert_metric(&self, series: &str, holds: impl Fn(f64) -> bool) {
        match HAS_METRICS {
            true => {
                let value = self.metric(series).await;
                assert!(holds(value), "{series} {value}");
            }
            false => assert_eq!(self.http.get("/metrics").await.status, 404),
        }
    }

    /// One series of `/metrics`.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.http.get("/metrics").await.text;
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        value.unwrap().trim().parse().unwrap()
    }
}

/// A delivery and the points in it.
pub(crate) struct Message {
    pub(crate) delivery: Delivery,
    pub(crate) upsert: UpsertMessage,
}

impl Message {
    /// The ids of the writes whose points it holds.
    pub(crate) fn writes(&self) -> Vec<String> {
        match self.delivery.header("alioth-writes") {
            Some(HeaderValue::Text(list)) => {
                let writes = list.split(',').map(|write| write.split_once(':').unwrap());
                let counted: usize = writes
                    .clone()
                    .map(|(_, points)| points.parse::<usize>().unwrap())
                    .sum();
                assert_eq!(counted, self.upsert.points());
                writes.map(|(id, _)| id.to_owned()).collect()
            }
            _ => vec![self.delivery.message_id.clone()],
        }
    }
}

/// Takes `count` messages.
pub(crate) async fn take(broker: &dyn Broker, count: usize) -> Vec<Message> {
    let mut consumer = broker.consume(Queue::Ingest, u16::MAX).await.unwrap();
    let mut messages = Vec::new();
    while messages.len() < count {
        let next = tokio::time::timeout(DEADLINE, consumer.next()).await;
        let delivery = next.unwrap().unwrap();
        let upsert = UpsertMessage::scan(delivery.body.clone()).unwrap();
        messages.push(Message { delivery, upsert });
    }
    messages
}

/// The Python Alioth's body, `points` of `size` dimensions.
pub(crate) fn ingest_body(collection: &str, points: usize, size: usize) -> Value {
    json!({
        "collection_name": collection,
        "batch": {
            "ids": (0..points).collect::<Vec<_>>(),
            "vectors": vec![vec![0.125; size]; points],
            "payloads": vec![json!({"title": "Metropolis"}); points],
        }
    })
}

/// Qdrant's REST body, `points` of `size` dimensions.
pub(crate) fn upsert_body(points: usize, size: usize) -> Value {
    let point = |id| json!({"id": id, "vector": vec![0.125; size], "payload": {"year": 1927}});
    json!({"points": (0..points).map(point).collect::<Vec<_>>()})
}

/// The path of an upsert.
pub(crate) fn upsert_path(collection: &str) -> String {
    format!("/collections/{collection}/points?wait=true")
}
