//! Invocations over a fake broker and a fake Qdrant.

use super::*;
use crate::{
    Config, Services, Suspendable,
    fakes::{FakePublisher, FakeQdrant},
};
use alioth_cluster::SchemaLookup;
use alioth_telemetry::{Readiness, Tracer, prometheus::Registry};
use serde_json::{Value, json};
use std::sync::Arc;

fn function(publisher: &Arc<FakePublisher>) -> Function {
    let services = Services {
        publisher: publisher.clone(),
        schemas: FakeQdrant::answering(&[SchemaLookup::Unavailable]).cache(),
        registry: Registry::new(),
        readiness: Readiness::new(),
        tracer: Tracer::default(),
    };
    let suspendable = Suspendable {
        broker_within: Duration::from_secs(3),
        keys: None,
    };
    Function::suspendable(&Config::default(), services, suspendable).unwrap()
}

async fn invoke(function: &Function, event: Value) -> Value {
    let event = serde_json::from_value(event).unwrap();
    let config = LambdaConfig::default();
    let reply = function
        .invoke(event, SystemTime::UNIX_EPOCH, &config)
        .await;
    serde_json::to_value(reply).unwrap()
}

fn get(path: &str) -> Value {
    json!({"version": "2.0", "rawPath": path, "requestContext": {"http": {"method": "GET"}}})
}

fn write() -> Value {
    let body =
        r#"{"collection_name":"movies","batch":{"ids":[1],"vectors":[[1,2]],"payloads":[null]}}"#;
    json!({
        "version": "2.0", "rawPath": "/alioth/ingest", "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST"}}, "body": body
    })
}

#[tokio::test]
async fn a_write_is_proven_published_and_answered() {
    let publisher = Arc::new(FakePublisher::answering(Ok(())));
    let function = function(&publisher);
    let reply = invoke(&function, write()).await;
    assert_eq!(reply["statusCode"], 202, "{reply}");
    assert_eq!(publisher.proofs(), 1);
    assert_eq!(publisher.take().len(), 1);
}

#[tokio::test]
async fn a_broker_that_cannot_be_proven_is_a_503() {
    let publisher = Arc::new(FakePublisher::answering(Ok(())));
    publisher.set_ready(false);
    let reply = invoke(&function(&publisher), write()).await;
    assert_eq!(reply["statusCode"], 503, "{reply}");
    assert_eq!(reply["headers"]["retry-after"], "2");
    assert!(publisher.take().is_empty());
}

#[tokio::test]
async fn it_has_the_routes_but_metrics_and_readiness_is_as_of_now() {
    let publisher = Arc::new(FakePublisher::answering(Ok(())));
    let function = function(&publisher);
    function.warm_up().await;
    for (path, status) in [
        ("/", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/docs/", 200),
        ("/openapi.json", 200),
        ("/metrics", 404),
    ] {
        assert_eq!(
            invoke(&function, get(path)).await["statusCode"],
            status,
            "{path}"
        );
    }
    publisher.set_ready(false);
    let reply = invoke(&function, get("/readyz")).await;
    assert_eq!(reply["statusCode"], 503);
    assert_eq!(reply["body"], "not ready: rabbitmq\n");
}

#[tokio::test]
async fn an_event_that_is_no_request_is_answered_too() {
    let publisher = Arc::new(FakePublisher::answering(Ok(())));
    let reply = invoke(&function(&publisher), json!({"Records": []})).await;
    assert_eq!(reply["statusCode"], 400, "{reply}");
    let body: Value = serde_json::from_str(reply["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "bad_query");
}

#[test]
fn a_deadline_is_kept_and_one_long_past_is_none() {
    let soon = SystemTime::now() + Duration::from_secs(10);
    let left = time_left(soon).unwrap();
    assert!(left < Duration::from_secs(10) && left > Duration::from_secs(9));
    let near = SystemTime::now() + Duration::from_millis(1);
    assert_eq!(time_left(near).unwrap_or_default(), Duration::ZERO);
    assert_eq!(time_left(SystemTime::UNIX_EPOCH), None);
}
