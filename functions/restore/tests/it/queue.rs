//! Restores from one message, and what comes back.

use std::time::Instant;

use alioth_broker::Queue;
use alioth_jobs::{JobState, RestoreFrom};
use qdrant_client::qdrant::{Condition, CountPointsBuilder, Filter, GetPointsBuilder, Range};

use crate::world::{DEADLINE, World, everything, of};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_collection_comes_back_with_points_indexes_and_aliases() {
    let world = World::start().await;
    world.collection("movies", 300).await;
    world.alias("films", "movies").await;
    world.save(&["movies"]).await;
    world.drop("movies").await;
    assert_eq!(world.aliases().await, []);

    let request = of(&["movies"]);
    world.ask(&request).await;
    world.run().await.exits(0);

    assert_eq!(world.rest.count("movies").await.unwrap(), 300);
    let films = [("films".to_owned(), "movies".to_owned())];
    assert_eq!(world.aliases().await, films);
    let info = world.rest.collection("movies").await.unwrap();
    assert_eq!(info.payload_schema["n"]["data_type"], "integer");
    let client = world.servers.client();
    let later = Filter::must([Condition::range(
        "n",
        Range {
            gte: Some(250.0),
            ..Range::default()
        },
    )]);
    let count = CountPointsBuilder::new("films").filter(later).exact(true);
    let counted = client.count(count).await.unwrap().result.unwrap();
    assert_eq!(counted.count, 50);
    let get = GetPointsBuilder::new("movies", [7.into()])
        .with_payload(true)
        .with_vectors(true);
    let point = client.get_points(get).await.unwrap().result.remove(0);
    assert_eq!(point.payload["n"].as_integer(), Some(7));

    let record = world.record(&request.job_id).await;
    assert_eq!(record.state, JobState::Done);
    assert_eq!(record.result["collections"][0]["points"], 300);
    assert_eq!(record.result["aliases"], 1);
    world.until_ready(Queue::Restore, 0).await;
    assert_eq!(world.ready(Queue::RestoreDead).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_a_snapshot_comes_back_into_an_empty_cluster() {
    let world = World::start().await;
    for (name, points) in [("logs", 40), ("movies", 30)] {
        world.collection(name, points).await;
        world.alias(&format!("{name}-now"), name).await;
    }
    world.save(&["logs", "movies"]).await;
    world.drop("logs").await;
    world.drop("movies").await;
    world.ask(&everything()).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count("logs-now").await.unwrap(), 40);
    assert_eq!(world.rest.count("movies-now").await.unwrap(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_snapshot_of_one_collection_is_not_the_cluster_s_latest() {
    let world = World::start().await;
    world.collection("logs", 40).await;
    world.collection("movies", 30).await;
    let whole = world.save(&["logs", "movies"]).await;
    let partial = world.save(&["movies"]).await;
    assert!(partial.id > whole.id);
    world.drop("logs").await;
    world.drop("movies").await;

    let request = everything();
    world.ask(&request).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.collections().await.unwrap(), ["logs", "movies"]);
    let record = world.record(&request.job_id).await;
    assert_eq!(record.result["snapshot"], whole.id.as_str());

    // By its name it is what was asked for.
    world.drop("logs").await;
    world.drop("movies").await;
    let mut named = everything();
    named.from = RestoreFrom::Id(partial.id.to_string());
    world.ask(&named).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.collections().await.unwrap(), ["movies"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_snapshot_of_all_collections_the_cluster_s_restore_is_refused() {
    let world = World::start().await;
    world.collection("logs", 4).await;
    world.collection("movies", 3).await;
    world.save(&["movies"]).await;
    world.ask(&everything()).await;
    world.run().await.exits(65);
    let reason = world.death().await;
    assert!(reason.contains("of all collections"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn overwriting_replaces_what_was_there_and_keeps_its_aliases() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.save(&["movies"]).await;
    world.fill("movies", 50).await;
    world.alias("cinema", "movies").await;
    let mut request = of(&["movies"]);
    request.overwrite = true;
    world.ask(&request).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count("movies").await.unwrap(), 30);
    let cinema = [("cinema".to_owned(), "movies".to_owned())];
    assert_eq!(world.aliases().await, cinema);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_new_name_the_old_stays_and_the_alias_moves() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.alias("films", "movies").await;
    world.save(&["movies"]).await;
    world.fill("movies", 50).await;
    let mut request = of(&["movies"]);
    request.rename_to = Some("movies-2".to_owned());
    world.ask(&request).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count("movies").await.unwrap(), 50);
    assert_eq!(world.rest.count("movies-2").await.unwrap(), 30);
    let films = [("films".to_owned(), "movies-2".to_owned())];
    assert_eq!(world.aliases().await, films);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_snapshot_is_found_by_id_and_by_time() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    let first = world.save(&["movies"]).await;
    world.fill("movies", 50).await;
    // Ids are of whole seconds, and before is before.
    alioth_testkit::wait_until(DEADLINE, || async {
        jiff::Timestamp::now().as_second() > first.id.time().as_second()
    })
    .await;
    let second = world.save(&["movies"]).await;
    for (from, points) in [
        (RestoreFrom::Latest, 50),
        (RestoreFrom::Id(first.id.as_str().to_owned()), 30),
        (RestoreFrom::Before(second.id.time()), 30),
    ] {
        world.drop("movies").await;
        let mut request = of(&["movies"]);
        request.from = from.clone();
        world.ask(&request).await;
        world.run().await.exits(0);
        assert_eq!(
            world.rest.count("movies").await.unwrap(),
            points,
            "{from:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_message_it_exits_0_soon() {
    let world = World::start().await;
    let started = Instant::now();
    let mut command = world.command().await;
    command.env("ALIOTH_JOB_WAIT", "1s");
    let status = command.status().await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
}
