//! Starts and stops: what survives, and what cannot be started.

use std::{net::Ipv4Addr, time::Duration};

use alioth_embedded::{EmbeddedNode, NodeConfig, NodeError};
use alioth_testkit::wait_until;
use qdrant_client::qdrant::{
    CreateFieldIndexCollectionBuilder, Distance, FieldType, QueryPointsBuilder, UpsertPointsBuilder,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    http::Rest,
    setup::{Outcome, Plain, id_text, no_payload, numbered, point},
};

#[tokio::test]
async fn collections_points_and_indexes_survive_a_restart() -> Outcome {
    let mut plain = Plain::new(8, Distance::Cosine).await?;
    let title =
        CreateFieldIndexCollectionBuilder::new(&plain.collection, "number", FieldType::Integer);
    plain.client.create_field_index(title.wait(true)).await?;
    let points = (0..500).map(|id| point(id, numbered(id, 8), json!({"number": id})));
    plain.upsert(points.collect()).await?;
    let rest = Rest::at(plain.qdrant.rest_url());
    let path = format!("/collections/{}", plain.collection);
    let query = || {
        QueryPointsBuilder::new(&plain.collection)
            .query(numbered(42, 8))
            .limit(5)
    };
    let before = plain.client.query(query()).await?.result;
    let (_, described) = rest.get(&path).await?;

    for _ in 0..2 {
        plain.qdrant.stop().await;
        assert!(
            plain
                .client
                .collection_info(&plain.collection)
                .await
                .is_err()
        );
        plain.qdrant.start_again().await;
        assert_eq!(plain.count().await?, 500);
        let after = plain.client.query(query()).await?.result;
        let ids = |points: &[qdrant_client::qdrant::ScoredPoint]| -> Vec<String> {
            points
                .iter()
                .map(|point| id_text(point.id.clone()))
                .collect()
        };
        assert_eq!(ids(&after), ids(&before));
        let (_, restarted) = rest.get(&path).await?;
        assert_eq!(restarted["result"]["config"], described["result"]["config"]);
        let schema = |info: &serde_json::Value| info["result"]["payload_schema"].clone();
        assert_eq!(schema(&restarted), schema(&described));
    }
    plain
        .upsert(vec![point(500, numbered(500, 8), no_payload())])
        .await?;
    assert_eq!(plain.count().await?, 501);
    Ok(())
}

#[tokio::test]
async fn a_deleted_collection_stays_deleted() -> Outcome {
    let mut plain = Plain::new(1, Distance::Dot).await?;
    plain
        .upsert(vec![point(1, vec![1.0], no_payload())])
        .await?;
    plain.client.delete_collection(&plain.collection).await?;
    plain.qdrant.stop().await;
    plain.qdrant.start_again().await;
    assert!(!plain.client.collection_exists(&plain.collection).await?);
    Ok(())
}

#[tokio::test]
async fn a_client_works_on_over_a_restart() -> Outcome {
    let mut plain = Plain::new(1, Distance::Dot).await?;
    plain.qdrant.stop().await;
    let points = vec![point(1, vec![1.0], no_payload())];
    let away = UpsertPointsBuilder::new(&plain.collection, points.clone()).wait(true);
    assert!(plain.client.upsert_points(away).await.is_err());
    plain.qdrant.start_again().await;
    let plain = &plain;
    wait_until(Duration::from_secs(20), || async {
        plain.upsert(points.clone()).await.is_ok()
    })
    .await;
    assert_eq!(plain.count().await?, 1);
    Ok(())
}

#[tokio::test]
async fn the_token_stops_a_node_with_clients_connected() -> Outcome {
    let directory = tempfile::tempdir()?;
    let token = CancellationToken::new();
    let node =
        EmbeddedNode::start(NodeConfig::on_loopback(directory.path()), token.clone()).await?;
    let client = qdrant_client::Qdrant::from_url(&node.grpc_url())
        .skip_compatibility_check()
        .build()?;
    client.list_collections().await?;
    let (_, _) = Rest::at(node.rest_url()).get("/collections").await?;
    token.cancel();
    tokio::time::timeout(Duration::from_secs(20), node.stopped()).await??;
    // Its directory is free for another.
    let config = NodeConfig::on_loopback(directory.path());
    let node = EmbeddedNode::start(config, CancellationToken::new()).await?;
    node.stop().await?;
    Ok(())
}

#[tokio::test]
async fn two_nodes_on_one_directory_are_refused() -> Outcome {
    let directory = tempfile::tempdir()?;
    let config = || NodeConfig::on_loopback(directory.path());
    let first = EmbeddedNode::start(config(), CancellationToken::new()).await?;
    match EmbeddedNode::start(config(), CancellationToken::new()).await {
        Err(NodeError::LockDirectory { path }) => assert_eq!(path, directory.path()),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("a second node on the same data"),
    }
    first.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_named() -> Outcome {
    let directory = tempfile::tempdir()?;
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let config = NodeConfig {
        rest: taken.local_addr()?,
        ..NodeConfig::on_loopback(directory.path())
    };
    match EmbeddedNode::start(config, CancellationToken::new()).await {
        Err(NodeError::Listen { address, .. }) => assert_eq!(address, taken.local_addr()?),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("two listeners on one port"),
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_collection_is_named_and_left_alone() -> Outcome {
    let directory = tempfile::tempdir()?;
    let damaged = directory.path().join("collections/damaged");
    std::fs::create_dir_all(&damaged)?;
    std::fs::write(damaged.join("collection.json"), "{ not json")?;
    let config = NodeConfig::on_loopback(directory.path());
    match EmbeddedNode::start(config, CancellationToken::new()).await {
        Err(NodeError::OpenCollection { path, .. }) => assert_eq!(path, damaged),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("a node over a damaged collection"),
    }
    assert!(damaged.join("collection.json").exists());
    Ok(())
}

#[tokio::test]
async fn what_an_interrupted_create_left_is_cleared_away() -> Outcome {
    let directory = tempfile::tempdir()?;
    let debris = directory.path().join("collections/debris");
    std::fs::create_dir_all(debris.join("shard"))?;
    let config = NodeConfig::on_loopback(directory.path());
    let node = EmbeddedNode::start(config, CancellationToken::new()).await?;
    assert!(!debris.exists());
    node.stop().await?;
    Ok(())
}
