use alioth_config::Loader;

use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Option<Collector>, String> {
    let owned = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut loader = Loader::new(owned);
    let config = loader.section::<TracesConfig>();
    loader.finish().map_err(|error| error.to_string())?;
    Ok(config.parse().expect("no problem was found"))
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

#[test]
fn without_an_endpoint_or_when_disabled_nothing_is_asked_for_and_nothing_is_wrong() {
    let elsewhere = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let sampler = ("OTEL_TRACES_SAMPLER", "xray");
    assert!(load(&[]).unwrap().is_none());
    assert!(load(&[elsewhere, sampler]).unwrap().is_none());
    let disabled = ("OTEL_SDK_DISABLED", "True");
    assert!(load(&[ENDPOINT, elsewhere, disabled]).unwrap().is_none());
}

#[test]
fn an_endpoint_alone_exports_every_trace_that_its_parent_does_not_forbid() {
    let collector = load(&[ENDPOINT]).unwrap().unwrap();
    assert_eq!(collector.endpoint, "http://collector:4317");
    assert!(collector.headers.is_empty() && collector.attributes.is_empty());
    let expected = "ParentBased(AlwaysOn)";
    assert_eq!(format!("{:?}", collector.sampler), expected);
}

#[test]
fn pairs_are_decoded_and_the_variable_for_the_name_comes_last() {
    let collector = load(&[
        ENDPOINT,
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "Authorization=Bearer%20a%3Db, x-tenant=films,",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=listed,deployment.environment.name=a%2Cb",
        ),
        ("OTEL_SERVICE_NAME", "named"),
    ]);
    let collector = collector.unwrap().unwrap();
    assert_eq!(collector.headers["authorization"], "Bearer a=b");
    assert!(collector.headers["authorization"].is_sensitive());
    assert_eq!(collector.headers["x-tenant"], "films");
    assert_eq!(
        collector.attributes,
        [
            KeyValue::new("service.name", "listed"),
            KeyValue::new("deployment.environment.name", "a,b"),
            KeyValue::new("service.name", "named"),
        ]
    );
}

#[test]
fn samplers_go_by_their_standard_names() {
    for (name, share, expected) in [
        ("always_on", "", "AlwaysOn"),
        ("always_off", "x", "AlwaysOff"),
        ("traceidratio", "0.25", "TraceIdRatioBased(0.25)"),
        ("traceidratio", "", "TraceIdRatioBased(1.0)"),
        ("parentbased_always_on", "", "ParentBased(AlwaysOn)"),
        ("parentbased_always_off", "", "ParentBased(AlwaysOff)"),
        (
            "parentbased_traceidratio",
            "0",
            "ParentBased(TraceIdRatioBased(0.0))",
        ),
    ] {
        let variables = [
            ENDPOINT,
            ("OTEL_TRACES_SAMPLER", name),
            ("OTEL_TRACES_SAMPLER_ARG", share),
        ];
        let collector = load(&variables).unwrap().unwrap();
        assert_eq!(format!("{:?}", collector.sampler), expected, "{name}");
    }
}

#[test]
fn every_problem_is_named_at_once_and_no_value_is_shown() {
    let text = load(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret%0A"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_RESOURCE_ATTRIBUTES", "s3cret"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "25%"),
    ])
    .unwrap_err();
    for name in [
        "OTEL_EXPORTER_OTLP_ENDPOINT: expected http:// or https://",
        "OTEL_EXPORTER_OTLP_HEADERS: has a pair that is no header",
        "OTEL_EXPORTER_OTLP_PROTOCOL: expected grpc",
        "OTEL_RESOURCE_ATTRIBUTES: expected name=value",
        "OTEL_TRACES_SAMPLER_ARG: expected a share",
    ] {
        assert!(text.contains(name), "{name} is missing in {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    let sampler = load(&[ENDPOINT, ("OTEL_TRACES_SAMPLER", "xray")]).unwrap_err();
    assert!(sampler.contains("OTEL_TRACES_SAMPLER: expected always_on"));
}

#[test]
fn credentials_in_the_address_are_refused() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:s3cret@collector");
    let text = load(&[endpoint]).unwrap_err();
    assert!(text.contains("takes no credentials") && !text.contains("s3cret"));
}
