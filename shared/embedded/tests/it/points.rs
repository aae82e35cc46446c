//! Points: upserted, read, counted, deleted; over gRPC.

use std::collections::HashMap;

use alioth_testkit::{unique_collection, wait_until};
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DeletePointsBuilder, DenseVectorBuilder, Direction, Distance, FieldType, Filter,
    GetPointsBuilder, MultiDenseVector, MultiVectorComparator, MultiVectorConfigBuilder,
    NamedVectors, OrderByBuilder, PointId, PointStruct, PointsIdsList, Range, ScrollPointsBuilder,
    SparseVectorBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpdateMode,
    UpdateStatus, UpsertPointsBuilder, Vector, VectorParamsBuilder, VectorsConfigBuilder,
    vector_output, vectors_output::VectorsOptions,
};
use serde_json::json;
use std::time::Duration;

use crate::setup::{
    Outcome, Plain, id_text, ids, json_of, no_payload, numbered, payload_of, point,
};

#[tokio::test]
async fn an_upserted_point_is_read_back_as_it_was_sent() -> Outcome {
    let plain = Plain::new(3, Distance::Dot).await?;
    let payload = json!({
        "title": "Die Büchse der Pandora",
        "year": 1929,
        "lowest": i64::MIN,
        "highest": i64::MAX,
        "rating": 7.8,
        "tiny": 5e-324,
        "third": 0.1,
        "silent": true,
        "cast": ["Louise Brooks", null, 3, [1.5]],
        "studio": {"name": "Nero-Film", "founded": {"year": 1925}},
        "nothing": null,
        "": "an empty name",
        "dotted.name": 1,
    });
    let vector = vec![0.1, -2.5e-7, 3.4e38];
    plain
        .upsert(vec![point(7, vector.clone(), payload.clone())])
        .await?;

    let get = GetPointsBuilder::new(&plain.collection, vec![7.into()])
        .with_payload(true)
        .with_vectors(true);
    let found = plain.client.get_points(get).await?.result;
    let [found] = <[_; 1]>::try_from(found).expect("one point");
    assert_eq!(id_text(found.id.clone()), "7");
    assert_eq!(json_of(found.payload), payload);
    let Some(VectorsOptions::Vector(read)) =
        found.vectors.and_then(|vectors| vectors.vectors_options)
    else {
        panic!("no plain vector");
    };
    let vector_output::Vector::Dense(read) = read.into_vector() else {
        panic!("not a dense vector");
    };
    assert_eq!(read.data, vector);
    Ok(())
}

#[tokio::test]
async fn every_kind_of_vector_is_read_back_as_it_was_sent() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let collection = unique_collection("kinds");
    let mut vectors = VectorsConfigBuilder::default();
    vectors
        .add_named_vector_params("dense", VectorParamsBuilder::new(2, Distance::Euclid))
        .add_named_vector_params(
            "multi",
            VectorParamsBuilder::new(2, Distance::Dot)
                .multivector_config(MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim)),
        );
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params("sparse", SparseVectorParamsBuilder::default());
    let create = CreateCollectionBuilder::new(&collection)
        .vectors_config(vectors)
        .sparse_vectors_config(sparse);
    plain.client.create_collection(create).await?;

    let multi = MultiDenseVector {
        vectors: vec![
            DenseVectorBuilder::new(vec![1.0, 2.0]).build(),
            DenseVectorBuilder::new(vec![3.0, 4.0]).build(),
        ],
    };
    // Sparse indices in any order; they are stored in theirs.
    let words = SparseVectorBuilder::new(vec![900, 7, 1_000_000_007], vec![0.9, 0.7, 1.5]);
    let named = NamedVectors::from(HashMap::from([
        (
            "dense".to_owned(),
            Vector::from(DenseVectorBuilder::new(vec![0.5, -0.5])),
        ),
        ("multi".to_owned(), Vector::from(multi)),
        ("sparse".to_owned(), Vector::from(words)),
    ]));
    let points = vec![
        PointStruct::new(1, named, payload_of(no_payload())),
        PointStruct::new(2, NamedVectors::default(), payload_of(no_payload())),
        PointStruct::new(
            3,
            HashMap::from([("dense".to_owned(), vec![1.0_f32, 1.0])]),
            payload_of(no_payload()),
        ),
    ];
    let upsert = UpsertPointsBuilder::new(&collection, points).wait(true);
    plain.client.upsert_points(upsert).await?;

    let get =
        GetPointsBuilder::new(&collection, vec![1.into(), 2.into(), 3.into()]).with_vectors(true);
    let found = plain.client.get_points(get).await?.result;
    let mut read: HashMap<String, HashMap<String, vector_output::Vector>> = HashMap::new();
    for point in found {
        let vectors = match point.vectors.and_then(|vectors| vectors.vectors_options) {
            Some(VectorsOptions::Vectors(named)) => named.vectors,
            None => HashMap::new(),
            Some(VectorsOptions::Vector(vector)) => panic!("an unnamed vector: {vector:?}"),
        };
        let vectors = vectors
            .into_iter()
            .map(|(name, vector)| (name, vector.into_vector()));
        read.insert(id_text(point.id), vectors.collect());
    }
    let vector_output::Vector::Dense(dense) = &read["1"]["dense"] else {
        panic!("not dense");
    };
    assert_eq!(dense.data, [0.5, -0.5]);
    let vector_output::Vector::MultiDense(multi) = &read["1"]["multi"] else {
        panic!("not multi");
    };
    assert_eq!(multi.vectors.len(), 2);
    assert_eq!(multi.vectors[1].data, [3.0, 4.0]);
    let vector_output::Vector::Sparse(sparse) = &read["1"]["sparse"] else {
        panic!("not sparse");
    };
    assert_eq!(sparse.indices, [7, 900, 1_000_000_007]);
    assert_eq!(sparse.values, [0.7, 0.9, 1.5]);
    assert!(read["2"].is_empty());
    assert_eq!(read["3"].len(), 1);
    Ok(())
}

#[tokio::test]
async fn every_form_of_an_id_names_the_same_point() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let forms = [
        "550e8400-e29b-41d4-a716-446655440000",
        "550e8400e29b41d4a716446655440000",
        "{550E8400-E29B-41D4-A716-446655440000}",
        "urn:uuid:550e8400-e29b-41d4-a716-446655440000",
    ];
    for form in forms {
        let point = PointStruct::new(form.to_owned(), vec![1.0], payload_of(no_payload()));
        plain.upsert(vec![point]).await?;
    }
    plain
        .upsert(vec![point(u64::MAX, vec![1.0], no_payload())])
        .await?;
    plain
        .upsert(vec![point(0, vec![1.0], no_payload())])
        .await?;
    let found = ids(&plain.client, &plain.collection).await?;
    assert_eq!(found, ["0", &u64::MAX.to_string(), forms[0]]);
    Ok(())
}

#[tokio::test]
async fn an_upsert_replaces_vector_and_payload_whole() -> Outcome {
    let plain = Plain::new(2, Distance::Dot).await?;
    let first = json!({"title": "one", "year": 1});
    plain.upsert(vec![point(1, vec![1.0, 1.0], first)]).await?;
    plain
        .upsert(vec![point(1, vec![2.0, 2.0], json!({"title": "two"}))])
        .await?;
    assert_eq!(plain.count().await?, 1);
    let get = || GetPointsBuilder::new(&plain.collection, vec![1.into()]).with_payload(true);
    let found = plain.client.get_points(get()).await?.result;
    assert_eq!(json_of(found[0].payload.clone()), json!({"title": "two"}));

    plain
        .upsert(vec![point(1, vec![3.0, 3.0], no_payload())])
        .await?;
    let found = plain.client.get_points(get()).await?.result;
    assert_eq!(json_of(found[0].payload.clone()), json!({}));
    Ok(())
}

#[tokio::test]
async fn of_a_point_twice_in_one_upsert_the_last_stays() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let points = (0..5).map(|turn| point(1, vec![turn as f32], json!({"turn": turn})));
    plain.upsert(points.collect()).await?;
    assert_eq!(plain.count().await?, 1);
    let get = GetPointsBuilder::new(&plain.collection, vec![1.into()]).with_payload(true);
    let found = plain.client.get_points(get).await?.result;
    assert_eq!(json_of(found[0].payload.clone()), json!({"turn": 4}));

    // As a server, which the client's own default leaves to itself.
    let unasked = GetPointsBuilder::new(&plain.collection, vec![1.into()]);
    let found = plain.client.get_points(unasked).await?.result;
    assert!(found[0].payload.is_empty());
    Ok(())
}

#[tokio::test]
async fn update_filter_spares_newer_points_and_inserts_absent_ones() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let version = |id: u64, version: i64| point(id, vec![1.0], json!({"version": version}));
    plain.upsert(vec![version(1, 5), version(2, 1)]).await?;
    let older = Range {
        lt: Some(3.0),
        ..Range::default()
    };
    let filter = Filter::must([Condition::range("version", older)]);
    let points = vec![version(1, 3), version(2, 3), version(3, 3)];
    let upsert = UpsertPointsBuilder::new(&plain.collection, points)
        .update_filter(filter)
        .wait(true);
    plain.client.upsert_points(upsert).await?;
    assert_eq!(
        versions(&plain).await?,
        [("1", 5), ("2", 3), ("3", 3)].map(owned)
    );
    Ok(())
}

#[tokio::test]
async fn update_mode_only_inserts_or_only_updates() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let version = |id: u64, version: i64| point(id, vec![1.0], json!({"version": version}));
    plain.upsert(vec![version(1, 1)]).await?;
    let upsert = |mode: UpdateMode, points| {
        let upsert = UpsertPointsBuilder::new(&plain.collection, points);
        plain
            .client
            .upsert_points(upsert.update_mode(mode).wait(true))
    };
    upsert(UpdateMode::InsertOnly, vec![version(1, 2), version(2, 2)]).await?;
    assert_eq!(versions(&plain).await?, [("1", 1), ("2", 2)].map(owned));
    upsert(UpdateMode::UpdateOnly, vec![version(1, 3), version(3, 3)]).await?;
    assert_eq!(versions(&plain).await?, [("1", 3), ("2", 2)].map(owned));
    upsert(UpdateMode::Upsert, vec![version(2, 4), version(3, 4)]).await?;
    assert_eq!(
        versions(&plain).await?,
        [("1", 3), ("2", 4), ("3", 4)].map(owned)
    );
    Ok(())
}

#[tokio::test]
async fn who_waits_is_told_completed_and_others_acknowledged() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let status = async |wait: Option<bool>, id: u64| -> anyhow::Result<UpdateStatus> {
        let points = vec![point(id, vec![1.0], no_payload())];
        let mut upsert = UpsertPointsBuilder::new(&plain.collection, points);
        if let Some(wait) = wait {
            upsert = upsert.wait(wait);
        }
        let answer = plain.client.upsert_points(upsert).await?;
        let result = answer.result.expect("a result");
        assert!(result.operation_id.is_some());
        Ok(result.status())
    };
    assert_eq!(status(Some(true), 1).await?, UpdateStatus::Completed);
    assert_eq!(status(Some(false), 2).await?, UpdateStatus::Acknowledged);
    assert_eq!(status(None, 3).await?, UpdateStatus::Acknowledged);
    wait_until(Duration::from_secs(10), || async {
        plain.count().await.is_ok_and(|count| count == 3)
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn points_are_deleted_by_id_and_by_filter() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let points = (1..=10).map(|id| point(id, vec![1.0], json!({"even": id % 2 == 0})));
    plain.upsert(points.collect()).await?;

    let list = PointsIdsList {
        ids: vec![1.into(), 2.into(), 99.into()],
    };
    let delete = DeletePointsBuilder::new(&plain.collection)
        .points(list)
        .wait(true);
    let answer = plain.client.delete_points(delete).await?;
    assert_eq!(
        answer.result.map(|result| result.status()),
        Some(UpdateStatus::Completed)
    );
    assert_eq!(plain.count().await?, 8);

    let even = Filter::must([Condition::matches("even", true)]);
    let delete = DeletePointsBuilder::new(&plain.collection)
        .points(even)
        .wait(true);
    plain.client.delete_points(delete).await?;
    let left = ids(&plain.client, &plain.collection).await?;
    assert_eq!(left, ["3", "5", "7", "9"]);
    Ok(())
}

#[tokio::test]
async fn counts_are_exact_with_and_without_a_filter() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let points = (0..100).map(|id| point(id, vec![1.0], json!({"third": id % 3})));
    plain.upsert(points.collect()).await?;
    let count = |filter: Option<Filter>, exact: bool| {
        let count = CountPointsBuilder::new(&plain.collection).exact(exact);
        plain.client.count(match filter {
            Some(filter) => count.filter(filter),
            None => count,
        })
    };
    let zero = Filter::must([Condition::matches("third", 0)]);
    let exact = count(Some(zero), true)
        .await?
        .result
        .map(|result| result.count);
    assert_eq!(exact, Some(34));
    let roughly = count(None, false).await?.result.map(|result| result.count);
    assert_eq!(roughly, Some(100));
    Ok(())
}

#[tokio::test]
async fn scroll_pages_through_every_point_once() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let points = (0..25).map(|id| point(id, vec![1.0], json!({"even": id % 2 == 0})));
    plain.upsert(points.collect()).await?;
    let even = Filter::must([Condition::matches("even", true)]);
    let mut seen = Vec::new();
    let mut offset: Option<PointId> = None;
    loop {
        let mut scroll = ScrollPointsBuilder::new(&plain.collection)
            .filter(even.clone())
            .limit(5);
        if let Some(offset) = offset {
            scroll = scroll.offset(offset);
        }
        let page = plain.client.scroll(scroll).await?;
        assert!(page.result.len() <= 5);
        seen.extend(page.result.into_iter().map(|point| id_text(point.id)));
        offset = page.next_page_offset;
        if offset.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..25).step_by(2).map(|id| id.to_string()).collect();
    assert_eq!(seen, expected);

    let default = ScrollPointsBuilder::new(&plain.collection);
    let page = plain.client.scroll(default).await?;
    assert_eq!(page.result.len(), 10);
    assert_eq!(
        json_of(page.result[1].payload.clone()),
        json!({"even": false})
    );
    Ok(())
}

#[tokio::test]
async fn scroll_orders_by_an_indexed_value() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    let year =
        CreateFieldIndexCollectionBuilder::new(&plain.collection, "year", FieldType::Integer);
    plain.client.create_field_index(year.wait(true)).await?;
    let years = [1979, 1929, 2001, 1954];
    let points = (0_u64..).zip(years);
    let points = points.map(|(id, year)| point(id, vec![1.0], json!({"year": year})));
    plain.upsert(points.collect()).await?;
    let order = OrderByBuilder::new("year").direction(Direction::Desc.into());
    let scroll = ScrollPointsBuilder::new(&plain.collection)
        .order_by(order)
        .limit(3);
    let page = plain.client.scroll(scroll).await?;
    let order: Vec<_> = page
        .result
        .into_iter()
        .map(|point| id_text(point.id))
        .collect();
    assert_eq!(order, ["2", "0", "3"]);
    Ok(())
}

#[tokio::test]
async fn points_not_there_are_left_out_of_a_read() -> Outcome {
    let plain = Plain::new(1, Distance::Dot).await?;
    plain
        .upsert(vec![point(2, vec![1.0], json!({"here": true}))])
        .await?;
    let get = GetPointsBuilder::new(&plain.collection, vec![1.into(), 2.into()]);
    let found = plain.client.get_points(get).await?.result;
    assert_eq!(found.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_large_write_is_one_request() -> Outcome {
    let plain = Plain::new(384, Distance::Cosine).await?;
    // About 12 MB: three times the limit a gRPC server has unless it is raised.
    let points = (0..8000).map(|id| point(id, numbered(id, 384), no_payload()));
    plain.upsert(points.collect()).await?;
    assert_eq!(plain.count().await?, 8000);
    Ok(())
}

#[tokio::test]
async fn writers_at_once_lose_nothing() -> Outcome {
    let plain = Plain::new(8, Distance::Dot).await?;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8_u64 {
        let client = plain.qdrant.client();
        let collection = plain.collection.clone();
        writers.spawn(async move {
            for turn in 0..10_u64 {
                let first = (writer * 10 + turn) * 20;
                let points = (first..first + 20).map(|id| point(id, numbered(id, 8), no_payload()));
                let points: Vec<_> = points.collect();
                let upsert = UpsertPointsBuilder::new(&collection, points).wait(true);
                client.upsert_points(upsert).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(written) = writers.join_next().await {
        written??;
    }
    assert_eq!(plain.count().await?, 1600);
    Ok(())
}

async fn versions(plain: &Plain) -> anyhow::Result<Vec<(String, i64)>> {
    let scroll = ScrollPointsBuilder::new(&plain.collection).with_payload(true);
    let points = plain.client.scroll(scroll).await?.result;
    let version = |payload| json_of(payload)["version"].as_i64().unwrap_or_default();
    let points = points.into_iter();
    Ok(points
        .map(|point| (id_text(point.id), version(point.payload)))
        .collect())
}

fn owned((id, version): (&str, i64)) -> (String, i64) {
    (id.to_owned(), version)
}
