//! Events of every kind, after the forms AWS documents, and hostile ones, become the requests they were.

use super::*;
use axum::body::to_bytes;
use serde_json::{Value, json};

fn event(value: Value) -> Event {
    serde_json::from_value(value).unwrap()
}

fn documented(name: &str) -> Event {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lambda/events");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn request(event: Event) -> Request {
    let path = event.path("");
    event.into_request(&path).unwrap()
}

#[tokio::test]
async fn a_write_of_every_kind_is_the_same_request() {
    for (name, shape) in [
        ("rest-ingest", Shape::Version1),
        ("rest-base-path-ingest", Shape::Version1),
        ("http-ingest", Shape::Version2),
        ("http-stage-ingest", Shape::Version2),
        ("http-1.0-ingest", Shape::Version1),
        ("function-url-ingest", Shape::Version2),
        ("function-url-base64-ingest", Shape::Version2),
        ("alb-ingest", Shape::Target),
        ("alb-multi-value-ingest", Shape::MultiValueTarget),
    ] {
        let event = documented(name);
        assert_eq!(event.shape(), shape, "{name}");
        let request = request(event);
        assert_eq!(request.method(), "POST", "{name}");
        assert_eq!(request.uri().path(), "/alioth/ingest", "{name}");
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers()["api-key"], "of-the-fixture", "{name}");
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["collection_name"], "written", "{name}");
    }
}

#[test]
fn queries_are_as_the_client_sent_them() {
    for name in [
        "rest-upsert",
        "http-upsert",
        "alb-upsert",
        "alb-multi-value-upsert",
    ] {
        let request = request(documented(name));
        assert_eq!(request.method(), "PUT", "{name}");
        let path = "/collections/caf%C3%A9%20noir/points";
        assert_eq!(request.uri().path(), path, "{name}");
        let mut query: Vec<_> = request.uri().query().unwrap().split('&').collect();
        query.sort_unstable();
        let expected = ["note=a%26b%20c", "ordering=strong", "wait=true"];
        assert_eq!(query, expected, "{name}");
    }
}

#[test]
fn a_stage_is_taken_off_and_nothing_that_looks_like_one() {
    let path = |raw: &str, stage: &str, base: &str| {
        event(json!({"rawPath": raw, "requestContext": {"stage": stage}})).path(base)
    };
    assert_eq!(path("/live/alioth/ingest", "live", ""), "/alioth/ingest");
    assert_eq!(path("/live", "live", ""), "/");
    assert_eq!(path("/lively/points", "live", ""), "/lively/points");
    assert_eq!(path("/alioth/ingest", "$default", ""), "/alioth/ingest");
    assert_eq!(path("/v/w/docs/", "$default", "/v/w"), "/docs/");
    assert_eq!(path("/live/v/docs/", "live", "/v"), "/docs/");
    assert_eq!(path("/very/docs/", "$default", "/v"), "/very/docs/");
    // A REST API's path never has it.
    let rest = json!({"path": "/live/ingest", "requestContext": {"stage": "live"}});
    assert_eq!(event(rest).path(""), "/live/ingest");
}

#[test]
fn the_root_of_a_base_path_is_the_root() {
    let root = json!({"resource": "/", "path": "/vectors", "httpMethod": "GET"});
    assert_eq!(event(root).path(""), "/");
    let docs = |proxy: &str| json!({"resource": "/{proxy+}", "path": "/v/docs/", "pathParameters": {"proxy": proxy}});
    assert_eq!(event(docs("docs")).path(""), "/docs/");
    assert_eq!(event(docs("docs/")).path(""), "/docs/");
    assert_eq!(
        event(json!({"rawPath": "", "version": "2.0"})).path(""),
        "/"
    );
}

#[test]
fn encoded_stays_encoded_and_bare_is_encoded() {
    for (path, encoded) in [
        (
            "/collections/caf%C3%A9/points",
            "/collections/caf%C3%A9/points",
        ),
        ("/collections/café/points", "/collections/caf%C3%A9/points"),
        ("/collections/a b/points", "/collections/a%20b/points"),
        ("/collections/100%/points", "/collections/100%25/points"),
        ("/collections/5%é/points", "/collections/5%25%C3%A9/points"),
        ("/collections/a?b#c/points", "/collections/a%3Fb%23c/points"),
        ("/collections/../points", "/collections/../points"),
    ] {
        assert_eq!(encode_path(path), encoded);
    }
}

#[test]
fn nothing_a_client_may_send_fails_the_invocation() {
    let hostile = json!({
        "version": "2.0", "rawPath": "//\u{0}\u{7f}ü|^`", "rawQueryString": "a=\u{0} ü\"#&&==",
        "headers": {"host": "no url: ]", "x-forwarded-proto": "://", "naïve": "1", "agent": "ü",
            "broken": "a\nb", "empty": null, "": ""},
        "requestContext": {"http": {"method": "PUT"}, "stage": null}, "body": null
    });
    let request = request(event(hostile));
    assert_eq!(request.uri().path(), "//%00%7F%C3%BC%7C%5E%60");
    assert_eq!(request.headers()["agent"].as_bytes(), "ü".as_bytes());
    assert!(!request.headers().contains_key("broken"));
    for (method, known) in [("BREW", true), ("", false), ("A B", false)] {
        let event = event(json!({"httpMethod": method, "path": "/"}));
        assert_eq!(event.into_request("/").is_ok(), known, "{method}");
    }
    let long = "a".repeat(70_000);
    assert!(
        event(json!({"httpMethod": "GET"}))
            .into_request(&long)
            .is_err()
    );
}

#[test]
fn what_is_no_request_is_refused_as_one() {
    for other in [
        json!({}),
        json!({"Records": [{"body": "{}"}]}),
        json!({"version": "0"}),
    ] {
        let event = event(other);
        let path = event.path("");
        assert!(matches!(
            event.into_request(&path),
            Err(Refusal::BadQuery { .. })
        ));
    }
}

#[test]
fn every_line_of_a_header_is_kept() {
    let lines = json!({
        "httpMethod": "PUT", "headers": {"content-encoding": "gzip"},
        "multiValueHeaders": {"content-encoding": ["gzip", "zstd"]}
    });
    let request = request(event(lines));
    let found: Vec<_> = request
        .headers()
        .get_all("content-encoding")
        .iter()
        .collect();
    assert_eq!(found, ["gzip", "zstd"]);
}

#[tokio::test]
async fn a_body_that_is_no_base64_breaks_off() {
    let broken = json!({"httpMethod": "PUT", "body": "!", "isBase64Encoded": true});
    let body = request(event(broken)).into_body();
    assert!(to_bytes(body, usize::MAX).await.is_err());
}
