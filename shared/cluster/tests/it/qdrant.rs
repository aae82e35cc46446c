//! What Qdrant itself answers to good and bad upserts.

use alioth_cluster::{Applied, Rejection, UpsertError, decode_check};
use alioth_config::Secret;
use alioth_points::UpsertMessage;
use alioth_testkit::{Qdrant, qdrant::Keys, unique_collection};
use prost::Message;
use qdrant_client::qdrant::{
    CountPointsBuilder, NamedVectors, PointStruct, ShardKeySelector, UpsertPoints, Vector,
    shard_key::Key,
};

use crate::{body, cluster, cluster_with, config, create, point, points};

async fn count(qdrant: &Qdrant, collection: &str) -> u64 {
    let request = CountPointsBuilder::new(collection).exact(true);
    let response = qdrant.client().count(request).await.expect("a count");
    response.result.expect("a result").count
}

fn invalid(answer: Result<Applied, UpsertError>) -> String {
    match answer {
        Err(UpsertError::Rejected {
            rejection: Rejection::Invalid,
            reason,
        }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_applied_when_the_call_returns() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    create(&qdrant, &films, 4).await;
    let cluster = cluster(&qdrant.grpc_url());
    assert!(cluster.healthy().await);
    let upsert = points(
        &films,
        (0..1_000).map(|id| point(id, vec![0.5; 4])).collect(),
    );
    assert_eq!(cluster.upsert(upsert).await, Ok(Applied::Completed));
    assert_eq!(count(&qdrant, &films).await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_points_are_rejected_with_a_reason() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    create(&qdrant, &films, 4).await;
    let cluster = cluster(&qdrant.grpc_url());

    let reason = invalid(
        cluster
            .upsert(points(&films, vec![point(1, vec![0.5; 3])]))
            .await,
    );
    assert!(reason.contains("dim"), "wrong dimension: {reason}");

    let named = NamedVectors::default().add_vector("plot", Vector::new_dense(vec![0.5; 4]));
    let named = PointStruct::new(1, named, qdrant_client::Payload::new());
    let reason = invalid(cluster.upsert(points(&films, vec![named])).await);
    assert!(reason.contains("plot"), "unknown vector name: {reason}");

    let sparse = Vector::new_sparse(vec![1], vec![0.5]);
    let sparse = PointStruct::new(1, sparse, qdrant_client::Payload::new());
    invalid(cluster.upsert(points(&films, vec![sparse])).await);

    let without_id = PointStruct {
        id: None,
        ..point(1, vec![0.5; 4])
    };
    invalid(cluster.upsert(points(&films, vec![without_id])).await);

    let bad_uuid = PointStruct {
        id: Some("not-a-uuid".into()),
        ..point(1, vec![0.5; 4])
    };
    invalid(cluster.upsert(points(&films, vec![bad_uuid])).await);

    invalid(cluster.upsert(points(&films, vec![])).await);
    assert_eq!(count(&qdrant, &films).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_collection_is_not_found() {
    let qdrant = Qdrant::start().await;
    let upsert = points(&unique_collection("none"), vec![point(1, vec![0.5; 4])]);
    match cluster(&qdrant.grpc_url()).upsert(upsert).await {
        Err(UpsertError::Rejected {
            rejection: Rejection::NotFound,
            reason,
        }) => {
            assert!(reason.contains("none-"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_key_nobody_made_is_invalid() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    create(&qdrant, &films, 4).await;
    let keyed = UpsertPoints {
        collection_name: films,
        points: vec![point(1, vec![0.5; 4])],
        shard_key_selector: Some(ShardKeySelector {
            shard_keys: vec![Key::Keyword("tenant".to_owned()).into()],
            fallback: None,
        }),
        ..Default::default()
    };
    let answer = cluster(&qdrant.grpc_url()).upsert(body(keyed)).await;
    // The embedded node has one shard, and looks at no key.
    if !qdrant.is_embedded() {
        invalid(answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_the_server_cannot_decode_are_internal_and_told_apart() {
    let qdrant = Qdrant::start().await;
    let films = unique_collection("films");
    create(&qdrant, &films, 4).await;
    let upsert = UpsertPoints {
        collection_name: films,
        points: vec![point(1, vec![0.5; 4])],
        ..Default::default()
    };
    let sound = UpsertMessage::scan(upsert.encode_to_vec().into()).unwrap();
    assert_eq!(decode_check(&sound), Ok(()));
    let mut bytes = upsert.encode_to_vec();
    // The payload's key "n", told by the map entry around it.
    let at = bytes
        .windows(3)
        .position(|window| window == [0x0a, 0x01, b'n'])
        .unwrap();
    bytes[at + 2] = 0xff;
    let broken = UpsertMessage::scan(bytes.into()).unwrap();
    assert!(decode_check(&broken).is_err());
    let answer = cluster(&qdrant.grpc_url())
        .upsert(alioth_points::merge(&[&broken]))
        .await;
    assert!(
        matches!(answer, Err(UpsertError::Internal { .. })),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_denied_and_the_right_one_is_not() {
    let keys = Keys {
        full: Some("right".to_owned()),
        read_only: Some("reader".to_owned()),
    };
    let qdrant = Qdrant::start_with_keys(keys).await;
    let films = unique_collection("films");
    create(&qdrant, &films, 4).await;
    for (key, denied) in [
        ("", true),
        ("wrong", true),
        ("reader", true),
        ("right", false),
    ] {
        let mut config = config(&[qdrant.grpc_url()]);
        config.api_key = Secret::from(key);
        let answer = cluster_with(&config)
            .upsert(points(&films, vec![point(1, vec![0.5; 4])]))
            .await;
        match denied {
            true => assert!(
                matches!(answer, Err(UpsertError::Denied { .. })),
                "{key:?}: {answer:?}"
            ),
            false => assert_eq!(answer, Ok(Applied::Completed)),
        }
    }
}
