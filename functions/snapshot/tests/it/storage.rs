//! Full snapshots of nodes.

use std::time::Duration;

use alioth_job_runner::JobFault;
use alioth_jobs::{Host, JobExit};
use alioth_testkit::{Fault, wait_until};
use snapshot::{Outcome, SnapshotError};

use crate::{
    DEADLINE,
    world::{World, config},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_storage_is_stored_and_its_file_is_gone_from_the_node() {
    let world = World::start().await;
    world.collection("movies", 100).await;
    let outcome = world.run_storage(&config(), &[]).await.unwrap();
    let Outcome::Storage(saved) = outcome else {
        panic!("{outcome:?}")
    };
    let [node] = saved.nodes.as_slice() else {
        panic!("{saved:?}")
    };
    assert_eq!(node.host, "127.0.0.1");
    let listed = world.store.list_storage().await.unwrap();
    let [file] = listed.as_slice() else {
        panic!("{listed:?}")
    };
    assert_eq!((file.host.as_str(), file.bytes), ("127.0.0.1", node.bytes));
    assert_eq!(
        world.storage_snapshots_on_node().await,
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_gone_from_the_node_although_the_upload_failed() {
    let world = World::start().await;
    world.collection("movies", 100).await;
    let (store, proxy) = world.store_behind_a_proxy().await;
    // Long enough on its way into the bucket for that to go away meanwhile.
    proxy.set(Fault::Delay(Duration::from_millis(200))).await;
    let config = config();
    let cut = async {
        wait_until(DEADLINE, || async { world.metrics.bytes() > 0 }).await;
        proxy.set(Fault::Cut).await;
    };
    let (ended, ()) = tokio::join!(world.run_storage_into(store, &config), cut);
    let error = ended.expect_err("no bucket");
    assert!(
        matches!(error, SnapshotError::StorageIncomplete { nodes: 1, .. }),
        "{error}"
    );
    assert_eq!(error.exit(), JobExit::Unavailable);
    assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    assert_eq!(
        world.storage_snapshots_on_node().await,
        Vec::<String>::new()
    );
    assert_eq!(world.store.list_storage().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_no_node_is_a_bad_request() {
    let world = World::start().await;
    let error = world
        .run_storage(
            &config(),
            &[Host::named("127.0.0.1"), Host::named("elsewhere")],
        )
        .await
        .unwrap_err();
    assert_eq!(error.exit(), JobExit::BadRequest);
    assert_eq!(
        error.to_string(),
        "hosts[1]: elsewhere is no node of the configured cluster"
    );
}
