//! Whole snapshots: written, listed, read back, removed; and jobs beside them.

use std::time::Duration;

use alioth_snapshot_store::{
    Manifest, ObjectKey, S3Config, SnapshotId, SnapshotStore, StoreError,
    manifest::{Collection, FORMAT_VERSION, Peer, Shard},
    retention::{self, Policy},
};
use alioth_testkit::S3;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{chunks, config, payload, store, store_with};

/// Shards of every snapshot here.
const SHARDS: u32 = 3;

/// Stores shards of that many bytes, and gives the manifest of them, not stored yet.
pub(crate) async fn shards(store: &SnapshotStore, id: &SnapshotId, length: usize) -> Manifest {
    let mut saved = Vec::new();
    for shard in 0..SHARDS {
        let key = store.shard_key(id, "movies", shard);
        let sent = payload(length, u64::from(shard));
        let stored = store.put_stream(&key, chunks(&sent, 65_536)).await.unwrap();
        saved.push(Shard {
            shard,
            shard_key: None,
            key,
            bytes: stored.bytes,
            sha256: stored.sha256,
            source_peer: 1,
            source_host: "node".to_owned(),
        });
    }
    Manifest {
        format_version: FORMAT_VERSION,
        id: id.clone(),
        job_id: "job".to_owned(),
        cluster: store.cluster().to_owned(),
        started: id.time(),
        finished: id.time(),
        alioth_version: "0.1.0".to_owned(),
        qdrant_version: "1.18.3".to_owned(),
        peers: vec![Peer {
            id: 1,
            host: "node".to_owned(),
            version: "1.18.3".to_owned(),
        }],
        whole: Some(true),
        collections: vec![Collection {
            name: "movies".to_owned(),
            config: json!({"params": {"shard_number": SHARDS}}),
            payload_schema: json!({}),
            shard_keys: Vec::new(),
            aliases: vec!["films".to_owned()],
            points_before: 1,
            points_after: 1,
            shards: saved,
        }],
    }
}

/// A complete snapshot.
pub(crate) async fn snapshot(store: &SnapshotStore, at: Timestamp, length: usize) -> Manifest {
    let manifest = shards(store, &store.id(at), length).await;
    store.put_manifest(&manifest).await.unwrap();
    manifest
}

fn hours_ago(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours)
}

#[tokio::test]
async fn an_empty_bucket_has_nothing_and_says_so() {
    let store = store().await;
    assert_eq!(store.list().await.unwrap(), []);
    assert_eq!(store.latest(None).await.unwrap(), None);
    assert_eq!(store.list_jobs().await.unwrap(), []);
    assert_eq!(store.list_storage().await.unwrap(), []);
    assert_eq!(store.python_latest("node", "movies").await.unwrap(), None);
    let id = store.id(Timestamp::now());
    let error = store.get_manifest(&id).await.unwrap_err();
    assert!(matches!(error, StoreError::NoSnapshot { .. }), "{error}");
    assert_eq!(store.remove(&id).await.unwrap(), 0);
}

#[tokio::test]
async fn the_manifest_makes_a_snapshot_complete_and_so_the_latest() {
    let store = store().await;
    let old = snapshot(&store, hours_ago(3), 10).await;
    let new = shards(&store, &store.id(hours_ago(1)), 10).await;
    let complete = |listed: &[alioth_snapshot_store::Listed]| {
        listed
            .iter()
            .map(|one| (one.id.clone(), one.complete))
            .collect::<Vec<_>>()
    };
    let listed = store.list().await.unwrap();
    assert_eq!(
        complete(&listed),
        [(new.id.clone(), false), (old.id.clone(), true)]
    );
    assert_eq!((listed[0].objects, listed[0].bytes), (3, 30));
    let movies = ["movies".to_owned()].into();
    assert_eq!(listed[0].collections, movies);
    assert_eq!(store.latest(None).await.unwrap(), Some(old.id.clone()));

    store.put_manifest(&new).await.unwrap();
    assert_eq!(store.latest(None).await.unwrap(), Some(new.id.clone()));
    assert_eq!(
        store.latest(Some(hours_ago(2))).await.unwrap(),
        Some(old.id.clone())
    );
    assert_eq!(store.latest(Some(hours_ago(4))).await.unwrap(), None);
    assert_eq!(
        store.latest(Some(new.id.time())).await.unwrap(),
        Some(old.id)
    );
    assert_eq!(store.get_manifest(&new.id).await.unwrap(), new);
}

#[tokio::test]
async fn clusters_and_prefixes_do_not_see_each_other() {
    let s3 = S3::shared().await;
    let config = config(&s3.bucket().await, s3.endpoint());
    let with = |prefix: &str, cluster: &str| S3Config {
        prefix: prefix.to_owned(),
        cluster: cluster.to_owned(),
        ..config.clone()
    };
    let stores = [
        store_with(&with("", "a")).await,
        store_with(&with("", "a2")).await,
        store_with(&with("backups", "a")).await,
    ];
    let mut made = Vec::new();
    for store in &stores {
        made.push(snapshot(store, Timestamp::now(), 1).await.id);
    }
    for (store, id) in stores.iter().zip(&made) {
        let listed = store.list().await.unwrap();
        assert_eq!(listed.iter().map(|one| &one.id).collect::<Vec<_>>(), [id]);
    }
    assert_eq!(stores[0].remove(&made[0]).await.unwrap(), 4);
    assert_eq!(stores[0].list().await.unwrap(), []);
    assert_eq!(stores[1].list().await.unwrap().len(), 1);
    assert_eq!(stores[2].list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_manifest_that_is_not_what_it_should_be_is_refused() {
    let store = store().await;
    let manifest = snapshot(&store, Timestamp::now(), 1).await;
    let key = ObjectKey::manifest(store.cluster(), &manifest.id);
    let good = String::from_utf8(manifest.to_json().unwrap()).unwrap();
    let id = manifest.id.as_str();
    let (start, last) = id.split_at(id.len() - 1);
    let other = format!("{start}{}", if last == "0" { 1 } else { 0 });
    let climbing = format!("{id}/collections/../../../../x");
    let rows = [
        (
            good.replace("\"format_version\": 1", "\"format_version\": 9"),
            "version 9 is unknown",
        ),
        (
            good.replace("\"cluster\": \"default\"", "\"cluster\": \"other\""),
            "key: lies outside",
        ),
        (good.replace(id, &other), "id: is another snapshot's"),
        (
            good.replacen(&format!("{id}/collections/movies"), &climbing, 1),
            "climbs",
        ),
        (
            good.replace("default/2", "other/2")
                .replace("\"default\"", "\"other\""),
            "is not ALIOTH_S3_CLUSTER",
        ),
        (good[..good.len() / 2].to_owned(), "decode the manifest"),
        (String::new(), "decode the manifest"),
    ];
    for (json, reason) in rows {
        let json = bytes::Bytes::from(json);
        store.put_stream(&key, chunks(&json, 65_536)).await.unwrap();
        let error = store.get_manifest(&manifest.id).await.unwrap_err();
        assert!(error.is_integrity() && !error.is_transient());
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |&error| {
            error.source()
        });
        let message = causes
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ");
        assert!(message.contains(reason), "{message}");
    }
    let long = payload(16 * 1024 * 1024 + 1, 0);
    store.put_stream(&key, chunks(&long, 65_536)).await.unwrap();
    let error = store.get_manifest(&manifest.id).await.unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");

    let foreign = Manifest {
        cluster: "other".to_owned(),
        ..manifest
    };
    let error = store.put_manifest(&foreign).await.unwrap_err();
    assert!(matches!(error, StoreError::Manifest { .. }), "{error}");
}

#[tokio::test]
async fn what_a_retention_plan_removes_is_gone_and_nothing_else() {
    let store = store().await;
    let mut made = Vec::new();
    for hours in [1, 30, 60, 90] {
        made.push(snapshot(&store, hours_ago(hours), 1).await.id);
    }
    let unfinished = shards(&store, &store.id(hours_ago(200)), 1).await.id;
    let policy = Policy {
        keep_last: 2,
        ..Policy::default()
    };
    let plan = retention::plan(&store.list().await.unwrap(), &policy, Timestamp::now());
    for (id, _) in &plan.remove {
        assert_eq!(store.remove(id).await.unwrap(), 4);
    }
    let left: Vec<_> = store
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.id)
        .collect();
    // The unfinished one is old by name, but was written just now.
    assert_eq!(left, [made[0].clone(), made[1].clone(), unfinished]);
}

#[tokio::test]
async fn more_objects_than_a_page_are_all_listed() {
    let store = &store().await;
    let jobs: Vec<_> = (0..1005).map(|number| format!("job-{number}")).collect();
    stream::iter(&jobs)
        .map(|id| store.put_job(id, "{}"))
        .buffer_unordered(32)
        .try_collect::<()>()
        .await
        .unwrap();
    let mut listed: Vec<_> = store
        .list_jobs()
        .await
        .unwrap()
        .into_iter()
        .map(|job| job.id)
        .collect();
    listed.sort_by_key(|id| id["job-".len()..].parse::<u32>().unwrap());
    assert_eq!(listed, jobs);
}

#[tokio::test]
async fn a_job_s_file_is_written_over_and_read() {
    let store = store().await;
    assert_eq!(store.get_job("a/b").await.unwrap(), None);
    store
        .put_job("a/b", "{\"state\":\"running\"}")
        .await
        .unwrap();
    store.put_job("a/b", "{\"state\":\"done\"}").await.unwrap();
    assert_eq!(
        store.get_job("a/b").await.unwrap().unwrap(),
        "{\"state\":\"done\"}"
    );
    let jobs = store.list_jobs().await.unwrap();
    assert_eq!(
        jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(),
        ["a/b"]
    );
    let age = Timestamp::now().duration_since(jobs[0].last_modified);
    assert!(age.abs() < SignedDuration::from_mins(5), "{age}");
}

#[tokio::test]
async fn storage_snapshots_are_listed_by_host_and_name() {
    let store = store().await;
    let stored = store
        .put_storage(
            "node:6333",
            "full-2026.snapshot",
            chunks(&payload(10, 0), 10),
        )
        .await
        .unwrap();
    assert_eq!(stored.bytes, 10);
    let files = store.list_storage().await.unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(
        (files[0].host.as_str(), files[0].name.as_str()),
        ("node:6333", "full-2026.snapshot")
    );
    assert_eq!(files[0].bytes, 10);
    assert_eq!(store.get_stream(&files[0].key).await.unwrap().length(), 10);
    assert_eq!(store.abort_leftovers(Duration::ZERO).await.unwrap(), 0);
}
