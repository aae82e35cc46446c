//! Snapshots of collections, and what stays of them.

use alioth_cluster::rest::{Alias, AliasAction, Priority};
use alioth_job_runner::JobFault;
use alioth_jobs::JobExit;
use alioth_snapshot_store::Depth;
use alioth_testkit::{unique_collection, wait_until};
use jiff::Timestamp;
use serde_json::json;
use snapshot::{Outcome, RetentionConfig, SavedCollections, SnapshotError};

use crate::{
    DEADLINE,
    world::{World, config},
};

fn saved(outcome: Outcome) -> SavedCollections {
    match outcome {
        Outcome::Collections(saved) => saved,
        other => panic!("no snapshot of collections: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_will_move_is_guessed_by_the_newest_snapshot() {
    let world = World::start().await;
    let movies = world.collection("movies", 500).await;
    let songs = world.collection("songs", 3).await;
    let estimate = async |names: &[&str]| {
        let request = world.of_collections(names);
        snapshot::estimate(&world.store, &request).await
    };
    assert_eq!(estimate(&[]).await, 0, "there is none yet");
    let done = saved(world.run(&config(), &[]).await.unwrap());
    let bytes = |name: &str| {
        let found = done.collections.iter().find(|saved| saved.name == name);
        found.unwrap().bytes
    };
    assert_eq!(estimate(&[]).await, done.bytes);
    assert_eq!(estimate(&[&movies]).await, bytes(&movies));
    assert_eq!(estimate(&["songs*"]).await, bytes(&songs));
    assert_eq!(estimate(&["new"]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_holds_every_shard_and_says_what_it_is_of() {
    let world = World::start().await;
    let movies = world.collection("movies", 500).await;
    let name = format!("{} 100% ü", unique_collection("odd"));
    world.collection_named(&name, 3).await;
    let index = json!("integer");
    world
        .rest
        .create_payload_index(&movies, "n", &index)
        .await
        .unwrap();
    let alias = Alias {
        alias: unique_collection("alias"),
        collection: movies.clone(),
    };
    world
        .rest
        .update_aliases(&[AliasAction::Create(alias.clone())])
        .await
        .unwrap();

    let done = saved(world.run(&config(), &[]).await.unwrap());
    assert_eq!((done.shards, done.retries), (2, 0));

    let manifest = world.store.get_manifest(&done.snapshot).await.unwrap();
    assert_eq!(manifest.job_id, world.job_id.as_str());
    assert_eq!(manifest.qdrant_version, world.rest.version().to_string());
    assert_eq!(manifest.peers.len(), 1);
    assert_eq!(manifest.collections.len(), 2);
    let of_movies = manifest.collection(&movies).unwrap();
    assert_eq!(of_movies.aliases, [alias.alias]);
    assert_eq!(of_movies.payload_schema["n"]["data_type"], "integer");
    assert_eq!(of_movies.config["params"]["vectors"]["size"], 32);
    assert_eq!(
        (of_movies.points_before, of_movies.points_after),
        (500, 500)
    );
    assert_eq!(manifest.collection(&name).unwrap().points_after, 3);

    let verified = world
        .store
        .verify(&done.snapshot, Depth::Contents)
        .await
        .unwrap();
    assert_eq!((verified.objects, verified.faults), (2, vec![]));

    // The proof: it goes back into an empty collection.
    let empty = world.collection("empty", 0).await;
    let shard = &of_movies.shards[0];
    let stream = world.store.get_shard(shard).await.unwrap();
    world
        .rest
        .upload_shard(
            0,
            &empty,
            0,
            stream,
            Some(shard.bytes),
            Some(&shard.sha256),
            Priority::Snapshot,
        )
        .await
        .unwrap();
    assert_eq!(world.rest.count(&empty).await.unwrap(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_globs_choose() {
    let world = World::start().await;
    let (logs, movies) = (
        world.collection("log", 1).await,
        world.collection("movies", 1).await,
    );
    let done = saved(world.run(&config(), &["log-*"]).await.unwrap());
    let names: Vec<&str> = done.collections.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, [logs.as_str()]);
    let both = world.run(&config(), &[&logs, &movies]).await.unwrap();
    assert_eq!(saved(both).collections.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_there_is_not_is_a_bad_request_and_leaves_nothing() {
    let world = World::start().await;
    let movies = world.collection("movies", 1).await;
    let error = world.run(&config(), &[&movies, "films"]).await.unwrap_err();
    assert!(matches!(error, SnapshotError::Request(_)), "{error}");
    assert_eq!(error.exit(), JobExit::BadRequest);
    assert_eq!(
        error.to_string(),
        "collections[1]: there is no collection films"
    );
    assert_eq!(world.store.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_empty_cluster_there_is_no_snapshot_and_the_old_ones_stay() {
    let world = World::start().await;
    let movies = world.collection("movies", 1).await;
    let kept = saved(world.run(&config(), &[]).await.unwrap()).snapshot;
    world.rest.delete_collection(&movies).await.unwrap();
    let mut config = config();
    config.retention = RetentionConfig {
        keep_last: 1,
        ..RetentionConfig::default()
    };
    assert_eq!(world.run(&config, &[]).await.unwrap(), Outcome::Nothing);
    assert_eq!(world.store.latest(None).await.unwrap(), Some(kept));
}

/// Names of snapshots tell seconds apart, and so does retention.
async fn next_second() {
    let now = Timestamp::now().as_second();
    wait_until(
        DEADLINE,
        || async move { Timestamp::now().as_second() > now },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_never_removes_the_snapshot_it_follows() {
    let world = World::start().await;
    world.collection("movies", 1).await;
    let mut config = config();
    config.retention = RetentionConfig {
        keep_last: 1,
        ..RetentionConfig::default()
    };
    // Several of one second: the last made need not be the last by name.
    for _ in 0..6 {
        let made = saved(world.run(&config, &[]).await.unwrap()).snapshot;
        let listed = world.store.list().await.unwrap();
        assert!(listed.iter().any(|listed| listed.id == made));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_follows_a_run_and_a_dry_run_only_tells() {
    let world = World::start().await;
    world.collection("movies", 1).await;
    let first = saved(world.run(&config(), &[]).await.unwrap()).snapshot;
    let mut config = config();
    config.retention = RetentionConfig {
        keep_last: 1,
        dry_run: true,
        ..RetentionConfig::default()
    };
    next_second().await;
    let second = saved(world.run(&config, &[]).await.unwrap());
    let told = second.retention.expect("it was asked");
    let gone: Vec<_> = told
        .removed
        .iter()
        .map(|removed| &removed.snapshot)
        .collect();
    assert_eq!((gone, told.kept), (vec![&first], 1));
    assert_eq!(world.store.list().await.unwrap().len(), 2);

    config.retention.dry_run = false;
    next_second().await;
    let third = saved(world.run(&config, &[]).await.unwrap());
    let done = third.retention.expect("it was asked");
    assert_eq!((done.removed.len(), done.error), (2, None));
    let listed = world.store.list().await.unwrap();
    let left: Vec<_> = listed.iter().map(|listed| &listed.id).collect();
    assert_eq!(left, [&third.snapshot]);
}
