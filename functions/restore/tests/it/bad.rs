//! Restores that are refused, and those that go wrong: what is left then.

use alioth_broker::Queue;
use alioth_jobs::{JobState, Request, RestoreFrom, RestoreRequest};
use alioth_snapshot_store::Manifest;
use bytes::Bytes;
use futures_util::stream;

use crate::world::{Servers, World, everything, of};

/// Puts other bytes where a shard's are.
async fn replace_object(world: &World, manifest: &Manifest, bytes: Vec<u8>) {
    let key = manifest.collections[0].shards[0].key.clone();
    let bytes = Ok::<_, std::io::Error>(Bytes::from(bytes));
    world
        .store
        .put_stream(&key, stream::iter([bytes]))
        .await
        .unwrap();
}

/// A movie collection with an alias, saved, whose one shard then gets other bytes of this length.
async fn damaged(length: impl Fn(u64) -> u64) -> World {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.alias("films", "movies").await;
    let manifest = world.save(&["movies"]).await;
    let bytes = manifest.collections[0].shards[0].bytes;
    let length = usize::try_from(length(bytes)).unwrap();
    replace_object(&world, &manifest, vec![7; length]).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_exists_is_not_replaced_unless_told_to() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.save(&["movies"]).await;
    world.fill("movies", 50).await;
    let request = of(&["movies"]);
    world.ask(&request).await;
    world.run().await.exits(65);
    assert_eq!(world.rest.count("movies").await.unwrap(), 50);
    let record = world.record(&request.job_id).await;
    assert_eq!(record.state, JobState::Failed);
    let error = record.error.unwrap();
    assert!(error.contains("\"movies\" exists"), "{error}");
    assert_eq!(world.death().await, error);
    assert_eq!(world.ready(Queue::Restore).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_bucket_an_unknown_id_and_an_incomplete_snapshot_are_refused() {
    let world = World::start().await;
    world.collection("movies", 5).await;
    // Objects, and no manifest.
    let incomplete = world.saved(&["movies"]).await;
    for from in [
        RestoreFrom::Latest,
        RestoreFrom::Id("yesterday".to_owned()),
        RestoreFrom::Id("20200101T000000Z-00000000".to_owned()),
        RestoreFrom::Id(incomplete.id.as_str().to_owned()),
        RestoreFrom::PythonLatest {
            host: "q1".to_owned(),
        },
    ] {
        let mut request = of(&["movies"]);
        request.from = from;
        world.ask(&request).await;
        world.run().await.exits(65);
        let record = world.record(&request.job_id).await;
        assert_eq!(record.state, JobState::Failed);
        assert!(record.error.unwrap().contains("from"), "names the field");
    }
    assert_eq!(world.rest.collections().await.unwrap(), ["movies"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_newer_server_is_refused() {
    let world = World::start().await;
    world.collection("movies", 5).await;
    let mut manifest = world.saved(&["movies"]).await;
    manifest.qdrant_version = "1.99.0".to_owned();
    world.store.put_manifest(&manifest).await.unwrap();
    world.drop("movies").await;
    world.ask(&everything()).await;
    let ran = world.run().await;
    ran.exits(65);
    assert!(world.death().await.contains("1.99.0"));
    assert_eq!(
        world.rest.collections().await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_hash_touches_nothing_when_a_collection_is_to_be_replaced() {
    let world = damaged(|bytes| bytes).await;
    let mut request = of(&["movies"]);
    request.overwrite = true;
    world.ask(&request).await;
    world.run().await.exits(74);
    assert_eq!(world.rest.count("films").await.unwrap(), 30);
    assert!(world.death().await.contains("SHA-256"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_hash_leaves_alias_and_old_collection_under_a_new_name() {
    let world = damaged(|bytes| bytes).await;
    let mut request = of(&["movies"]);
    request.rename_to = Some("movies-2".to_owned());
    world.ask(&request).await;
    world.run().await.exits(74);
    assert_eq!(world.rest.count("movies").await.unwrap(), 30);
    let films = [("films".to_owned(), "movies".to_owned())];
    assert_eq!(world.aliases().await, films);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_object_is_found_before_anything_is_made() {
    let world = damaged(|bytes| bytes - 1).await;
    let mut request = of(&["movies"]);
    request.rename_to = Some("movies-2".to_owned());
    world.ask(&request).await;
    world.run().await.exits(74);
    assert_eq!(world.rest.collections().await.unwrap(), ["movies"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_count_leaves_the_alias() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.alias("films", "movies").await;
    let mut manifest = world.saved(&["movies"]).await;
    manifest.collections[0].points_before = 31;
    manifest.collections[0].points_after = 31;
    world.store.put_manifest(&manifest).await.unwrap();
    let mut request = of(&["movies"]);
    request.rename_to = Some("movies-2".to_owned());
    world.ask(&request).await;
    world.run().await.exits(74);
    let films = [("films".to_owned(), "movies".to_owned())];
    assert_eq!(world.aliases().await, films);
    let error = world.record(&request.job_id).await.error.unwrap();
    assert!(
        error.contains("31 points are expected, and 30 on"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_count_that_is_only_warned_of_switches_the_aliases() {
    let world = World::start().await;
    world.collection("movies", 150).await;
    world.alias("films", "movies").await;
    let mut manifest = world.saved(&["movies"]).await;
    manifest.collections[0].points_before = 100;
    manifest.collections[0].points_after = 100;
    world.store.put_manifest(&manifest).await.unwrap();
    let mut request = of(&["movies"]);
    request.rename_to = Some("movies-2".to_owned());
    world.ask(&request).await;
    let mut command = world.command().await;
    command.env("ALIOTH_RESTORE_COUNTS", "warn");
    let output = command.output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{log}");
    let warning = "100 points are expected, and 150 on";
    assert!(log.contains(warning), "{log}");
    let films = [("films".to_owned(), "movies-2".to_owned())];
    assert_eq!(world.aliases().await, films);
    let result = world.record(&request.job_id).await.result;
    let told = result["collections"][0]["warning"].as_str();
    assert!(told.is_some_and(|told| told.contains(warning)), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_set_aside_with_the_reason() {
    let world = World::start().await;
    world
        .publish(b"{\"job_id\": 7}".to_vec(), RestoreRequest::TYPE)
        .await;
    world.run().await.exits(65);
    assert!(world.death().await.starts_with("job_id: "));
    world
        .publish(everything().encode(), "alioth.BackupRequest")
        .await;
    world.run().await.exits(65);
    assert_eq!(world.ready(Queue::Restore).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_qdrant_the_message_stays() {
    let mut world = World::start().await;
    world.collection("movies", 5).await;
    world.save(&["movies"]).await;
    let Servers::One(qdrant) = &mut world.servers else {
        panic!("it is one node")
    };
    qdrant.stop().await;
    world.ask(&everything()).await;
    world.run().await.exits(69);
    world.until_ready(Queue::Restore, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_configuration_names_every_problem_and_exits_64() {
    let world = World::start().await;
    let mut command = world.command().await;
    command
        .env_remove("ALIOTH_S3_BUCKET")
        .env("ALIOTH_RESTORE_CONCURRENCY", "0")
        .env("ALIOTH_RESTORE_CONCURENCY", "2");
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in [
        "ALIOTH_S3_BUCKET",
        "ALIOTH_RESTORE_CONCURRENCY",
        "ALIOTH_RESTORE_CONCURENCY",
    ] {
        assert!(said.contains(name), "{name} in {said}");
    }
}
