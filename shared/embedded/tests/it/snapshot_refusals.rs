//! Snapshots that are damaged, hostile or not wanted: each is refused, and the collection is as
//! it was.

use alioth_testkit::{Qdrant, qdrant::Keys};
use hyper::{Method, StatusCode, body::Bytes};
use qdrant_client::qdrant::Distance;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::{
    http::{Rest, error_of, form},
    setup::{Outcome, Plain, ids, no_payload, point},
    snapshots::{restore, sha256},
};

/// A collection of one point, and the snapshot of when it had two.
struct Target {
    plain: Plain,
    rest: Rest,
    path: String,
    snapshot: Bytes,
}

impl Target {
    async fn new() -> anyhow::Result<Self> {
        let plain = Plain::new(2, Distance::Dot).await?;
        let rest = Rest::at(plain.qdrant.rest_url());
        let path = format!("/collections/{}", plain.collection);
        let points = [1, 2].map(|id| point(id, vec![1.0, 0.0], no_payload()));
        plain.upsert(points.into()).await?;
        let snapshot = rest.bytes(&format!("{path}/shards/0/snapshot")).await?;
        let delete = json!({"points": [2]});
        rest.post(&format!("{path}/points/delete?wait=true"), &delete)
            .await?;
        Ok(Self {
            plain,
            rest,
            path,
            snapshot,
        })
    }

    async fn upload(&self, parameters: &str, file: &[u8]) -> anyhow::Result<(StatusCode, Value)> {
        let upload = format!("{}/shards/0/snapshots/upload{parameters}", self.path);
        self.rest.upload(&upload, file).await
    }

    /// The message of a refusal that must have left everything as it was.
    async fn refused(&self, file: &[u8]) -> anyhow::Result<String> {
        let (status, answer) = self.upload("?wait=true", file).await?;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert_eq!(
            ids(&self.plain.client, &self.plain.collection).await?,
            ["1"]
        );
        Ok(error_of(&answer).to_owned())
    }
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_the_right_one_is_not() -> Outcome {
    let target = Target::new().await?;
    let wrong = sha256(b"something else");
    let (status, answer) = target
        .upload(&format!("?checksum={wrong}"), &target.snapshot)
        .await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let error = error_of(&answer);
    assert!(error.starts_with("Checksum mismatch: expected "), "{error}");
    assert!(
        error.contains(&wrong) && error.contains(&sha256(&target.snapshot)),
        "{error}"
    );
    assert_eq!(target.plain.count().await?, 1);
    // As in a server, in letters of either size.
    let right = sha256(&target.snapshot).to_uppercase();
    let (status, answer) = target
        .upload(&format!("?checksum={right}"), &target.snapshot)
        .await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(target.plain.count().await?, 2);
    Ok(())
}

#[tokio::test]
async fn unknown_shards_and_collections_are_not_found() -> Outcome {
    let target = Target::new().await?;
    let (path, rest) = (&target.path, &target.rest);
    let (status, answer) = rest.get(&format!("{path}/shards/7/snapshot")).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error_of(&answer), "Not found: shard 7 not found");
    let upload = format!("{path}/shards/7/snapshots/upload");
    let (status, answer) = rest.upload(&upload, &target.snapshot).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error_of(&answer), "Not found: shard 7 not found");
    let (status, _) = rest.get("/collections/nowhere/shards/0/snapshot").await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let upload = "/collections/nowhere/shards/0/snapshots/upload";
    let (status, answer) = rest.upload(upload, &target.snapshot).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        error_of(&answer),
        "Not found: Collection `nowhere` doesn't exist!"
    );
    Ok(())
}

#[tokio::test]
async fn requests_that_are_none_are_refused() -> Outcome {
    let target = Target::new().await?;
    let upload = format!("{}/shards/0/snapshots/upload", target.path);
    let (kind, other_field) = form("another", b"x");
    for (path, kind, body) in [
        (upload.clone(), kind.as_str(), other_field),
        (
            upload.clone(),
            "application/octet-stream",
            Bytes::from_static(b"x"),
        ),
        (
            upload.clone(),
            kind.as_str(),
            Bytes::from_static(b"no form"),
        ),
        (
            format!("{upload}?priority=mine"),
            kind.as_str(),
            form("snapshot", b"x").1,
        ),
    ] {
        let answer = target.rest.send(Method::POST, &path, kind, body).await?;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path} {kind}");
    }
    assert_eq!(target.plain.count().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_snapshot_cut_anywhere_is_refused() -> Outcome {
    let target = Target::new().await?;
    if !target.plain.qdrant.is_embedded() {
        return Ok(());
    }
    let snapshot = &target.snapshot;
    let between_entries = entry_starts(snapshot)?;
    assert!(between_entries.len() > 5);
    let within_one = [0, 1, 511, snapshot.len() / 2, snapshot.len() - 513];
    for length in between_entries.into_iter().chain(within_one) {
        let error = target.refused(&snapshot[..length]).await?;
        assert!(error.contains("truncated"), "{length}: {error}");
    }
    let error = target.refused(&vec![b'x'; 4096]).await?;
    assert!(error.contains("not a tar archive"), "{error}");
    restore(&target.rest, &target.path, snapshot).await
}

#[tokio::test]
async fn paths_that_climb_and_entries_that_are_no_files_are_refused() -> Outcome {
    let target = Target::new().await?;
    if !target.plain.qdrant.is_embedded() {
        return Ok(());
    }
    for path in [
        "../climbed",
        "segments/../../climbed",
        "/climbed",
        "segments/a/../../../climbed",
    ] {
        let error = target.refused(&hostile(path, EntryType::Regular)?).await?;
        assert!(error.contains("leaves its directory"), "{path}: {error}");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Fifo,
        EntryType::Char,
    ] {
        let error = target.refused(&hostile("segments/x", kind)?).await?;
        assert!(
            error.contains("only files and directories"),
            "{kind:?}: {error}"
        );
    }
    let many: Vec<_> = (0..100_001)
        .map(|number| format!("segments/{number}"))
        .collect();
    let error = target
        .refused(&tar_of(many.iter().map(String::as_str))?)
        .await?;
    assert!(error.contains("more than 100000 entries"), "{error}");
    // The layout of a server's snapshot of a whole collection.
    let server = [
        "config.json",
        "version.info",
        "0/segments/a.tar",
        "0/wal/open-0",
    ];
    let error = target.refused(&tar_of(server)?).await?;
    assert!(error.contains("another layout"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_snapshot_of_another_kind_of_collection_is_refused() -> Outcome {
    let target = Target::new().await?;
    if !target.plain.qdrant.is_embedded() {
        return Ok(());
    }
    for (name, vectors) in [
        ("longer", json!({"size": 3, "distance": "Dot"})),
        ("named", json!({"other": {"size": 2, "distance": "Dot"}})),
    ] {
        let path = format!("/collections/{name}");
        target.rest.put(&path, &json!({"vectors": vectors})).await?;
        let upload = format!("{path}/shards/0/snapshots/upload");
        let (status, answer) = target.rest.upload(&upload, &target.snapshot).await?;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}: {answer}");
        assert!(
            error_of(&answer).contains("does not fit the collection"),
            "{answer}"
        );
        let (_, count) = target
            .rest
            .post(&format!("{path}/points/count"), &json!({}))
            .await?;
        assert_eq!(count["result"]["count"], 0);
    }
    Ok(())
}

#[tokio::test]
async fn who_may_only_read_may_neither_stream_nor_upload() -> Outcome {
    let qdrant = Qdrant::start_with_keys(Keys {
        full: Some("writer".to_owned()),
        read_only: Some("reader".to_owned()),
    })
    .await;
    let writer = Rest::with_key(qdrant.rest_url(), "writer");
    let reader = Rest::with_key(qdrant.rest_url(), "reader");
    let nobody = Rest::at(qdrant.rest_url());
    let vectors = json!({"vectors": {"size": 1, "distance": "Dot"}});
    writer.put("/collections/kept", &vectors).await?;
    let stream = "/collections/kept/shards/0/snapshot";
    let upload = "/collections/kept/shards/0/snapshots/upload";
    let snapshot = writer.bytes(stream).await?;
    let (status, _) = reader.get(stream).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = reader.upload(upload, &snapshot).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = reader.post("/snapshots", &json!({})).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let aliases = json!({"actions": []});
    let (status, _) = reader.post("/collections/aliases", &aliases).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = nobody.text(Method::GET, stream, Bytes::new()).await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = writer.upload(upload, &snapshot).await?;
    assert_eq!(status, StatusCode::OK);
    Ok(())
}

/// A tar of one entry, of what no decent tool would write.
fn hostile(path: &str, kind: EntryType) -> anyhow::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.as_old_mut().linkname[..4].copy_from_slice(b"/etc");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    let mut tar = Builder::new(Vec::new());
    tar.append(&header, std::io::empty())?;
    Ok(tar.into_inner()?)
}

fn tar_of<'a>(paths: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for path in paths {
        let mut header = Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, std::io::empty())?;
    }
    Ok(tar.into_inner()?)
}

/// Where each entry of an archive begins but the first.
fn entry_starts(archive: &[u8]) -> anyhow::Result<Vec<usize>> {
    let mut archive = tar::Archive::new(archive);
    let starts = archive.entries()?.skip(1);
    starts
        .map(|entry| Ok(usize::try_from(entry?.raw_header_position())?))
        .collect()
}
