//! What Qdrant answers at which moment, and what becomes of the run: on a Qdrant that keeps to a script.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use alioth_cluster::rest::{QdrantRest, QdrantRestConfig};
use alioth_config::Span;
use alioth_job_runner::JobFault;
use alioth_jobs::{BackupRequest, JobExit, JobId};
use alioth_snapshot_store::{Credentials, Manifest, SnapshotStore};
use alioth_testkit::s3;
use serde_json::json;
use snapshot::{Deps, Outcome, SnapshotError};
use tokio_util::sync::CancellationToken;

use crate::{
    scripted::{Answer, FILE, Scripted, described},
    world::{LEASE, bucket, config, metrics, store},
};

const COUNT: &str = "POST /collections/movies/points/count";
const DESCRIBE: &str = "GET /collections/movies";

async fn run(
    rest: QdrantRest,
    store: &SnapshotStore,
    request: BackupRequest,
) -> Result<Outcome, SnapshotError> {
    let deps = Deps {
        rest,
        store: store.clone(),
        metrics: metrics(),
        lease: LEASE,
    };
    snapshot::run(&config(), deps, &request, &CancellationToken::new()).await
}

/// The manifest of a run that goes well.
async fn manifest(qdrant: &Scripted, store: &SnapshotStore, names: &[&str]) -> Manifest {
    let rest = qdrant.rest(QdrantRestConfig::default()).await;
    let outcome = run(rest, store, of_collections(names)).await.unwrap();
    let Outcome::Collections(saved) = outcome else {
        panic!("{outcome:?}")
    };
    store.get_manifest(&saved.snapshot).await.unwrap()
}

fn of_collections(names: &[&str]) -> BackupRequest {
    BackupRequest::Collections {
        job_id: JobId::new(),
        collections: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn of_storage() -> BackupRequest {
    BackupRequest::Storage {
        job_id: JobId::new(),
        hosts: Vec::new(),
    }
}

/// Answers in turn, and the last again and again.
fn in_turn<const N: usize>(counts: [u64; N]) -> impl Fn(&str) -> Option<Answer> + Send + Sync {
    let turn = AtomicUsize::new(0);
    move |asked| {
        let is_count = asked == COUNT;
        let count = || counts[turn.fetch_add(1, Ordering::Relaxed).min(N - 1)];
        is_count.then(|| Answer::Result(json!({"count": count()})))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_come_and_go_during_a_run_are_within_its_counts() {
    // At the start, before and after the first shard, before and after the second, at the end.
    let script = in_turn([100, 100, 100, 150, 150, 100]);
    let (qdrant, store) = tokio::join!(Scripted::start(script), store());
    let manifest = manifest(&qdrant, &store, &[]).await;
    let movies = manifest.collection("movies").unwrap();
    assert_eq!((movies.points_before, movies.points_after), (100, 150));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_between_shards_that_fails_fails_no_run() {
    let turn = AtomicUsize::new(0);
    let script = move |asked: &str| match asked {
        COUNT => match turn.fetch_add(1, Ordering::Relaxed) {
            0 | 5.. => None,
            _ => Some(Answer::Status(500)),
        },
        _ => None,
    };
    let (qdrant, store) = tokio::join!(Scripted::start(script), store());
    let rest = qdrant.rest(QdrantRestConfig::default()).await;
    let outcome = run(rest, &store, of_collections(&[])).await.unwrap();
    let Outcome::Collections(saved) = outcome else {
        panic!("{outcome:?}")
    };
    let counts = |one: &snapshot::SavedCollection| (one.points_before, one.points_after);
    assert_eq!(counts(&saved.collections[0]), (100, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_made_anew_with_other_vectors_leaves_no_manifest() {
    let looks = AtomicUsize::new(0);
    let script = move |asked: &str| match asked {
        DESCRIBE => match looks.fetch_add(1, Ordering::Relaxed) {
            0 => Some(Answer::Result(described(768))),
            _ => Some(Answer::Result(described(1024))),
        },
        _ => None,
    };
    let (qdrant, store) = tokio::join!(Scripted::start(script), store());
    let rest = qdrant.rest(QdrantRestConfig::default()).await;
    let error = run(rest, &store, of_collections(&[])).await.unwrap_err();
    assert!(matches!(error, SnapshotError::Changed { .. }), "{error}");
    assert_eq!(error.exit(), JobExit::Unavailable);
    assert_eq!(store.list().await.unwrap(), [], "objects were left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_shards_were_read_is_told_as_it_is_at_the_end() {
    let looks = AtomicUsize::new(0);
    let asked_for_aliases = AtomicUsize::new(0);
    let script = move |asked: &str| match asked {
        DESCRIBE if looks.fetch_add(1, Ordering::Relaxed) > 0 => {
            let mut later = described(768);
            later["payload_schema"] = json!({"year": {"data_type": "integer"}});
            Some(Answer::Result(later))
        }
        // Once, and after the shards.
        "GET /aliases" if asked_for_aliases.fetch_add(1, Ordering::Relaxed) == 0 => {
            let films = json!({"alias_name": "films", "collection_name": "movies"});
            Some(Answer::Result(json!({"aliases": [films]})))
        }
        _ => None,
    };
    let (qdrant, store) = tokio::join!(Scripted::start(script), store());
    let manifest = manifest(&qdrant, &store, &[]).await;
    let movies = manifest.collection("movies").unwrap();
    assert_eq!(movies.payload_schema["year"]["data_type"], "integer");
    assert_eq!(movies.aliases, ["films"]);
    let asked = qdrant.asked();
    let last_shard = asked.iter().rposition(|one| one.ends_with("/snapshot"));
    let aliases = asked.iter().position(|one| one == "GET /aliases");
    assert!(aliases > last_shard, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_says_whether_all_collections_were_asked_for() {
    let (qdrant, store) = tokio::join!(Scripted::start(|_| None), store());
    for (names, whole) in [(&[][..], true), (&["*"], true), (&["movies"], false)] {
        let manifest = manifest(&qdrant, &store, names).await;
        assert_eq!(manifest.is_whole(), whole, "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_run_exits_with_what_its_node_failed_of() {
    for (status, exit) in [
        (401, JobExit::BadConfiguration),
        (403, JobExit::BadConfiguration),
        (503, JobExit::Unavailable),
        (400, JobExit::Internal),
    ] {
        let script = move |asked: &str| match asked {
            "POST /snapshots" => Some(Answer::Status(status)),
            _ => None,
        };
        let (qdrant, store) = tokio::join!(Scripted::start(script), store());
        let rest = qdrant.rest(QdrantRestConfig::default()).await;
        let error = run(rest, &store, of_storage()).await.unwrap_err();
        assert!(
            matches!(error, SnapshotError::StorageIncomplete { nodes: 1, .. }),
            "{error}"
        );
        assert_eq!(error.exit(), exit, "{status}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_run_that_may_not_write_to_the_bucket_exits_64() {
    let (qdrant, s3) = tokio::join!(Scripted::start(|_| None), bucket());
    let reader = Credentials::Static {
        access_key_id: s3::READER_ACCESS_KEY_ID.to_owned(),
        secret_access_key: s3::READER_SECRET_ACCESS_KEY.into(),
    };
    let store = SnapshotStore::connect_as(&s3, reader).await.unwrap();
    let rest = qdrant.rest(QdrantRestConfig::default()).await;
    let error = run(rest, &store, of_storage()).await.unwrap_err();
    assert_eq!(error.exit(), JobExit::BadConfiguration, "{error}");
    assert!(
        qdrant
            .asked()
            .contains(&format!("DELETE /snapshots/{FILE}"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_snapshot_whose_making_was_not_waited_for_is_named_and_not_deleted() {
    let lists = AtomicUsize::new(0);
    let (old, new) = ("full-snapshot-by-hand.snapshot", FILE);
    let script = move |asked: &str| match asked {
        "POST /snapshots" => Some(Answer::Silence),
        "GET /snapshots" => match lists.fetch_add(1, Ordering::Relaxed) {
            0 => Some(Answer::Result(json!([{"name": old}]))),
            _ => Some(Answer::Result(json!([{"name": old}, {"name": new}]))),
        },
        _ => None,
    };
    let (qdrant, store) = tokio::join!(Scripted::start(script), store());
    let impatient = QdrantRestConfig {
        snapshot_timeout: Span(Duration::from_millis(300)),
        ..QdrantRestConfig::default()
    };
    let rest = qdrant.rest(impatient).await;
    let error = run(rest, &store, of_storage()).await.unwrap_err();
    assert_eq!(error.exit(), JobExit::Unavailable);
    let said = error.to_string();
    assert!(said.contains(new) && !said.contains(old), "{said}");
    let asked = qdrant.asked();
    assert!(
        !asked.iter().any(|one| one.starts_with("DELETE")),
        "{asked:?}"
    );
}
