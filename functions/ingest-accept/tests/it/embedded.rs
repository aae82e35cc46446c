//! `run` in this process over the embedded broker, as standalone mode calls it.

use std::sync::Arc;

use alioth_broker::{Broker, BrokerMetrics, EmbeddedBroker, EmbeddedOptions, Queue, QueueLimits};
use alioth_cluster::{Cluster, ClusterMetrics, QdrantConfig, SchemaCache};
use alioth_telemetry::{Readiness, Tracer, prometheus::Registry};
use ingest_accept::{Config, Deps, RunError, Services};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Http, collection, ingest_body, shared_qdrant, take, upsert_body, upsert_path,
};

struct Standalone {
    http: Http,
    broker: Arc<EmbeddedBroker>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
    _folder: tempfile::TempDir,
}

async fn start(limits: QueueLimits) -> Standalone {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::new();
    let options = EmbeddedOptions {
        limits,
        ..EmbeddedOptions::default()
    };
    let metrics = BrokerMetrics::register(&registry).unwrap();
    let broker = EmbeddedBroker::open(folder.path(), options, metrics)
        .await
        .unwrap();
    let broker = Arc::new(broker);
    let qdrant = QdrantConfig {
        url: vec![shared_qdrant().await.grpc_url()],
        ..QdrantConfig::default()
    };
    let cluster = Cluster::new(&qdrant, ClusterMetrics::register(&registry).unwrap()).unwrap();
    let services = Services {
        publisher: broker.publisher(),
        schemas: SchemaCache::new(&cluster, &qdrant),
        registry,
        readiness: Readiness::new(),
        tracer: Tracer::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let deps = Deps { listener, services };
    let running = tokio::spawn(ingest_accept::run(
        Config::default(),
        deps,
        shutdown.clone(),
    ));
    http.until_status("/readyz", 200).await;
    Standalone {
        http,
        broker,
        shutdown,
        running,
        _folder: folder,
    }
}

#[tokio::test]
async fn the_embedded_broker_takes_writes_of_both_routes() {
    let standalone = start(QueueLimits::default()).await;
    let name = collection(shared_qdrant().await, 4).await;
    let ingested = standalone
        .http
        .ingest(ingest_body(&name, 3, 4).to_string())
        .await;
    assert_eq!(ingested.status, 202, "{}", ingested.text);
    let upserted = standalone
        .http
        .put(&upsert_path(&name), upsert_body(2, 4).to_string())
        .await;
    assert_eq!(upserted.status, 200, "{}", upserted.text);
    let messages = take(standalone.broker.as_ref(), 2).await;
    assert_eq!(messages[0].delivery.message_id, ingested.body["ingest_id"]);
    assert_eq!(messages[0].upsert.points() + messages[1].upsert.points(), 5);
    drop(messages);
    standalone.shutdown.cancel();
    standalone.running.await.unwrap().unwrap();
}

#[tokio::test]
async fn its_full_queue_is_a_429_and_a_closed_one_a_503() {
    let limits = QueueLimits {
        max_length: 2,
        ..QueueLimits::default()
    };
    let standalone = start(limits).await;
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    for _ in 0..2 {
        assert_eq!(standalone.http.ingest(body.clone()).await.status, 202);
    }
    let refused = standalone.http.ingest(body.clone()).await;
    assert_eq!(refused.code(), (429, "queue_full"));
    assert!(refused.retry_after_s().is_some());
    assert_eq!(
        standalone.broker.depth(Queue::Ingest).await.unwrap().ready,
        2
    );
    standalone.broker.close().await;
    let refused = standalone.http.ingest(body).await;
    assert_eq!(refused.code(), (503, "broker_away"));
    standalone.shutdown.cancel();
    standalone.running.await.unwrap().unwrap();
}
