//! The span of a write: what a collector gets of it, and what the write's messages carry on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use alioth_broker::HeaderValue;
use alioth_testkit::{Collector, Direction, ExportedSpan, Fault, FaultProxy, wait_until};
use axum::http::Method;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{
    DEADLINE, Message, World, collection, ingest_body, shared_qdrant, upsert_body, upsert_path,
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
/// The thread that exports, by as much as the system keeps of its name.
const EXPORTER: &str = "OpenTelemetry.T";

/// Exports at once, so that many exports fail within a test.
const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "20");

fn traceparent(message: &Message) -> Option<&str> {
    match message.delivery.header("traceparent")? {
        HeaderValue::Text(text) => Some(text),
        HeaderValue::Int(_) => None,
    }
}

/// Ends the process, which sends what is left, and returns its log.
async fn end(world: &mut World) -> String {
    world.process.terminate();
    let ended = world.process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    ended.output
}

fn with_status<'a>(spans: &'a [ExportedSpan], status: &str) -> &'a ExportedSpan {
    let found = spans
        .iter()
        .find(|span| span.attribute("http.response.status_code") == status);
    found.unwrap_or_else(|| panic!("no span with status {status} in {spans:?}"))
}

#[tokio::test]
async fn a_write_is_a_span_below_its_caller_and_above_its_messages() {
    let collector = Collector::start().await;
    let endpoint = collector.url();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("ALIOTH_ACCEPT_MESSAGE_LIMIT", "1KiB"),
    ];
    let mut world = World::start_with(&settings).await;
    assert!(
        world
            .process
            .usage()
            .threads()
            .contains(&EXPORTER.to_owned())
    );
    let name = collection(shared_qdrant().await, 4).await;
    let caller = format!("00-{TRACE}-{SPAN}-01");
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", caller.as_str()),
    ];
    let body = ingest_body(&name, 50, 4).to_string();
    let sent = world
        .http
        .send(Method::POST, "/alioth/ingest", &headers, body);
    assert_eq!(sent.await.unwrap().status, 202);
    let messages = world.drain_queue().await;
    assert!(messages.len() > 1, "one chunk only");
    end(&mut world).await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
    let span = &spans[0];
    assert_eq!(
        (span.trace_id.as_str(), span.parent_id.as_str()),
        (TRACE, SPAN)
    );
    assert_eq!(span.name, "POST /alioth/ingest");
    assert_eq!(span.kind.as_str_name(), "SPAN_KIND_SERVER");
    assert_eq!(span.attribute("http.route"), "/alioth/ingest");
    assert_eq!(span.attribute("http.response.status_code"), "202");
    assert_eq!(span.attribute("alioth.points"), "50");
    assert!(!span.is_error);
    assert_eq!(span.resource["service.name"], "ingest-accept");
    for message in &messages {
        assert_eq!(traceparent(message), Some(span.traceparent().as_str()));
    }
}

#[tokio::test]
async fn a_write_without_a_caller_begins_a_trace_and_a_refused_one_says_why() {
    let collector = Collector::start().await;
    let endpoint = collector.url();
    let mut world = World::start_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]).await;
    let name = collection(shared_qdrant().await, 4).await;
    let path = upsert_path(&name);
    let accepted = world.http.put(&path, upsert_body(2, 4).to_string()).await;
    assert_eq!(accepted.status, 200);
    let secret = json!({"points": [{"id": 1, "vector": [1, 2], "payload": {"pin": "s3cret"}}]});
    let refused = world.http.put(&path, secret.to_string()).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let messages = world.drain_queue().await;
    let log = end(&mut world).await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 2, "{spans:?}");
    let accepted = with_status(&spans, "200");
    assert_eq!(accepted.name, "PUT /collections/{name}/points");
    assert_eq!((accepted.parent_id.as_str(), messages.len()), ("", 1));
    assert_eq!(
        traceparent(&messages[0]),
        Some(accepted.traceparent().as_str())
    );
    let refused = with_status(&spans, "422");
    assert_eq!(refused.attribute("alioth.reason"), "invalid_point");
    assert_eq!(refused.attribute("alioth.points"), "");
    assert!(!refused.is_error, "the client's fault");
    assert_ne!(refused.trace_id, accepted.trace_id);
    assert!(!format!("{spans:?}{log}").contains("s3cret"));
}

#[tokio::test]
async fn by_default_there_are_no_spans_and_nothing_that_sends_them() {
    let mut world = World::start().await;
    assert!(
        !world
            .process
            .usage()
            .threads()
            .contains(&EXPORTER.to_owned())
    );
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    assert_eq!(world.http.ingest(body).await.status, 202);
    assert_eq!(traceparent(&world.drain_queue().await[0]), None);
    let log = end(&mut world).await;
    assert!(!log.contains("spans"), "{log}");
}

#[tokio::test]
async fn writes_do_not_care_about_a_collector_that_is_away_and_the_log_says_so_once() {
    // Answers every attempt by closing the connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let closer = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), AT_ONCE];
    let mut world = World::start_with(&settings).await;
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    // An export is tried four times, so these are three exports at least.
    wait_until(DEADLINE, || async {
        assert_eq!(world.http.ingest(body.clone()).await.status, 202);
        attempts.load(Ordering::SeqCst) > 8
    })
    .await;
    let log = end(&mut world).await;
    closer.abort();
    let warnings = log.matches("the collector did not take them").count();
    assert_eq!(warnings, 1, "{log}");
}

#[tokio::test]
async fn a_collector_that_comes_back_gets_the_spans_made_then() {
    let collector = Collector::start().await;
    let proxy = FaultProxy::start(collector.address()).await;
    proxy.set(Fault::Cut).await;
    let endpoint = format!("http://{}", proxy.address());
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), AT_ONCE];
    let world = World::start_with(&settings).await;
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    assert_eq!(world.http.ingest(body.clone()).await.status, 202);
    proxy.set(Fault::Pass).await;
    wait_until(DEADLINE, || async {
        assert_eq!(world.http.ingest(body.clone()).await.status, 202);
        !collector.spans().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_never_answers_does_not_hold_up_the_exit() {
    let collector = Collector::start().await;
    let proxy = FaultProxy::start(collector.address()).await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let endpoint = format!("http://{}", proxy.address());
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("ALIOTH_DRAIN_TIMEOUT", "2s"),
    ];
    let mut world = World::start_with(&settings).await;
    let name = collection(shared_qdrant().await, 4).await;
    let body = ingest_body(&name, 1, 4).to_string();
    assert_eq!(world.http.ingest(body).await.status, 202);
    let started = Instant::now();
    let log = end(&mut world).await;
    // A single export would wait ten seconds for its answer.
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
    assert!(log.contains("spans were lost at the end"), "{log}");
}
