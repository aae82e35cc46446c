//! What the process holds: idle, and while it works off a queue; and what becomes of its messages when it may not.

use std::os::unix::process::ExitStatusExt as _;

use alioth_testkit::{Qdrant, usage::mib, wait_until};
use qdrant_client::qdrant::{CreateCollectionBuilder, Distance, PointStruct, VectorParamsBuilder};

use crate::{
    DEADLINE,
    binary::Process,
    world::{Queues, count, message},
};

const IDLE_BYTES: u64 = 20 << 20;
const LOADED_BYTES: u64 = 96 << 20;

const DIMENSIONS: u64 = 100;
const POINTS_A_MESSAGE: u64 = 100;
/// More than the prefetch of 256, so that it holds as many as it ever does.
const MESSAGES: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn idle_it_stays_below_20_mib_and_under_load_below_96() {
    let queues = Queues::rabbitmq().await;
    let qdrant = Qdrant::start().await;
    let create = CreateCollectionBuilder::new("films")
        .vectors_config(VectorParamsBuilder::new(DIMENSIONS, Distance::Cosine));
    qdrant
        .client()
        .create_collection(create)
        .await
        .expect("a new collection");
    let process = Process::start(&queues, &qdrant.grpc_url(), &[]);
    process.wait_ready().await;
    let idle = process.usage().resident_bytes();

    let vector = vec![0.5; DIMENSIONS as usize];
    let points = |write: u64| {
        let ids = write * POINTS_A_MESSAGE..(write + 1) * POINTS_A_MESSAGE;
        ids.map(|id| PointStruct::new(id, vector.clone(), [("title", "Up".into())]))
            .collect()
    };
    let writes = (0..MESSAGES).map(|write| message("films", points(write)));
    queues.publish(writes.collect()).await;
    let applied = || process.metric("alioth_consume_points_applied_total");
    let all = (MESSAGES * POINTS_A_MESSAGE) as f64;
    wait_until(DEADLINE, || async { applied().await >= all }).await;

    let peak = process.usage().peak_resident_bytes();
    println!(
        "resident: idle {:.1} MiB, at most {:.1} MiB under load",
        mib(idle),
        mib(peak)
    );
    assert!(idle < IDLE_BYTES, "idle {idle}");
    assert!(peak < LOADED_BYTES, "at most {peak}");
}

/// What a container's limit does, without one: told to hold 60 MB with 32 MiB to hold it in, the process dies of it.
#[tokio::test(flavor = "multi_thread")]
async fn at_its_memory_limit_it_dies_and_loses_nothing() {
    const LARGE: u64 = 1_000;
    const POINTS: u64 = 25;
    const WRITES: u64 = 600;
    const MEMORY_BYTES: u64 = 32 << 20;
    let queues = Queues::rabbitmq().await;
    let qdrant = Qdrant::start().await;
    let create = CreateCollectionBuilder::new("films")
        .vectors_config(VectorParamsBuilder::new(LARGE, Distance::Cosine));
    let created = qdrant.client().create_collection(create).await;
    created.expect("a new collection");
    let vector = vec![0.5; LARGE as usize];
    let points = |write: u64| {
        let ids = write * POINTS..(write + 1) * POINTS;
        ids.map(|id| PointStruct::new(id, vector.clone(), [("title", "Up".into())]))
            .collect()
    };
    let writes = (0..WRITES).map(|write| message("films", points(write)));
    queues.publish(writes.collect()).await;

    // Where nothing can be applied, everything is held, however fast the machine is.
    let away = alioth_testkit::ReservedPort::new();
    let away = format!("http://{}", away.address());
    let greedy = [("ALIOTH_PREFETCH", "600"), ("ALIOTH_HOLD_BYTES", "1GiB")];
    let mut limited = Process::start_with_memory(MEMORY_BYTES, &queues, &away, &greedy);
    let status = limited.wait().await;
    assert!(status.signal().is_some(), "{status} {}", limited.log());

    let process = Process::start(&queues, &qdrant.grpc_url(), &[]);
    wait_until(DEADLINE, || async {
        count(&qdrant, "films").await == WRITES * POINTS
    })
    .await;
    process.wait_settled().await;
    assert_eq!(queues.ready(alioth_broker::Queue::Ingest).await, 0);
    assert_eq!(queues.ready(alioth_broker::Queue::IngestDead).await, 0);
}
