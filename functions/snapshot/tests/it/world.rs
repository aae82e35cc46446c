//! A Qdrant and a bucket prefix of the test's own.

use std::{net::SocketAddr, time::Duration};

use alioth_cluster::rest::{QdrantRest, QdrantRestConfig};
use alioth_config::Span;
use alioth_jobs::{BackupRequest, Host, JobId};
use alioth_snapshot_store::{Credentials, S3Config, SnapshotStore};
use alioth_testkit::{FaultProxy, Qdrant, S3, s3, unique_collection};
use prometheus::Registry;
use qdrant_client::qdrant::{
    CreateCollectionBuilder, Distance, PointStruct, UpsertPointsBuilder, VectorParamsBuilder,
};
use serde_json::Value;
use snapshot::{Config, Deps, Metrics, Outcome, SnapshotConfig, SnapshotError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Floats of a vector: enough that twenty thousand points are some megabytes.
const DIMENSIONS: u64 = 32;

/// Of a run of another job.
pub(crate) const LEASE: Duration = Duration::from_secs(90);

/// All that a run needs.
pub(crate) struct World {
    pub(crate) qdrant: Qdrant,
    pub(crate) rest: QdrantRest,
    pub(crate) store: SnapshotStore,
    pub(crate) s3: S3Config,
    pub(crate) metrics: Metrics,
    pub(crate) job_id: JobId,
    pub(crate) shutdown: CancellationToken,
}

/// A store of a bucket nobody else uses.
pub(crate) async fn store() -> SnapshotStore {
    let store = SnapshotStore::connect_as(&bucket().await, credentials()).await;
    store.expect("a bucket")
}

/// Settings whose pauses a test can wait for.
pub(crate) fn config() -> Config {
    Config {
        snapshot: SnapshotConfig {
            retry_pause: Span(Duration::from_millis(20)),
            ..SnapshotConfig::default()
        },
        ..Config::default()
    }
}

pub(crate) fn rest_config(url: &str) -> QdrantRestConfig {
    QdrantRestConfig {
        url: vec![url.to_owned()],
        ..QdrantRestConfig::default()
    }
}

/// A bucket nobody else uses.
pub(crate) async fn bucket() -> S3Config {
    let s3 = S3::shared().await;
    S3Config {
        bucket: s3.bucket().await,
        endpoint: s3.endpoint(),
        ..S3Config::default()
    }
}

/// Of whom may do everything.
pub(crate) fn credentials() -> Credentials {
    Credentials::Static {
        access_key_id: s3::ACCESS_KEY_ID.to_owned(),
        secret_access_key: s3::SECRET_ACCESS_KEY.into(),
    }
}

pub(crate) fn metrics() -> Metrics {
    Metrics::register(&Registry::new()).expect("an empty registry")
}

/// Fills a collection with points 0, 1, ….
pub(crate) async fn fill(client: &qdrant_client::Qdrant, name: &str, points: u64) {
    const BATCH: u64 = 1_000;
    for first in (0..points).step_by(BATCH as usize) {
        let batch = (first..points.min(first + BATCH)).map(|id| {
            let vector: Vec<f32> = (0..DIMENSIONS)
                .map(|d| ((id * d) % 97) as f32 + 0.5)
                .collect();
            PointStruct::new(id, vector, [("n", (id as i64).into())])
        });
        let upsert = UpsertPointsBuilder::new(name, batch.collect::<Vec<_>>()).wait(true);
        client.upsert_points(upsert).await.expect("good points");
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let (qdrant, s3) = tokio::join!(Qdrant::start(), bucket());
        let rest = QdrantRest::discover(&rest_config(&qdrant.rest_url())).await;
        let store = SnapshotStore::connect_as(&s3, credentials()).await;
        Self {
            rest: rest.expect("it answers"),
            store: store.expect("a bucket"),
            qdrant,
            s3,
            metrics: metrics(),
            job_id: JobId::new(),
            shutdown: CancellationToken::new(),
        }
    }

    pub(crate) fn rest_address(&self) -> SocketAddr {
        let url = self.qdrant.rest_url();
        let address = url.trim_start_matches("http://");
        address.parse().expect("an address")
    }

    /// A new collection of a name of its own.
    pub(crate) async fn collection(&self, of: &str, points: u64) -> String {
        let name = unique_collection(of);
        self.collection_named(&name, points).await;
        name
    }

    pub(crate) async fn collection_named(&self, name: &str, points: u64) {
        let client = self.qdrant.client();
        let create = CreateCollectionBuilder::new(name)
            .vectors_config(VectorParamsBuilder::new(DIMENSIONS, Distance::Dot));
        client.create_collection(create).await.expect("a new name");
        fill(&client, name, points).await;
    }

    pub(crate) async fn run(
        &self,
        config: &Config,
        collections: &[&str],
    ) -> Result<Outcome, SnapshotError> {
        let request = self.of_collections(collections);
        snapshot::run(config, self.deps(), &request, &self.shutdown).await
    }

    /// Saves everything, while the test goes on.
    pub(crate) fn spawn_run(&self, config: Config) -> JoinHandle<Result<Outcome, SnapshotError>> {
        let (deps, request) = (self.deps(), self.of_collections(&[]));
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move { snapshot::run(&config, deps, &request, &shutdown).await })
    }

    /// Saves everything into another store.
    pub(crate) async fn run_into(
        &self,
        store: SnapshotStore,
        config: &Config,
    ) -> Result<Outcome, SnapshotError> {
        let deps = Deps {
            store,
            ..self.deps()
        };
        snapshot::run(config, deps, &self.of_collections(&[]), &self.shutdown).await
    }

    pub(crate) async fn run_storage(
        &self,
        config: &Config,
        hosts: &[Host],
    ) -> Result<Outcome, SnapshotError> {
        snapshot::run(config, self.deps(), &self.of_storage(hosts), &self.shutdown).await
    }

    pub(crate) async fn run_storage_into(
        &self,
        store: SnapshotStore,
        config: &Config,
    ) -> Result<Outcome, SnapshotError> {
        let deps = Deps {
            store,
            ..self.deps()
        };
        snapshot::run(config, deps, &self.of_storage(&[]), &self.shutdown).await
    }

    /// The same bucket by another way, soon given up when that is closed.
    pub(crate) async fn store_behind_a_proxy(&self) -> (SnapshotStore, FaultProxy) {
        let proxy = FaultProxy::start(S3::shared().await.address()).await;
        let config = S3Config {
            endpoint: format!("http://{}", proxy.address()),
            attempts: 2,
            ..self.s3.clone()
        };
        let store = SnapshotStore::connect_as(&config, credentials()).await;
        (store.expect("a bucket"), proxy)
    }

    /// Names of the full snapshots that are on the node.
    pub(crate) async fn storage_snapshots_on_node(&self) -> Vec<String> {
        let url = format!("{}/snapshots", self.qdrant.rest_url());
        let answer = reqwest::get(url).await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        let listed = answer["result"].as_array().expect("a list").iter();
        listed
            .map(|file| file["name"].as_str().expect("a name").to_owned())
            .collect()
    }

    fn deps(&self) -> Deps {
        Deps {
            rest: self.rest.clone(),
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            lease: LEASE,
        }
    }

    pub(crate) fn of_collections(&self, names: &[&str]) -> BackupRequest {
        BackupRequest::Collections {
            job_id: self.job_id.clone(),
            collections: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn of_storage(&self, hosts: &[Host]) -> BackupRequest {
        BackupRequest::Storage {
            job_id: self.job_id.clone(),
            hosts: hosts.to_vec(),
        }
    }
}
