//! Three real servers, replication factor 2, 6 shards. Run by `make test-cluster QDRANT_BIN=/path/to/qdrant`.

use std::{collections::BTreeSet, time::Duration};

use alioth_cluster::rest::{QdrantRest, QdrantRestConfig};
use alioth_config::Span;
use alioth_jobs::{BackupRequest, JobId};
use alioth_snapshot_store::{Depth, Manifest, SnapshotStore};
use alioth_testkit::{Fault, FaultProxy, QdrantCluster, unique_collection, wait_until};
use serde_json::json;
use snapshot::{Config, Deps, Metrics, Outcome, SavedCollections, SnapshotError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    DEADLINE,
    world::{LEASE, bucket, config, credentials, fill, metrics},
};

const SHARDS: usize = 6;
const POINTS: u64 = 12_000;

struct Three {
    cluster: QdrantCluster,
    proxies: Vec<FaultProxy>,
    rest: QdrantRest,
    store: SnapshotStore,
    metrics: Metrics,
    collection: String,
}

impl Three {
    /// Three nodes, each reached through a proxy, and a filled collection.
    async fn start() -> Self {
        let cluster = QdrantCluster::start(3).await;
        let mut proxies = Vec::new();
        for node in 0..3 {
            proxies.push(FaultProxy::start(cluster.rest_address(node)).await);
        }
        let urls = proxies
            .iter()
            .map(|proxy| format!("http://{}", proxy.address()));
        let rest_config = QdrantRestConfig {
            url: urls.collect(),
            idle_timeout: Span(Duration::from_secs(5)),
            timeout: Span(Duration::from_secs(10)),
            ..QdrantRestConfig::default()
        };
        let rest = QdrantRest::discover(&rest_config)
            .await
            .expect("three nodes");
        let store = SnapshotStore::connect_as(&bucket().await, credentials()).await;
        let collection = unique_collection("movies");
        let body = json!({
            "vectors": {"size": 32, "distance": "Dot"},
            "shard_number": SHARDS,
            "replication_factor": 2,
        });
        rest.create_collection(&collection, &body)
            .await
            .expect("a new collection");
        fill(&cluster.client(0), &collection, POINTS).await;
        Self {
            cluster,
            proxies,
            rest,
            store: store.expect("a bucket"),
            metrics: metrics(),
            collection,
        }
    }

    fn run(&self, request: BackupRequest) -> JoinHandle<Result<Outcome, SnapshotError>> {
        let deps = Deps {
            rest: self.rest.clone(),
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            lease: LEASE,
        };
        let mut config: Config = config();
        config.snapshot.retry_pause = Span(Duration::from_millis(500));
        config.snapshot.attempts = 8;
        let token = CancellationToken::new();
        tokio::spawn(async move { snapshot::run(&config, deps, &request, &token).await })
    }

    fn run_all(&self) -> JoinHandle<Result<Outcome, SnapshotError>> {
        self.run(BackupRequest::Collections {
            job_id: JobId::new(),
            collections: Vec::new(),
        })
    }

    async fn slow(&self) {
        for proxy in &self.proxies {
            proxy.set(Fault::Delay(Duration::from_millis(20))).await;
        }
    }

    async fn streaming(&self) {
        wait_until(DEADLINE, || async { self.metrics.bytes() > 200_000 }).await;
    }

    /// The manifest of a snapshot whose every object is as it says.
    async fn verified(&self, outcome: Outcome) -> (SavedCollections, Manifest) {
        let Outcome::Collections(saved) = outcome else {
            panic!("{outcome:?}")
        };
        let verified = self.store.verify(&saved.snapshot, Depth::Contents).await;
        assert_eq!(verified.unwrap().faults, []);
        let manifest = self.store.get_manifest(&saved.snapshot).await.unwrap();
        let shards = &manifest.collection(&self.collection).unwrap().shards;
        let ids: BTreeSet<u32> = shards.iter().map(|shard| shard.shard).collect();
        assert_eq!((shards.len(), ids.len()), (SHARDS, SHARDS));
        (saved, manifest)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shard_is_read_once_and_the_load_is_spread() {
    let three = Three::start().await;
    let shards = three.rest.shards(&three.collection).await.unwrap();
    assert!(shards.iter().all(|shard| shard.replicas.len() == 2));
    let outcome = three.run_all().await.unwrap().unwrap();
    let (saved, manifest) = three.verified(outcome).await;
    assert_eq!(saved.retries, 0);
    assert_eq!(manifest.peers.len(), 3);
    let movies = manifest.collection(&three.collection).unwrap();
    assert_eq!(
        (movies.points_before, movies.points_after),
        (POINTS, POINTS)
    );
    let sources: BTreeSet<u64> = movies
        .shards
        .iter()
        .map(|shard| shard.source_peer)
        .collect();
    assert!(sources.len() >= 2, "{sources:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_under_running_writes_is_whole() {
    let three = Three::start().await;
    three.slow().await;
    let run = three.run_all();
    three.streaming().await;
    let client = three.cluster.client(1);
    let more = POINTS + 3_000;
    fill(&client, &three.collection, more).await;
    let (_, manifest) = three.verified(run.await.unwrap().unwrap()).await;
    let movies = manifest.collection(&three.collection).unwrap();
    assert_eq!(movies.points_before, POINTS);
    assert!((POINTS..=more).contains(&movies.points_after));
}

/// Whatever happens to a node in the middle: its shards are read from the others.
async fn the_snapshot_is_whole_although(fault: impl AsyncFnOnce(&Three, usize)) {
    let three = Three::start().await;
    three.slow().await;
    let run = three.run_all();
    three.streaming().await;
    fault(&three, 2).await;
    let (_, manifest) = three.verified(run.await.unwrap().unwrap()).await;
    let movies = manifest.collection(&three.collection).unwrap();
    assert_eq!(movies.points_after, POINTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_in_the_middle_is_done_without() {
    the_snapshot_is_whole_although(async |three, node| three.cluster.kill(node)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_frozen_in_the_middle_is_done_without() {
    the_snapshot_is_whole_although(async |three, node| three.cluster.freeze(node)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_off_in_the_middle_is_done_without() {
    the_snapshot_is_whole_although(async |three, node| {
        three.proxies[node].set(Fault::Cut).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_without_an_active_replica_fails_the_run_with_its_name() {
    let three = Three::start().await;
    // Each shard has two replicas on three nodes: without two of them some shard has none.
    three.proxies[1].set(Fault::Cut).await;
    three.proxies[2].set(Fault::Cut).await;
    let error = three.run_all().await.unwrap().unwrap_err();
    let SnapshotError::Incomplete { shards, missing } = &error else {
        panic!("{error}")
    };
    assert_eq!(*shards, SHARDS);
    assert!(missing.iter().any(|missing| missing.reason.is_some()));
    assert!(error.to_string().contains(&three.collection), "{error}");
    assert_eq!(three.store.latest(None).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_nodes_storage_is_stored_and_gone_from_its_node() {
    let three = Three::start().await;
    let request = BackupRequest::Storage {
        job_id: JobId::new(),
        hosts: Vec::new(),
    };
    let outcome = three.run(request).await.unwrap().unwrap();
    let Outcome::Storage(saved) = outcome else {
        panic!("{outcome:?}")
    };
    let names: BTreeSet<&str> = saved.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names.len(), 3, "{saved:?}");
    assert_eq!(three.store.list_storage().await.unwrap().len(), 3);
    for node in 0..3 {
        let left = std::fs::read_dir(three.cluster.snapshots(node)).expect("its folder");
        let left: Vec<_> = left
            .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
            .filter(|name| name.ends_with(".snapshot"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    }
}
