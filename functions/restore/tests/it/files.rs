//! Buckets that the Python Alioth wrote.

use alioth_broker::Queue;
use alioth_jobs::{Host, RestoreFrom};
use alioth_snapshot_store::ObjectKey;

use crate::{
    again::{start_slowly, until_begun},
    world::{World, of},
};

/// Where Python's files of one host and collection lie.
fn key(host: &str, collection: &str, time: &str) -> ObjectKey {
    let key = format!("collection/{host}/{collection}/{collection}-1-{time}.snapshot");
    ObjectKey::at_root(&key).unwrap()
}

/// Makes a collection's snapshot on the node and puts it where Python's Alioth would.
async fn save_as_python(world: &World, host: &str, collection: &str, time: &str) -> ObjectKey {
    let file = world.collection_snapshot(collection).await;
    let key = key(host, collection, time);
    save(world, &key, file).await;
    key
}

async fn save(world: &World, key: &ObjectKey, file: Vec<u8>) {
    let bytes = futures_util::stream::iter([Ok::<_, std::io::Error>(file.into())]);
    world.store.put_stream(key, bytes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_file_of_a_host_and_collection_is_restored() {
    let world = World::start().await;
    let host = world.rest.nodes()[0].host.clone();
    let (name, other) = (world.unique("movies"), world.unique("movies"));
    world.collection(&name, 20).await;
    save_as_python(&world, &host, &name, "2026-01-01-00-00-00").await;
    world.fill(&name, 30).await;
    save_as_python(&world, &host, &name, "2026-02-01-00-00-00").await;
    world.collection(&other, 5).await;
    save_as_python(&world, &host, &other, "2026-03-01-00-00-00").await;
    world.drop(&name).await;

    let mut request = of(&[name.as_str()]);
    request.from = RestoreFrom::PythonLatest { host: host.clone() };
    request.host = Some(Host {
        port: Some(world.rest.nodes()[0].port),
        ..Host::named(host)
    });
    world.ask(&request).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count(&name).await.unwrap(), 30);
    let info = world.rest.collection(&name).await.unwrap();
    assert_eq!(info.payload_schema["n"]["data_type"], "integer");
    let left = world.snapshots_on_node(&name).await;
    assert_eq!(left, Vec::<String>::new(), "the upload stays on the node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_named_by_its_url_in_the_bucket_is_restored_under_another_name() {
    let world = World::start().await;
    let host = world.rest.nodes()[0].host.clone();
    let name = world.unique("movies");
    world.collection(&name, 20).await;
    let key = save_as_python(&world, &host, &name, "2026-01-01-00-00-00").await;
    let copy = world.unique("copy");
    let mut request = of(&[name.as_str()]);
    request.from = RestoreFrom::Url(format!("s3://{}/{}", world.s3.bucket, key.as_str()));
    request.rename_to = Some(copy.clone());
    world.ask(&request).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count(&copy).await.unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_began_with_a_file_goes_on_with_it_though_a_newer_one_has_come() {
    let world = World::start().await;
    let host = world.rest.nodes()[0].host.clone();
    let name = world.unique("movies");
    world.collection(&name, 20).await;
    save_as_python(&world, &host, &name, "2026-01-01-00-00-00").await;
    world.fill(&name, 30).await;
    let newer = world.collection_snapshot(&name).await;
    world.drop(&name).await;
    let mut request = of(&[name.as_str()]);
    request.from = RestoreFrom::PythonLatest { host: host.clone() };
    world.ask(&request).await;
    let (mut child, _proxy) = start_slowly(&world).await;
    until_begun(&world, &request).await;
    child.kill().await.unwrap();
    world.until_ready(Queue::Restore, 1).await;

    save(&world, &key(&host, &name, "2026-02-01-00-00-00"), newer).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count(&name).await.unwrap(), 20);
}

/// The embedded node fetches nothing from elsewhere, as a server may be told not to.
#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_url_is_fetched_by_a_node_that_may() {
    let world = World::start().await;
    let host = world.rest.nodes()[0].host.clone();
    let name = world.unique("movies");
    world.collection(&name, 20).await;
    let key = save_as_python(&world, &host, &name, "2026-01-01-00-00-00").await;
    world.drop(&name).await;
    let valid = std::time::Duration::from_secs(600);
    let url = world.store.presigned_get(&key, valid).await.unwrap();
    let mut request = of(&[name.as_str()]);
    request.from = RestoreFrom::Url(url.expose().to_owned());
    world.ask(&request).await;
    let ran = world.run().await;
    assert!(!ran.log.contains("X-Amz-Signature"), "{}", ran.log);
    let record = world.record(&request.job_id).await;
    let told = serde_json::to_string(&record).unwrap();
    assert!(!told.contains("X-Amz"), "{told}");
    let asked = record.request["from"]["url"].as_str().unwrap();
    assert!(asked.ends_with(key.as_str()), "{asked}");
    if std::env::var_os("QDRANT_BIN").is_none() {
        ran.exits(64);
        assert!(ran.log.contains("disabled"), "{}", ran.log);
        return;
    }
    ran.exits(0);
    assert_eq!(world.rest.count(&name).await.unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_ours_that_is_newer_is_taken_instead() {
    let world = World::start().await;
    let host = world.rest.nodes()[0].host.clone();
    let name = world.unique("movies");
    world.collection(&name, 20).await;
    save_as_python(&world, &host, &name, "2026-01-01-00-00-00").await;
    world.fill(&name, 30).await;
    world.save(&[name.as_str()]).await;
    let mut request = of(&[name.as_str()]);
    request.from = RestoreFrom::PythonLatest { host };
    request.overwrite = true;
    world.ask(&request).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count(&name).await.unwrap(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_none_of_the_nodes_is_refused() {
    let world = World::start().await;
    let name = world.unique("movies");
    world.collection(&name, 5).await;
    let mut request = of(&[name.as_str()]);
    request.from = RestoreFrom::Url("https://s3.example/movies.snapshot".to_owned());
    request.host = Some(Host::named("metadata.internal"));
    request.overwrite = true;
    world.ask(&request).await;
    world.run().await.exits(65);
    assert!(world.death().await.contains("metadata.internal"));
}
