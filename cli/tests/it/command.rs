//! `alioth` as a process.

use std::{io::Write as _, path::Path, time::Duration};

use alioth_testkit::wait_until;

use crate::process::{Standalone, alioth, count, create, output, output_of, text};

const DEADLINE: Duration = Duration::from_secs(60);

fn points_file(folder: &Path, lines: &[String]) -> String {
    let path = folder.join("points.ndjson");
    let mut file = std::fs::File::create(&path).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    path.to_str().unwrap().to_owned()
}

fn good_lines(count: usize) -> Vec<String> {
    (0..count)
        .map(|id| format!("{{\"id\":{id},\"vector\":[{id},0.5],\"payload\":{{\"n\":{id}}}}}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_loads_searches_and_stops() {
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../loadtest/data/movies.parquet"
    );
    let output = output(&["demo", "--data", data]).await;
    let (said, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{complaints}");
    for expected in [
        "accepted 3200 · applied 3200 · dead-lettered 0",
        "nearest to The Lion King: Up",
        "Monsters, Inc.",
        "dropped movies",
        "the same 3200 points, the same nearest films",
        "stopped; nothing is left behind",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_without_its_films_fails() {
    let output = output(&["demo", "--data", "/nonexistent/films.parquet"]).await;
    assert_eq!(output.status.code(), Some(70), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let file = points_file(folder.path(), &good_lines(2_000));

    let alioth = Standalone::start(&data_dir).await;
    create(&alioth.client(), "survivors").await;
    let loaded = output(&[
        "load",
        &file,
        "--collection",
        "survivors",
        "--url",
        &alioth.http,
        "--batch",
        "10",
    ])
    .await;
    assert!(loaded.status.success(), "{}", text(&loaded.stderr));
    assert!(
        text(&loaded.stdout).starts_with("accepted 2000 points"),
        "{}",
        text(&loaded.stdout)
    );
    // At once: whatever was accepted and not applied yet is in the queue only.
    alioth.signal("KILL");
    drop(alioth);

    let alioth = Standalone::start(&data_dir).await;
    let client = alioth.client();
    wait_until(DEADLINE, || async {
        count(&client, "survivors").await == 2_000
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standalone_ends_cleanly_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let mut alioth = Standalone::start(folder.path()).await;
    alioth.signal("TERM");
    let status = tokio::task::spawn_blocking(move || alioth.child.wait().unwrap());
    assert!(status.await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn load_names_the_rows_that_are_refused_and_loads_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let alioth = Standalone::start(&folder.path().join("data")).await;
    let client = alioth.client();
    create(&client, "partly").await;

    let mut lines = good_lines(50);
    lines[20] = r#"{"id":20,"vector":[1,2,3],"payload":{}}"#.to_owned();
    lines[30] = r#"{"id":-1,"vector":[1,2],"payload":{}}"#.to_owned();
    lines[40] = "nonsense".to_owned();
    let file = points_file(folder.path(), &lines);
    let loaded = output(&[
        "load",
        &file,
        "--collection",
        "partly",
        "--url",
        &alioth.http,
    ])
    .await;
    let said = text(&loaded.stdout);
    assert_eq!(loaded.status.code(), Some(65), "{said}");
    assert!(said.starts_with("accepted 47 points"), "{said}");
    for expected in [
        "rejected 3",
        "(row 21)",
        "(row 31)",
        "(row 41)",
        "not a JSON object",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    }
    wait_until(DEADLINE, || async { count(&client, "partly").await == 47 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn load_into_a_missing_collection_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let alioth = Standalone::start(&folder.path().join("data")).await;
    let file = points_file(folder.path(), &good_lines(3));
    let loaded = output(&[
        "load",
        &file,
        "--collection",
        "nowhere",
        "--url",
        &alioth.http,
    ])
    .await;
    assert_eq!(loaded.status.code(), Some(69));
    let complaint = text(&loaded.stderr);
    assert!(
        complaint.contains("404") && complaint.contains("nowhere"),
        "{complaint}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn load_gives_up_on_a_server_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = points_file(folder.path(), &good_lines(3));
    // Port 9 (discard) has no listener on a loopback interface.
    let arguments = [
        "load",
        &file,
        "--collection",
        "c",
        "--url",
        "http://127.0.0.1:9",
        "--give-up-after",
        "300ms",
    ];
    let loaded = output(&arguments).await;
    assert_eq!(loaded.status.code(), Some(69));
    assert!(
        text(&loaded.stderr).contains("gave up after 300ms"),
        "{}",
        text(&loaded.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_configuration_exits_64_and_names_every_problem() {
    let mut command = alioth(&["standalone"]);
    command
        .env("ALIOTH_DRAIN_TIMEOUT", "soon")
        .env("ALIOTH_QDRANT_ULR", "x");
    let output = output_of(command).await;
    assert_eq!(output.status.code(), Some(64));
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("ALIOTH_DRAIN_TIMEOUT: expected a number"),
        "{complaint}"
    );
    assert!(
        complaint.contains("did you mean ALIOTH_QDRANT_URL?"),
        "{complaint}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_an_engine_s_address_is_no_address() {
    let mut command = alioth(&["standalone"]);
    command
        .env("ALIOTH_QDRANT_URL", "http://127.0.0.1:9")
        .env("ALIOTH_S3_ENDPOINT", "http://127.0.0.1:9");
    let output = output_of(command).await;
    assert_eq!(output.status.code(), Some(64));
    let complaint = text(&output.stderr);
    for variable in ["ALIOTH_QDRANT_REST_URL", "ALIOTH_S3_BUCKET"] {
        let expected = format!("{variable}: is not set");
        assert!(complaint.contains(&expected), "{complaint}");
    }
}
