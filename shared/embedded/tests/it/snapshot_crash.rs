//! kill -9 in the middle of a restore: the collection is the old one or the new one, whole.

use std::{path::Path, time::Duration};

use alioth_testkit::wait_for;
use hyper::{StatusCode, body::Bytes};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    crash::start,
    http::{Rest, form},
    setup::{Outcome, numbered},
};

const PATH: &str = "/collections/restored";
const UPLOAD: &str = "/collections/restored/shards/0/snapshots/upload?priority=snapshot";

#[tokio::test]
async fn an_upload_cut_off_by_a_kill_leaves_the_old_points_and_nothing_else() -> Outcome {
    let directory = tempfile::tempdir()?;
    let node = start(directory.path()).await?;
    let rest = Rest::at(node.rest_url.clone());
    let snapshot = old_and_new(&rest).await?;
    let (kind, body) = form("snapshot", &snapshot);
    let address = node.rest_url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await?;
    let head = format!(
        "POST {UPLOAD} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&body[..body.len() / 2]).await?;
    let temporary = directory.path().join("node/temp");
    wait_for(Duration::from_secs(60), || async {
        let entry = std::fs::read_dir(&temporary).ok()?.next()?.ok()?;
        (entry.metadata().ok()?.len() > 0).then_some(())
    })
    .await;
    node.kill().await?;

    let node = start(directory.path()).await?;
    let rest = Rest::at(node.rest_url.clone());
    assert_eq!(turns(&rest).await?, vec![2; 300]);
    assert_eq!(std::fs::read_dir(&temporary)?.count(), 0);
    assert_eq!(generations(directory.path())?, 1);
    let (status, answer) = rest.upload(UPLOAD, &snapshot).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(turns(&rest).await?, vec![1; 200]);
    node.kill().await
}

#[tokio::test]
async fn a_kill_at_any_moment_of_a_restore_leaves_old_or_new_points() -> Outcome {
    let directory = tempfile::tempdir()?;
    let mut node = start(directory.path()).await?;
    let snapshot = old_and_new(&Rest::at(node.rest_url.clone())).await?;
    for round in 0..6_u32 {
        let url = node.rest_url.clone();
        let snapshot = snapshot.clone();
        let upload = tokio::spawn(async move {
            // Cut off or not, as the kill finds it.
            let answer = Rest::at(url).upload(UPLOAD, &snapshot).await;
            answer.is_ok_and(|(status, _)| status == StatusCode::OK)
        });
        // Before the first file of the new shard is there, after some, after the restore.
        let collections = directory.path().join("node/collections");
        let before = files_of_shards(&collections);
        let moment = round * before / 4;
        wait_for(Duration::from_secs(60), || async {
            let restored = upload.is_finished();
            (restored || files_of_shards(&collections) >= before + moment).then_some(())
        })
        .await;
        node.kill().await?;
        let answered = upload.await?;
        node = start(directory.path()).await?;
        let rest = Rest::at(node.rest_url.clone());
        let turns = turns(&rest).await?;
        if answered {
            assert_eq!(turns, vec![1; 200], "round {round}");
        } else {
            assert!(
                turns == vec![1; 200] || turns == vec![2; 300],
                "round {round}: {turns:?}"
            );
        }
        assert_eq!(generations(directory.path())?, 1);
        write(&rest, 0..300, 2).await?;
    }
    node.kill().await
}

/// Writes 300 points of turn 2 over 200 of turn 1; the snapshot of those 200.
async fn old_and_new(rest: &Rest) -> anyhow::Result<Bytes> {
    let vectors = json!({"vectors": {"size": 64, "distance": "Dot"}});
    rest.put(PATH, &vectors).await?;
    write(rest, 0..200, 1).await?;
    let snapshot = rest.bytes(&format!("{PATH}/shards/0/snapshot")).await?;
    write(rest, 0..300, 2).await?;
    Ok(snapshot)
}

async fn write(rest: &Rest, ids: std::ops::Range<u64>, turn: u64) -> Outcome {
    let points: Vec<_> = ids
        .map(|id| json!({"id": id, "vector": numbered(id, 64), "payload": {"turn": turn}}))
        .collect();
    let put = format!("{PATH}/points?wait=true");
    let (status, answer) = rest.put(&put, &json!({"points": points})).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    Ok(())
}

async fn turns(rest: &Rest) -> anyhow::Result<Vec<u64>> {
    let scroll = json!({"limit": 1000, "with_payload": true});
    let (_, page) = rest.post(&format!("{PATH}/points/scroll"), &scroll).await?;
    let points = page["result"]["points"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let turn = |point: &serde_json::Value| point["payload"]["turn"].as_u64();
    Ok(points.iter().filter_map(turn).collect())
}

/// Shards in the directory of the only collection.
fn generations(directory: &Path) -> anyhow::Result<usize> {
    let mut shards = 0;
    for collection in std::fs::read_dir(directory.join("node/collections"))? {
        for entry in std::fs::read_dir(collection?.path())? {
            let name = entry?.file_name();
            shards += usize::from(name.to_string_lossy().starts_with("shard"));
        }
    }
    Ok(shards)
}

/// Files of every shard, named by a description or not; some may vanish while they are counted.
fn files_of_shards(directory: &Path) -> u32 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_of_shards(&entry.path()),
            _ => u32::from(entry.path().to_string_lossy().contains("/shard")),
        })
        .sum()
}
