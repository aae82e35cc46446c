//! Spans on their way to a collector: a real one, one that never answers, and none.

use std::time::{Duration, Instant};

use alioth_config::Loader;
use alioth_telemetry::{MAX_LINKS, Traces, TracesConfig};
use alioth_testkit::{Collector, Direction, Fault, FaultProxy};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// Longer than any flush takes.
const ENOUGH: Duration = Duration::from_secs(60);

fn start(variables: &[(&str, &str)]) -> Traces {
    let owned = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut loader = Loader::new(owned);
    let config = loader.section::<TracesConfig>();
    loader.finish().unwrap();
    Traces::start(&config, "ingest-test", "1.2.3").unwrap()
}

#[tokio::test]
async fn a_span_arrives_with_its_parent_its_attributes_and_who_made_it() {
    let collector = Collector::start().await;
    let traces = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "Authorization=Bearer%20s3cret",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
    ]);
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let mut span = traces.tracer().server("PUT /points", Some(&parent));
    span.set("alioth.points", 3);
    span.fail("broker_away");
    let traceparent = span.traceparent().unwrap();
    drop(span);
    traces.flush(ENOUGH).await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    let span = &spans[0];
    assert_eq!(span.traceparent(), traceparent);
    assert_eq!(
        (span.trace_id.as_str(), span.parent_id.as_str()),
        (TRACE, SPAN)
    );
    assert_eq!(span.name, "PUT /points");
    assert_eq!(span.kind.as_str_name(), "SPAN_KIND_SERVER");
    assert_eq!(span.attribute("alioth.points"), "3");
    assert_eq!(span.attribute("error.type"), "broker_away");
    assert!(span.is_error);
    assert_eq!(span.authorization.as_deref(), Some("Bearer s3cret"));
    for (name, value) in [
        ("service.name", "ingest-test"),
        ("service.version", "1.2.3"),
        ("deployment.environment.name", "test"),
        ("telemetry.sdk.language", "rust"),
    ] {
        assert_eq!(span.resource.get(name).map(String::as_str), Some(value));
    }
}

#[tokio::test]
async fn the_name_of_the_service_is_the_configured_one() {
    let collector = Collector::start().await;
    let traces = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=listed"),
        ("OTEL_SERVICE_NAME", "named"),
    ]);
    drop(traces.tracer().server("PUT /points", None));
    traces.flush(ENOUGH).await;
    assert_eq!(collector.spans()[0].resource["service.name"], "named");
    assert_eq!(collector.spans()[0].parent_id, "");
}

#[tokio::test]
async fn a_call_is_a_trace_of_its_own_with_a_bounded_number_of_links() {
    let collector = Collector::start().await;
    let traces = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
    let writes: Vec<String> = (1..=2 * MAX_LINKS)
        .map(|write| format!("00-{write:032x}-{SPAN}-01"))
        .collect();
    let links = ["no traceparent"].into_iter();
    let links = links.chain(writes.iter().map(String::as_str));
    drop(traces.tracer().client("upsert", links));
    traces.flush(ENOUGH).await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].kind.as_str_name(), "SPAN_KIND_CLIENT");
    assert_eq!(spans[0].parent_id, "");
    let expected: Vec<_> = (1..=MAX_LINKS)
        .map(|write| (format!("{write:032x}"), SPAN.to_owned()))
        .collect();
    assert_eq!(spans[0].links, expected);
}

#[tokio::test]
async fn what_its_parent_does_not_sample_is_not_exported_and_says_so_to_those_below() {
    let collector = Collector::start().await;
    let traces = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
    let tracer = traces.tracer();
    let unsampled = tracer.server("unsampled", Some(&format!("00-{TRACE}-{SPAN}-00")));
    let below = unsampled.traceparent().unwrap();
    assert!(below.starts_with(&format!("00-{TRACE}-")), "{below}");
    assert!(below.ends_with("-00") && !below.contains(SPAN), "{below}");
    drop(unsampled);
    drop(tracer.server("sampled", None));
    traces.flush(ENOUGH).await;
    let names: Vec<_> = collector.spans().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["sampled"]);
}

#[tokio::test]
async fn a_sampler_that_takes_nothing_sends_nothing() {
    let collector = Collector::start().await;
    let traces = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ]);
    for _ in 0..100 {
        drop(traces.tracer().server("PUT /points", None));
    }
    traces.flush(ENOUGH).await;
    assert_eq!(collector.connections(), 0);
}

#[tokio::test]
async fn nothing_is_made_or_connected_unless_asked_for() {
    let collector = Collector::start().await;
    let disabled = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
        ("OTEL_SDK_DISABLED", "true"),
    ]);
    for traces in [start(&[]), disabled] {
        let span = traces.tracer().server("PUT /points", None);
        assert!(!traces.tracer().is_on() && span.traceparent().is_none());
        drop(span);
        traces.flush(ENOUGH).await;
    }
    assert_eq!(collector.connections(), 0);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_nobody_up() {
    let collector = Collector::start().await;
    let proxy = FaultProxy::start(collector.address()).await;
    proxy.set(Fault::BlackHole(Direction::Both)).await;
    let url = format!("http://{}", proxy.address());
    let traces = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    let tracer = traces.tracer();
    let started = Instant::now();
    // Many times what the queue takes.
    for _ in 0..20_000 {
        drop(tracer.server("PUT /points", None));
    }
    traces.flush(Duration::from_millis(200)).await;
    // Less than a single export waits for its answer.
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    assert!(proxy.connections() >= 1 && collector.spans().is_empty());
    assert!(tracer.server("after the end", None).traceparent().is_none());
}
