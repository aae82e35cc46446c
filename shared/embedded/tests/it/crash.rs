//! kill -9 at any moment: whatever was answered is there afterwards.

use std::{
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alioth_embedded::{EmbeddedNode, EmbeddedS3, NodeConfig, S3Config};
use alioth_testkit::wait_for;
use qdrant_client::qdrant::{
    CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, DeletePointsBuilder, Distance,
    FieldType, PointId, PointsIdsList, ScrollPointsBuilder, UpsertPointsBuilder,
    VectorParamsBuilder, point_id::PointIdOptions,
};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::setup::{Outcome, count, json_of, numbered, point};

const DIRECTORY: &str = "ALIOTH_TEST_NODE_DIRECTORY";
/// Id and secret of the one who may call the S3 beside the node.
pub(crate) const S3_KEY: &str = "survivor";
const COLLECTION: &str = "survivors";
const BATCH: u64 = 100;

/// Not a test of its own: the process the others kill, which is this test binary told to be a node.
#[tokio::test(flavor = "multi_thread")]
async fn node_process() -> Outcome {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return Ok(());
    };
    let directory = Path::new(&directory);
    let config = NodeConfig::on_loopback(directory.join("node"));
    let node = EmbeddedNode::start(config, CancellationToken::new()).await?;
    let config = S3Config {
        access_key_id: S3_KEY.to_owned(),
        secret_access_key: S3_KEY.to_owned(),
        ..S3Config::on_loopback(directory.join("s3"))
    };
    let s3 = EmbeddedS3::start(config, CancellationToken::new()).await?;
    let unfinished = directory.join("address.new");
    let urls = [node.grpc_url(), node.rest_url(), s3.url()];
    std::fs::write(&unfinished, urls.join("\n"))?;
    std::fs::rename(unfinished, directory.join("address"))?;
    node.stopped().await?;
    Ok(())
}

#[tokio::test]
async fn every_answered_upsert_survives_kill_9_under_load() -> Outcome {
    let directory = tempfile::tempdir()?;
    let answered = Arc::new(AtomicU64::new(0));
    for round in 1..=4_u64 {
        let node = start(directory.path()).await?;
        let client = node.client()?;
        if round == 1 {
            create(&client).await?;
        }
        survivors(&client, &answered).await?;
        let writer = {
            let answered = Arc::clone(&answered);
            tokio::spawn(async move { write_until_refused(&client, &answered).await })
        };
        // Some rounds die early, some after the first flush.
        let enough = answered.load(Ordering::Relaxed) + round * round * 20 * BATCH;
        wait_for(Duration::from_secs(120), || async {
            (answered.load(Ordering::Relaxed) >= enough).then_some(())
        })
        .await;
        node.kill().await?;
        writer.await?;
    }
    let node = start(directory.path()).await?;
    let client = node.client()?;
    survivors(&client, &answered).await?;
    node.kill().await?;
    Ok(())
}

/// Checks that every answered write is there, and of the one that was under way all or nothing.
async fn survivors(client: &qdrant_client::Qdrant, answered: &AtomicU64) -> Outcome {
    let survivors = all_ids(client).await?;
    let number = survivors.len() as u64;
    let written = answered.swap(number, Ordering::Relaxed);
    assert!(
        [written, written + BATCH].contains(&number),
        "{number} of {written}"
    );
    assert!(survivors.into_iter().eq(0..number));
    assert_eq!(count(client, COLLECTION).await?, number);
    Ok(())
}

#[tokio::test]
async fn deletes_replacements_and_indexes_survive_kill_9_in_their_order() -> Outcome {
    let directory = tempfile::tempdir()?;
    let node = start(directory.path()).await?;
    let client = node.client()?;
    create(&client).await?;
    let upsert = async |ids: std::ops::Range<u64>, turn: u64| {
        let points: Vec<_> = ids
            .map(|id| point(id, numbered(id, 4), json!({"turn": turn})))
            .collect();
        let upsert = UpsertPointsBuilder::new(COLLECTION, points).wait(true);
        client.upsert_points(upsert).await
    };
    upsert(0..300, 1).await?;
    let list = PointsIdsList {
        ids: (0..200).map(PointId::from).collect(),
    };
    let delete = DeletePointsBuilder::new(COLLECTION).points(list).wait(true);
    client.delete_points(delete).await?;
    upsert(100..150, 2).await?;
    let index = CreateFieldIndexCollectionBuilder::new(COLLECTION, "turn", FieldType::Integer);
    client.create_field_index(index.wait(true)).await?;
    node.kill().await?;

    for _ in 0..2 {
        let node = start(directory.path()).await?;
        let client = node.client()?;
        let expected: Vec<_> = (100..150).chain(200..300).collect();
        assert_eq!(all_ids(&client).await?, expected);
        let scroll = ScrollPointsBuilder::new(COLLECTION)
            .limit(300)
            .with_payload(true);
        for found in client.scroll(scroll).await?.result {
            let id = number(found.id);
            let turn = if id < 150 { 2 } else { 1 };
            assert_eq!(json_of(found.payload), json!({"turn": turn}), "{id}");
        }
        let info = client
            .collection_info(COLLECTION)
            .await?
            .result
            .expect("information");
        assert_eq!(info.payload_schema["turn"].points, Some(150));
        node.kill().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_torn_end_of_the_log_costs_only_what_was_not_answered() -> Outcome {
    let directory = tempfile::tempdir()?;
    let node = start(directory.path()).await?;
    let client = node.client()?;
    create(&client).await?;
    let points: Vec<_> = (0..100)
        .map(|id| point(id, numbered(id, 4), json!({})))
        .collect();
    let upsert = UpsertPointsBuilder::new(COLLECTION, points).wait(true);
    client.upsert_points(upsert).await?;
    node.kill().await?;

    // As if the machine had died in the middle of the next record.
    let collections = std::fs::read_dir(directory.path().join("node/collections"))?;
    for collection in collections {
        let log = collection?.path().join("updates.log");
        let mut bytes = std::fs::read(&log)?;
        assert!(!bytes.is_empty());
        let torn = bytes[..bytes.len() / 2].to_vec();
        bytes.extend(torn);
        std::fs::write(&log, bytes)?;
    }
    let node = start(directory.path()).await?;
    let client = node.client()?;
    assert_eq!(count(&client, COLLECTION).await?, 100);
    node.kill().await?;
    Ok(())
}

async fn create(client: &qdrant_client::Qdrant) -> Outcome {
    let vectors = VectorParamsBuilder::new(4, Distance::Cosine);
    let create = CreateCollectionBuilder::new(COLLECTION).vectors_config(vectors);
    client.create_collection(create).await?;
    Ok(())
}

/// Writes points in the order of their ids until the node is gone.
async fn write_until_refused(client: &qdrant_client::Qdrant, answered: &AtomicU64) {
    loop {
        let first = answered.load(Ordering::Relaxed);
        let points = (first..first + BATCH).map(|id| point(id, numbered(id, 4), json!({"id": id})));
        let points: Vec<_> = points.collect();
        let upsert = UpsertPointsBuilder::new(COLLECTION, points).wait(true);
        if client.upsert_points(upsert).await.is_err() {
            return;
        }
        answered.fetch_add(BATCH, Ordering::Relaxed);
    }
}

async fn all_ids(client: &qdrant_client::Qdrant) -> anyhow::Result<Vec<u64>> {
    let scroll = ScrollPointsBuilder::new(COLLECTION).limit(1_000_000);
    let points = client.scroll(scroll.with_payload(false)).await?.result;
    Ok(points.into_iter().map(|point| number(point.id)).collect())
}

fn number(id: Option<PointId>) -> u64 {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Num(number)) => number,
        other => panic!("not a number: {other:?}"),
    }
}

/// A node in a process of its own, which the kernel kills with this one.
pub(crate) struct NodeProcess {
    process: Child,
    grpc_url: String,
    pub(crate) rest_url: String,
    pub(crate) s3_url: String,
}

impl NodeProcess {
    pub(crate) async fn kill(mut self) -> Outcome {
        Ok(self.process.kill().await?)
    }

    fn client(&self) -> anyhow::Result<qdrant_client::Qdrant> {
        Ok(qdrant_client::Qdrant::from_url(&self.grpc_url)
            .timeout(Duration::from_secs(60))
            .skip_compatibility_check()
            .build()?)
    }
}

pub(crate) async fn start(directory: &Path) -> anyhow::Result<NodeProcess> {
    let address = directory.join("address");
    if address.exists() {
        std::fs::remove_file(&address)?;
    }
    let mut process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(std::env::current_exe()?)
        .args(["--exact", "crash::node_process"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let urls = wait_for(Duration::from_secs(60), || {
        let urls = std::fs::read_to_string(&address).ok();
        let ended = process.try_wait();
        async move {
            assert!(
                matches!(ended, Ok(None)),
                "the node did not start: {ended:?}"
            );
            urls
        }
    })
    .await;
    let urls: Vec<String> = urls.lines().map(str::to_owned).collect();
    let [grpc_url, rest_url, s3_url] = <[String; 3]>::try_from(urls)
        .map_err(|urls| anyhow::anyhow!("not three addresses: {urls:?}"))?;
    Ok(NodeProcess {
        process,
        grpc_url,
        rest_url,
        s3_url,
    })
}
