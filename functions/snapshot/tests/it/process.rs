//! The process itself: where its request comes from, what becomes of it, and its exit code.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use alioth_broker::{
    AmqpConfig, Broker, BrokerMetrics, HeaderValue, OutgoingMessage, Queue, RabbitMqBroker, headers,
};
use alioth_jobs::{BackupRequest, JobId, JobRecord, JobState, Request};
use alioth_testkit::{Fault, FaultProxy, RabbitMq, S3, unique_collection, wait_until};
use prometheus::Registry;
use tokio::process::{Child, Command};

use crate::{DEADLINE, pushgateway::Pushgateway, world::World};

/// The queues of one test.
struct Queues {
    broker: RabbitMqBroker,
    url: String,
    prefix: String,
}

impl Queues {
    async fn declare() -> Self {
        let (url, prefix) = (
            RabbitMq::shared().await.amqp_url(),
            format!("{}.", unique_collection("snapshot")),
        );
        let config = AmqpConfig {
            url: url.as_str().into(),
            queue_prefix: prefix.clone(),
            ..AmqpConfig::default()
        };
        let metrics = BrokerMetrics::register(&Registry::new()).expect("an empty registry");
        let broker = RabbitMqBroker::new(&config, "test", metrics).expect("a good URL");
        broker.declare().await.expect("the queues");
        Self {
            broker,
            url,
            prefix,
        }
    }

    /// Puts a message on the queue `backup`.
    async fn publish(&self, body: Vec<u8>) {
        let message = || OutgoingMessage {
            body: body.clone().into(),
            content_type: "application/json".to_owned(),
            kind: BackupRequest::TYPE.to_owned(),
            message_id: JobId::new().to_string(),
            headers: Vec::new(),
        };
        let publisher = self.broker.publisher();
        wait_until(DEADLINE, || async {
            publisher
                .publish(Queue::Backup, vec![message()])
                .await
                .is_ok()
        })
        .await;
    }

    async fn ready(&self, queue: Queue) -> u64 {
        self.broker.depth(queue).await.expect("a depth").ready
    }
}

fn of_everything(job_id: &JobId) -> Vec<u8> {
    BackupRequest::Collections {
        job_id: job_id.clone(),
        collections: Vec::new(),
    }
    .encode()
}

/// The binary with what it needs to reach the world.
fn command(world: &World) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snapshot"));
    command
        .env_clear()
        .envs(S3::environment())
        .env("ALIOTH_S3_BUCKET", &world.s3.bucket)
        .env("ALIOTH_S3_ENDPOINT", &world.s3.endpoint)
        .env("ALIOTH_QDRANT_REST_URL", world.qdrant.rest_url())
        .env("ALIOTH_SNAPSHOT_RETRY_PAUSE", "20ms")
        .kill_on_drop(true);
    command
}

fn command_of_queue(world: &World, queues: &Queues) -> Command {
    let mut command = command(world);
    command
        .env("ALIOTH_AMQP_URL", &queues.url)
        .env("ALIOTH_AMQP_QUEUE_PREFIX", &queues.prefix);
    command
}

async fn output(command: &mut Command) -> Output {
    let ended = tokio::time::timeout(DEADLINE, command.output()).await;
    ended.expect("its end in time").expect("the binary")
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}");
}

async fn record(world: &World, id: &JobId) -> JobRecord {
    let json = world.store.get_job(id.as_str()).await.expect("the bucket");
    serde_json::from_slice(&json.expect("a record")).expect("a record's JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_configuration_names_every_problem_and_exits_64() {
    let output = Command::new(env!("CARGO_BIN_EXE_snapshot"))
        .env_clear()
        .env("ALIOTH_SNAPSHOT_CONCURRENCY", "0")
        .env("ALIOTH_RETENTION_KEEP_LAST", "some")
        .env("ALIOTH_JOB_WEIT", "5s")
        .output()
        .await
        .expect("the binary");
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in [
        "ALIOTH_SNAPSHOT_CONCURRENCY",
        "ALIOTH_RETENTION_KEEP_LAST",
        "ALIOTH_JOB_WEIT",
        "ALIOTH_S3_BUCKET",
        "ALIOTH_AMQP_URL",
    ] {
        assert!(said.contains(name), "{name} in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_run_saves_pushes_its_metrics_and_exits_0() {
    let world = World::start().await;
    world.collection("movies", 50).await;
    let gateway = Pushgateway::start().await;
    let mut command = command(&world);
    command
        .env("ALIOTH_JOB_SOURCE", "once")
        .env("ALIOTH_PUSHGATEWAY_URL", gateway.url());
    assert_code(&output(&mut command).await, 0);
    assert!(world.store.latest(None).await.unwrap().is_some());
    let jobs = world.store.list_jobs().await.unwrap();
    let id: JobId = jobs[0].id.parse().expect("a job's id");
    let record = record(&world, &id).await;
    assert_eq!(record.state, JobState::Done);
    assert_eq!(record.result["shards"], 1);

    let metrics = gateway.metrics().await;
    let shards = metrics.lines().find(|line| {
        line.starts_with("alioth_job_last_shards") && line.contains("kind=\"snapshot\"")
    });
    assert!(shards.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
    assert!(metrics.contains("alioth_job_last_success_timestamp_seconds"));
    assert!(metrics.contains(&format!("job_id=\"{id}\"")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_message_it_exits_0_soon() {
    let (world, queues) = tokio::join!(World::start(), Queues::declare());
    let started = Instant::now();
    let mut command = command_of_queue(&world, &queues);
    command.env("ALIOTH_JOB_WAIT", "1s");
    assert_code(&output(&mut command).await, 0);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(world.store.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_is_one_snapshot_and_the_others_stay() {
    let (world, queues) = tokio::join!(World::start(), Queues::declare());
    world.collection("movies", 50).await;
    let ids = [JobId::new(), JobId::new()];
    for id in &ids {
        queues.publish(of_everything(id)).await;
    }
    let mut command = command_of_queue(&world, &queues);
    assert_code(&output(&mut command).await, 0);
    assert_eq!(queues.ready(Queue::Backup).await, 1);
    assert_eq!(world.store.list().await.unwrap().len(), 1);
    assert_eq!(record(&world, &ids[0]).await.state, JobState::Done);
    assert_eq!(world.store.get_job(ids[1].as_str()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_set_aside_with_the_reason_and_exits_65() {
    let (world, queues) = tokio::join!(World::start(), Queues::declare());
    queues
        .publish(br#"{"job_id": "7", "what": "everything"}"#.to_vec())
        .await;
    let mut command = command_of_queue(&world, &queues);
    assert_code(&output(&mut command).await, 65);
    assert_eq!(queues.ready(Queue::Backup).await, 0);
    assert_eq!(queues.ready(Queue::BackupDead).await, 1);
    let mut dead = queues.broker.consume(Queue::BackupDead, 1).await.unwrap();
    let letter = dead.next().await.expect("the dead letter");
    let Some(HeaderValue::Text(reason)) = letter.header(headers::DEAD_REASON) else {
        panic!("{letter:?}")
    };
    assert!(reason.starts_with("job_id: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_there_is_not_exits_65_and_the_record_says_why() {
    let (world, queues) = tokio::join!(World::start(), Queues::declare());
    let job_id = JobId::new();
    let request = BackupRequest::Collections {
        job_id: job_id.clone(),
        collections: vec!["films".to_owned()],
    };
    queues.publish(request.encode()).await;
    let mut command = command_of_queue(&world, &queues);
    assert_code(&output(&mut command).await, 65);
    let record = record(&world, &job_id).await;
    assert_eq!(record.state, JobState::Failed);
    let error = record.error.expect("a reason");
    assert_eq!(error, "collections[0]: there is no collection films");
    assert_eq!(queues.ready(Queue::BackupDead).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_qdrant_it_exits_69_and_the_message_stays() {
    let (mut world, queues) = tokio::join!(World::start(), Queues::declare());
    world.qdrant.stop().await;
    let job_id = JobId::new();
    queues.publish(of_everything(&job_id)).await;
    let mut command = command_of_queue(&world, &queues);
    assert_code(&output(&mut command).await, 69);
    assert_eq!(record(&world, &job_id).await.state, JobState::Failed);
    wait_until(DEADLINE, || async {
        queues.ready(Queue::Backup).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_for_the_bucket_exits_64() {
    let world = World::start().await;
    let mut command = command(&world);
    command
        .env("ALIOTH_JOB_SOURCE", "once")
        .env("AWS_SECRET_ACCESS_KEY", "another");
    assert_code(&output(&mut command).await, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_it_aborts_gives_the_message_back_and_exits_69() {
    let (world, queues) = tokio::join!(World::start(), Queues::declare());
    world.collection("movies", 20_000).await;
    let proxy = FaultProxy::start(world.rest_address()).await;
    proxy.set(Fault::Delay(Duration::from_millis(100))).await;
    let job_id = JobId::new();
    queues.publish(of_everything(&job_id)).await;
    let mut command = command_of_queue(&world, &queues);
    command.env(
        "ALIOTH_QDRANT_REST_URL",
        format!("http://{}", proxy.address()),
    );
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    command.stdout(std::fs::File::create(&log).expect("a file"));
    let mut child = command.spawn().expect("the binary");
    wait_until(DEADLINE, || async {
        let said = std::fs::read_to_string(&log).expect("its log");
        said.contains("snapshot begins")
    })
    .await;
    terminate(&child).await;
    let ended = tokio::time::timeout(DEADLINE, child.wait()).await;
    let status = ended.expect("its end in time").expect("its status");
    assert_eq!(status.code(), Some(69));
    wait_until(DEADLINE, || async {
        queues.ready(Queue::Backup).await == 1
    })
    .await;
    assert_eq!(world.store.latest(None).await.unwrap(), None);
    let unfinished = world.store.abort_leftovers(Duration::ZERO).await;
    assert_eq!(unfinished.unwrap(), 0, "an upload was left");
    assert_eq!(record(&world, &job_id).await.state, JobState::Failed);
}

async fn terminate(child: &Child) {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
    assert!(sent.await.expect("kill").success());
}
