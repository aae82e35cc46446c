//! Measures the process over a real RabbitMQ: start, memory, requests a second, CPU a point.
//! `cargo bench -p ingest-accept`; every figure is printed, none is asserted.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run panics")]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[path = "../tests/it/process.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod process;
#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use more of it")]
mod support;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use alioth_points::Write;
use alioth_testkit::{RabbitMq, usage::mib};
use bytes::Bytes;
use serde_json::json;
use support::{Http, Process, World, collection, shared_qdrant, unique_prefix};
use tokio::task::JoinSet;

const WRITERS: usize = 16;
const POINTS: usize = 100;
const DIMENSIONS: usize = 100;
/// 16 writers × 300 × 44 KB: 210 MB in the queue.
const REQUESTS: usize = 300;
const STARTS: usize = 20;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        start_time().await;
        load().await;
    });
}

/// From the spawn of the process to `/readyz` 200.
async fn start_time() {
    let (rabbitmq, qdrant) = (RabbitMq::shared().await, shared_qdrant().await);
    let (amqp_url, qdrant_url, prefix) = (rabbitmq.amqp_url(), qdrant.grpc_url(), unique_prefix());
    let settings = [
        ("ALIOTH_AMQP_URL", amqp_url.as_str()),
        ("ALIOTH_AMQP_QUEUE_PREFIX", prefix.as_str()),
        ("ALIOTH_QDRANT_URL", qdrant_url.as_str()),
    ];
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut process = Process::start(&settings);
        while !is_ready(&process).await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        starts.push(began.elapsed());
        process.terminate();
        process.ended().await;
    }
    // The first one declares the queues.
    let first = starts.remove(0);
    starts.sort();
    let (median, last) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!(
        "start to ready: median {median:.1?}, longest {last:.1?}; {first:.1?} when it makes the queues"
    );
}

async fn is_ready(process: &Process) -> bool {
    let http = process.http();
    let body = axum::body::Body::empty();
    let sent = http
        .send(axum::http::Method::GET, "/readyz", &[], body)
        .await;
    sent.is_ok_and(|answer| answer.status == 200)
}

/// The body of 16 keep-alive writers at once, as Python writes floats.
async fn load() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, DIMENSIONS as u64).await;
    let usage = world.process.usage();
    let idle = usage.resident_bytes();
    let body = body(&name);
    let parse = parse_time(&body);
    write_many(&world, &body, REQUESTS / 10).await;

    let (cpu, began) = (usage.cpu_time(), Instant::now());
    write_many(&world, &body, REQUESTS).await;
    let (cpu, wall) = (usage.cpu_time() - cpu, began.elapsed());

    let (requests, points) = (WRITERS * REQUESTS, WRITERS * REQUESTS * POINTS);
    let a_point = |span: Duration| span.as_secs_f64() * 1e6 / points as f64;
    println!(
        "body: {} bytes, {POINTS} points of {DIMENSIONS} dimensions",
        body.len()
    );
    println!(
        "resident: idle {:.1} MiB, most {:.1} MiB",
        mib(idle),
        mib(usage.peak_resident_bytes())
    );
    println!(
        "{WRITERS} writers: {:.0} requests/s, {:.0} points/s",
        requests as f64 / wall.as_secs_f64(),
        points as f64 / wall.as_secs_f64()
    );
    let total = a_point(cpu);
    println!(
        "CPU a point: {total:.2} µs, of it parsing {parse:.2} µs, everything else {:.2} µs",
        total - parse
    );
}

fn body(collection: &str) -> Bytes {
    let mut random = fastrand::Rng::with_seed(7);
    let mut vector = || {
        (0..DIMENSIONS)
            .map(|_| random.f64() - 0.5)
            .collect::<Vec<_>>()
    };
    let vectors: Vec<_> = (0..POINTS).map(|_| vector()).collect();
    let payload = |id| json!({"title": format!("Film {id}"), "year": 1900 + id});
    let body = json!({
        "collection_name": collection,
        "batch": {
            "ids": (0..POINTS).collect::<Vec<_>>(),
            "vectors": vectors,
            "payloads": (0..POINTS).map(payload).collect::<Vec<_>>(),
        }
    });
    Bytes::from(body.to_string())
}

/// Microseconds a point for the parser alone, in this process.
fn parse_time(body: &[u8]) -> f64 {
    let rounds = 500;
    let began = Instant::now();
    for _ in 0..rounds {
        let write = Write::parse_ingest(black_box(body)).unwrap();
        black_box(write.into_messages(256 << 10));
    }
    began.elapsed().as_secs_f64() * 1e6 / (rounds * POINTS) as f64
}

async fn write_many(world: &World, body: &Bytes, requests: usize) {
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (http, body) = (Http::new(world.http.address()), body.clone());
        writers.spawn(async move {
            for _ in 0..requests {
                let answer = http.ingest(body.clone()).await;
                assert_eq!(answer.status, 202, "{}", answer.text);
            }
        });
    }
    writers.join_all().await;
}
