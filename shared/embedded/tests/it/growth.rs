//! What happens as a collection grows: segments are indexed beside reads and writes, logs stay
//! short.

use std::{path::Path, time::Duration};

use alioth_embedded::{EmbeddedNode, NodeConfig, NodeHandle};
use alioth_testkit::wait_until;
use qdrant_client::qdrant::{
    CollectionStatus, CreateCollectionBuilder, DeletePointsBuilder, Distance,
    OptimizersConfigDiffBuilder, PointId, PointsIdsList, QueryPointsBuilder, UpsertPointsBuilder,
    VectorParamsBuilder,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::setup::{Outcome, count, id_text, numbered, point};

const COLLECTION: &str = "growing";
const SIZE: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_grown_segment_is_indexed_while_points_come_and_go() -> Outcome {
    let directory = tempfile::tempdir()?;
    let (node, client) = start(directory.path()).await?;
    let optimizers = OptimizersConfigDiffBuilder::default().indexing_threshold(300);
    let create = CreateCollectionBuilder::new(COLLECTION)
        .vectors_config(VectorParamsBuilder::new(SIZE as u64, Distance::Euclid))
        .optimizers_config(optimizers);
    client.create_collection(create).await?;
    upsert(&client, 0..4000).await?;

    // Written and deleted while the index is built, as far as timing allows.
    let mut next = 4000;
    let info = async || -> anyhow::Result<_> {
        let info = client.collection_info(COLLECTION).await?.result;
        Ok(info.expect("information"))
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
    while info().await?.indexed_vectors_count.unwrap_or_default() < 2000 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "never indexed: {:?}",
            info().await?
        );
        if next < 6000 {
            upsert(&client, next..next + 10).await?;
            let list = PointsIdsList {
                ids: vec![PointId::from(next)],
            };
            let delete = DeletePointsBuilder::new(COLLECTION).points(list).wait(true);
            client.delete_points(delete).await?;
            next += 10;
        }
    }
    wait_until(Duration::from_secs(90), || async {
        info()
            .await
            .is_ok_and(|info| info.status() == CollectionStatus::Green)
    })
    .await;
    let expected = 4000 + (next - 4000) / 10 * 9;
    assert_eq!(count(&client, COLLECTION).await?, expected);
    nearest_is_itself(&client).await?;

    node.stop().await?;
    let (node, client) = start(directory.path()).await?;
    assert_eq!(count(&client, COLLECTION).await?, expected);
    nearest_is_itself(&client).await?;
    node.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_forgotten_once_flushed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let (node, client) = start(directory.path()).await?;
    let create = CreateCollectionBuilder::new(COLLECTION)
        .vectors_config(VectorParamsBuilder::new(SIZE as u64, Distance::Dot));
    client.create_collection(create).await?;
    upsert(&client, 0..1000).await?;
    assert!(log_bytes(directory.path())? > 256_000);
    wait_until(Duration::from_secs(30), || async {
        log_bytes(directory.path()).is_ok_and(|bytes| bytes == 0)
    })
    .await;
    upsert(&client, 1000..1100).await?;
    assert!(log_bytes(directory.path())? > 25_000);
    node.stop().await?;
    assert_eq!(log_bytes(directory.path())?, 0);

    let (node, client) = start(directory.path()).await?;
    assert_eq!(count(&client, COLLECTION).await?, 1100);
    node.stop().await?;
    Ok(())
}

async fn start(directory: &Path) -> anyhow::Result<(NodeHandle, qdrant_client::Qdrant)> {
    let config = NodeConfig::on_loopback(directory);
    let node = EmbeddedNode::start(config, CancellationToken::new()).await?;
    let client = qdrant_client::Qdrant::from_url(&node.grpc_url())
        .timeout(Duration::from_secs(60))
        .skip_compatibility_check()
        .build()?;
    Ok((node, client))
}

async fn upsert(client: &qdrant_client::Qdrant, ids: std::ops::Range<u64>) -> Outcome {
    let points: Vec<_> = ids
        .map(|id| point(id, spread(id), json!({"id": id})))
        .collect();
    let upsert = UpsertPointsBuilder::new(COLLECTION, points).wait(true);
    client.upsert_points(upsert).await?;
    Ok(())
}

async fn nearest_is_itself(client: &qdrant_client::Qdrant) -> Outcome {
    for id in [1_u64, 777, 2048, 3999] {
        let query = QueryPointsBuilder::new(COLLECTION)
            .query(spread(id))
            .limit(1);
        let found = client.query(query).await?.result;
        assert_eq!(id_text(found[0].id.clone()), id.to_string());
    }
    Ok(())
}

/// Unlike `numbered`, no two of thousands alike.
fn spread(id: u64) -> Vec<f32> {
    let mut vector = numbered(id, SIZE);
    vector[0] = id as f32;
    vector
}

fn log_bytes(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for collection in std::fs::read_dir(directory.join("collections"))? {
        bytes += std::fs::metadata(collection?.path().join("updates.log"))?.len();
    }
    Ok(bytes)
}
