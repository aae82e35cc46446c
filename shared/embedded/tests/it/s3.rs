//! The embedded S3 as Alioth's own client of S3 sees it, and after a kill -9.

use std::{path::Path, time::Duration};

use alioth_embedded::{EmbeddedS3, S3Config, S3Handle};
use alioth_snapshot_store::{
    Credentials, FaultClass, ObjectKey, S3Config as ClientConfig, SnapshotStore,
};
use alioth_testkit::wait_for;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::body::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{crash, setup::Outcome};

const PART: usize = 5 * 1024 * 1024;

/// An endpoint in this process, and a client of it.
struct World {
    directory: tempfile::TempDir,
    s3: S3Handle,
    config: S3Config,
    store: SnapshotStore,
}

impl World {
    async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let config = S3Config::on_loopback(directory.path());
        let s3 = EmbeddedS3::start(config.clone(), CancellationToken::new()).await?;
        let store = client(&s3.url(), &config.access_key_id, &config.secret_access_key).await?;
        Ok(Self {
            directory,
            s3,
            config,
            store,
        })
    }

    fn count(&self, of: &str) -> usize {
        std::fs::read_dir(self.directory.path().join(of)).map_or(0, Iterator::count)
    }
}

pub(crate) async fn client(
    url: &str,
    id: &str,
    secret: &str,
) -> Result<SnapshotStore, alioth_snapshot_store::StoreError> {
    let config = ClientConfig {
        bucket: "snapshots".to_owned(),
        endpoint: url.to_owned(),
        create_bucket: true,
        part_size: alioth_config::ByteSize::mib(5),
        attempts: 1,
        ..ClientConfig::default()
    };
    let credentials = Credentials::Static {
        access_key_id: id.to_owned(),
        secret_access_key: secret.into(),
    };
    SnapshotStore::connect_as(&config, credentials).await
}

/// Bytes that differ from part to part.
fn bytes(length: usize) -> Bytes {
    (0..length).map(|index| (index % 251) as u8).collect()
}

fn chunks(
    of: &Bytes,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + Unpin + use<> {
    let of = of.clone();
    let starts = (0..of.len()).step_by(1 << 20);
    let pieces: Vec<_> = starts
        .map(|start| Ok(of.slice(start..of.len().min(start + (1 << 20)))))
        .collect();
    stream::iter(pieces)
}

async fn read(store: &SnapshotStore, key: &ObjectKey) -> anyhow::Result<Vec<u8>> {
    let chunks = store.get_stream(key).await?;
    let whole: Vec<Bytes> = chunks.try_collect().await?;
    Ok(whole.concat())
}

#[tokio::test]
async fn objects_of_one_part_and_of_several_come_back_as_they_were() -> Outcome {
    let world = World::start().await?;
    for length in [0, 1, PART, PART + 1, 3 * PART + 7] {
        let key = ObjectKey::storage("q1", &format!("of-{length}"));
        let written = bytes(length);
        let stored = world.store.put_stream(&key, chunks(&written)).await?;
        assert_eq!(stored.bytes, length as u64);
        assert!(read(&world.store, &key).await? == written, "{length} bytes");
    }
    let listed = world.store.list_storage().await?;
    let mut lengths: Vec<u64> = listed.iter().map(|file| file.bytes).collect();
    lengths.sort_unstable();
    let expected = [0, 1, PART, PART + 1, 3 * PART + 7].map(|length| length as u64);
    assert_eq!(lengths, expected);
    assert_eq!((world.count("temp"), world.count("uploads")), (0, 0));
    Ok(world.s3.stop().await?)
}

#[tokio::test]
async fn a_key_may_be_as_long_as_s3_lets_it_be_and_have_any_letters() -> Outcome {
    let world = World::start().await?;
    let id = world.store.id("2026-11-22T12:15:00Z".parse()?);
    for collection in [
        "x".repeat(255),
        "é".repeat(255),
        "a/b %?".to_owned(),
        "..".to_owned(),
    ] {
        let key = world.store.shard_key(&id, &collection, 0);
        let written = bytes(10);
        world.store.put_stream(&key, chunks(&written)).await?;
        assert!(read(&world.store, &key).await? == written, "{key}");
    }
    let listed = world.store.list().await?;
    assert_eq!(
        (listed.len(), listed[0].objects, listed[0].bytes),
        (1, 4, 40)
    );
    assert_eq!(world.store.remove(&id).await?, 4);
    assert!(world.store.list().await?.is_empty());
    assert_eq!(world.count("buckets/snapshots"), 0);
    Ok(world.s3.stop().await?)
}

#[tokio::test]
async fn a_page_of_keys_ends_and_the_next_goes_on() -> Outcome {
    let world = World::start().await?;
    let ids: Vec<String> = (0..1_050)
        .map(|number| format!("job-{number:04}"))
        .collect();
    let puts = stream::iter(&ids).map(|id| world.store.put_job(id, id.clone()));
    puts.buffer_unordered(8).try_collect::<()>().await?;
    let mut listed: Vec<String> = world
        .store
        .list_jobs()
        .await?
        .into_iter()
        .map(|job| job.id)
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, ids);
    // Written again, it is the same object with other bytes.
    world.store.put_job("job-0007", "again").await?;
    assert_eq!(
        world.store.get_job("job-0007").await?.as_deref(),
        Some(&b"again"[..])
    );
    assert_eq!(world.store.list_jobs().await?.len(), ids.len());
    Ok(world.s3.stop().await?)
}

#[tokio::test]
async fn whoever_has_another_key_is_refused() -> Outcome {
    let world = World::start().await?;
    let id = world.config.access_key_id.as_str();
    for (id, secret) in [(id, "guessed"), ("nobody", "guessed")] {
        let refused = client(&world.s3.url(), id, secret).await;
        let error = refused.expect_err("a client without the key");
        assert_eq!(error.class(), FaultClass::Denied, "{error}");
    }
    Ok(world.s3.stop().await?)
}

#[tokio::test]
async fn an_upload_that_fails_leaves_nothing_and_one_left_behind_is_found_by_its_age() -> Outcome {
    let world = World::start().await?;
    let key = ObjectKey::storage("q1", "failed");
    let written = bytes(2 * PART + 7);
    let broken = chunks(&written).chain(stream::iter([Err(std::io::Error::other("gone"))]));
    let failed = world.store.put_stream(&key, broken).await;
    assert!(failed.is_err());
    assert_eq!((world.count("temp"), world.count("uploads")), (0, 0));

    let stalled = chunks(&written).chain(stream::pending());
    let upload = Box::pin(world.store.put_stream(&key, stalled));
    let some = Duration::from_secs(60);
    tokio::select! {
        _ = upload => unreachable!("it never ends"),
        () = wait_for(some, || async { (parts(world.directory.path()) == 2).then_some(()) }) => {}
    }
    // Dropped, it is aborted in the background.
    world.store.close().await;
    assert_eq!(world.count("uploads"), 0);
    Ok(world.s3.stop().await?)
}

#[tokio::test]
async fn what_was_answered_survives_kill_9_and_what_was_not_leaves_only_an_upload() -> Outcome {
    let directory = tempfile::tempdir()?;
    let node = crash::start(directory.path()).await?;
    let store = client(&node.s3_url, crash::S3_KEY, crash::S3_KEY).await?;
    let (small, large) = (
        ObjectKey::storage("q1", "small"),
        ObjectKey::storage("q1", "large"),
    );
    let written = bytes(3 * PART + 7);
    store.put_stream(&small, chunks(&bytes(10))).await?;
    store.put_stream(&large, chunks(&written)).await?;
    store.put_job("job", "first").await?;
    store.put_job("job", "second").await?;
    let cut_off = ObjectKey::storage("q1", "cut-off");
    let stalled = chunks(&written.slice(..2 * PART + 7)).chain(stream::pending());
    let root = directory.path().join("s3");
    let upload = {
        let store = store.clone();
        tokio::spawn(async move { store.put_stream(&cut_off, stalled).await.is_ok() })
    };
    wait_for(Duration::from_secs(60), || async {
        (parts(&root) == 2).then_some(())
    })
    .await;
    // Half a part, too.
    std::fs::write(root.join("temp/half"), "half")?;
    node.kill().await?;
    upload.abort();

    let node = crash::start(directory.path()).await?;
    let store = client(&node.s3_url, crash::S3_KEY, crash::S3_KEY).await?;
    assert!(read(&store, &small).await? == bytes(10));
    assert!(read(&store, &large).await? == written);
    assert_eq!(store.get_job("job").await?.as_deref(), Some(&b"second"[..]));
    assert_eq!(store.list_storage().await?.len(), 2);
    assert!(!root.join("temp/half").exists());
    assert_eq!(
        store.abort_leftovers(Duration::from_secs(3600)).await?,
        0,
        "too young"
    );
    assert_eq!(store.abort_leftovers(Duration::ZERO).await?, 1);
    assert_eq!(parts(&root), 0);
    node.kill().await
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_completion_leaves_the_object_or_all_of_its_parts() -> Outcome {
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("s3");
    let written = bytes(6 * PART + 7);
    for round in 0..3 {
        let node = crash::start(directory.path()).await?;
        let store = client(&node.s3_url, crash::S3_KEY, crash::S3_KEY).await?;
        store.abort_leftovers(Duration::ZERO).await?;
        let key = ObjectKey::storage("q1", &format!("round-{round}"));
        let upload = {
            let (store, key, chunks) = (store.clone(), key.clone(), chunks(&written));
            tokio::spawn(async move { store.put_stream(&key, chunks).await.is_ok() })
        };
        // More or less of the whole file is there, in one round or another all of it.
        let enough = (round * 3 * PART) as u64;
        wait_for(Duration::from_secs(60), || async {
            let is_under_way = parts(&root) == 7 && written_to(&root.join("temp")) > enough;
            (is_under_way || upload.is_finished()).then_some(())
        })
        .await;
        node.kill().await?;
        let answered = upload.await?;

        let node = crash::start(directory.path()).await?;
        let store = client(&node.s3_url, crash::S3_KEY, crash::S3_KEY).await?;
        let found = store.get_stream(&key).await.is_ok();
        if found {
            assert!(read(&store, &key).await? == written, "round {round}");
        } else {
            assert!(!answered, "round {round}");
            assert_eq!(parts(&root), 7, "round {round}");
        }
        node.kill().await?;
    }
    Ok(())
}

/// Length of the longest file in a folder.
fn written_to(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let lengths = files.filter_map(|file| file.metadata().ok());
    lengths.map(|metadata| metadata.len()).max().unwrap_or(0)
}

/// Files of uploads that are parts.
fn parts(root: &Path) -> usize {
    let uploads = std::fs::read_dir(root.join("uploads"))
        .into_iter()
        .flatten()
        .flatten();
    let files = uploads.flat_map(|upload| std::fs::read_dir(upload.path()).into_iter().flatten());
    let names = files.flatten().map(|file| file.file_name());
    names.filter(|name| name != "upload.json").count()
}
