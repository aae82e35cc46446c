//! What a node refuses, in a Qdrant server's codes and words, and that a refused write leaves
//! nothing behind.

use std::collections::HashMap;

use alioth_testkit::{Qdrant, unique_collection};
use qdrant_client::qdrant::{
    CountPointsBuilder, CreateCollectionBuilder, DeletePointsBuilder, Distance, Document,
    GetPointsBuilder, MultiVectorComparator, MultiVectorConfigBuilder, PointId, PointStruct,
    PointsIdsList, QueryPointsBuilder, ScrollPointsBuilder, SearchPointsBuilder,
    SparseVectorBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
    UpsertPointsBuilder, Vector, VectorParamsBuilder, VectorsConfigBuilder,
};
use tonic::Code;

use crate::setup::{Outcome, Plain, count, no_payload, numbered, payload_of, point, refusal};

#[tokio::test]
async fn every_call_on_a_missing_collection_is_not_found() -> Outcome {
    let qdrant = Qdrant::start().await;
    let client = qdrant.client();
    let points = vec![point(1, vec![1.0], no_payload())];
    let one: Vec<PointId> = vec![1.into()];
    let list = PointsIdsList { ids: one.clone() };
    let refusals = [
        refusal(
            client
                .upsert_points(UpsertPointsBuilder::new("x", points).wait(true))
                .await,
        ),
        refusal(
            client
                .delete_points(DeletePointsBuilder::new("x").points(list))
                .await,
        ),
        refusal(client.get_points(GetPointsBuilder::new("x", one)).await),
        refusal(client.count(CountPointsBuilder::new("x")).await),
        refusal(client.scroll(ScrollPointsBuilder::new("x")).await),
        refusal(
            client
                .query(QueryPointsBuilder::new("x").query(vec![1.0]))
                .await,
        ),
        refusal(client.collection_info("x").await),
    ];
    for (code, message) in refusals {
        assert_eq!(code, Code::NotFound);
        assert_eq!(message, "Not found: Collection `x` doesn't exist!");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_point_among_good_ones_is_refused_and_none_is_written() -> Outcome {
    let qdrant = Qdrant::start().await;
    let client = qdrant.client();
    let collection = unique_collection("strict");
    let mut vectors = VectorsConfigBuilder::default();
    let multi = MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim);
    vectors
        .add_named_vector_params("dense", VectorParamsBuilder::new(4, Distance::Dot))
        .add_named_vector_params(
            "multi",
            VectorParamsBuilder::new(2, Distance::Dot).multivector_config(multi),
        );
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params("sparse", SparseVectorParamsBuilder::default());
    let create = CreateCollectionBuilder::new(&collection)
        .vectors_config(vectors)
        .sparse_vectors_config(sparse);
    client.create_collection(create).await?;

    let dimension =
        "Wrong input: Vector dimension error: expected dim: 4, got 3 for vector 'dense'";
    let unknown = "Wrong input: Not existing vector name error: nobody";
    let to_sparse = "Wrong input: Conversion between sparse and regular vectors failed";
    let bad: Vec<(&str, Vector, Option<&str>)> = vec![
        ("dense", Vector::from(vec![1.0, 2.0, 3.0]), Some(dimension)),
        ("nobody", Vector::from(vec![1.0]), Some(unknown)),
        (
            "dense",
            SparseVectorBuilder::new(vec![1], vec![1.0]).into(),
            Some(to_sparse),
        ),
        ("sparse", Vector::from(vec![1.0, 2.0]), Some(to_sparse)),
        ("dense", Vector::from(Vec::<f32>::new()), None),
        (
            "sparse",
            SparseVectorBuilder::new(vec![1, 1], vec![1.0, 2.0]).into(),
            None,
        ),
        (
            "sparse",
            SparseVectorBuilder::new(vec![1, 2], vec![1.0]).into(),
            None,
        ),
        (
            "multi",
            Vector::new_multi(vec![vec![1.0, 2.0], vec![1.0]]),
            None,
        ),
        ("multi", Vector::new_multi(Vec::<Vec<f32>>::new()), None),
    ];
    for (name, vector, expected) in bad {
        let good = (0..50).map(|id| named(id, "dense", Vector::from(numbered(id, 4))));
        let mut points: Vec<_> = good.collect();
        points.push(named(99, name, vector));
        let upsert = UpsertPointsBuilder::new(&collection, points).wait(true);
        let (code, message) = refusal(client.upsert_points(upsert).await);
        assert_eq!(code, Code::InvalidArgument, "{name}: {message}");
        if let Some(expected) = expected {
            assert_eq!(message, expected);
        }
        // A real server checks names and kinds point by point, as it applies them.
        if qdrant.is_embedded() {
            assert_eq!(count(&client, &collection).await?, 0, "{name}: {message}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_dimension_is_refused_whether_or_not_one_waits() -> Outcome {
    let plain = Plain::new(4, Distance::Dot).await?;
    for wait in [true, false] {
        let points = vec![point(1, vec![1.0, 2.0, 3.0], no_payload())];
        let upsert = UpsertPointsBuilder::new(&plain.collection, points).wait(wait);
        let (code, message) = refusal(plain.client.upsert_points(upsert).await);
        assert_eq!(code, Code::InvalidArgument);
        let expected = "Wrong input: Vector dimension error: expected dim: 4, got 3";
        assert_eq!(message, expected);
    }
    assert_eq!(plain.count().await?, 0);
    Ok(())
}

#[tokio::test]
async fn malformed_points_are_refused() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let no_id = PointStruct {
        id: None,
        ..point(1, vec![1.0], no_payload())
    };
    let no_vectors = PointStruct {
        vectors: None,
        ..point(1, vec![1.0], no_payload())
    };
    let bad_uuid = PointStruct::new("no uuid".to_owned(), vec![1.0], payload_of(no_payload()));
    let named_in_plain = named(1, "nobody", Vector::from(vec![1.0]));
    let cases = [
        (no_id, "Empty ID is not allowed"),
        (no_vectors, "Expected some vectors"),
        (bad_uuid, "Unable to parse UUID: no uuid"),
        (
            named_in_plain,
            "Wrong input: Not existing vector name error: nobody",
        ),
    ];
    for (point, expected) in cases {
        let (code, message) = refusal(plain.upsert(vec![point]).await);
        assert_eq!((code, message.as_str()), (Code::InvalidArgument, expected));
    }
    Ok(())
}

#[tokio::test]
async fn empty_updates_are_refused() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let expected = (
        Code::InvalidArgument,
        "Bad request: Empty update request".to_owned(),
    );
    assert_eq!(refusal(plain.upsert(Vec::new()).await), expected);
    let delete = DeletePointsBuilder::new(&plain.collection).points(PointsIdsList::default());
    assert_eq!(
        refusal(plain.client.delete_points(delete.wait(true)).await),
        expected
    );
    Ok(())
}

#[tokio::test]
async fn a_text_to_embed_is_refused_as_without_an_inference_service() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let text = Document {
        text: "a film".to_owned(),
        model: "any".to_owned(),
        ..Document::default()
    };
    let point = PointStruct::new(1, text, payload_of(no_payload()));
    let (code, message) = refusal(plain.upsert(vec![point]).await);
    assert_eq!(code, Code::Internal);
    assert!(
        message.contains("InferenceService URL not configured"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn what_the_node_lacks_is_unimplemented() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    if !plain.qdrant.is_embedded() {
        return Ok(());
    }
    let search = SearchPointsBuilder::new(&plain.collection, vec![1.0], 1);
    let (code, message) = refusal(plain.client.search_points(search).await);
    assert_eq!(code, Code::Unimplemented);
    assert_eq!(message, "Search is not supported by the embedded node");
    Ok(())
}

fn named(id: u64, name: &str, vector: Vector) -> PointStruct {
    let vectors = HashMap::from([(name.to_owned(), vector)]);
    PointStruct::new(id, vectors, payload_of(no_payload()))
}
