//! A shard's snapshot, streamed and uploaded: what was there is there again.

use std::time::Duration;

use alioth_testkit::{Qdrant, unique_collection, wait_until};
use http_body_util::BodyExt;
use hyper::{Method, StatusCode, body::Bytes};
use qdrant_client::qdrant::Distance;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    http::Rest,
    setup::{Outcome, Plain, no_payload, numbered, point},
};

#[tokio::test]
async fn what_was_snapshotted_is_back_after_drop_create_and_upload() -> Outcome {
    let qdrant = Qdrant::start().await;
    let rest = Rest::at(qdrant.rest_url());
    let path = format!("/collections/{}", unique_collection("kinds"));
    create_kinds(&rest, &path).await?;
    write_kinds(&rest, &path, 0..300).await?;
    let before = everything(&rest, &path).await?;

    let snapshot = rest.bytes(&format!("{path}/shards/0/snapshot")).await?;
    rest.delete(&path).await?;
    create_kinds(&rest, &path).await?;
    let upload = format!("{path}/shards/0/snapshots/upload");
    let checksum = sha256(&snapshot);
    let priority = format!("{upload}?priority=snapshot&checksum={checksum}&wait=true");
    let (status, answer) = rest.upload(&priority, &snapshot).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["status"], "ok");
    assert_eq!(everything(&rest, &path).await?, before);

    // What is written afterwards counts, also where it replaces what was restored.
    let replace = json!({"points": [{"id": 7, "vector": {}, "payload": {"number": 7000}}]});
    let (status, _) = rest
        .put(&format!("{path}/points?wait=true"), &replace)
        .await?;
    assert_eq!(status, StatusCode::OK);
    let (_, seventh) = rest.get(&format!("{path}/points/7")).await?;
    assert_eq!(seventh["result"]["payload"], json!({"number": 7000}));
    Ok(())
}

#[tokio::test]
async fn a_restore_takes_the_place_of_what_is_there_and_survives_restarts() -> Outcome {
    let mut plain = Plain::new(4, Distance::Dot).await?;
    let points = |ids: std::ops::Range<u64>, turn: u64| {
        ids.map(|id| point(id, numbered(id, 4), json!({"turn": turn})))
            .collect::<Vec<_>>()
    };
    let rest = Rest::at(plain.qdrant.rest_url());
    let path = format!("/collections/{}", plain.collection);
    plain.upsert(points(0..200, 1)).await?;
    let snapshot = rest.bytes(&format!("{path}/shards/0/snapshot")).await?;
    for round in 2..4 {
        plain.upsert(points(100..500, round)).await?;
        assert_eq!(plain.count().await?, 500);
        restore(&rest, &path, &snapshot).await?;
        assert_eq!(turns(&rest, &path).await?, vec![1; 200]);
        plain.upsert(points(0..10, round)).await?;
        plain.qdrant.stop().await;
        plain.qdrant.start_again().await;
        let turns = turns(&rest, &path).await?;
        assert_eq!(turns[..10], vec![round; 10]);
        assert_eq!(turns[10..], vec![1; 190]);
        plain.upsert(points(0..10, 1)).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_taken_during_writes_holds_whole_writes_in_their_order() -> Outcome {
    const BATCH: u64 = 50;
    let plain = Plain::new(8, Distance::Dot).await?;
    let batch = |number: u64| {
        (number * BATCH..(number + 1) * BATCH)
            .map(|id| point(id, numbered(id, 8), no_payload()))
            .collect::<Vec<_>>()
    };
    plain.upsert(batch(0)).await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let path = format!("/collections/{}", plain.collection);
    let enough = CancellationToken::new();
    let write = async {
        let mut written = 1;
        while !enough.is_cancelled() {
            plain.upsert(batch(written)).await?;
            written += 1;
        }
        anyhow::Ok(written * BATCH)
    };
    let snapshots = async {
        let mut snapshots = Vec::new();
        for _ in 0..5 {
            let before = plain.count().await?;
            let snapshot = rest.bytes(&format!("{path}/shards/0/snapshot")).await?;
            snapshots.push((before, snapshot, plain.count().await?));
        }
        enough.cancel();
        anyhow::Ok(snapshots)
    };
    let (written, snapshots) = tokio::try_join!(write, snapshots)?;
    assert!(written > BATCH);
    for (before, snapshot, after) in snapshots {
        restore(&rest, &path, &snapshot).await?;
        let count = plain.count().await?;
        assert!(
            (before..=after).contains(&count),
            "{before} {count} {after}"
        );
        assert_eq!(count % BATCH, 0);
        let (_, last) = rest.get(&format!("{path}/points/{}", count - 1)).await?;
        assert_eq!(last["result"]["id"], count - 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_do_not_wait_for_a_reader_and_it_reads_one_moment() -> Outcome {
    const SIZE: usize = 1024;
    let plain = Plain::new(SIZE as u64, Distance::Dot).await?;
    for batch in 0..8_u64 {
        let ids = batch * 500..(batch + 1) * 500;
        let points = ids.map(|id| point(id, numbered(id, SIZE), no_payload()));
        plain.upsert(points.collect()).await?;
    }
    let rest = Rest::at(plain.qdrant.rest_url());
    let path = format!("/collections/{}", plain.collection);
    // More than the buffers on the way hold, and nobody reads.
    let unread = rest.open(&format!("{path}/shards/0/snapshot")).await?;
    for id in 4000..4100 {
        let one = vec![point(id, numbered(id, SIZE), no_payload())];
        tokio::time::timeout(Duration::from_secs(10), plain.upsert(one)).await??;
    }
    assert_eq!(plain.count().await?, 4100);
    let snapshot = unread.into_body().collect().await?.to_bytes();
    restore(&rest, &path, &snapshot).await?;
    assert_eq!(plain.count().await?, 4000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_leaves_nothing_behind() -> Outcome {
    let directory = tempfile::tempdir()?;
    let config = alioth_embedded::NodeConfig::on_loopback(directory.path());
    let node = alioth_embedded::EmbeddedNode::start(config, CancellationToken::new()).await?;
    let rest = Rest::at(node.rest_url());
    let vectors = json!({"vectors": {"size": 1024, "distance": "Dot"}});
    rest.put("/collections/left", &vectors).await?;
    let points: Vec<_> = (0..2000)
        .map(|id| json!({"id": id, "vector": numbered(id, 1024)}))
        .collect();
    rest.put(
        "/collections/left/points?wait=true",
        &json!({"points": points}),
    )
    .await?;
    let temporary = directory.path().join("temp");
    let is_empty =
        || std::fs::read_dir(&temporary).is_ok_and(|mut entries| entries.next().is_none());
    let unread = rest.open("/collections/left/shards/0/snapshot").await?;
    drop(unread);
    wait_until(Duration::from_secs(20), || async { is_empty() }).await;
    // Nor does one that reads to the end.
    rest.bytes("/collections/left/shards/0/snapshot").await?;
    wait_until(Duration::from_secs(20), || async { is_empty() }).await;
    node.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_is_accepted_and_done() -> Outcome {
    let plain = Plain::new(2, Distance::Dot).await?;
    plain
        .upsert(vec![point(1, vec![1.0, 0.0], no_payload())])
        .await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let path = format!("/collections/{}", plain.collection);
    let snapshot = rest.bytes(&format!("{path}/shards/0/snapshot")).await?;
    plain
        .upsert(vec![point(2, vec![1.0, 0.0], no_payload())])
        .await?;
    let upload = format!("{path}/shards/0/snapshots/upload?wait=false");
    let (status, answer) = rest.upload(&upload, &snapshot).await?;
    assert_eq!(
        (status, &answer["status"]),
        (StatusCode::ACCEPTED, &json!("accepted"))
    );
    wait_until(Duration::from_secs(20), || async {
        plain.count().await.is_ok_and(|count| count == 1)
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn the_one_node_tells_its_shards_and_that_it_is_no_cluster() -> Outcome {
    let plain = Plain::new(2, Distance::Dot).await?;
    plain
        .upsert(vec![point(1, vec![1.0, 0.0], no_payload())])
        .await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let (_, cluster) = rest.get("/cluster").await?;
    assert_eq!(cluster["result"], json!({"status": "disabled"}));
    let (_, shards) = rest
        .get(&format!("/collections/{}/cluster", plain.collection))
        .await?;
    let local = &shards["result"]["local_shards"];
    assert_eq!(local[0]["shard_id"], 0);
    assert_eq!(local[0]["points_count"], 1);
    assert_eq!(local[0]["state"], "Active");
    assert_eq!(shards["result"]["remote_shards"], json!([]));
    assert_eq!(shards["result"]["shard_transfers"], json!([]));
    let (status, _) = rest.get("/collections/nowhere/cluster").await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    Ok(())
}

/// Uploads the snapshot of a collection's only shard.
pub(crate) async fn restore(rest: &Rest, path: &str, snapshot: &Bytes) -> Outcome {
    let upload = format!("{path}/shards/0/snapshots/upload?priority=snapshot");
    let (status, answer) = rest.upload(&upload, snapshot).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    Ok(())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn create_kinds(rest: &Rest, path: &str) -> Outcome {
    let kinds = json!({
        "vectors": {
            "dense": {"size": 4, "distance": "Cosine"},
            "multi": {
                "size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"},
            },
        },
        "sparse_vectors": {"words": {}},
    });
    let (status, answer) = rest.put(path, &kinds).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    Ok(())
}

async fn write_kinds(rest: &Rest, path: &str, ids: std::ops::Range<u64>) -> Outcome {
    for (field, schema) in [("number", "integer"), ("title", "keyword")] {
        let index = json!({"field_name": field, "field_schema": schema});
        let (status, answer) = rest.put(&format!("{path}/index?wait=true"), &index).await?;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let points: Vec<_> = ids
        .map(|id| {
            json!({
                "id": id,
                "vector": {
                    "dense": numbered(id, 4),
                    "multi": [numbered(id, 2), numbered(id + 1, 2)],
                    "words": {"indices": [id, 1_000_000_007], "values": [0.5, id as f32]},
                },
                "payload": {"number": id, "title": format!("title {id}"), "deep": {"list": [id]}},
            })
        })
        .collect();
    let put = format!("{path}/points?wait=true");
    let (status, answer) = rest.put(&put, &json!({"points": points})).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let delete = json!({"points": [3, 5]});
    rest.post(&format!("{path}/points/delete?wait=true"), &delete)
        .await?;
    Ok(())
}

/// Points with vectors and payloads, counts, indexes, and what is nearest by each vector.
async fn everything(rest: &Rest, path: &str) -> anyhow::Result<Value> {
    let scroll = json!({"limit": 1000, "with_vector": true});
    let (_, points) = rest.post(&format!("{path}/points/scroll"), &scroll).await?;
    let filter = json!({"filter": {"must": [{"key": "number", "range": {"gte": 100}}]}});
    let (_, count) = rest.post(&format!("{path}/points/count"), &filter).await?;
    let mut nearest = Vec::new();
    for (using, query) in [
        ("dense", json!(numbered(42, 4))),
        ("multi", json!([numbered(42, 2)])),
        (
            "words",
            json!({"indices": [42, 1_000_000_007], "values": [1.0, 0.1]}),
        ),
    ] {
        let query = json!({"query": query, "using": using, "limit": 5, "with_payload": true});
        let (status, found) = rest.post(&format!("{path}/points/query"), &query).await?;
        assert_eq!(status, StatusCode::OK, "{found}");
        nearest.push(ids_and_scores(&found["result"]["points"]));
    }
    let (_, info) = rest.get(path).await?;
    Ok(json!({
        "points": points["result"],
        "count": count["result"],
        "nearest": nearest,
        "schema": info["result"]["payload_schema"],
        "config": info["result"]["config"],
    }))
}

fn ids_and_scores(points: &Value) -> Vec<Value> {
    let points = points.as_array().map_or(&[][..], Vec::as_slice);
    assert!(!points.is_empty());
    points
        .iter()
        .map(|point| json!([point["id"], point["score"], point["payload"]]))
        .collect()
}

/// The turn of every point, in the order of their ids.
async fn turns(rest: &Rest, path: &str) -> anyhow::Result<Vec<u64>> {
    let scroll = json!({"limit": 1000, "with_payload": true}).to_string();
    let path = format!("{path}/points/scroll");
    let (_, page) = rest.json(Method::POST, &path, scroll.into()).await?;
    let points = page["result"]["points"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok(points
        .iter()
        .filter_map(|point| point["payload"]["turn"].as_u64())
        .collect())
}
