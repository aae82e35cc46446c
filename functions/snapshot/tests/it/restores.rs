//! Runs and retention beside restores, as their records tell of them.

use alioth_job_runner::JobFault;
use alioth_jobs::{JobExit, JobId, JobKind, JobRecord, JobState};
use alioth_snapshot_store::SnapshotId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use snapshot::{Outcome, RetentionConfig, SnapshotError};

use crate::world::{LEASE, World, config};

/// A restore's record, renewed so long ago.
fn restore(state: JobState, renewed: SignedDuration, result: Value) -> JobRecord {
    let at = Timestamp::now() - renewed;
    JobRecord {
        state,
        updated: Some(at),
        run: Some("run".to_owned()),
        result,
        ..JobRecord::running(JobId::new(), JobKind::Restore, Value::Null, at)
    }
}

fn making(snapshot: &str, collection: &str) -> Value {
    json!({"progress": {"snapshot": snapshot, "begun": [collection], "restored": []}})
}

async fn write(world: &World, record: &JobRecord) {
    let json = serde_json::to_vec(record).unwrap();
    world.store.put_job(record.id.as_str(), json).await.unwrap();
}

async fn saved(world: &World, names: &[&str]) -> SnapshotId {
    match world.run(&config(), names).await.unwrap() {
        Outcome::Collections(saved) => saved.snapshot,
        other => panic!("{other:?}"),
    }
}

const KEEP_ONE: RetentionConfig = RetentionConfig {
    keep_last: 1,
    keep_hourly: 0,
    keep_daily: 0,
    keep_weekly: 0,
    keep_monthly: 0,
    dry_run: false,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_of_a_restore_that_may_go_on_is_not_pruned() {
    let world = World::start().await;
    let movies = world.collection("movies", 1).await;
    let old = saved(&world, &[]).await;
    let new = saved(&world, &[]).await;
    let left = async || -> Vec<SnapshotId> {
        let pruned = snapshot::prune(&world.store, KEEP_ONE, LEASE).await;
        assert_eq!(pruned.error, None);
        let listed = world.store.list().await.unwrap().into_iter();
        listed.map(|listed| listed.id).collect()
    };
    let now = SignedDuration::ZERO;
    let mut record = restore(JobState::Running, now, making(old.as_str(), &movies));
    for state in [JobState::Running, JobState::Failed] {
        record.state = state;
        write(&world, &record).await;
        assert_eq!(left().await, [new.clone(), old.clone()], "{state:?}");
    }
    // Which snapshot it takes is not known yet.
    record.state = JobState::Running;
    record.result = Value::Null;
    write(&world, &record).await;
    assert_eq!(left().await, [new.clone(), old.clone()]);

    record.state = JobState::Done;
    record.result = json!({"snapshot": old});
    write(&world, &record).await;
    assert_eq!(left().await, [new]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_a_restore_is_making_is_not_saved() {
    let world = World::start().await;
    let movies = world.collection("movies", 1).await;
    let songs = world.collection("songs", 1).await;
    let now = SignedDuration::ZERO;
    let record = restore(JobState::Running, now, making("", &movies));
    write(&world, &record).await;

    let error = world.run(&config(), &[]).await.unwrap_err();
    assert!(
        matches!(&error, SnapshotError::BeingRestored { collection, .. } if *collection == movies),
        "{error}"
    );
    assert_eq!(error.exit(), JobExit::Unavailable);
    assert!(error.to_string().contains(record.id.as_str()), "{error}");
    let error = world.run_storage(&config(), &[]).await.unwrap_err();
    assert_eq!(error.exit(), JobExit::Unavailable);
    assert_eq!(world.store.list().await.unwrap(), []);
    assert_eq!(world.store.list_storage().await.unwrap(), []);

    saved(&world, &[&songs]).await;
    // One that fell silent is nobody's to wait for.
    let silent = SignedDuration::try_from(LEASE).unwrap();
    let dead = JobRecord {
        updated: Some(Timestamp::now() - silent),
        ..record
    };
    write(&world, &dead).await;
    saved(&world, &[]).await;
}
