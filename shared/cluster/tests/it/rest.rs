//! Qdrant over REST, on the embedded node or the server `QDRANT_BIN` names.

use alioth_cluster::rest::{
    Alias, AliasAction, Priority, QdrantRest, QdrantRestConfig, RestError, UploadError,
};
use alioth_config::Secret;
use alioth_testkit::{Qdrant, qdrant::Keys, unique_collection};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use qdrant_client::qdrant::UpsertPointsBuilder;
use serde_json::json;

use crate::{create, point};

pub(crate) fn config(url: &str) -> QdrantRestConfig {
    QdrantRestConfig {
        url: vec![url.to_owned()],
        ..QdrantRestConfig::default()
    }
}

/// A Qdrant with a collection of that many points.
async fn with_points(count: u64) -> (Qdrant, QdrantRest, String) {
    let qdrant = Qdrant::start().await;
    let name = unique_collection("rest");
    create(&qdrant, &name, 4).await;
    let points: Vec<_> = (0..count)
        .map(|id| point(id, vec![id as f32, 1.0, 0.0, 0.0]))
        .collect();
    let upsert = UpsertPointsBuilder::new(&name, points).wait(true);
    let upserted = qdrant.client().upsert_points(upsert).await;
    upserted.expect("good points");
    let rest = QdrantRest::discover(&config(&qdrant.rest_url())).await;
    (qdrant, rest.expect("it answers"), name)
}

async fn shard_bytes(rest: &QdrantRest, name: &str) -> Vec<Bytes> {
    let stream = rest.stream_shard(0, name, 0).await.expect("an answer");
    stream.try_collect().await.expect("a whole archive")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_alone_is_peer_0_and_tells_of_its_collections() {
    let (qdrant, rest, name) = with_points(3).await;
    let [node] = rest.nodes() else {
        panic!("one node: {:?}", rest.nodes())
    };
    assert_eq!((node.peer, node.host.as_str()), (0, "127.0.0.1"));
    assert!(qdrant.rest_url().ends_with(&format!(":{}", node.port)));
    assert_eq!(rest.version(), &node.version);
    assert_eq!(rest.absent_peers(), Vec::<u64>::new());

    assert!(rest.collections().await.unwrap().contains(&name));
    assert_eq!(rest.count(&name).await.unwrap(), 3);
    assert_eq!(rest.count_on(0, &name).await.unwrap(), 3);
    let info = rest.collection(&name).await.unwrap();
    assert_eq!(info.config["params"]["vectors"]["size"], 4);
    let shards = rest.shards(&name).await.unwrap();
    assert_eq!(shards.len(), 1);
    assert_eq!(shards[0].id, 0);
    assert_eq!(shards[0].replicas.len(), 1);
    assert_eq!(shards[0].replicas[0].peer, 0);
    assert!(shards[0].replicas[0].state.is_active());
}

#[tokio::test(flavor = "multi_thread")]
async fn localhost_is_one_node_under_any_of_its_addresses() {
    let qdrant = Qdrant::start().await;
    let url = qdrant.rest_url().replace("127.0.0.1", "localhost");
    let rest = QdrantRest::discover(&config(&url))
        .await
        .expect("it answers");
    assert_eq!(rest.nodes().len(), 1);
    rest.collections()
        .await
        .expect("the name is resolved for every call");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found_and_not_transient() {
    let (_qdrant, rest, name) = with_points(1).await;
    let missing = unique_collection("missing");
    for refused in [
        rest.collection(&missing).await.err(),
        rest.shards(&missing).await.err(),
        rest.count(&missing).await.err(),
        rest.stream_shard(0, &missing, 0).await.err(),
        rest.stream_shard(0, &name, 7).await.err(),
    ] {
        let error = refused.expect("there is none");
        assert!(error.is_not_found() && !error.is_transient(), "{error}");
        assert!(error.to_string().contains("on 127.0.0.1:"), "{error}");
    }
    let unknown = rest.stream_shard(9, &name, 0).await.err();
    assert!(matches!(unknown, Some(RestError::UnknownPeer { peer: 9 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_goes_out_and_in_again_with_every_point() {
    let (qdrant, rest, name) = with_points(200).await;
    let pieces = shard_bytes(&rest, &name).await;
    qdrant
        .client()
        .delete_points(
            qdrant_client::qdrant::DeletePointsBuilder::new(&name)
                .points(vec![qdrant_client::qdrant::PointId::from(7)])
                .wait(true),
        )
        .await
        .expect("a point");
    assert_eq!(rest.count(&name).await.unwrap(), 199);
    let length = pieces.iter().map(|piece| piece.len() as u64).sum();
    let source = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
    rest.upload_shard(0, &name, 0, source, Some(length), None, Priority::Snapshot)
        .await
        .expect("what the node made itself");
    assert_eq!(rest.count(&name).await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_checksum_is_refused_before_anything_is_touched() {
    let (_qdrant, rest, name) = with_points(5).await;
    let pieces = shard_bytes(&rest, &name).await;
    let source = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
    let sum = "0".repeat(64);
    let refused = rest
        .upload_shard(0, &name, 0, source, None, Some(&sum), Priority::Snapshot)
        .await
        .expect_err("another checksum");
    let UploadError::Rest(error) = refused else {
        panic!("{refused}")
    };
    assert!(
        matches!(error, RestError::Refused { status: 400, .. }),
        "{error}"
    );
    assert_eq!(rest.count(&name).await.unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_source_fails_says_so_and_leaves_the_shard() {
    let (_qdrant, rest, name) = with_points(5).await;
    let pieces = shard_bytes(&rest, &name).await;
    let cut = stream::iter(pieces.into_iter().take(1).map(Ok)).chain(stream::once(async {
        Err(std::io::Error::other("the bucket is gone"))
    }));
    let failed = rest
        .upload_shard(0, &name, 0, cut, None, None, Priority::Snapshot)
        .await
        .expect_err("half a snapshot");
    assert!(matches!(failed, UploadError::Source(_)), "{failed}");
    assert_eq!(rest.count(&name).await.unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_made_indexed_named_and_deleted() {
    let qdrant = Qdrant::start().await;
    let rest = QdrantRest::discover(&config(&qdrant.rest_url()))
        .await
        .unwrap();
    // What a URL would take for its own.
    let name = format!("{} %2F #ü", unique_collection("made"));
    let body = json!({"vectors": {"size": 3, "distance": "Dot"}});
    rest.create_collection(&name, &body).await.unwrap();
    let again = rest.create_collection(&name, &body).await.unwrap_err();
    assert!(!again.is_transient(), "{again}");
    rest.create_payload_index(&name, "year", &json!("integer"))
        .await
        .unwrap();
    let info = rest.collection(&name).await.unwrap();
    assert_eq!(info.payload_schema["year"]["data_type"], "integer");

    let alias = Alias {
        alias: unique_collection("alias"),
        collection: name.clone(),
    };
    let create = AliasAction::Create(alias.clone());
    rest.update_aliases(&[create]).await.unwrap();
    assert!(rest.aliases().await.unwrap().contains(&alias));
    let delete = AliasAction::Delete {
        alias: alias.alias.clone(),
    };
    rest.update_aliases(&[delete]).await.unwrap();
    assert!(!rest.aliases().await.unwrap().contains(&alias));

    rest.delete_collection(&name).await.unwrap();
    assert!(!rest.collections().await.unwrap().contains(&name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_snapshot_is_made_read_and_deleted() {
    let (_qdrant, rest, _name) = with_points(5).await;
    let file = rest.create_storage_snapshot(0).await.unwrap();
    let stream = rest.stream_storage_snapshot(0, &file).await.unwrap();
    let pieces: Vec<Bytes> = stream.try_collect().await.expect("a whole archive");
    assert!(pieces.iter().map(Bytes::len).sum::<usize>() > 1024);
    rest.delete_storage_snapshot(0, &file).await.unwrap();
    let gone = rest.stream_storage_snapshot(0, &file).await.err();
    assert!(gone.is_some_and(|error| error.is_not_found()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_discovery_says_so() {
    let keys = Keys {
        full: Some("hunter2".to_owned()),
        read_only: None,
    };
    let qdrant = Qdrant::start_with_keys(keys).await;
    let mut config = config(&qdrant.rest_url());
    let denied = QdrantRest::discover(&config).await.unwrap_err();
    assert!(denied.is_denied() && !denied.is_transient(), "{denied}");
    config.api_key = Secret::from("hunter2");
    QdrantRest::discover(&config).await.expect("the right key");
}
