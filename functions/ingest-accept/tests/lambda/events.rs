//! Events of every kind that carries HTTP to Lambda, through the emulator, to the queue.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Answer, Process, World, create, shared_qdrant};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lambda/events");
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

async fn answer(process: &Process, event: &Path) -> Answer {
    Answer::of_invocation(&process.invoke(event).await.unwrap())
}

/// An event in a file of its own.
fn event(folder: &tempfile::TempDir, event: &serde_json::Value) -> PathBuf {
    let path = folder.path().join("event.json");
    std::fs::write(&path, event.to_string()).unwrap();
    path
}

#[tokio::test]
async fn every_kind_of_event_is_a_write_in_the_queue() {
    for name in ["written", "café noir"] {
        create(shared_qdrant().await, name, 4).await;
    }
    let world = World::start_with(&[("ALIOTH_API_KEYS", "of-the-fixture")]).await;
    let fixtures = fixtures();
    assert_eq!(fixtures.len(), 13);
    let mut accepted = Vec::new();
    for fixture in &fixtures {
        let name = fixture.file_stem().unwrap().to_str().unwrap();
        let answer = answer(&world.process, fixture).await;
        let (status, points) = match name.ends_with("-upsert") {
            true => (200, 1),
            false => (202, 2),
        };
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        let id = answer.headers["alioth-ingest-id"].to_str().unwrap();
        accepted.push((id.to_owned(), points));
    }
    let messages = world.drain_queue().await;
    let queued: Vec<_> = messages
        .iter()
        .map(|message| (message.delivery.message_id.clone(), message.upsert.points()))
        .collect();
    assert_eq!(queued, accepted);
}

#[tokio::test]
async fn a_key_is_asked_for_in_every_kind_of_event() {
    let world = World::start_with(&[("ALIOTH_API_KEYS", "another")]).await;
    for fixture in fixtures() {
        let answer = answer(&world.process, &fixture).await;
        assert_eq!(answer.status, 403, "{}: {}", fixture.display(), answer.text);
    }
}

#[tokio::test]
async fn no_event_fails_the_invocation_or_ends_the_process() {
    let mut world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let hostile = [
        (json!({}), 400),
        (json!({"Records": [{"messageId": "1", "body": "{}"}]}), 400),
        (
            json!({"version": "2.0", "rawPath": "no/slash", "rawQueryString": "\u{0}\u{fc} \"",
            "headers": {"host": "no url: ]", "x-forwarded-proto": "://", "agent": "\u{fc}\u{7f}"},
            "requestContext": {"http": {"method": "PUT"}}}),
            404,
        ),
        (
            json!({"httpMethod": "PUT", "path": "/collections/a/points", "body": "not base64!",
            "headers": {"content-type": "application/json"}, "isBase64Encoded": true}),
            400,
        ),
        (
            json!({"httpMethod": "PUT", "path": "/collections/a/points", "body": null,
            "multiValueHeaders": {"content-type": ["application/json"],
                "content-encoding": ["gzip", "gzip"]}}),
            415,
        ),
        (
            json!({"httpMethod": "BREW", "path": "/", "requestContext": {"elb": {}}}),
            405,
        ),
        (json!({"httpMethod": "N O", "path": "/"}), 405),
    ];
    for (hostile, status) in hostile {
        let file = event(&folder, &hostile);
        let answer = answer(&world.process, &file).await;
        assert_eq!(answer.status, status, "{hostile}: {}", answer.text);
    }
    assert!(world.process.is_running());
    assert!(world.drain_queue().await.is_empty());
}

#[tokio::test]
async fn a_base_path_is_taken_off() {
    let world = World::start_with(&[("ALIOTH_LAMBDA_BASE_PATH", "/vectors")]).await;
    for path in ["/vectors/alioth/", "/alioth/", "/vectors"] {
        assert_eq!(world.http.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn parts_of_the_page_that_are_no_text_come_back_whole() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let get = json!({"httpMethod": "GET", "path": "/docs/favicon-16x16.png"});
    let result = world.process.invoke(&event(&folder, &get)).await.unwrap();
    assert_eq!(result["statusCode"], 200);
    assert_eq!(result["isBase64Encoded"], true);
    // The first octets of any PNG.
    assert!(result["body"].as_str().unwrap().starts_with("iVBORw0KGgo"));
}

#[tokio::test]
async fn sigterm_ends_it_at_once_and_well() {
    let mut world = World::start().await;
    let environment = world.process.environment();
    environment.signal("TERM");
    let (code, output) = environment.ended().await;
    assert_eq!(code, Some(0), "{output}");
}

#[tokio::test]
async fn a_bad_configuration_ends_the_initialisation_with_64() {
    let settings = [
        ("ALIOTH_LAMBDA_BASE_PATH", "vectors/"),
        ("ALIOTH_AMQP_IN_FLIGHT", "few"),
    ];
    let mut process = Process::start(&settings);
    let (code, output) = process.environment().ended().await;
    assert_eq!(code, Some(64), "{output}");
    for name in [
        "ALIOTH_LAMBDA_BASE_PATH",
        "ALIOTH_AMQP_IN_FLIGHT",
        "ALIOTH_AMQP_URL",
    ] {
        assert!(output.contains(name), "{name} is missing in {output}");
    }
}
