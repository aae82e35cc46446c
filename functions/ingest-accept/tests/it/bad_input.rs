//! Bodies that are wrong, in every way we could think of: the right status, a message that names
//! the place, no panic, and no growth.

use std::io::Write;

use axum::{body::Body, http::Method};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::support::{Answer, World, collection, ingest_body, shared_qdrant, upsert_path};

/// Memory that a warm process may gain over hundreds of bad bodies: allocator slack, no leak.
const SLACK_BYTES: u64 = 16 << 20;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A request, and what must come back.
struct Case {
    name: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    status: u16,
    /// Parts of the message.
    says: Vec<&'static str>,
}

fn case(name: &'static str, body: impl Into<Vec<u8>>, status: u16, says: &[&'static str]) -> Case {
    Case {
        name,
        headers: vec![("content-type", "application/json")],
        body: body.into(),
        status,
        says: says.to_vec(),
    }
}

fn encoded(
    name: &'static str,
    encoding: &'static str,
    body: Vec<u8>,
    status: u16,
    says: &[&'static str],
) -> Case {
    let mut case = case(name, body, status, says);
    case.headers.push(("content-encoding", encoding));
    case
}

/// Bodies of the upsert route, whose collection has one vector of two dimensions.
fn cases() -> Vec<Case> {
    let deep = format!(
        "{{\"points\":[{{\"id\":1,\"vector\":[1,2],\"payload\":{{\"a\":{}",
        "[".repeat(1_000_000)
    );
    let deep_closed = format!("{deep}{}}}}}]}}", "]".repeat(1_000_000));
    let bomb = vec![b' '; 200 << 20];
    let broken_utf8 = [
        &br#"{"points":[{"id":1,"vector":[1,2],"payload":{"a":""#[..],
        &[0xff, 0xfe],
        br#""}}]}"#,
    ]
    .concat();
    let mut cases = vec![
        case("empty", "", 400, &["line 1 column 1"]),
        case(
            "truncated",
            r#"{"points":[{"id":1,"vector":[1,"#,
            400,
            &["line 1 column"],
        ),
        case(
            "truncated on a later line",
            "{\n \"points\": [\n  {",
            400,
            &["line 3 column"],
        ),
        case(
            "trailing",
            r#"{"points":[{"id":1,"vector":[1,2]}]} x"#,
            400,
            &["line 1 column 38"],
        ),
        case(
            "deep and truncated",
            deep,
            422,
            &["point 0", "payload", "nested deeper"],
        ),
        case(
            "deep and closed",
            deep_closed,
            422,
            &["point 0", "payload", "nested deeper"],
        ),
        case(
            "NaN",
            r#"{"points":[{"id":1,"vector":[NaN,2]}]}"#,
            400,
            &["line 1 column 30"],
        ),
        case(
            "infinity",
            r#"{"points":[{"id":1,"vector":[-Infinity,2]}]}"#,
            400,
            &["line 1 column"],
        ),
        case(
            "1e400",
            r#"{"points":[{"id":7,"vector":[1e400,2]}]}"#,
            400,
            &["number out of range", "line 1 column 30"],
        ),
        case(
            "1e400 in a payload",
            r#"{"points":[{"id":7,"vector":[1,2],"payload":{"a":1e400}}]}"#,
            400,
            &["number out of range", "line 1 column 50"],
        ),
        case("wrong UTF-8", broken_utf8, 400, &["line 1 column"]),
        case(
            "negative id",
            r#"{"points":[{"id":-1,"vector":[1,2]}]}"#,
            422,
            &["point 0", "id"],
        ),
        case(
            "id over 64 bits",
            r#"{"points":[{"id":18446744073709551616,"vector":[1,2]}]}"#,
            422,
            &["point 0", "id"],
        ),
        case(
            "id that is no UUID",
            r#"{"points":[{"id":"abc","vector":[1,2]}]}"#,
            422,
            &["point 0", "id"],
        ),
        case("no points", r#"{"points":[]}"#, 422, &["points"]),
        case("no field", "{}", 400, &["points"]),
        case("an array", "[]", 400, &["line 1 column 1"]),
        case(
            "duplicate field",
            r#"{"points":[{"id":1,"id":2,"vector":[1,2]}]}"#,
            400,
            &["id", "line 1 column"],
        ),
        case(
            "lengths differ",
            r#"{"batch":{"ids":[1,2],"vectors":[[1,2]]}}"#,
            422,
            &["vectors"],
        ),
        case(
            "wrong dimension",
            r#"{"points":[{"id":9,"vector":[1,2,3]}]}"#,
            422,
            &["point 0", "9", "vector"],
        ),
        encoded("gzip that is none", "gzip", b"{}".to_vec(), 400, &["gzip"]),
        encoded("zstd that is none", "zstd", b"{}".to_vec(), 400, &["zstd"]),
        encoded("gzip bomb", "gzip", gzip(&bomb), 413, &["33554432"]),
        encoded("zstd bomb", "zstd", zstd(&bomb), 413, &["33554432"]),
        encoded("unknown encoding", "br", b"{}".to_vec(), 415, &["br"]),
        encoded(
            "two encodings",
            "gzip, gzip",
            gzip(&gzip(b"{}")),
            415,
            &["gzip, gzip"],
        ),
        case("40 MiB", vec![b' '; 40 << 20], 413, &["33554432"]),
    ];
    let mut typed = case("unknown content type", "{}", 415, &["text/plain"]);
    typed.headers = vec![("content-type", "text/plain")];
    cases.push(typed);
    let mut untyped = case("no content type", "{}", 415, &["Content-Type"]);
    untyped.headers = Vec::new();
    cases.push(untyped);
    cases
}

async fn send(world: &World, path: &str, case: &Case) -> Answer {
    let body = Body::from(case.body.clone());
    let sent = world
        .http
        .send(Method::PUT, path, &case.headers, body)
        .await;
    sent.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

#[tokio::test]
async fn every_bad_body_is_refused_by_name_and_leaves_no_memory_behind() {
    let mut world = World::start().await;
    let path = upsert_path(&collection(shared_qdrant().await, 2).await);
    let cases = cases();
    let mut failures = Vec::new();
    for case in &cases {
        let answer = send(&world, &path, case).await;
        let message = answer.message();
        let says = case.says.iter().all(|part| message.contains(part));
        if answer.status != case.status || !says {
            failures.push(format!("{}: {} {message}", case.name, answer.status));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    let round = async || {
        for case in &cases {
            send(&world, &path, case).await;
        }
    };
    // An allocator keeps the largest bodies for a while: the most of some rounds, and the least of the last.
    let mut before = 0;
    for _ in 0..3 {
        round().await;
        before = before.max(world.process.usage().resident_bytes());
    }
    let mut after = u64::MAX;
    for number in 1..=10 {
        round().await;
        if number > 7 {
            after = after.min(world.process.usage().resident_bytes());
        }
    }
    println!(
        "resident: {before} bytes before, {after} after 10 rounds of {} bad bodies",
        cases.len()
    );
    assert!(
        after < before + SLACK_BYTES,
        "{before} bytes grew to {after}"
    );
    let held = "alioth_accept_held_body_bytes";
    world.assert_metric(held, |bytes| bytes == 0.0).await;
    assert!(world.process.is_running());
    assert!(world.drain_queue().await.is_empty());
}

#[tokio::test]
async fn the_alioth_route_names_places_in_fields_of_their_own() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 2).await;
    let answer = world
        .http
        .ingest("{\"collection_name\": \"a\",\n \"batch\": {]")
        .await;
    assert_eq!(answer.code(), (400, "not_json"));
    assert_eq!(answer.body["error"]["line"], 2);
    assert!(answer.body["error"]["column"].as_u64().unwrap() > 1);

    let mut body = ingest_body(&name, 3, 2);
    body["batch"]["ids"][2] = json!(true);
    let answer = world.http.ingest(body.to_string()).await;
    assert_eq!(answer.code(), (400, "wrong_form"));
    assert_eq!(answer.body["error"]["field"], "batch.ids[2]");

    let mut body = ingest_body(&name, 3, 2);
    body["batch"]["ids"][2] = json!(-5);
    let answer = world.http.ingest(body.to_string()).await;
    assert_eq!(answer.code(), (422, "invalid_point"), "{}", answer.text);
    assert_eq!(answer.body["error"]["point"]["index"], 2);

    for name in ["", "a/b"] {
        let answer = world.http.ingest(ingest_body(name, 1, 2).to_string()).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(
            answer.message().contains("collection_name"),
            "{}",
            answer.text
        );
    }
}
