//! What fails on the way is tried again, or leaves nothing that looks like a snapshot.

use std::time::Duration;

use alioth_cluster::rest::QdrantRest;
use alioth_job_runner::JobFault;
use alioth_jobs::JobExit;
use alioth_testkit::{Fault, FaultProxy, wait_until};
use snapshot::{Config, Metrics, Outcome, SnapshotError};
use tokio::task::JoinHandle;

use crate::{
    DEADLINE,
    world::{World, config, rest_config},
};

/// Holds every 64 KiB back: a shard of some hundred of them is seconds on its way.
const SLOW: Fault = Fault::Delay(Duration::from_millis(30));

/// A world whose Qdrant is reached through a proxy, with a collection that takes its time.
struct Slow {
    world: World,
    proxy: FaultProxy,
    metrics: Metrics,
}

impl Slow {
    async fn start() -> Self {
        let mut world = World::start().await;
        world.collection("movies", 20_000).await;
        let proxy = FaultProxy::start(world.rest_address()).await;
        world.rest = discover(&proxy).await;
        proxy.set(SLOW).await;
        let metrics = world.metrics.clone();
        Self {
            world,
            proxy,
            metrics,
        }
    }

    fn run(&self, config: Config) -> JoinHandle<Result<Outcome, SnapshotError>> {
        self.world.spawn_run(config)
    }

    /// Waits until a shard is on its way.
    async fn streaming(&self) {
        wait_until(DEADLINE, || async { self.metrics.bytes() > 100_000 }).await;
    }

    async fn left_nothing(&self) {
        self.world.store.close().await;
        let complete = self.world.store.latest(None).await.unwrap();
        assert_eq!(complete, None, "a manifest was left");
        let unfinished = self.world.store.abort_leftovers(Duration::ZERO).await;
        assert_eq!(unfinished.unwrap(), 0, "an upload was left");
    }
}

async fn discover(proxy: &FaultProxy) -> QdrantRest {
    let config = rest_config(&format!("http://{}", proxy.address()));
    QdrantRest::discover(&config).await.expect("it answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_is_read_again_from_its_start() {
    let slow = Slow::start().await;
    let run = slow.run(config());
    slow.streaming().await;
    slow.proxy.cut_connections().await;
    slow.proxy.set(Fault::Pass).await;
    let outcome = run.await.unwrap().unwrap();
    let Outcome::Collections(saved) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(saved.retries, 1);
    let depth = alioth_snapshot_store::Depth::Contents;
    let verified = slow.world.store.verify(&saved.snapshot, depth).await;
    assert_eq!(verified.unwrap().faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_node_the_run_names_what_is_missing_and_leaves_nothing() {
    let slow = Slow::start().await;
    let run = slow.run(config());
    slow.streaming().await;
    slow.proxy.set(Fault::Cut).await;
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.exit(), JobExit::Unavailable);
    let SnapshotError::Incomplete { shards, missing } = &error else {
        panic!("{error}")
    };
    assert_eq!((*shards, missing.len()), (1, 1));
    assert!(error.to_string().contains("/0 is missing ("), "{error}");
    slow.left_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_aborts_its_uploads() {
    let slow = Slow::start().await;
    let run = slow.run(config());
    slow.streaming().await;
    slow.world.shutdown.cancel();
    let error = run.await.unwrap().unwrap_err();
    assert!(matches!(error, SnapshotError::Stopped), "{error}");
    assert_eq!(error.exit(), JobExit::Unavailable);
    slow.left_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_goes_away_fails_the_run_and_leaves_no_manifest() {
    let world = World::start().await;
    world.collection("movies", 5_000).await;
    let (store, proxy) = world.store_behind_a_proxy().await;
    proxy.set(Fault::Cut).await;
    let error = world.run_into(store, &config()).await.unwrap_err();
    assert!(matches!(error, SnapshotError::Store(_)), "{error}");
    assert_eq!(error.exit(), JobExit::Unavailable);
    proxy.set(Fault::Pass).await;
    assert_eq!(world.store.latest(None).await.unwrap(), None);
}
