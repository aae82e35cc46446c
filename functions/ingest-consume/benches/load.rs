//! Measures the process on a real RabbitMQ: start, memory, points a second out of a full queue, CPU a point;
//! beside the best a client does directly on the same Qdrant in the same run.
//! `cargo bench -p ingest-consume`, with `QDRANT_BIN` on a real server; every figure is printed, none asserted.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run panics")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/binary.rs"]
mod binary;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::time::{Duration, Instant};

use alioth_testkit::{Qdrant, usage::mib, wait::wait_until};
use binary::Process;
use qdrant_client::qdrant::{
    CreateCollectionBuilder, Distance, PointStruct, UpsertPointsBuilder, VectorParamsBuilder,
};
use tokio::task::JoinSet;
use world::{Queues, message};

const DEADLINE: Duration = Duration::from_secs(600);
const DIMENSIONS: u64 = 100;
const SHARDS: u32 = 6;
const POINTS: usize = 200_000;
const STARTS: usize = 20;
/// Direct writes: their size and how many at once were the fastest of those tried on Qdrant 1.18.3.
const DIRECT_BATCH: usize = 1_000;
const DIRECT_WRITERS: usize = 2;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        start_time().await;
        let qdrant = Qdrant::start().await;
        let kind = if qdrant.is_embedded() {
            "the embedded node"
        } else {
            "a Qdrant server"
        };
        println!("{POINTS} points of {DIMENSIONS} dimensions, {SHARDS} shards, into {kind}");
        let direct = direct(&qdrant).await;
        println!("direct, writes of {DIRECT_BATCH} × {DIRECT_WRITERS}: {direct:.0} points/s");
        for points_a_message in [1_000, 100, 10, 1] {
            drain(&qdrant, points_a_message, direct).await;
        }
    });
}

/// From the spawn of the process to `/readyz` 200.
async fn start_time() {
    let queues = Queues::rabbitmq().await;
    let qdrant = Qdrant::start().await;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut process = Process::start(&queues, &qdrant.grpc_url(), &[]);
        while process.status("/readyz").await != Some(200) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        starts.push(began.elapsed());
        process.signal("TERM").await;
        process.wait().await;
    }
    starts.sort();
    let (median, last) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!("start to ready: median {median:.1?}, longest {last:.1?}");
}

async fn make_collection(qdrant: &Qdrant, name: &str) {
    let create = CreateCollectionBuilder::new(name)
        .vectors_config(VectorParamsBuilder::new(DIMENSIONS, Distance::Cosine))
        .shard_number(SHARDS);
    qdrant.client().create_collection(create).await.unwrap();
}

fn points(ids: std::ops::Range<usize>) -> Vec<PointStruct> {
    let mut random = fastrand::Rng::with_seed(ids.start as u64);
    let mut vector = || {
        (0..DIMENSIONS)
            .map(|_| random.f32() - 0.5)
            .collect::<Vec<_>>()
    };
    ids.map(|id| {
        let payload = [
            ("title", format!("Film {id}").into()),
            ("year", (id as i64 % 100).into()),
        ];
        PointStruct::new(id as u64, vector(), payload)
    })
    .collect()
}

/// Points a second of the typed client, wait=true.
async fn direct(qdrant: &Qdrant) -> f64 {
    make_collection(qdrant, "direct").await;
    let writes: Vec<_> = (0..POINTS)
        .step_by(DIRECT_BATCH)
        .map(|first| points(first..first + DIRECT_BATCH))
        .collect();
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..DIRECT_WRITERS {
        let client = qdrant.client();
        let mine: Vec<_> = writes
            .iter()
            .skip(writer)
            .step_by(DIRECT_WRITERS)
            .cloned()
            .collect();
        writers.spawn(async move {
            for points in mine {
                let upsert = UpsertPointsBuilder::new("direct", points).wait(true);
                client.upsert_points(upsert).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    POINTS as f64 / began.elapsed().as_secs_f64()
}

/// Fills the queue, then lets one consumer empty it.
async fn drain(qdrant: &Qdrant, points_a_message: usize, direct: f64) {
    // A message a point is slow to publish, not to consume: a tenth of them tells as much.
    let total = if points_a_message == 1 {
        POINTS / 10
    } else {
        POINTS
    };
    let name = format!("by-{points_a_message}");
    make_collection(qdrant, &name).await;
    let queues = Queues::rabbitmq().await;
    let messages = (0..total)
        .step_by(points_a_message)
        .map(|first| message(&name, points(first..first + points_a_message)));
    queues.publish(messages.collect()).await;

    let began = Instant::now();
    let process = Process::start(&queues, &qdrant.grpc_url(), &[]);
    let applied = || process.metric("alioth_consume_points_applied_total");
    wait_until(DEADLINE, || async { applied().await >= total as f64 }).await;
    let rate = total as f64 / began.elapsed().as_secs_f64();
    let usage = process.usage();
    let upserts = process.metric("alioth_consume_upserts_total").await;
    println!(
        "{points_a_message:>5} points a message: {rate:.0} points/s ({:.2} × direct), {:.2} µs of CPU a point, \
         {:.0} points an upsert, resident at most {:.1} MiB",
        rate / direct,
        usage.cpu_time().as_secs_f64() * 1e6 / total as f64,
        total as f64 / upserts,
        mib(usage.peak_resident_bytes()),
    );
}
