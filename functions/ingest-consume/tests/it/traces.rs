//! The span of an upsert: what a collector gets of it.

use std::collections::BTreeSet;

use alioth_broker::{HeaderValue, OutgoingMessage};
use alioth_testkit::{Collector, ExportedSpan, Qdrant, wait_until};
use qdrant_client::qdrant::PointStruct;

use crate::{
    DEADLINE,
    binary::Process,
    world::{Queues, collection, message, point},
};

/// A message of a write that has this trace.
fn traced(collection: &str, points: Vec<PointStruct>, trace: u128) -> OutgoingMessage {
    let mut message = message(collection, points);
    let traceparent = format!("00-{trace:032x}-b7ad6b7169203331-01");
    let header = ("traceparent".to_owned(), HeaderValue::Text(traceparent));
    message.headers.push(header);
    message
}

/// Consumes until so many points are applied, ends, and returns the spans and the log.
async fn consume(
    queues: &Queues,
    qdrant: &Qdrant,
    points: f64,
    collector: &Collector,
) -> (Vec<ExportedSpan>, String) {
    let url = collector.url();
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())];
    let mut process = Process::start(queues, &qdrant.grpc_url(), &settings);
    wait_until(DEADLINE, || async {
        let applied = process.metric("alioth_consume_points_applied_total").await;
        let held = process.metric("alioth_consume_held_messages").await;
        applied >= points && held == 0.0
    })
    .await;
    process.signal("TERM").await;
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
    (collector.spans(), process.log())
}

fn sum(spans: &[ExportedSpan], attribute: &str) -> u64 {
    let values = spans.iter().map(|span| span.attribute(attribute));
    values
        .map(|value| value.parse::<u64>().expect("a number"))
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_is_a_span_linked_to_the_writes_in_it() {
    let (queues, collector) = (Queues::rabbitmq().await, Collector::start().await);
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let mut messages: Vec<_> = (0..40)
        .map(|id| traced(&films, vec![point(id, 1)], u128::from(id) / 2 + 1))
        .collect();
    messages.push(message(&films, vec![point(40, 1)]));
    queues.publish(messages).await;
    let (spans, _) = consume(&queues, &qdrant, 41.0, &collector).await;

    let linked: BTreeSet<_> = spans.iter().flat_map(|span| span.links.clone()).collect();
    let expected: BTreeSet<_> = (1..=20)
        .map(|trace| (format!("{trace:032x}"), "b7ad6b7169203331".to_owned()))
        .collect();
    assert_eq!(linked, expected);
    assert_eq!(sum(&spans, "db.operation.batch.size"), 41);
    assert!(sum(&spans, "alioth.upsert.bytes") > 41 * 16);
    for span in &spans {
        assert_eq!(
            (span.name.as_str(), span.parent_id.as_str()),
            ("upsert", "")
        );
        assert_eq!(span.kind.as_str_name(), "SPAN_KIND_CLIENT");
        assert_eq!(span.attribute("alioth.outcome"), "completed");
        assert_eq!(span.attribute("db.collection.name"), films);
        assert_eq!(span.resource["service.name"], "ingest-consume");
        assert!(!span.is_error);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_upsert_is_a_failed_span_and_shows_nothing_of_its_points() {
    let (queues, collector) = (Queues::rabbitmq().await, Collector::start().await);
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let bad = PointStruct::new(666, vec![0.5; 3], [("pin", "s3cret".into())]);
    queues
        .publish(vec![traced(&films, vec![point(1, 1), bad], 7)])
        .await;
    let (spans, log) = consume(&queues, &qdrant, 1.0, &collector).await;

    let (failed, good): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.is_error);
    assert!(!failed.is_empty() && !good.is_empty(), "{spans:?}");
    for span in &failed {
        assert_eq!(span.attribute("alioth.outcome"), "rejected");
        assert_eq!(span.attribute("error.type"), "rejected");
    }
    // Every half is tried for the same write.
    assert!(spans.iter().all(|span| span.links.len() == 1));
    assert!(!format!("{spans:?}{log}").contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_collector_keeps_nothing_from_being_applied() {
    let queues = Queues::rabbitmq().await;
    let qdrant = Qdrant::start().await;
    let films = collection(&qdrant).await;
    let writes = (0..100).map(|id| traced(&films, vec![point(id, 1)], 1));
    queues.publish(writes.collect()).await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let mut process = Process::start(&queues, &qdrant.grpc_url(), &settings);
    wait_until(DEADLINE, || async {
        process.metric("alioth_consume_points_applied_total").await >= 100.0
    })
    .await;
    process.signal("TERM").await;
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
    let warnings = process
        .log()
        .matches("the collector did not take them")
        .count();
    assert_eq!(warnings, 1, "{}", process.log());
}
