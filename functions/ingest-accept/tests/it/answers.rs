//! The answer table, with everything up but what a row says is down.

use alioth_broker::{Broker, HeaderValue, Queue};
use alioth_testkit::{Qdrant, RabbitMq, unique_collection, wait_until};
use axum::{body::Body, http::Method};
use serde_json::json;

use crate::support::{
    Answer, CARRIES_LARGE_REPLIES, DEADLINE, HAS_METRICS, World, collection, create, ingest_body,
    shared_qdrant, upsert_body, upsert_path,
};

fn header<'a>(message: &'a crate::support::Message, name: &str) -> Option<&'a HeaderValue> {
    message.delivery.header(name)
}

#[tokio::test]
async fn a_confirmed_write_of_either_route_is_in_the_queue() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 4).await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", traceparent),
    ];
    let body = ingest_body(&name, 3, 4).to_string();
    let ingested = world
        .http
        .send(Method::POST, "/alioth/ingest", &headers, body)
        .await
        .unwrap();
    assert_eq!(ingested.status, 202, "{}", ingested.text);
    assert_eq!(ingested.body["points"], 3);
    let upserted = world
        .http
        .put(&upsert_path(&name), upsert_body(2, 4).to_string())
        .await;
    assert_eq!(upserted.status, 200, "{}", upserted.text);
    let result = json!({"operation_id": null, "status": "acknowledged"});
    assert_eq!(upserted.body["result"], result);

    let messages = world.drain_queue().await;
    assert_eq!(messages.len(), 2);
    for (message, points) in messages.iter().zip([3, 2]) {
        assert_eq!(message.delivery.kind, "qdrant.UpsertPoints");
        assert_eq!(message.delivery.content_type, "application/x-protobuf");
        assert_eq!(message.upsert.collection_name(), name);
        assert_eq!(message.upsert.points(), points);
        assert_eq!(
            header(message, "alioth-chunk"),
            Some(&HeaderValue::Text("1/1".to_owned()))
        );
        assert!(matches!(
            header(message, "alioth-accepted-at-ms"),
            Some(HeaderValue::Int(_))
        ));
    }
    assert_eq!(messages[0].delivery.message_id, ingested.body["ingest_id"]);
    let passed_on = HeaderValue::Text(traceparent.to_owned());
    assert_eq!(header(&messages[0], "traceparent"), Some(&passed_on));
    assert_eq!(header(&messages[1], "traceparent"), None);
    assert_eq!(
        upserted.headers["alioth-ingest-id"],
        messages[1].delivery.message_id.as_str()
    );
}

#[tokio::test]
async fn a_large_write_is_chunked_and_whole() {
    let world = World::start_with(&[("ALIOTH_ACCEPT_MESSAGE_LIMIT", "16KiB")]).await;
    let name = collection(shared_qdrant().await, 100).await;
    let answer = world
        .http
        .put(&upsert_path(&name), upsert_body(1_000, 100).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let messages = world.drain_queue().await;
    assert!(messages.len() > 20, "{} messages", messages.len());
    let points: usize = messages.iter().map(|message| message.upsert.points()).sum();
    assert_eq!(points, 1_000);
    for (index, message) in messages.iter().enumerate() {
        assert!(message.delivery.body.len() <= 16 * 1024);
        assert_eq!(message.delivery.message_id, messages[0].delivery.message_id);
        let chunk = HeaderValue::Text(format!("{}/{}", index + 1, messages.len()));
        assert_eq!(header(message, "alioth-chunk"), Some(&chunk));
    }
}

#[tokio::test]
async fn a_collection_created_a_moment_ago_takes_writes() {
    let world = World::start().await;
    let name = unique_collection("later");
    let body = ingest_body(&name, 1, 4).to_string();
    let answer = world.http.ingest(body.clone()).await;
    assert_eq!(answer.code(), (404, "collection_missing"));
    assert!(answer.message().contains(&name), "{}", answer.text);
    let answer = world
        .http
        .put(&upsert_path(&name), upsert_body(1, 4).to_string())
        .await;
    assert_eq!(answer.status, 404);
    assert!(
        answer
            .message()
            .contains(&format!("Collection `{name}` doesn't exist"))
    );

    create(shared_qdrant().await, &name, 4).await;
    assert_eq!(world.http.ingest(body).await.status, 202);
    assert_eq!(
        world
            .http
            .put(&upsert_path(&name), upsert_body(1, 4).to_string())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_point_that_does_not_fit_is_named() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 4).await;
    let mut body = ingest_body(&name, 3, 4);
    body["batch"]["vectors"][1] = json!([1, 2, 3]);
    let answer = world.http.ingest(body.to_string()).await;
    assert_eq!(answer.code(), (422, "invalid_point"), "{}", answer.text);
    assert_eq!(
        answer.body["error"]["point"],
        json!({"index": 1, "id": "1"})
    );

    let mut body = upsert_body(2, 4);
    body["points"][1]["vector"] = json!({"title": [1, 2, 3, 4]});
    let answer = world.http.put(&upsert_path(&name), body.to_string()).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.message().contains("point 1") && answer.message().contains("title"),
        "{}",
        answer.text
    );

    let mut body = ingest_body(&name, 3, 4);
    body["batch"]["ids"] = json!([1, 2]);
    let answer = world.http.ingest(body.to_string()).await;
    assert_eq!(answer.code(), (422, "invalid_point"), "{}", answer.text);
    assert!(world.drain_queue().await.is_empty());
}

#[tokio::test]
async fn a_full_queue_is_answered_with_429_until_there_is_room() {
    let world = World::start_with(&[("ALIOTH_AMQP_MAX_LENGTH", "3")]).await;
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    let refused = fill(&world, &body).await;
    assert_eq!(refused.code(), (429, "queue_full"));
    assert!(refused.retry_after_s().is_some_and(|seconds| seconds >= 1));
    let refused = world
        .http
        .put(&upsert_path(&name), upsert_body(1, 4).to_string())
        .await;
    assert_eq!(refused.status, 429);
    assert!(refused.retry_after_s().is_some());
    let refused = "alioth_accept_rejected_total{reason=\"queue_full\"}";
    world.assert_metric(refused, |count| count >= 2.0).await;

    let broker = world.broker();
    let mut consumer = broker.consume(Queue::Ingest, 100).await.unwrap();
    tokio::time::timeout(DEADLINE, consumer.next())
        .await
        .unwrap()
        .unwrap()
        .ack()
        .await
        .unwrap();
    wait_until(DEADLINE, || async {
        world.http.ingest(body.clone()).await.status == 202
    })
    .await;
    consumer.close().await;
    broker.close().await;
}

/// A quorum queue's bound is not exact: writes until it refuses.
async fn fill(world: &World, body: &str) -> Answer {
    for _ in 0..1_000 {
        let answer = world.http.ingest(body.to_owned()).await;
        if answer.status != 202 {
            return answer;
        }
    }
    panic!("the queue took a thousand messages");
}

#[tokio::test]
async fn while_qdrant_is_away_writes_are_taken_on_their_shape_alone() {
    let mut qdrant = Qdrant::start().await;
    let url = RabbitMq::shared().await.amqp_url();
    let name = collection(&qdrant, 4).await;
    qdrant.stop().await;
    let world = World::over(&url, &url, &qdrant, &[]).await;
    world.until_ready().await;
    // Of a dimension the collection does not have: only Qdrant knows.
    assert_eq!(
        world
            .http
            .ingest(ingest_body(&name, 1, 3).to_string())
            .await
            .status,
        202
    );
    assert_eq!(
        world
            .http
            .put(&upsert_path(&name), upsert_body(1, 3).to_string())
            .await
            .status,
        200
    );
    let unchecked = "alioth_accept_unchecked_writes_total";
    world.assert_metric(unchecked, |count| count == 2.0).await;
    let answer = world
        .http
        .ingest(json!({"collection_name": name}).to_string())
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);

    qdrant.start_again().await;
    wait_until(DEADLINE, || async {
        world
            .http
            .ingest(ingest_body(&name, 1, 3).to_string())
            .await
            .status
            == 422
    })
    .await;
}

#[tokio::test]
async fn keys_are_asked_for_and_rotate_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, "of-the-file\n").unwrap();
    let settings = [
        ("ALIOTH_API_KEYS", "configured,second"),
        ("ALIOTH_API_KEYS_FILE", file.to_str().unwrap()),
    ];
    let world = World::start_with(&settings).await;
    let name = collection(shared_qdrant().await, 4).await;
    let status = |key: Option<(&'static str, &'static str)>| {
        let body = ingest_body(&name, 1, 4).to_string();
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key);
        let http = world.http.clone();
        async move {
            let sent = http
                .send(Method::POST, "/alioth/ingest", &headers, body)
                .await;
            sent.unwrap().status
        }
    };
    assert_eq!(status(None).await, 401);
    assert_eq!(status(Some(("api-key", "wrong"))).await, 403);
    for key in ["configured", "second", "of-the-file"] {
        assert_eq!(status(Some(("api-key", key))).await, 202, "{key}");
    }
    assert_eq!(
        status(Some(("authorization", "Bearer configured"))).await,
        202
    );

    std::fs::write(&file, "new-in-the-file\n").unwrap();
    wait_until(DEADLINE, || async {
        status(Some(("api-key", "new-in-the-file"))).await == 202
    })
    .await;
    assert_eq!(status(Some(("api-key", "of-the-file"))).await, 403);
    assert_eq!(status(Some(("api-key", "configured"))).await, 202);
    let open = [
        "/",
        "/alioth/",
        "/livez",
        "/readyz",
        "/healthz",
        "/docs/",
        "/openapi.json",
    ];
    for path in open {
        let large = path == "/openapi.json";
        let method = if large && !CARRIES_LARGE_REPLIES {
            Method::HEAD
        } else {
            Method::GET
        };
        let answer = world.http.send(method, path, &[], Body::empty()).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let metrics = world.http.get("/metrics").await.status;
    assert_eq!(metrics, if HAS_METRICS { 200 } else { 404 });
}

#[tokio::test]
async fn the_index_says_what_qdrant_s_clients_look_for() {
    let world = World::start().await;
    for path in ["/", "/alioth/"] {
        let about = world.http.get(path).await.body;
        assert!(about["title"].as_str().unwrap().starts_with("Alioth"));
        let version: Vec<u32> = about["version"]
            .as_str()
            .unwrap()
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect();
        assert_eq!(version.len(), 3);
        assert_eq!(about["alioth_version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test]
async fn compressed_bodies_are_taken() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 100).await;
    let body = upsert_body(100, 100).to_string();
    for (encoding, bytes) in [
        ("gzip", crate::bad_input::gzip(body.as_bytes())),
        ("zstd", crate::bad_input::zstd(body.as_bytes())),
    ] {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        let sent = world
            .http
            .send(
                Method::PUT,
                &upsert_path(&name),
                &headers,
                Body::from(bytes),
            )
            .await;
        assert_eq!(sent.unwrap().status, 200, "{encoding}");
    }
    let messages = world.drain_queue().await;
    assert_eq!(messages[0].delivery.body, messages[1].delivery.body);
    assert_eq!(messages[0].upsert.points(), 100);
}

#[tokio::test]
async fn numbers_of_a_payload_keep_their_exactness() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 2).await;
    let body = r#"{"points":[{"id":18446744073709551615,"vector":[1,2],
        "payload":{"least":-9223372036854775808,"fine":0.1}}]}"#;
    let answer = world.http.put(&upsert_path(&name), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let message = world.drain_queue().await.remove(0);
    let id = message.upsert.ids().next().unwrap().unwrap();
    assert_eq!(id.to_string(), u64::MAX.to_string());
    let least = i64::MIN.cast_unsigned();
    assert!(contains(&message.delivery.body, &varint(least)));
    assert!(contains(&message.delivery.body, &0.1_f64.to_le_bytes()));
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}
