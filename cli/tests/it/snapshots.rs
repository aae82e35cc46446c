//! Snapshots and restores by command, on SeaweedFS and the embedded node: what is printed, what is done, how it fails.

use alioth_snapshot_store::SnapshotId;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    process::{count, output_of, text},
    world::{World, assert_code, assert_fails},
};

const UNKNOWN: &str = "20261122T121500Z-1f0c9ab2";

/// A table without what differs from run to run; blanks between cells are two.
fn steady(table: &str) -> String {
    let cell = |cell: &str| match cell.trim() {
        cell if is_time(cell) => "<time>".to_owned(),
        cell => without_sizes(cell),
    };
    let line = |line: &str| {
        let cells = line.split("  ").filter(|cell| !cell.trim().is_empty());
        cells.map(cell).collect::<Vec<_>>().join("  ") + "\n"
    };
    table.lines().map(line).collect()
}

/// A number and its unit are two words.
fn without_sizes(cell: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for next in cell.split(' ') {
        let unit = next.trim_end_matches([':', ',']);
        let is_unit = ["B", "KiB", "MiB"].contains(&unit);
        match words.last_mut() {
            Some(last) if is_unit && last.parse::<f64>().is_ok() => {
                *last = next.replace(unit, "<size>");
            }
            _ => words.push(word(next)),
        }
    }
    words.join(" ")
}

fn is_time(text: &str) -> bool {
    text.len() == 20 && text.replace(' ', "T").parse::<Timestamp>().is_ok()
}

fn word(word: &str) -> String {
    let bare = word.trim_end_matches([':', ',']);
    let name = if bare.parse::<SnapshotId>().is_ok() {
        "<snapshot>"
    } else if bare.parse::<alioth_jobs::JobId>().is_ok() {
        "<job>"
    } else {
        return word.to_owned();
    };
    word.replace(bare, name)
}

/// The same for JSON.
fn steady_json(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), &value) {
                    ("bytes", Value::Number(_)) => *value = "<bytes>".into(),
                    ("run" | "sha256" | "key" | "host" | "source_host", Value::String(_)) => {
                        *value = format!("<{name}>").into();
                    }
                    _ => steady_json(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(steady_json),
        Value::String(text) if text.parse::<Timestamp>().is_ok() => *text = "<time>".to_owned(),
        Value::String(text) => *text = word(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_what_programs_and_people_rely_on() {
    let world = World::start().await;
    world.fill("movies", 30).await;
    world.fill("songs", 7).await;
    let restore = ["restore", "movies", "--as", "movies-2"];
    let commands: [&[&str]; 7] = [
        &["snapshots", "create"],
        &["snapshots", "list"],
        &["snapshots", "show", "latest"],
        &["snapshots", "verify", "latest"],
        &["snapshots", "prune", "--keep-last", "1", "--dry-run"],
        &restore,
        &["jobs", "list"],
    ];
    let mut tables = String::new();
    for command in commands {
        let said = world.said(command).await;
        tables.push_str(&format!(
            "$ alioth {}\n{}\n",
            command.join(" "),
            steady(&said)
        ));
    }
    let jobs = world.store.list_jobs().await.unwrap();
    let id = jobs.last().unwrap().id.clone();
    let said = world.said(&["jobs", "show", &id]).await;
    let took = said
        .lines()
        .filter(|line| !line.starts_with("took"))
        .collect::<Vec<_>>();
    tables.push_str(&format!(
        "$ alioth jobs show ID\n{}",
        steady(&took.join("\n"))
    ));
    // How long a job took stands in a cell of its own, its id in its request too.
    let tables = without_took(&tables).replace(&id, "<job>");
    let is_golden = tables == include_str!("../golden/tables.txt");
    assert!(
        is_golden,
        "tests/golden/tables.txt is stale; now:\n{tables}"
    );

    let mut answers = serde_json::Map::new();
    for command in [
        &["snapshots", "create", "songs"][..],
        &["snapshots", "list"],
        &["snapshots", "verify", "latest"],
        &["snapshots", "prune", "--keep-last", "1", "--dry-run"],
        &["restore", "songs", "--overwrite"],
        &["jobs", "show", &id],
    ] {
        let mut answer = world.json(command).await;
        steady_json(&mut answer);
        answers.insert(command.join(" ").replace(&id, "ID"), answer);
    }
    // Which order the fields have is a feature of serde_json's, and nobody's to rely on.
    let golden = serde_json::from_str(include_str!("../golden/answers.json"));
    let is_golden = golden.is_ok_and(|golden: serde_json::Map<_, _>| golden == answers);
    let found = serde_json::to_string_pretty(&answers).unwrap();
    assert!(
        is_golden,
        "tests/golden/answers.json is stale; now:\n{found}"
    );
    // As it stands in the bucket.
    let shown = world.json(&["snapshots", "show", "latest"]).await;
    let newest = shown["id"].as_str().unwrap();
    let manifest = world.manifest(newest).await;
    assert_eq!(shown, serde_json::to_value(&manifest).unwrap());
}

fn without_took(tables: &str) -> String {
    let is_seconds = |cell: &str| {
        let number = cell
            .strip_suffix(" s")
            .and_then(|number| number.parse::<f64>().ok());
        number.is_some()
    };
    let line = |line: &str| {
        let cells = line
            .split("  ")
            .map(|cell| if is_seconds(cell) { "<took>" } else { cell });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    tables.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_comes_back_and_what_exists_is_not_replaced_unasked() {
    let world = World::start().await;
    let client = world.qdrant.client();
    world.fill("movies", 30).await;
    world.fill("songs", 7).await;
    let id = world.snapshot().await;
    client.delete_collection("movies").await.unwrap();

    let refused = world.run(&["restore", "cluster"]).await;
    assert_fails(&refused, 65, "songs");
    assert!(!client.collection_exists("movies").await.unwrap());
    let said = world.said(&["restore", "movies", "--from", &id]).await;
    assert!(said.contains(&format!("restored from {id}")), "{said}");
    assert_eq!(count(&client, "movies").await, 30);
    world.said(&["restore", "cluster", "--overwrite"]).await;
    assert_eq!(count(&client, "songs").await, 7);

    // The exact name, be it the word; the newest snapshot from before there was one.
    let none = world.run(&["restore", "--collection", "cluster"]).await;
    assert_fails(&none, 65, "cluster");
    let before = [
        "restore",
        "movies",
        "--overwrite",
        "--before",
        "2020-01-01T00:00:00Z",
    ];
    assert_fails(
        &world.run(&before).await,
        65,
        "from before 2020-01-01T00:00:00Z",
    );
    let two = ["restore", "movies", "songs", "--as", "one"];
    assert_fails(
        &world.run(&two).await,
        65,
        "rename_to: goes with exactly one collection",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_is_found_and_not_restored() {
    let world = World::start().await;
    world.fill("movies", 30).await;
    let id = world.snapshot().await;
    let manifest = world.manifest(&id).await;
    let shard = manifest.shards().next().unwrap();
    let other = vec![7; usize::try_from(shard.bytes).unwrap()];
    let other = stream::iter([Ok::<_, std::io::Error>(other.into())]);
    world.store.put_stream(&shard.key, other).await.unwrap();

    let verified = world.run(&["snapshots", "verify", &id]).await;
    assert_code(&verified, 74);
    let said = text(&verified.stdout);
    assert!(
        said.contains(shard.key.as_str()) && said.contains("SHA-256"),
        "{said}"
    );
    let lengths = world.run(&["snapshots", "verify", &id, "--lengths"]).await;
    assert_code(&lengths, 0);

    let restored = world.run(&["restore", "movies", "--as", "movies-2"]).await;
    assert_fails(&restored, 74, "goes on where this one was");
    let replaced = world.run(&["restore", "movies", "--overwrite"]).await;
    assert_fails(&replaced, 74, shard.key.as_str());
    assert_eq!(count(&world.qdrant.client(), "movies").await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_removes_what_the_dry_run_listed() {
    let world = World::start().await;
    world.fill("movies", 3).await;
    let mut ids = [world.snapshot().await, world.snapshot().await];
    ids.sort_unstable();
    let policy = ["snapshots", "prune", "--keep-last", "1"];
    let dry = world.json(&[&policy[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry["removed"][0]["snapshot"], ids[0].as_str());
    assert_eq!(world.store.list().await.unwrap().len(), 2);
    let done = world.json(&policy).await;
    assert_eq!(done["removed"], dry["removed"]);
    let left = world.store.list().await.unwrap();
    assert_eq!((left.len(), left[0].id.as_str()), (1, ids[1].as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_and_exits_65() {
    let world = World::start().await;
    let commands: [(&[&str], &str); 6] = [
        (&["snapshots", "show", UNKNOWN], UNKNOWN),
        (&["snapshots", "verify", UNKNOWN], UNKNOWN),
        (&["snapshots", "show", "latest"], "no complete snapshot"),
        (
            &["snapshots", "create", "nowhere"],
            "there is no collection nowhere",
        ),
        (&["restore", "cluster", "--from", UNKNOWN], UNKNOWN),
        (
            &["jobs", "show", "019e0f5c-1f3a-7cc2-b6f0-1d2e3f405162"],
            "there is no job",
        ),
    ];
    for (command, part) in commands {
        assert_fails(&world.run(command).await, 65, part);
    }
    assert_fails(
        &world.run(&["snapshots", "show", "../x"]).await,
        64,
        "no snapshot id",
    );
    let failed = world
        .run(&["snapshots", "create", "nowhere", "--json"])
        .await;
    let answer: Value = serde_json::from_str(&text(&failed.stdout)).unwrap();
    assert_eq!(
        (answer["state"].as_str(), answer["exit_code"].as_u64()),
        (Some("failed"), Some(65))
    );
    // An empty cluster is no failure, and leaves no snapshot.
    let said = world.said(&["snapshots", "create"]).await;
    assert!(said.starts_with("there is no collection to save"), "{said}");
    assert!(world.store.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_configuration_exits_64_and_what_is_away_69() {
    let world = World::start().await;
    world.fill("movies", 3).await;
    let list: &[&str] = &["snapshots", "list"];
    let create: &[&str] = &["snapshots", "create"];
    let rows: [(&[&str], &str, &str, i32, &str); 6] = [
        (
            list,
            "ALIOTH_S3_BUCKET",
            "",
            64,
            "ALIOTH_S3_BUCKET: is not set",
        ),
        (
            list,
            "ALIOTH_S3_BUCKET",
            "no-such-bucket",
            64,
            "use bucket no-such-bucket",
        ),
        (list, "AWS_SECRET_ACCESS_KEY", "guessed", 64, "use bucket"),
        (
            list,
            "ALIOTH_S3_BUKET",
            "x",
            64,
            "did you mean ALIOTH_S3_BUCKET?",
        ),
        // Port 9 (discard) has no listener on a loopback interface.
        (
            create,
            "ALIOTH_S3_ENDPOINT",
            "http://127.0.0.1:9",
            69,
            "use bucket",
        ),
        (
            create,
            "ALIOTH_QDRANT_REST_URL",
            "http://127.0.0.1:9",
            69,
            "127.0.0.1:9",
        ),
    ];
    for (arguments, variable, value, code, part) in rows {
        let mut command = world.command(arguments);
        command.env(variable, value);
        assert_fails(&output_of(command).await, code, part);
    }
    assert!(world.store.list().await.unwrap().is_empty());
}
