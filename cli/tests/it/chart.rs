//! What the chart renders (`helm/golden`), and `compose.yaml`, held against what the functions and KEDA take: a variable that a
//! function does not load ends it with code 64, and a trigger on a queue that nobody declares wakes nothing.

mod environment;
mod network;
mod settings;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use alioth_broker::Queue;
use alioth_config::Span;
use yaml_rust2::{Yaml, YamlLoader};

use environment::{containers, text};

/// KEDA's limit: its HPA's name, `keda-hpa-<name>`, is a label's value of 63 characters.
const LONGEST_SCALED_OBJECT: usize = 54;

/// A rendering and its documents.
struct Rendering {
    name: String,
    documents: Vec<Yaml>,
}

impl Rendering {
    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Yaml> {
        self.documents
            .iter()
            .filter(move |document| document["kind"].as_str() == Some(kind))
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn manifests(folder: &str) -> Vec<Rendering> {
    let read = |path: PathBuf| {
        let documents = YamlLoader::load_from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        Rendering {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            documents,
        }
    };
    fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .map(read)
        .collect()
}

fn renderings() -> Vec<Rendering> {
    let renderings = manifests("helm/golden");
    assert!(
        renderings.len() >= 7,
        "only {} renderings",
        renderings.len()
    );
    renderings
}

/// Triggers of KEDA's objects, with the name of whose they are.
fn triggers(rendering: &Rendering) -> Vec<(String, &Yaml)> {
    ["ScaledObject", "ScaledJob"]
        .into_iter()
        .flat_map(|kind| rendering.of_kind(kind))
        .flat_map(|object| {
            let name = text(&object["metadata"]["name"]);
            let triggers = object["spec"]["triggers"].as_vec().unwrap().iter();
            triggers.map(move |trigger| (name.clone(), trigger))
        })
        .collect()
}

fn seconds(span: &str) -> u64 {
    let span: Span = span.parse().unwrap();
    span.0.as_secs_f64().ceil() as u64
}

#[test]
fn every_container_has_what_its_function_loads_and_nothing_else() {
    let mut seen = BTreeSet::new();
    for rendering in renderings() {
        for container in rendering.documents.iter().flat_map(containers) {
            if let Err(problems) = settings::read(&container.function, container.variables) {
                panic!("{}, {}: {problems}", rendering.name, container.function);
            }
            seen.insert(container.function);
        }
    }
    let all = ["ingest-accept", "ingest-consume", "restore", "snapshot"];
    assert!(seen.iter().eq(all), "only {seen:?}");
}

#[test]
fn every_service_of_compose_has_what_its_function_loads_and_nothing_else() {
    let text = fs::read_to_string(root().join("compose.yaml")).unwrap();
    let compose = YamlLoader::load_from_str(&text).unwrap().remove(0);
    let services = environment::services(&compose);
    assert_eq!(services.len(), 4);
    for service in services {
        if let Err(problems) = settings::read(&service.function, service.variables) {
            panic!("compose.yaml, {}: {problems}", service.function);
        }
    }
}

#[test]
fn a_variable_that_no_function_loads_is_noticed() {
    let variables = vec![
        ("ALIOTH_AMQP_URL".to_owned(), "amqp://rabbitmq".to_owned()),
        ("ALIOTH_PREFETCHED".to_owned(), "8".to_owned()),
    ];
    let problems = settings::read("ingest-consume", variables).unwrap_err();
    assert!(problems.contains("ALIOTH_PREFETCHED"), "{problems}");
}

#[test]
fn every_queue_of_a_trigger_is_in_the_topology() {
    let mut counted = 0;
    for rendering in renderings() {
        let prefix = rendering
            .documents
            .iter()
            .flat_map(containers)
            .find_map(|container| container.value("ALIOTH_AMQP_QUEUE_PREFIX"))
            .unwrap_or_default();
        for (name, trigger) in triggers(&rendering) {
            if trigger["type"].as_str() != Some("rabbitmq") {
                continue;
            }
            let queue = text(&trigger["metadata"]["queueName"]);
            let declared = Queue::ALL.map(|queue| format!("{prefix}{}", queue.name()));
            assert!(
                declared.contains(&queue),
                "{}, {name}: {queue} is none of {declared:?}",
                rendering.name
            );
            counted += 1;
        }
    }
    assert!(counted > 0);
}

#[test]
fn a_drain_is_shorter_than_the_grace_period() {
    let mut counted = 0;
    for rendering in renderings() {
        for container in rendering.documents.iter().flat_map(containers) {
            let Some(drain) = container.value("ALIOTH_DRAIN_TIMEOUT") else {
                continue;
            };
            let (drain, asleep) = (seconds(&drain), container.sleep_seconds);
            assert!(
                drain + asleep < container.grace_seconds,
                "{}, {}: {asleep} s asleep and {drain} s of drain, killed after {} s",
                rendering.name,
                container.function,
                container.grace_seconds
            );
            counted += 1;
        }
    }
    assert!(counted > 0);
    assert_eq!(seconds("1500ms"), Duration::from_secs(2).as_secs());
}

#[test]
fn a_prefetch_leaves_something_to_new_pods() {
    let mut counted = 0;
    for rendering in renderings() {
        let consumer = rendering
            .documents
            .iter()
            .flat_map(containers)
            .find(|container| container.function == "ingest-consume");
        let prefetch = consumer.and_then(|container| container.value("ALIOTH_PREFETCH"));
        let prefetch: u64 = prefetch.unwrap().parse().unwrap();
        for (name, trigger) in triggers(&rendering) {
            if !name.ends_with("ingest-consume") || trigger["type"].as_str() != Some("rabbitmq") {
                continue;
            }
            let value: u64 = text(&trigger["metadata"]["value"]).parse().unwrap();
            assert!(
                prefetch * 4 <= value,
                "{}: {prefetch} of {value}",
                rendering.name
            );
            counted += 1;
        }
    }
    assert!(counted >= renderings().len());
}

#[test]
fn scaled_objects_have_names_that_keda_takes_and_no_deployment_has_replicas_beside_them() {
    let mut counted = 0;
    for rendering in renderings() {
        for object in rendering.of_kind("ScaledObject") {
            let name = text(&object["metadata"]["name"]);
            assert!(name.len() <= LONGEST_SCALED_OBJECT, "{name}");
            let target = text(&object["spec"]["scaleTargetRef"]["name"]);
            let deployment = rendering
                .of_kind("Deployment")
                .find(|deployment| text(&deployment["metadata"]["name"]) == target)
                .unwrap_or_else(|| panic!("{}: no Deployment {target}", rendering.name));
            assert!(
                deployment["spec"]["replicas"].is_badvalue(),
                "{}: {target} has spec.replicas",
                rendering.name
            );
            counted += 1;
        }
    }
    assert!(counted > 0);
}

#[test]
fn every_trigger_has_strings_alone_for_metadata() {
    for rendering in renderings() {
        for (name, trigger) in triggers(&rendering) {
            for (key, value) in trigger["metadata"].as_hash().unwrap() {
                assert!(
                    value.as_str().is_some(),
                    "{}, {name}: {key:?} is {value:?}",
                    rendering.name
                );
            }
        }
    }
}

/// KEDA's operator runs in a namespace of its own, where the name of a Service alone is nobody's.
#[test]
fn every_address_of_a_trigger_resolves_in_another_namespace() {
    let mut counted = 0;
    for rendering in renderings().into_iter().chain(manifests("keda")) {
        for (name, trigger) in triggers(&rendering) {
            for key in ["host", "scalerAddress"] {
                let Some(address) = trigger["metadata"][key].as_str() else {
                    continue;
                };
                let host = address.split("://").last().unwrap();
                let host = host.split([':', '/']).next().unwrap();
                assert!(host.contains('.'), "{}, {name}: {address}", rendering.name);
                counted += 1;
            }
        }
    }
    assert!(counted > renderings().len());
}

/// A failed Job is alerted on for as long as it is there.
#[test]
fn every_job_of_a_queue_goes_away_some_time_after_its_end() {
    let mut counted = 0;
    for rendering in renderings() {
        for object in rendering.of_kind("ScaledJob") {
            let name = text(&object["metadata"]["name"]);
            if name.ends_with("ingest-consume") {
                continue;
            }
            let kept = object["spec"]["jobTargetRef"]["ttlSecondsAfterFinished"].as_i64();
            assert!(kept.is_some(), "{}: {name} stays", rendering.name);
            counted += 1;
        }
    }
    assert!(counted > 0);
}
