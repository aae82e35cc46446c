use std::time::Duration;

use serde::Deserialize;

use super::*;
use crate::{ByteSize, Secret, Span, undocumented, variable_names};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
struct Example {
    url: Secret,
    limit: ByteSize,
    timeout: Span,
    retries: u32,
    hosts: Vec<String>,
    keys: Vec<Secret>,
    note: Option<String>,
}

impl Default for Example {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            limit: ByteSize::kib(1),
            timeout: Span(Duration::from_secs(1)),
            retries: 3,
            hosts: Vec::new(),
            keys: Vec::new(),
            note: None,
        }
    }
}

impl Section for Example {
    const PREFIX: &'static str = "ALIOTH_EXAMPLE_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        if self.url.is_empty() {
            return vec![("URL", "is required".to_owned())];
        }
        Vec::new()
    }
}

fn load(pairs: &[(&str, &str)]) -> (Example, Result<(), ConfigError>) {
    let owned = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut loader = Loader::new(owned);
    (loader.section(), loader.finish())
}

#[test]
fn values_are_read_and_the_rest_is_default() {
    let (example, result) = load(&[
        ("ALIOTH_EXAMPLE_URL", "amqp://a:b@c"),
        ("ALIOTH_EXAMPLE_LIMIT", "2MiB"),
        ("ALIOTH_EXAMPLE_TIMEOUT", "250ms"),
        ("ALIOTH_EXAMPLE_HOSTS", "a,b"),
        ("ALIOTH_EXAMPLE_KEYS", "k1,k2"),
        ("PATH", "/bin"),
    ]);
    assert_eq!(result, Ok(()));
    let expected = Example {
        url: Secret::from("amqp://a:b@c"),
        limit: ByteSize::mib(2),
        timeout: Span(Duration::from_millis(250)),
        hosts: vec!["a".to_owned(), "b".to_owned()],
        keys: vec![Secret::from("k1"), Secret::from("k2")],
        ..Example::default()
    };
    assert_eq!(example, expected);
}

#[test]
fn every_problem_is_reported_at_once_and_no_value_is_shown() {
    let (example, result) = load(&[
        ("ALIOTH_EXAMPLE_LIMIT", "s3cret"),
        ("ALIOTH_EXAMPLE_TIMEOUT", "s3cret"),
        ("ALIOTH_EXAMPLE_RETRIES", "s3cret"),
        ("ALIOTH_EXAMPLE_RETIRES", "s3cret"),
        ("ALIOTH_UNHEARD_OF", "s3cret"),
    ]);
    assert_eq!(example, Example::default());
    let Err(error) = result else {
        panic!("five bad variables and a missing one were accepted");
    };
    let text = error.to_string();
    assert_eq!(
        text,
        "bad configuration, 6 problems:\n  \
         ALIOTH_EXAMPLE_LIMIT: expected bytes, or a number with KiB, MiB, GiB, KB, MB or GB\n  \
         ALIOTH_EXAMPLE_TIMEOUT: expected a number with ms, s, m or h\n  \
         ALIOTH_EXAMPLE_RETRIES: invalid digit found in string\n  \
         ALIOTH_EXAMPLE_URL: is required\n  \
         ALIOTH_EXAMPLE_RETIRES: is no setting of this function; did you mean ALIOTH_EXAMPLE_RETRIES?\n  \
         ALIOTH_UNHEARD_OF: is no setting of this function"
    );
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Standard {
    service_name: String,
}

impl Section for Standard {
    const PREFIX: &'static str = "OTEL_";
}

#[test]
fn of_the_standard_variables_those_nobody_asked_for_are_somebody_elses() {
    let variables = [
        ("OTEL_SERVICE_NAME", "ingest"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("ALIOTH_SERVICE_NAME", "ingest"),
    ];
    let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut loader = Loader::new(owned);
    assert_eq!(loader.section::<Standard>().service_name, "ingest");
    let problems = loader.finish().unwrap_err().problems;
    let names: Vec<_> = problems.iter().map(|p| p.variable.as_str()).collect();
    assert_eq!(names, ["ALIOTH_SERVICE_NAME"]);
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let (example, result) = load(&[("ALIOTH_EXAMPLE_URL", "x"), ("ALIOTH_EXAMPLE_RETRIES", "")]);
    assert_eq!(result, Ok(()));
    assert_eq!(example.retries, 3);
}

#[test]
fn variables_are_listed_and_missing_ones_found_in_a_document() {
    assert_eq!(variable_names::<Example>()[1], "ALIOTH_EXAMPLE_LIMIT");
    assert_eq!(variable_names::<Example>().len(), 7);
    let all_but_one = variable_names::<Example>()[1..]
        .iter()
        .map(|name| format!("| `{name}` |"))
        .collect::<String>();
    assert_eq!(
        undocumented::<Example>(&all_but_one),
        ["ALIOTH_EXAMPLE_URL"]
    );
}

#[test]
fn a_required_variable_is_reported_with_the_other_problems() {
    let mut loader = Loader::new([("ALIOTH_EXAMPLE_URL".to_owned(), "x".to_owned())]);
    loader.section::<Example>();
    loader.require("ALIOTH_EXAMPLE_URL");
    loader.require("ALIOTH_EXAMPLE_NOTE");
    let error = loader.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "bad configuration, 1 problem:\n  ALIOTH_EXAMPLE_NOTE: is not set"
    );
}

fn loader(pairs: &[(&str, &str)]) -> Loader {
    let pairs = pairs.iter();
    Loader::new(pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

#[test]
fn a_value_found_elsewhere_is_read_like_any_other() {
    let mut loader = loader(&[("ALIOTH_EXAMPLE_URL_ARN", "arn:of:url")]);
    let reference = loader.reference("ALIOTH_EXAMPLE_URL", "ALIOTH_EXAMPLE_URL_ARN");
    assert_eq!(reference.as_deref(), Some("arn:of:url"));
    let absent = loader.reference("ALIOTH_EXAMPLE_NOTE", "ALIOTH_EXAMPLE_NOTE_ARN");
    assert_eq!(absent, None);
    loader.provide("ALIOTH_EXAMPLE_URL", "found");
    assert_eq!(loader.section::<Example>().url.expose(), "found");
    assert_eq!(loader.finish(), Ok(()));
}

#[test]
fn a_value_beside_where_to_find_it_is_a_problem() {
    let pairs = [("ALIOTH_EXAMPLE_URL", "a"), ("ALIOTH_EXAMPLE_URL_ARN", "b")];
    let mut loader = loader(&pairs);
    let reference = loader.reference("ALIOTH_EXAMPLE_URL", "ALIOTH_EXAMPLE_URL_ARN");
    assert_eq!(reference, None);
    assert_eq!(loader.section::<Example>().url.expose(), "a");
    let problems = loader.finish().unwrap_err().to_string();
    let problem = "ALIOTH_EXAMPLE_URL_ARN: cannot be beside ALIOTH_EXAMPLE_URL";
    assert!(problems.contains(problem), "{problems}");
}
