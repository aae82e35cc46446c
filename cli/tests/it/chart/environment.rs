//! The functions' containers in a manifest, with the variables they would start with.

use std::sync::LazyLock;

use alioth_testkit::Authority;
use yaml_rust2::{Yaml, yaml::Hash};

const FUNCTIONS: [&str; 4] = ["ingest-accept", "ingest-consume", "restore", "snapshot"];

/// What a Secret would hold.
const SECRET: &str = "secret";
const AMQP_URL: &str = "amqp://alioth:secret@rabbitmq:5672/%2F";

/// What would be mounted where `ALIOTH_AMQP_CA_FILE` says.
static AUTHORITIES: LazyLock<tempfile::NamedTempFile> = LazyLock::new(|| {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), Authority::new().pem()).unwrap();
    file
});

/// A container of a function.
pub(crate) struct Container {
    pub(crate) function: String,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) grace_seconds: u64,
    /// Before SIGTERM, out of the same time.
    pub(crate) sleep_seconds: u64,
}

impl Container {
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let mut variables = self.variables.iter();
        let found = variables.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }
}

/// Those of a document, whatever makes its pods.
pub(crate) fn containers(document: &Yaml) -> Vec<Container> {
    let spec = &document["spec"];
    let template = match document["kind"].as_str() {
        Some("Deployment" | "Job") => &spec["template"],
        Some("CronJob") => &spec["jobTemplate"]["spec"]["template"],
        Some("ScaledJob") => &spec["jobTargetRef"]["template"],
        _ => return Vec::new(),
    };
    let pod = &template["spec"];
    let containers = pod["containers"].as_vec().unwrap().iter();
    containers
        .filter(|container| FUNCTIONS.contains(&text(&container["name"]).as_str()))
        .map(|container| Container {
            function: text(&container["name"]),
            variables: variables(container),
            grace_seconds: number(&pod["terminationGracePeriodSeconds"]),
            sleep_seconds: match &container["lifecycle"]["preStop"]["sleep"]["seconds"] {
                Yaml::BadValue => 0,
                seconds => number(seconds),
            },
        })
        .collect()
}

/// Those of a file of Docker Compose.
pub(crate) fn services(compose: &Yaml) -> Vec<Container> {
    let services = FUNCTIONS.map(|function| Container {
        function: function.to_owned(),
        variables: merged(&compose["services"][function]["environment"]),
        grace_seconds: 0,
        sleep_seconds: 0,
    });
    services.into()
}

/// A scalar as text.
pub(crate) fn text(yaml: &Yaml) -> String {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

fn number(yaml: &Yaml) -> u64 {
    let number = yaml
        .as_i64()
        .unwrap_or_else(|| panic!("no number: {yaml:?}"));
    u64::try_from(number).unwrap()
}

fn variables(container: &Yaml) -> Vec<(String, String)> {
    let variables = container["env"].as_vec().unwrap().iter();
    let variables = variables.map(|variable| {
        let name = text(&variable["name"]);
        let value = match (name.as_str(), &variable["value"]) {
            ("ALIOTH_AMQP_URL", Yaml::BadValue) => AMQP_URL.to_owned(),
            ("OTEL_EXPORTER_OTLP_HEADERS", Yaml::BadValue) => format!("authorization={SECRET}"),
            (_, Yaml::BadValue) => SECRET.to_owned(),
            ("ALIOTH_AMQP_CA_FILE", _) => AUTHORITIES.path().to_str().unwrap().to_owned(),
            (_, value) => text(value),
        };
        (name, value)
    });
    variables.collect()
}

/// A map with those that its key `<<` names.
fn merged(map: &Yaml) -> Vec<(String, String)> {
    let own: &Hash = map.as_hash().unwrap();
    let mut variables = Vec::new();
    for (key, value) in own {
        match (key.as_str(), value) {
            (Some("<<"), Yaml::Array(maps)) => variables.extend(maps.iter().flat_map(merged)),
            (Some("<<"), map) => variables.extend(merged(map)),
            _ => variables.push((text(key), text(value))),
        }
    }
    variables
}
