//! Queries: the nearest points by every kind of vector, and what is answered of them.

use std::collections::HashMap;

use alioth_testkit::{Qdrant, unique_collection};
use qdrant_client::qdrant::{
    Condition, CreateCollectionBuilder, Distance, Filter, MultiVectorComparator,
    MultiVectorConfigBuilder, NamedVectors, PayloadExcludeSelector, PayloadIncludeSelector,
    PointId, PointStruct, Query, QueryBatchPointsBuilder, QueryPointsBuilder, SearchParamsBuilder,
    SparseVectorBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
    UpsertPointsBuilder, Vector, VectorInput, VectorParamsBuilder, VectorsConfigBuilder,
    VectorsSelector, vectors_output::VectorsOptions, with_payload_selector::SelectorOptions,
};
use serde_json::json;
use tonic::Code;

use crate::setup::{Outcome, Plain, id_text, json_of, no_payload, payload_of, point, refusal};

#[tokio::test]
async fn each_distance_orders_by_its_own_definition() -> Outcome {
    // Of these, which is nearest to (1, 0) depends on the distance.
    let candidates = [
        vec![0.9, 0.0],
        vec![3.0, 1.0],
        vec![0.6, 0.8],
        vec![-1.0, 0.0],
    ];
    let expected: [(Distance, [&str; 4], f32); 4] = [
        (Distance::Cosine, ["0", "1", "2", "3"], 1.0),
        (Distance::Dot, ["1", "0", "2", "3"], 3.0),
        (Distance::Euclid, ["0", "2", "3", "1"], 0.1),
        (Distance::Manhattan, ["0", "2", "3", "1"], 0.1),
    ];
    for (distance, order, best) in expected {
        let plain = Plain::new(2, distance).await?;
        let points = (0_u64..).zip(candidates.clone());
        let points = points.map(|(id, vector)| point(id, vector, no_payload()));
        plain.upsert(points.collect()).await?;
        let query = QueryPointsBuilder::new(&plain.collection).query(vec![1.0, 0.0]);
        let found = plain.client.query(query).await?.result;
        assert!(
            (found[0].score - best).abs() < 1e-5,
            "{distance:?}: {}",
            found[0].score
        );
        assert_eq!(ids(found), order, "{distance:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_query_by_id_leaves_out_the_point_itself() -> Outcome {
    let plain = line(10).await?;
    let query = QueryPointsBuilder::new(&plain.collection)
        .query(Query::new_nearest(PointId::from(4)))
        .limit(3);
    let found = ids(plain.client.query(query).await?.result);
    assert_eq!(found.len(), 3);
    assert!(found.contains(&"3".to_owned()) && found.contains(&"5".to_owned()));
    assert!(!found.contains(&"4".to_owned()));

    let filter = Filter::must([Condition::matches("even", true)]);
    let query = QueryPointsBuilder::new(&plain.collection)
        .query(Query::new_nearest(PointId::from(4)))
        .filter(filter)
        .limit(2);
    let mut found = ids(plain.client.query(query).await?.result);
    found.sort();
    assert_eq!(found, ["2", "6"]);
    Ok(())
}

#[tokio::test]
async fn filter_offset_limit_and_threshold_narrow_a_query() -> Outcome {
    let plain = line(20).await?;
    let query = || QueryPointsBuilder::new(&plain.collection).query(vec![0.0, 1.0]);
    let run = async |query: QueryPointsBuilder| -> anyhow::Result<Vec<String>> {
        Ok(ids(plain.client.query(query).await?.result))
    };
    assert_eq!(run(query()).await?.len(), 10);
    assert_eq!(run(query().limit(3)).await?, ["0", "1", "2"]);
    assert_eq!(run(query().limit(3).offset(2)).await?, ["2", "3", "4"]);
    assert_eq!(run(query().limit(3).offset(19)).await?, ["19"]);
    assert!(run(query().limit(3).offset(20)).await?.is_empty());
    let even = Filter::must([Condition::matches("even", true)]);
    assert_eq!(run(query().limit(3).filter(even)).await?, ["0", "2", "4"]);
    // Euclidean: at most this far.
    assert_eq!(run(query().score_threshold(2.5)).await?, ["0", "1", "2"]);
    let exact = SearchParamsBuilder::default().exact(true).hnsw_ef(64);
    assert_eq!(run(query().params(exact).limit(2)).await?, ["0", "1"]);
    Ok(())
}

#[tokio::test]
async fn selectors_decide_how_much_of_a_point_is_answered() -> Outcome {
    let plain = Plain::new(2, Distance::Dot).await?;
    let payload = json!({"title": "Alien", "year": 1979, "studio": {"name": "Fox", "seat": "LA"}});
    plain
        .upsert(vec![point(1, vec![1.0, 0.0], payload.clone())])
        .await?;
    let query = || QueryPointsBuilder::new(&plain.collection).query(vec![1.0, 0.0]);
    let run = async |query: QueryPointsBuilder| -> anyhow::Result<_> {
        let mut found = plain.client.query(query).await?.result;
        let point = found.pop().expect("one point");
        Ok((json_of(point.payload), point.vectors.is_some()))
    };
    assert_eq!(run(query()).await?, (json!({}), false));
    assert_eq!(
        run(query().with_payload(true).with_vectors(true)).await?,
        (payload, true)
    );
    let include = SelectorOptions::Include(PayloadIncludeSelector {
        fields: vec!["title".to_owned(), "studio.name".to_owned()],
    });
    let included = json!({"title": "Alien", "studio": {"name": "Fox"}});
    assert_eq!(run(query().with_payload(include)).await?, (included, false));
    let exclude = SelectorOptions::Exclude(PayloadExcludeSelector {
        fields: vec!["studio".to_owned()],
    });
    let rest = json!({"title": "Alien", "year": 1979});
    assert_eq!(run(query().with_payload(exclude)).await?, (rest, false));
    Ok(())
}

#[tokio::test]
async fn named_sparse_and_multi_vectors_are_searched_by_name() -> Outcome {
    let qdrant = Qdrant::start().await;
    let client = qdrant.client();
    let collection = kinds(&client).await?;

    let query = |query: Query, using: &str| {
        let query = QueryPointsBuilder::new(&collection)
            .query(query)
            .using(using);
        client.query(query.with_vectors(VectorsSelector::from(vec!["dense".to_owned()])))
    };
    let dense = query(Query::new_nearest(vec![1.0, 0.0]), "dense")
        .await?
        .result;
    let vectors = dense[0]
        .vectors
        .clone()
        .and_then(|vectors| vectors.vectors_options);
    let Some(VectorsOptions::Vectors(vectors)) = vectors else {
        panic!("no named vectors");
    };
    assert_eq!(vectors.vectors.len(), 1);
    assert_eq!(ids(dense), ["1", "2"]);

    // Indices in any order, as clients send them.
    let words = VectorInput::new_sparse(vec![30, 10], vec![1.0, 1.0]);
    let sparse = query(Query::new_nearest(words), "sparse").await?.result;
    assert!((sparse[0].score - 5.0).abs() < 1e-5);
    assert_eq!(ids(sparse), ["2", "1"]);
    let none = VectorInput::new_sparse(vec![77], vec![1.0]);
    assert!(
        query(Query::new_nearest(none), "sparse")
            .await?
            .result
            .is_empty()
    );

    let multi = VectorInput::new_multi(vec![vec![1.0, 0.0], vec![0.0, 1.0]]);
    let found = query(Query::new_nearest(multi), "multi").await?.result;
    // MaxSim: of each query vector the best match, added.
    assert!((found[0].score - 7.0).abs() < 1e-5, "{}", found[0].score);
    assert_eq!(ids(found), ["1", "2"]);
    let single = query(Query::new_nearest(vec![0.0, 1.0]), "multi")
        .await?
        .result;
    assert_eq!(ids(single), ["1", "2"]);

    let by_id = query(Query::new_nearest(PointId::from(1)), "sparse")
        .await?
        .result;
    assert_eq!(ids(by_id), ["2"]);
    Ok(())
}

#[tokio::test]
async fn a_query_without_a_vector_lists_points_by_id() -> Outcome {
    let plain = line(5).await?;
    let query = QueryPointsBuilder::new(&plain.collection)
        .limit(2)
        .offset(1);
    let found = plain.client.query(query).await?.result;
    assert_eq!(ids(found), ["1", "2"]);
    Ok(())
}

#[tokio::test]
async fn a_batch_answers_each_query_in_its_place() -> Outcome {
    let plain = line(5).await?;
    let query = |near: f32| {
        let query = QueryPointsBuilder::new(&plain.collection).query(vec![near, 1.0]);
        query.limit(1).build()
    };
    let batch = QueryBatchPointsBuilder::new(&plain.collection, vec![query(4.0), query(2.0)]);
    let answer = plain.client.query_batch(batch).await?.result;
    let found: Vec<_> = answer.into_iter().map(|batch| ids(batch.result)).collect();
    assert_eq!(found, [["4"], ["2"]]);
    Ok(())
}

#[tokio::test]
async fn impossible_queries_are_refused_as_qdrant_refuses_them() -> Outcome {
    let plain = line(3).await?;
    let run = async |query: QueryPointsBuilder| refusal(plain.client.query(query).await);
    let query = || QueryPointsBuilder::new(&plain.collection);
    assert_eq!(
        run(query().query(vec![1.0, 2.0, 3.0])).await,
        (
            Code::InvalidArgument,
            "Wrong input: Vector dimension error: expected dim: 2, got 3".to_owned()
        )
    );
    assert_eq!(
        run(query().query(vec![1.0, 2.0]).using("nobody")).await,
        (
            Code::InvalidArgument,
            "Wrong input: Not existing vector name error: nobody".to_owned()
        )
    );
    assert_eq!(
        run(query().query(Query::new_nearest(PointId::from(99)))).await,
        (
            Code::NotFound,
            "Not found: No point with id 99 found".to_owned()
        )
    );
    assert_eq!(
        run(query().query(Query::new_nearest(PointId::from("zz")))).await,
        (Code::InvalidArgument, "Unable to parse UUID: zz".to_owned())
    );
    assert_eq!(
        run(query().query(vec![1.0, 2.0]).limit(0)).await.0,
        Code::InvalidArgument
    );
    let sparse = VectorInput::new_sparse(vec![1], vec![1.0]);
    let (code, _) = run(query().query(Query::new_nearest(sparse))).await;
    assert_eq!(code, Code::InvalidArgument);
    Ok(())
}

/// Points (0, 1), (1, 1), (2, 1), … under Euclid.
async fn line(length: u64) -> anyhow::Result<Plain> {
    let plain = Plain::new(2, Distance::Euclid).await?;
    let points = (0..length).map(|id| {
        let even = json!({"even": id % 2 == 0});
        point(id, vec![id as f32, 1.0], even)
    });
    plain.upsert(points.collect()).await?;
    Ok(plain)
}

/// Two points with a vector of every kind, and one without any.
async fn kinds(client: &qdrant_client::Qdrant) -> anyhow::Result<String> {
    let collection = unique_collection("kinds");
    let mut vectors = VectorsConfigBuilder::default();
    let multi = MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim);
    vectors
        .add_named_vector_params("dense", VectorParamsBuilder::new(2, Distance::Cosine))
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
    let of = |dense: Vec<f32>, multi: Vec<Vec<f32>>, words: (Vec<u32>, Vec<f32>)| {
        let words = SparseVectorBuilder::new(words.0, words.1);
        NamedVectors::from(HashMap::from([
            ("dense".to_owned(), Vector::from(dense)),
            ("multi".to_owned(), Vector::new_multi(multi)),
            ("sparse".to_owned(), Vector::from(words)),
        ]))
    };
    let payload = || payload_of(no_payload());
    let first = of(
        vec![1.0, 0.1],
        vec![vec![3.0, 0.0], vec![0.0, 4.0]],
        (vec![10, 20], vec![1.0, 9.0]),
    );
    let second = of(
        vec![0.1, 1.0],
        vec![vec![1.0, 1.0]],
        (vec![30, 10], vec![3.0, 2.0]),
    );
    let points = vec![
        PointStruct::new(1, first, payload()),
        PointStruct::new(2, second, payload()),
        PointStruct::new(3, NamedVectors::default(), payload()),
    ];
    let upsert = UpsertPointsBuilder::new(&collection, points).wait(true);
    client.upsert_points(upsert).await?;
    Ok(collection)
}

fn ids(points: Vec<qdrant_client::qdrant::ScoredPoint>) -> Vec<String> {
    points.into_iter().map(|point| id_text(point.id)).collect()
}
