//! The document against the router, and the page that shows it.

use super::*;
use crate::{
    Config, Function, Services,
    answer::Code,
    fakes::{FakePublisher, example_schemas},
    router::{ADMIN_PATHS, routes},
};
use alioth_telemetry::{Readiness, prometheus::Registry};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use tower::ServiceExt;

fn router() -> Router {
    let services = Services {
        publisher: Arc::new(FakePublisher::answering(Ok(()))),
        schemas: example_schemas(),
        registry: Registry::new(),
        readiness: Readiness::new(),
        tracer: alioth_telemetry::Tracer::default(),
    };
    Function::new(&Config::default(), services)
        .unwrap()
        .router()
}

async fn send(
    method: &str,
    path: &str,
    body: String,
) -> (StatusCode, String, axum::http::HeaderMap) {
    let request = Request::builder()
        .method(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap())
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap();
    let response = router().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    (
        head.status,
        String::from_utf8_lossy(&bytes).into_owned(),
        head.headers,
    )
}

/// The document as it is served, with its operations as path, method and operation.
async fn operations() -> Vec<(String, String, Value)> {
    let (_, text, _) = send("get", "/openapi.json", String::new()).await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    operations
}

fn filled(path: &str) -> String {
    path.replace("{name}", "movies")
        .replace("{file}", "swagger-ui.css")
}

#[tokio::test]
async fn routes_and_documented_paths_are_the_same() {
    let documented: BTreeSet<String> = operations()
        .await
        .into_iter()
        .map(|(path, ..)| path)
        .collect();
    let mut served: BTreeSet<String> = routes()
        .into_iter()
        .map(|(path, _)| path.to_owned())
        .collect();
    served.extend(ADMIN_PATHS.map(str::to_owned));
    assert_eq!(documented, served);
}

#[tokio::test]
async fn every_documented_method_is_served_and_no_other() {
    for (path, method, _) in operations().await {
        let uri = filled(&path);
        let (status, ..) = send(&method, &uri, String::new()).await;
        assert!(
            ![404, 405].contains(&status.as_u16()),
            "{method} {path} answers {status}"
        );
        for other in ["get", "post", "put", "delete", "patch"] {
            if other != method {
                let (status, ..) = send(other, &uri, String::new()).await;
                assert_eq!(status, 405, "{other} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_example_of_a_body_is_accepted() {
    let mut examples = 0;
    for (path, method, operation) in operations().await {
        let content = &operation["requestBody"]["content"]["application/json"]["examples"];
        for (name, example) in content.as_object().into_iter().flatten() {
            let body = example["value"].to_string();
            let (status, answer, _) = send(&method, &filled(&path), body).await;
            assert!(status.is_success(), "{name} of {path}: {status} {answer}");
            examples += 1;
        }
    }
    assert_eq!(examples, 13);
}

#[tokio::test]
async fn every_refusal_is_documented_with_an_example() {
    let operations = operations().await;
    let of = |wanted: &str| {
        let found = operations.iter().find(|(path, ..)| path == wanted);
        found
            .map(|(_, _, operation)| operation["responses"].clone())
            .unwrap()
    };
    let (ingest, upsert) = (of(INGEST_PATH), of(UPSERT_PATH));
    let job = of(RESTORE_CLUSTER_PATH);
    for path in [
        BACKUP_COLLECTION_PATH,
        BACKUP_STORAGE_PATH,
        RESTORE_COLLECTION_PATH,
    ] {
        assert_eq!(of(path), job, "{path} refuses as the others do");
    }
    for refusal in Refusal::examples() {
        let verdict = refusal.verdict();
        if matches!(verdict.code, Code::NoRoute | Code::WrongMethod) {
            continue;
        }
        let find = |responses: &Value| {
            let response = responses[verdict.status.as_str()].clone();
            let examples = &response["content"]["application/json"]["examples"];
            let found = examples[verdict.code.as_str()]["value"].clone();
            let waits = response["headers"]["Retry-After"].is_object();
            (found, waits)
        };
        let of_points = matches!(
            verdict.code,
            Code::InvalidPoint
                | Code::InvalidCollectionName
                | Code::CollectionMissing
                | Code::PointTooLarge
        );
        let of_paths = matches!(verdict.code, Code::BadPath | Code::BadQuery);
        let (example, _) = find(&job);
        let of_jobs = !of_points && !of_paths;
        assert_eq!(example["error"]["code"].is_string(), of_jobs, "{refusal:?}");
        if verdict.code == Code::InvalidRequest {
            continue;
        }
        let (example, waits) = find(&upsert);
        assert!(example["status"]["error"].is_string(), "{refusal:?}");
        assert_eq!(waits, verdict.retry_after_s.is_some(), "{refusal:?}");
        let (example, _) = find(&ingest);
        assert_eq!(
            example["error"]["code"].is_string(),
            !of_paths,
            "{refusal:?}"
        );
    }
}

#[tokio::test]
async fn the_page_and_all_its_parts_come_from_here() {
    let (status, page, headers) = send("get", "/docs/", String::new()).await;
    assert_eq!(status, 200);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("http"),
        "{policy}"
    );
    let mut parts = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.split(attribute).skip(1) {
            let target = rest.split('"').next().unwrap();
            assert!(!target.contains("//"), "{target} is elsewhere");
            let path = format!("/docs/{}", target.trim_start_matches("./"));
            let (status, part, headers) = send("get", &path, String::new()).await;
            assert_eq!(status, 200, "{path}");
            assert!(headers.contains_key("content-security-policy"));
            if target.ends_with("swagger-initializer.js") {
                assert!(part.contains("validatorUrl: \"none\""), "{part}");
                assert!(part.contains("\"/openapi.json\""), "{part}");
                assert!(!part.contains("http"), "{part}");
            }
            parts += 1;
        }
    }
    assert!(parts >= 5, "{page}");
    let (status, ..) = send("get", "/docs/nothing.js", String::new()).await;
    assert_eq!(status, 404);
    let (status, _, headers) = send("get", "/docs", String::new()).await;
    assert_eq!(
        (status.as_u16(), headers["location"].to_str().unwrap()),
        (303, "/docs/")
    );
}
