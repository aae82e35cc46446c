//! Snapshots and restores of a standalone Alioth, asked for over HTTP.

use std::time::Duration;

use alioth_testkit::wait_for;
use serde_json::{Value, json};

use crate::process::{Standalone, count, create, output, output_of, text};

const DEADLINE: Duration = Duration::from_secs(60);

async fn post(alioth: &Standalone, path: &str, body: &Value) -> String {
    // An error says that the process has a provider already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let request = reqwest::Client::new().post(format!("{}{path}", alioth.http));
    let request = request.header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    answer["job_id"].as_str().unwrap().to_owned()
}

/// The job's record once it has ended, by the command.
async fn ended(alioth: &Standalone, id: &str) -> Value {
    wait_for(DEADLINE, || async {
        let shown = output_of(alioth.command(&["jobs", "show", id, "--json"])).await;
        let record: Value = serde_json::from_str(&text(&shown.stdout)).ok()?;
        (record["state"] != "running").then_some(record)
    })
    .await
}

async fn load(alioth: &Standalone, folder: &std::path::Path, points: u64) {
    let lines = (0..points).map(|id| format!("{{\"id\":{id},\"vector\":[{id},0.5]}}\n"));
    let file = folder.join("points.ndjson");
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["load", file, "--collection", "films", "--url", &alioth.http];
    let loaded = output(&arguments).await;
    assert!(loaded.status.success(), "{}", text(&loaded.stderr));
    let client = alioth.client();
    wait_for(DEADLINE, || async {
        (count(&client, "films").await == points).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standalone_snapshots_and_restores_what_is_asked_for_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let alioth = Standalone::start(&folder.path().join("data")).await;
    let client = alioth.client();
    create(&client, "films").await;
    load(&alioth, folder.path(), 500).await;

    let id = post(
        &alioth,
        "/alioth/backup/collection",
        &json!({"collections": ["films"]}),
    )
    .await;
    let record = ended(&alioth, &id).await;
    assert_eq!(record["state"], "done", "{record}");
    client.delete_collection("films").await.unwrap();
    let body = json!({"collection_name": "films", "overwrite": "false"});
    let id = post(&alioth, "/alioth/restore/collection", &body).await;
    let record = ended(&alioth, &id).await;
    assert_eq!(record["state"], "done", "{record}");
    assert_eq!(count(&client, "films").await, 500);

    // Refused, and the next one is not held up by it.
    let id = post(&alioth, "/alioth/restore/collection", &body).await;
    let record = ended(&alioth, &id).await;
    assert_eq!(record["state"], "failed", "{record}");
    let id = post(&alioth, "/alioth/backup/storage", &json!({"hosts": []})).await;
    let record = ended(&alioth, &id).await;
    assert_eq!(record["state"], "done", "{record}");

    // The commands work on the same bucket.
    let listed = output_of(alioth.command(&["snapshots", "verify", "latest"])).await;
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let stored = output_of(alioth.command(&["snapshots", "list", "--storage", "--json"])).await;
    let stored: Value = serde_json::from_str(&text(&stored.stdout)).unwrap();
    assert_eq!(
        stored["storage"].as_array().map(Vec::len),
        Some(1),
        "{stored}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_accepted_is_done_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let alioth = Standalone::start(&data_dir).await;
    create(&alioth.client(), "films").await;
    load(&alioth, folder.path(), 100).await;
    let id = post(
        &alioth,
        "/alioth/backup/collection",
        &json!({"collections": []}),
    )
    .await;
    // At once: it may wait, run, or be done.
    alioth.signal("KILL");
    drop(alioth);

    let alioth = Standalone::start(&data_dir).await;
    let record = ended(&alioth, &id).await;
    assert_eq!(record["state"], "done", "{record}");
    let restored = ["restore", "films", "--overwrite"];
    let restored = output_of(alioth.command(&restored)).await;
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert_eq!(count(&alioth.client(), "films").await, 100);
}
