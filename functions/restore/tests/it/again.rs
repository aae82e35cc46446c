//! The same job twice: after a kill, while it runs, and after it was done.

use std::{process::Stdio, time::Duration};

use alioth_broker::Queue;
use alioth_jobs::{JobRecord, JobState, Request};
use alioth_testkit::{Direction, Fault, FaultProxy, wait_for, wait_until};
use jiff::Timestamp;
use tokio::process::{Child, Command};

use crate::world::{DEADLINE, World, of};

/// Starts the process over a slow way to Qdrant.
pub(crate) async fn start_slowly(world: &World) -> (Child, FaultProxy) {
    start_slowly_with(world, &[]).await
}

/// The same with these variables.
async fn start_slowly_with(world: &World, variables: &[(&str, &str)]) -> (Child, FaultProxy) {
    let url = world.rest_url();
    let address = url.trim_start_matches("http://").parse().unwrap();
    let proxy = FaultProxy::start(address).await;
    proxy.set(Fault::Delay(Duration::from_millis(150))).await;
    let mut command = world.command().await;
    command
        .env(
            "ALIOTH_QDRANT_REST_URL",
            format!("http://{}", proxy.address()),
        )
        .envs(variables.iter().copied())
        .stdout(Stdio::null());
    (command.spawn().unwrap(), proxy)
}

/// Waits until the job has written down that it begins.
pub(crate) async fn until_begun(world: &World, request: &impl Request) {
    wait_for(DEADLINE, || async {
        let json = world
            .store
            .get_job(request.job_id().as_str())
            .await
            .ok()??;
        let record: JobRecord = serde_json::from_slice(&json).ok()?;
        record
            .result
            .pointer("/progress/begun/0")
            .is_some()
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_run_again_succeeds() {
    let world = World::start().await;
    world.collection("movies", 300).await;
    world.alias("films", "movies").await;
    world.save(&["movies"]).await;
    world.drop("movies").await;
    let request = of(&["movies"]);
    world.ask(&request).await;
    let (mut child, _proxy) = start_slowly(&world).await;
    until_begun(&world, &request).await;
    child.kill().await.unwrap();
    world.until_ready(Queue::Restore, 1).await;

    world.run().await.exits(0);
    assert_eq!(world.rest.count("films").await.unwrap(), 300);
    assert_eq!(world.record(&request.job_id).await.state, JobState::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_the_message_goes_back_and_the_next_run_goes_on() {
    let world = World::start().await;
    world.collection("movies", 300).await;
    world.save(&["movies"]).await;
    let mut request = of(&["movies"]);
    request.overwrite = true;
    world.alias("cinema", "movies").await;
    world.ask(&request).await;
    let (mut child, _proxy) = start_slowly(&world).await;
    until_begun(&world, &request).await;
    terminate(&child).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(69));
    world.until_ready(Queue::Restore, 1).await;
    assert_eq!(world.record(&request.job_id).await.state, JobState::Failed);

    world.run().await.exits(0);
    let cinema = world.rest.count("cinema").await;
    assert_eq!(
        cinema.unwrap(),
        300,
        "an alias that only the record remembers"
    );
}

/// The bucket hears nothing any more, so the record cannot be ended: what is left of the process is its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_hangs_in_the_bucket_ends_at_its_deadline_and_the_message_goes_back() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.save(&["movies"]).await;
    world.drop("movies").await;
    let request = of(&["movies"]);
    world.ask(&request).await;
    let address = world.s3.endpoint.trim_start_matches("http://").parse();
    let bucket = FaultProxy::start(address.unwrap()).await;
    bucket.set(Fault::Delay(Duration::from_millis(50))).await;
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = world.command().await;
    command
        .env("ALIOTH_S3_ENDPOINT", format!("http://{}", bucket.address()))
        .env("ALIOTH_DRAIN_TIMEOUT", "1s")
        .stdout(log.reopen().unwrap());
    let mut child = command.spawn().unwrap();
    wait_until(DEADLINE, || async {
        let record = world.store.get_job(request.job_id.as_str()).await;
        record.is_ok_and(|json| json.is_some())
    })
    .await;
    bucket.set(Fault::BlackHole(Direction::Both)).await;
    terminate(&child).await;
    let ended = tokio::time::timeout(DEADLINE, child.wait()).await;
    let said = std::fs::read_to_string(log.path()).unwrap();
    assert_eq!(ended.unwrap().unwrap().code(), Some(69), "{said}");
    assert!(said.contains("drain missed its deadline"), "{said}");
    world.until_ready(Queue::Restore, 1).await;
}

/// Three are asked for, and the first run ends at the first of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_somebody_makes_between_two_runs_is_not_taken_for_the_job_s_own() {
    let world = World::start().await;
    for name in ["a", "b", "c"] {
        world.collection(name, 30).await;
    }
    world.save(&["a", "b", "c"]).await;
    for name in ["a", "b", "c"] {
        world.drop(name).await;
    }
    let request = of(&["a", "b", "c"]);
    world.ask(&request).await;
    let (mut child, _proxy) = start_slowly(&world).await;
    until_begun(&world, &request).await;
    terminate(&child).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(69));
    world.until_ready(Queue::Restore, 1).await;

    world.collection("c", 50).await;
    world.run().await.exits(65);
    assert_eq!(world.rest.count("c").await.unwrap(), 50);
    let death = world.death().await;
    assert!(death.contains("\"c\" exists"), "{death}");
}

/// As when a job takes longer than RabbitMQ waits for an ack: its channel is closed, and the message comes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_for_good_whose_ack_is_lost_is_one_dead_letter_and_is_not_done_again() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    let mut manifest = world.saved(&["movies"]).await;
    manifest.collections[0].points_before = 31;
    manifest.collections[0].points_after = 31;
    world.store.put_manifest(&manifest).await.unwrap();
    world.drop("movies").await;
    let request = of(&["movies"]);
    world.ask(&request).await;
    let (amqp, url) = world.amqp_proxy().await;
    let (mut child, _proxy) = start_slowly_with(&world, &[("ALIOTH_AMQP_URL", &url)]).await;
    until_begun(&world, &request).await;
    amqp.cut_connections().await;
    assert_eq!(child.wait().await.unwrap().code(), Some(74));
    world.until_ready(Queue::Restore, 1).await;
    world.until_ready(Queue::RestoreDead, 1).await;
    assert_eq!(world.record(&request.job_id).await.exit_code, Some(74));

    world.fill("movies", 50).await;
    world.run().await.exits(0);
    world.until_ready(Queue::Restore, 0).await;
    assert_eq!(world.ready(Queue::RestoreDead).await, 1);
    let points = world.rest.count("movies").await.unwrap();
    assert_eq!(points, 50, "it is restored again");

    // Whoever moves the dead letter back asks for the job.
    world.ask(&request).await;
    world.run().await.exits(74);
    world.until_ready(Queue::RestoreDead, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_taken_over_leaves_its_successor_s_record_alone() {
    let world = World::start().await;
    world.collection("movies", 300).await;
    world.save(&["movies"]).await;
    world.drop("movies").await;
    let request = of(&["movies"]);
    world.ask(&request).await;
    // It looks for another run when it writes, and not before.
    let (mut child, _proxy) = start_slowly_with(&world, &[("ALIOTH_JOB_LEASE", "1h")]).await;
    until_begun(&world, &request).await;
    let mut successor = world.record(&request.job_id).await;
    successor.run = Some("successor".to_owned());
    let json = serde_json::to_vec(&successor).unwrap();
    let id = request.job_id.as_str();
    world.store.put_job(id, json).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(69));
    assert_eq!(world.record(&request.job_id).await, successor);
}

async fn terminate(child: &Child) {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
    assert!(sent.await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_done_is_not_done_again() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.save(&["movies"]).await;
    let mut request = of(&["movies"]);
    request.overwrite = true;
    world.ask(&request).await;
    world.run().await.exits(0);
    world.fill("movies", 50).await;
    world.ask(&request).await;
    world.run().await.exits(0);
    assert_eq!(world.rest.count("movies").await.unwrap(), 50);
    world.until_ready(Queue::Restore, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_elsewhere_is_waited_for() {
    let world = World::start().await;
    world.collection("movies", 30).await;
    world.save(&["movies"]).await;
    let mut request = of(&["movies"]);
    request.overwrite = true;
    let asked = serde_json::to_value(&request).unwrap();
    let id = request.job_id.clone();
    let mut elsewhere = JobRecord::running(id.clone(), request.kind(), asked, Timestamp::now());
    let put = |record: JobRecord| {
        let json = serde_json::to_vec(&record).unwrap();
        let (store, id) = (world.store.clone(), id.clone());
        async move { store.put_job(id.as_str(), json).await.unwrap() }
    };
    put(elsewhere.clone()).await;
    world.ask(&request).await;
    let mut command = world.command().await;
    command.env("ALIOTH_JOB_LEASE", "30s").stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    world.until_ready(Queue::Restore, 0).await;
    elsewhere.state = JobState::Done;
    put(elsewhere).await;
    let ended = tokio::time::timeout(DEADLINE, child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    let result = world.record(&id).await.result;
    assert!(result.is_null(), "it did the work itself: {result}");
}
