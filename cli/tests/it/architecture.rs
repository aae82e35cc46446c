//! The rules between crates, read from `cargo metadata`, and a few on every source file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Which of our crates each of them may use outside tests.
const MAY_USE: &[(&str, &[&str])] = &[
    ("alioth-config", &[]),
    ("alioth-points", &[]),
    ("alioth-telemetry", &["alioth-config"]),
    ("alioth-lifecycle", &["alioth-config"]),
    ("alioth-broker", &["alioth-config"]),
    ("alioth-cluster", &["alioth-config", "alioth-points"]),
    ("alioth-snapshot-store", &["alioth-config"]),
    ("alioth-embedded", &[]),
    (
        "alioth-job-runner",
        &[
            "alioth-broker",
            "alioth-config",
            "alioth-jobs",
            "alioth-snapshot-store",
            "alioth-telemetry",
        ],
    ),
    ("alioth-jobs", &[]),
    ("alioth-testkit", &["alioth-embedded"]),
    // Both look at Alioth from without; what its benchmark starts comes by dev-dependencies.
    ("alioth-loadtest", &[]),
    ("alioth-guard", &["alioth-points"]),
    ("ingest-accept", FUNCTION),
    ("ingest-consume", FUNCTION),
    ("restore", FUNCTION),
    ("snapshot", FUNCTION),
    (
        "alioth",
        &[
            "alioth-broker",
            "alioth-cluster",
            "alioth-config",
            "alioth-embedded",
            "alioth-job-runner",
            "alioth-jobs",
            "alioth-lifecycle",
            "alioth-points",
            "alioth-snapshot-store",
            "alioth-telemetry",
            "ingest-accept",
            "ingest-consume",
            "restore",
            "snapshot",
        ],
    ),
];

/// A function uses any shared crate but the engines of standalone mode and the testkit.
const FUNCTION: &[&str] = &[
    "alioth-broker",
    "alioth-cluster",
    "alioth-config",
    "alioth-job-runner",
    "alioth-jobs",
    "alioth-lifecycle",
    "alioth-points",
    "alioth-snapshot-store",
    "alioth-telemetry",
];

/// Who alone may use these outside tests.
const ONLY_USER: &[(&str, &[&str])] = &[
    ("envy", &["alioth-config"]),
    ("aws-config", &["alioth-snapshot-store", "ingest-accept"]),
    ("aws-sdk-s3", &["alioth-snapshot-store"]),
    // Secrets of the Lambda build.
    ("aws-sdk-secretsmanager", &["ingest-accept"]),
    ("aws-sdk-ssm", &["ingest-accept"]),
    ("lambda_http", &["ingest-accept"]),
    ("lapin", &["alioth-broker"]),
    ("redb", &["alioth-broker"]),
    ("qdrant-edge", &["alioth-embedded"]),
    ("s3s", &["alioth-embedded"]),
    ("opentelemetry", &["alioth-telemetry"]),
    ("opentelemetry-otlp", &["alioth-telemetry"]),
    ("opentelemetry_sdk", &["alioth-telemetry"]),
    // Beside Qdrant, the collector of spans speaks gRPC; the testkit serves both by script.
    (
        "tonic",
        &[
            "alioth-cluster",
            "alioth-embedded",
            "alioth-telemetry",
            "alioth-testkit",
        ],
    ),
    // The command asks Qdrant as a user's program would: the demo's collection and searches.
    (
        "qdrant-client",
        &[
            "alioth-cluster",
            "alioth-embedded",
            "alioth-testkit",
            "alioth",
            "alioth-loadtest",
        ],
    ),
];

/// No I/O, clock or environment in `points`: what it uses is listed, so that a new name is a decision.
const POINTS_USES: &[&str] = &["bytes", "thiserror", "wide"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Package → the names of what it uses outside tests.
fn uses() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies
            .filter(|dependency| dependency["kind"] != "dev")
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| (package["name"].as_str().unwrap().to_owned(), names(package)))
        .collect()
}

#[test]
fn our_crates_use_each_other_in_one_direction() {
    let uses = uses();
    let listed = MAY_USE.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    for (package, dependencies) in &uses {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| name == package) else {
            panic!("{package} has no row in MAY_USE: decide what it may use");
        };
        for dependency in dependencies.iter().filter(|d| listed.contains(&d.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{package} must not use {dependency}"
            );
        }
    }
}

#[test]
fn each_service_has_one_crate_that_talks_to_it() {
    for (package, dependencies) in uses() {
        for (library, users) in ONLY_USER {
            assert!(
                !dependencies.iter().any(|d| d == library) || users.contains(&package.as_str()),
                "{package} must not use {library}"
            );
        }
        if package == "alioth-points" {
            let strange = dependencies
                .iter()
                .filter(|d| !POINTS_USES.contains(&d.as_str()));
            assert_eq!(strange.collect::<Vec<_>>(), Vec::<&String>::new());
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn sources_keep_the_rules_a_compiler_does_not_know() {
    let mut files = Vec::new();
    for folder in ["functions", "shared", "cli", "loadtest"] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 20, "only {} sources were found", files.len());
    let mut broken = Vec::new();
    for file in &files {
        // This file spells the forbidden words out.
        if file.ends_with("tests/it/architecture.rs") {
            continue;
        }
        let text = fs::read_to_string(file).unwrap();
        let is_test = file
            .iter()
            .any(|part| part == "tests" || part == "tests.rs");
        let mut complain = |rule: &str| broken.push(format!("{}: {rule}", file.display()));
        if !is_test && !text.starts_with("//!") && !text.starts_with("#![doc") {
            complain("begins with no //! head");
        }
        for word in [
            "#[ignore",
            "#[should_panic",
            "todo!(",
            "unimplemented!(",
            "FIXME",
        ] {
            if text.contains(word) {
                complain(word);
            }
        }
        if text
            .lines()
            .any(|line| line.contains("#[allow(") && !line.contains("reason ="))
        {
            complain("#[allow] without a reason");
        }
        // Unit tests may, in paused time.
        if file.iter().any(|part| part == "it") && text.contains("sleep(") {
            complain("sleeps in a test: wait on a condition");
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
