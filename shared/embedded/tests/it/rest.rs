//! The REST API, as the Python client and the functions use it.

use alioth_testkit::{Qdrant, unique_collection};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    http::{Rest, error_of},
    setup::Outcome,
};

#[tokio::test]
async fn the_node_says_which_version_it_speaks_and_that_it_is_well() -> Outcome {
    let qdrant = Qdrant::start().await;
    let rest = Rest::at(qdrant.rest_url());
    let (status, about) = rest.get("/").await?;
    assert_eq!(status, StatusCode::OK);
    assert!(
        about["title"]
            .as_str()
            .is_some_and(|title| title.contains("qdrant"))
    );
    assert_eq!(about["version"], "1.18.3");
    for (path, expected) in [
        ("/healthz", "healthz check passed"),
        ("/livez", "healthz check passed"),
        ("/readyz", "all shards are ready"),
    ] {
        let answer = rest.text(Method::GET, path, "".into()).await?;
        assert_eq!(answer, (StatusCode::OK, expected.to_owned()));
    }
    let (status, _) = rest.text(Method::GET, "/nowhere", "".into()).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn a_collection_lives_its_life_over_rest() -> Outcome {
    let qdrant = Qdrant::start().await;
    let rest = Rest::at(qdrant.rest_url());
    let path = format!("/collections/{}", unique_collection("rest"));
    let (_, exists) = rest.get(&format!("{path}/exists")).await?;
    assert_eq!(exists["result"], json!({"exists": false}));

    let vectors = json!({"vectors": {"size": 2, "distance": "Dot"}});
    let (status, created) = rest.put(&path, &vectors).await?;
    assert_eq!((status, &created["result"]), (StatusCode::OK, &json!(true)));
    assert_eq!(created["status"], "ok");
    assert!(created["time"].is_f64());
    let (status, again) = rest.put(&path, &vectors).await?;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(error_of(&again).ends_with("already exists!"));

    let (_, exists) = rest.get(&format!("{path}/exists")).await?;
    assert_eq!(exists["result"], json!({"exists": true}));
    let (_, listed) = rest.get("/collections").await?;
    assert_eq!(
        listed["result"]["collections"].as_array().map(Vec::len),
        Some(1)
    );
    let (_, info) = rest.get(&path).await?;
    assert_eq!(info["result"]["status"], "green");
    assert_eq!(info["result"]["points_count"], 0);
    assert_eq!(
        info["result"]["config"],
        json!({
            "params": {
                "vectors": {"size": 2, "distance": "Dot"},
                "shard_number": 1,
                "replication_factor": 1,
                "write_consistency_factor": 1,
                "on_disk_payload": true,
            },
            "hnsw_config": {
                "m": 16,
                "ef_construct": 100,
                "full_scan_threshold": 10_000,
                "max_indexing_threads": 0,
                "on_disk": false,
            },
            "optimizer_config": info["result"]["config"]["optimizer_config"],
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1},
            "quantization_config": null,
        })
    );

    let (_, deleted) = rest.delete(&path).await?;
    assert_eq!(deleted["result"], true);
    let (_, deleted) = rest.delete(&path).await?;
    assert_eq!(deleted["result"], false);
    let (status, missing) = rest.get(&path).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let name = path.trim_start_matches("/collections/");
    let expected = format!("Not found: Collection `{name}` doesn't exist!");
    assert_eq!(error_of(&missing), expected);
    Ok(())
}

#[tokio::test]
async fn points_are_written_as_a_list_and_in_columns() -> Outcome {
    let (_qdrant, rest, points) = plain(2).await?;
    let put = format!("{points}?wait=true");
    let list = json!({"points": [
        {"id": 1, "vector": [1.0, 0.0], "payload": {"title": "Alien", "highest": u64::MAX}},
        {"id": "550e8400-e29b-41d4-a716-446655440000", "vector": [0.0, 1.0]},
    ]});
    let (status, answer) = rest.put(&put, &list).await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["result"]["status"], "completed");
    assert!(answer["result"]["operation_id"].is_u64());

    let columns = json!({"batch": {
        "ids": [3, 4],
        "vectors": [[1.0, 1.0], [2.0, 2.0]],
        "payloads": [{"title": "Ran"}, null],
    }});
    let (_, answer) = rest.put(&points, &columns).await?;
    assert_eq!(answer["result"]["status"], "acknowledged");
    let filtered = json!({
        "points": [{"id": 1, "vector": [5.0, 5.0]}, {"id": 5, "vector": [5.0, 5.0]}],
        "update_mode": "insert_only",
    });
    rest.put(&put, &filtered).await?;

    let scroll = json!({"limit": 10, "with_vector": true});
    let (_, page) = rest.post(&format!("{points}/scroll"), &scroll).await?;
    assert_eq!(
        page["result"],
        json!({
            "points": [
                {"id": 1, "payload": {"title": "Alien", "highest": u64::MAX}, "vector": [1.0, 0.0]},
                {"id": 3, "payload": {"title": "Ran"}, "vector": [1.0, 1.0]},
                {"id": 4, "payload": {}, "vector": [2.0, 2.0]},
                {"id": 5, "payload": {}, "vector": [5.0, 5.0]},
                {"id": "550e8400-e29b-41d4-a716-446655440000", "payload": {}, "vector": [0.0, 1.0]},
            ],
            "next_page_offset": null,
        })
    );
    Ok(())
}

#[tokio::test]
async fn named_vectors_are_written_in_columns() -> Outcome {
    let qdrant = Qdrant::start().await;
    let rest = Rest::at(qdrant.rest_url());
    let path = format!("/collections/{}", unique_collection("named"));
    let vectors = json!({
        "vectors": {
            "dense": {"size": 2, "distance": "Dot"},
            "multi": {
                "size": 1,
                "distance": "Dot",
                "multivector_config": {"comparator": "max_sim"},
            },
        },
        "sparse_vectors": {"words": {}},
    });
    rest.put(&path, &vectors).await?;
    let columns = json!({"batch": {
        "ids": [1, 2],
        "vectors": {
            "dense": [[1.0, 2.0], [3.0, 4.0]],
            "multi": [[[1.0], [2.0]], [[3.0]]],
            "words": [
                {"indices": [5, 2], "values": [0.5, 0.2]},
                {"indices": [], "values": []},
            ],
        },
    }});
    let (status, answer) = rest
        .put(&format!("{path}/points?wait=true"), &columns)
        .await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, found) = rest.get(&format!("{path}/points/1")).await?;
    assert_eq!(
        found["result"]["vector"],
        json!({
            "dense": [1.0, 2.0],
            "multi": [[1.0], [2.0]],
            "words": {"indices": [2, 5], "values": [0.2, 0.5]},
        })
    );
    let query = json!({"query": {"indices": [5], "values": [2.0]}, "using": "words"});
    let (_, found) = rest.post(&format!("{path}/points/query"), &query).await?;
    assert_eq!(found["result"]["points"][0]["id"], 1);
    assert_eq!(found["result"]["points"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn points_are_read_queried_counted_and_deleted() -> Outcome {
    let (_qdrant, rest, points) = plain(2).await?;
    let films: Vec<Value> = (0..6)
        .map(|id| json!({"id": id, "vector": [id, 1], "payload": {"even": id % 2 == 0}}))
        .collect();
    rest.put(&format!("{points}?wait=true"), &json!({"points": films}))
        .await?;

    let (_, found) = rest.post(&points, &json!({"ids": [1, 77]})).await?;
    assert_eq!(found["result"], json!([{"id": 1}]));
    let more = json!({"ids": [1], "with_payload": true, "with_vectors": true});
    let (_, found) = rest.post(&points, &more).await?;
    let expected = json!([{"id": 1, "payload": {"even": false}, "vector": [1.0, 1.0]}]);
    assert_eq!(found["result"], expected);
    let (status, missing) = rest.get(&format!("{points}/77")).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        error_of(&missing),
        "Not found: Point with id 77 does not exists!"
    );

    let query = format!("{points}/query");
    let even = json!({"must": [{"key": "even", "match": {"value": true}}]});
    let nearest = json!({
        "query": [1.0, 0.0],
        "filter": even,
        "limit": 2,
        "offset": 1,
        "with_payload": ["even"],
        "score_threshold": 1.5,
    });
    let (_, found) = rest.post(&query, &nearest).await?;
    let point = &found["result"]["points"][0];
    assert_eq!((&point["id"], &point["score"]), (&json!(2), &json!(2.0)));
    assert_eq!(point["payload"], json!({"even": true}));
    assert_eq!(found["result"]["points"].as_array().map(Vec::len), Some(1));
    for by_id in [
        json!({"query": 5, "limit": 1}),
        json!({"query": {"nearest": 5}, "limit": 1}),
    ] {
        let (_, found) = rest.post(&query, &by_id).await?;
        assert_eq!(found["result"]["points"][0]["id"], 4);
    }
    let batch = json!({"searches": [{"query": [1.0, 0.0], "limit": 1}, {"limit": 1}]});
    let (_, found) = rest.post(&format!("{query}/batch"), &batch).await?;
    assert_eq!(found["result"][0]["points"][0]["id"], 5);
    assert_eq!(found["result"][1]["points"][0]["id"], 0);

    let count = format!("{points}/count");
    let (_, counted) = rest.post(&count, &json!({"filter": even})).await?;
    assert_eq!(counted["result"], json!({"count": 3}));
    let delete = format!("{points}/delete?wait=true");
    let (_, deleted) = rest.post(&delete, &json!({"points": [0, 99]})).await?;
    assert_eq!(deleted["result"]["status"], "completed");
    rest.post(&delete, &json!({"filter": even})).await?;
    let (_, counted) = rest.post(&count, &json!({})).await?;
    assert_eq!(counted["result"], json!({"count": 3}));
    Ok(())
}

#[tokio::test]
async fn indexes_are_created_described_and_dropped() -> Outcome {
    let (_qdrant, rest, points) = plain(1).await?;
    let collection = points.trim_end_matches("/points").to_owned();
    let index = format!("{collection}/index");
    let keyword = json!({"field_name": "studio.name", "field_schema": "keyword"});
    let (status, _) = rest.put(&format!("{index}?wait=true"), &keyword).await?;
    assert_eq!(status, StatusCode::OK);
    let text = json!({"type": "text", "tokenizer": "word", "lowercase": true});
    let text = json!({"field_name": "plot", "field_schema": text});
    rest.put(&format!("{index}?wait=true"), &text).await?;
    let (_, info) = rest.get(&collection).await?;
    let schema = &info["result"]["payload_schema"];
    assert_eq!(
        schema["studio.name"],
        json!({"data_type": "keyword", "points": 0})
    );
    assert_eq!(schema["plot"]["params"]["tokenizer"], "word");

    rest.delete(&format!("{index}/plot?wait=true")).await?;
    let (_, info) = rest.get(&collection).await?;
    let schema = info["result"]["payload_schema"].as_object();
    assert_eq!(schema.map(serde_json::Map::len), Some(1));
    let (status, refused) = rest.put(&index, &json!({"field_name": "year"})).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let expected =
        "Bad request: Can't auto-detect field type, please specify `field_schema` in the request";
    assert_eq!(error_of(&refused), expected);
    Ok(())
}

#[tokio::test]
async fn bad_requests_get_qdrants_status_and_words() -> Outcome {
    let (_qdrant, rest, points) = plain(4).await?;
    let one = |vector: Value| json!({"points": [{"id": 1, "vector": vector}]});
    let query = format!("{points}/query");
    let scroll = format!("{points}/scroll");
    let delete = format!("{points}/delete");
    let sparse = json!({"": {"indices": [1], "values": [1.0]}});
    let put = Method::PUT;
    let post = Method::POST;
    let cases: Vec<(&Method, &str, Value, u16, &str)> = vec![
        (
            &put,
            &points,
            one(json!([1, 2, 3])),
            400,
            "Wrong input: Vector dimension error: expected dim: 4, got 3",
        ),
        (
            &put,
            &points,
            one(json!([])),
            422,
            "Validation error in JSON body: [",
        ),
        (
            &put,
            &points,
            json!({"points": []}),
            400,
            "Bad request: Empty update request",
        ),
        (&put, &points, json!({}), 400, "Format error in JSON body: "),
        (
            &put,
            &points,
            json!({"points": [{"id": -3, "vector": [1, 2, 3, 4]}]}),
            400,
            "Format error in JSON body: value -3 is not a valid point ID, valid values are either an unsigned integer or a UUID",
        ),
        (
            &put,
            &points,
            json!({"points": [{"id": "zz", "vector": [1, 2, 3, 4]}]}),
            400,
            "Format error in JSON body: value zz is not a valid point ID",
        ),
        (
            &put,
            &points,
            json!({"points": [{"id": 1, "vector": ["a"]}]}),
            400,
            "Format error in JSON body: ",
        ),
        (
            &put,
            &points,
            json!({"batch": {"ids": [1, 2], "vectors": [[1, 2, 3, 4]]}}),
            422,
            "Validation error in JSON body: [batch",
        ),
        (
            &put,
            &points,
            json!({"batch": {"ids": [1], "vectors": [[1, 2, 3, 4]], "payloads": [null, {}]}}),
            422,
            "Validation error in JSON body: [batch",
        ),
        (
            &post,
            &query,
            json!({"query": [1, 2, 3]}),
            400,
            "Wrong input: Vector dimension error: expected dim: 4, got 3",
        ),
        (
            &post,
            &query,
            json!({"query": [1, 2, 3, 4], "using": "x"}),
            400,
            "Wrong input: Not existing vector name error: x",
        ),
        (
            &post,
            &query,
            json!({"query": 99}),
            404,
            "Not found: No point with id 99 found",
        ),
        (
            &post,
            &query,
            json!({"query": [1, 2, 3, 4], "limit": 0}),
            422,
            "Validation error in ",
        ),
        (
            &post,
            &query,
            json!({"query": {"nothing": "known"}}),
            400,
            "Format error in JSON body: ",
        ),
        (
            &post,
            &scroll,
            json!({"limit": 0}),
            422,
            "Validation error in ",
        ),
        (
            &post,
            &scroll,
            json!({"order_by": "year"}),
            400,
            "Wrong input: No range index for `order_by` key: `year`.",
        ),
        (
            &post,
            &scroll,
            json!({"filter": {"mist": []}}),
            400,
            "Format error in JSON body: unknown field `mist`",
        ),
        (
            &post,
            &delete,
            json!({"points": []}),
            400,
            "Bad request: Empty update request",
        ),
        (
            &post,
            &delete,
            json!({}),
            400,
            "Format error in JSON body: ",
        ),
    ];
    for (method, path, body, status, message) in cases {
        let path = format!("{path}?wait=true");
        let (answered, answer) = rest
            .json(method.clone(), &path, body.to_string().into())
            .await?;
        assert_eq!(answered.as_u16(), status, "{body}: {answer}");
        assert!(error_of(&answer).starts_with(message), "{body}: {answer}");
        assert!(answer["time"].is_number());
    }
    let sparse = one(sparse);
    let (status, answer) = rest.put(&format!("{points}?wait=true"), &sparse).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let expected = "Wrong input: Conversion between sparse and regular vectors failed";
    assert_eq!(error_of(&answer), expected);

    let (status, answer) = rest.json(put, &points, "{\"points\":".into()).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let expected = "Format error in JSON body: EOF while parsing a value at line 1 column 10";
    assert_eq!(error_of(&answer), expected);
    let (status, answer) = rest.get(&format!("{points}/zz")).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        error_of(&answer),
        "Wrong input: Can not recognize \"zz\" as point id"
    );
    Ok(())
}

#[tokio::test]
async fn impossible_collections_get_qdrants_status() -> Outcome {
    let qdrant = Qdrant::start().await;
    let rest = Rest::at(qdrant.rest_url());
    let cases = [
        (
            "zero",
            json!({"vectors": {"size": 0, "distance": "Dot"}}),
            400,
        ),
        (
            "vast",
            json!({"vectors": {"size": 70_000, "distance": "Dot"}}),
            422,
        ),
        (
            "what",
            json!({"vectors": {"size": 4, "distance": "Far"}}),
            400,
        ),
        (
            "a%2Fb",
            json!({"vectors": {"size": 4, "distance": "Dot"}}),
            422,
        ),
        (
            "hnsw",
            json!({"vectors": {}, "hnsw_config": {"ef_construct": 1}}),
            422,
        ),
        (
            "twice",
            json!({"vectors": {"x": {"size": 4, "distance": "Dot"}}, "sparse_vectors": {"x": {}}}),
            400,
        ),
    ];
    for (name, body, status) in cases {
        let (answered, answer) = rest.put(&format!("/collections/{name}"), &body).await?;
        assert_eq!(answered.as_u16(), status, "{answer}");
        assert!(!error_of(&answer).is_empty());
    }
    let (_, listed) = rest.get("/collections").await?;
    assert_eq!(listed["result"]["collections"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_body_over_32_mebibytes_is_refused() -> Outcome {
    let (_qdrant, rest, points) = plain(1).await?;
    let long = "x".repeat(33 * 1024 * 1024);
    let body = json!({"points": [{"id": 1, "vector": [1], "payload": {"long": long}}]});
    let (status, answer) = rest.put(&points, &body).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        error_of(&answer).contains("larger than allowed"),
        "{answer}"
    );
    Ok(())
}

#[tokio::test]
async fn collection_names_are_percent_encoded() -> Outcome {
    let qdrant = Qdrant::start().await;
    let rest = Rest::at(qdrant.rest_url());
    let vectors = json!({"vectors": {"size": 1, "distance": "Dot"}});
    for (encoded, name) in [("b%C3%BCcher%20%26%20%2E%2E", "bücher & .."), ("%2E", ".")] {
        let (status, answer) = rest
            .put(&format!("/collections/{encoded}"), &vectors)
            .await?;
        // A real server, whose collections are directories of their name, may refuse.
        if !qdrant.is_embedded() && status != StatusCode::OK {
            continue;
        }
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert!(qdrant.client().collection_exists(name).await?);
        qdrant.client().delete_collection(name).await?;
    }
    Ok(())
}

/// A collection of plain vectors and the path of its points.
async fn plain(size: u64) -> anyhow::Result<(Qdrant, Rest, String)> {
    let qdrant = Qdrant::start().await;
    let rest = Rest::at(qdrant.rest_url());
    let path = format!("/collections/{}", unique_collection("rest"));
    let vectors = json!({"vectors": {"size": size, "distance": "Dot"}});
    rest.put(&path, &vectors).await?;
    Ok((qdrant, rest, format!("{path}/points")))
}
