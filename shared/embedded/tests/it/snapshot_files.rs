//! Snapshots that a node keeps: of a collection, and of all of it.

use alioth_testkit::unique_collection;
use hyper::{Method, StatusCode, body::Bytes};
use qdrant_client::qdrant::{Distance, SnapshotDescription};
use serde_json::{Value, json};

use crate::{
    http::{Rest, error_of},
    setup::{Outcome, Plain, ids, no_payload, point},
    snapshots::sha256,
};

#[tokio::test]
async fn a_kept_snapshot_is_listed_given_away_and_deleted() -> Outcome {
    let plain = two_points().await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let path = format!("/collections/{}/snapshots", plain.collection);
    assert_eq!(listed(&rest, &path).await?, Vec::<Value>::new());
    let (status, created) = rest.post(&path, &json!({})).await?;
    assert_eq!(status, StatusCode::OK, "{created}");
    let created = &created["result"];
    assert_eq!(listed(&rest, &path).await?, std::slice::from_ref(created));
    let name = created["name"].as_str().unwrap_or_default();
    assert!(name.ends_with(".snapshot"), "{created}");

    let file = rest.bytes(&format!("{path}/{name}")).await?;
    assert_eq!(created["size"], file.len());
    assert_eq!(created["checksum"], sha256(&file));
    let time = created["creation_time"].as_str().unwrap_or_default();
    assert_eq!(time.len(), "2026-11-22T12:00:00".len(), "{time}");

    let (_, deleted) = rest.delete(&format!("{path}/{name}")).await?;
    assert_eq!(deleted["result"], true);
    let (status, missing) = rest.get(&format!("{path}/{name}")).await?;
    assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
    let (status, missing) = rest.delete(&format!("{path}/{name}")).await?;
    assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
    assert_eq!(listed(&rest, &path).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn a_collection_is_created_from_its_snapshot_with_its_configuration() -> Outcome {
    let plain = two_points().await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let from = format!("/collections/{}", plain.collection);
    let index = json!({"field_name": "title", "field_schema": "keyword"});
    rest.put(&format!("{from}/index?wait=true"), &index).await?;
    let (_, created) = rest.post(&format!("{from}/snapshots"), &json!({})).await?;
    let name = created["result"]["name"].as_str().unwrap_or_default();
    let file = rest.bytes(&format!("{from}/snapshots/{name}")).await?;

    let other = unique_collection("other");
    let to = format!("/collections/{other}");
    let upload = format!(
        "{to}/snapshots/upload?priority=snapshot&checksum={}",
        sha256(&file)
    );
    let (status, answer) = rest.upload(&upload, &file).await?;
    assert_eq!(
        (status, &answer["result"]),
        (StatusCode::OK, &json!(true)),
        "{answer}"
    );
    assert_eq!(ids(&plain.client, &other).await?, ["1", "2"]);
    let ((_, old), (_, new)) = (rest.get(&from).await?, rest.get(&to).await?);
    assert_eq!(new["result"]["config"], old["result"]["config"]);
    assert_eq!(
        new["result"]["payload_schema"],
        old["result"]["payload_schema"]
    );

    // Over one that is there, its points are those of the snapshot.
    plain
        .upsert(vec![point(3, vec![1.0, 0.0], no_payload())])
        .await?;
    let upload = format!("{from}/snapshots/upload?priority=snapshot");
    let (status, answer) = rest.upload(&upload, &file).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(plain.count().await?, 2);
    Ok(())
}

#[tokio::test]
async fn what_is_no_snapshot_of_a_collection_creates_none() -> Outcome {
    let plain = two_points().await?;
    if !plain.qdrant.is_embedded() {
        return Ok(());
    }
    let rest = Rest::at(plain.qdrant.rest_url());
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    tar.append_data(&mut header, "config.json", b"{}".as_slice())?;
    for file in [tar.into_inner()?, b"neither".to_vec()] {
        let upload = "/collections/nothing/snapshots/upload";
        let (status, answer) = rest.upload(upload, &file).await?;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    }
    let (_, exists) = rest.get("/collections/nothing/exists").await?;
    assert_eq!(exists["result"]["exists"], false);
    Ok(())
}

#[tokio::test]
async fn a_node_recovers_only_from_what_it_has_kept() -> Outcome {
    let directory = tempfile::tempdir()?;
    let config = alioth_embedded::NodeConfig::on_loopback(directory.path());
    let token = tokio_util::sync::CancellationToken::new();
    let node = alioth_embedded::EmbeddedNode::start(config, token).await?;
    let rest = Rest::at(node.rest_url());
    let vectors = json!({"vectors": {"size": 1, "distance": "Dot"}});
    rest.put("/collections/kept", &vectors).await?;
    let (_, created) = rest.post("/collections/kept/snapshots", &json!({})).await?;
    let name = created["result"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    rest.delete("/collections/kept").await?;

    let kept = directory
        .path()
        .canonicalize()?
        .join("snapshots/collections");
    let of_collection = std::fs::read_dir(&kept)?
        .next()
        .expect("a directory")?
        .path();
    let location = format!("file://{}", of_collection.join(name).display());
    let recover = "/collections/kept/snapshots/recover";
    let checksum = created["result"]["checksum"].clone();
    let wrong = json!({"location": location, "checksum": sha256(b"")});
    let (status, answer) = rest.put(recover, &wrong).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let right = json!({"location": location, "priority": "snapshot", "checksum": checksum});
    let (status, answer) = rest.put(recover, &right).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, exists) = rest.get("/collections/kept/exists").await?;
    assert_eq!(exists["result"]["exists"], true);

    for (location, expected) in [
        ("http://127.0.0.1:9/x.snapshot", StatusCode::FORBIDDEN),
        ("file:///etc/passwd", StatusCode::FORBIDDEN),
        ("file:///nowhere/x.snapshot", StatusCode::BAD_REQUEST),
        ("s3://bucket/x.snapshot", StatusCode::BAD_REQUEST),
        ("no address", StatusCode::BAD_REQUEST),
    ] {
        let (status, answer) = rest.put(recover, &json!({"location": location})).await?;
        assert_eq!(status, expected, "{location}: {}", error_of(&answer));
    }
    node.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_whole_node_is_snapshotted_with_its_aliases() -> Outcome {
    let plain = two_points().await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let create = json!({"create_alias": {
        "collection_name": plain.collection, "alias_name": "films",
    }});
    rest.post("/collections/aliases", &json!({"actions": [create]}))
        .await?;
    let (status, created) = rest.post("/snapshots?wait=true", &json!({})).await?;
    assert_eq!(status, StatusCode::OK, "{created}");
    let name = created["result"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(
        listed(&rest, "/snapshots").await?,
        [created["result"].clone()]
    );

    let file = rest.bytes(&format!("/snapshots/{name}")).await?;
    let mut members = std::collections::HashMap::new();
    for entry in tar::Archive::new(&file[..]).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes)?;
        members.insert(path, bytes);
    }
    let config: Value = serde_json::from_slice(&members["config.json"])?;
    assert_eq!(
        config["collections_aliases"],
        json!({"films": plain.collection})
    );
    let member = config["collections_mapping"][&plain.collection].as_str();
    let part = &members[member.unwrap_or_default()];
    let upload = "/collections/from-the-whole/snapshots/upload?priority=snapshot";
    let (status, answer) = rest.upload(upload, part).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(ids(&plain.client, "from-the-whole").await?, ["1", "2"]);

    for climbing in [
        "..%2F..%2Flock",
        "..%2Faliases.json",
        "%2Fetc%2Fpasswd",
        "nothing.snapshot",
    ] {
        let path = format!("/snapshots/{climbing}");
        let (status, _) = rest.text(Method::GET, &path, Bytes::new()).await?;
        assert_eq!(status, StatusCode::NOT_FOUND, "{climbing}");
        let (status, _) = rest.text(Method::DELETE, &path, Bytes::new()).await?;
        assert_eq!(status, StatusCode::NOT_FOUND, "{climbing}");
    }
    let (_, deleted) = rest.delete(&format!("/snapshots/{name}")).await?;
    assert_eq!(deleted["result"], true);
    assert_eq!(listed(&rest, "/snapshots").await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn snapshots_are_kept_over_grpc_too() -> Outcome {
    let plain = two_points().await?;
    let (client, collection) = (&plain.client, &plain.collection);
    let created = client.create_snapshot(collection.clone()).await?;
    let created = created.snapshot_description.expect("a description");
    assert!(created.size > 0 && created.creation_time.is_some());
    let names = |descriptions: &[SnapshotDescription]| -> Vec<String> {
        descriptions.iter().map(|of| of.name.clone()).collect()
    };
    let found = client.list_snapshots(collection.clone()).await?;
    assert_eq!(
        names(&found.snapshot_descriptions),
        std::slice::from_ref(&created.name)
    );
    client
        .delete_snapshot(qdrant_client::qdrant::DeleteSnapshotRequestBuilder::new(
            collection.clone(),
            created.name,
        ))
        .await?;
    let found = client.list_snapshots(collection.clone()).await?;
    assert!(found.snapshot_descriptions.is_empty());

    let full = client.create_full_snapshot().await?;
    let full = full.snapshot_description.expect("a description");
    let found = client.list_full_snapshots().await?;
    assert_eq!(
        names(&found.snapshot_descriptions),
        std::slice::from_ref(&full.name)
    );
    client.delete_full_snapshot(full.name).await?;
    let found = client.list_full_snapshots().await?;
    assert!(found.snapshot_descriptions.is_empty());
    Ok(())
}

async fn two_points() -> anyhow::Result<Plain> {
    let plain = Plain::new(2, Distance::Dot).await?;
    let points = [1, 2].map(|id| point(id, vec![1.0, 0.0], json!({"title": "Alien"})));
    plain.upsert(points.into()).await?;
    Ok(plain)
}

async fn listed(rest: &Rest, path: &str) -> anyhow::Result<Vec<Value>> {
    let (status, answer) = rest.get(path).await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    Ok(answer["result"].as_array().cloned().unwrap_or_default())
}
