//! Cold starts, memory and the size of an invocation: measured and printed. What they are depends on the machine, so
//! only what does not is asserted.

use std::time::{Duration, Instant};

use alioth_testkit::usage::mib;

use crate::support::{World, collection, ingest_body, shared_qdrant};

const STARTS: usize = 5;
const LARGEST_RESIDENT_BYTES: u64 = 64 << 20;
/// Lambda takes events of 6 MB; this is one of 4 MB of JSON, in text.
const LARGE_POINTS: usize = 6_000;

#[tokio::test]
async fn cold_start_to_first_confirmed_write_and_memory() {
    let mut world = World::start().await;
    let name = collection(shared_qdrant().await, 100).await;
    let body = ingest_body(&name, 100, 100).to_string();
    let mut starts: Vec<Duration> = Vec::new();
    for _ in 0..STARTS {
        let start = world.process.anew();
        let begun = Instant::now();
        world.process = start();
        world.http = world.process.http();
        let answer = world.http.ingest(body.clone()).await;
        starts.push(begun.elapsed());
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    starts.sort_unstable();
    println!("cold start to first confirmed write of 100 × 100: {starts:?}");
    for _ in 0..200 {
        let answer = world.http.ingest(body.clone()).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    let usual = world.process.usage().peak_resident_bytes();
    let large = ingest_body(&name, LARGE_POINTS, 100).to_string();
    let answer = world.http.ingest(large.clone()).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let most = world.process.usage().peak_resident_bytes();
    println!(
        "resident: {:.1} MiB after 200 writes, {:.1} MiB after one of {:.1} MB",
        mib(usual),
        mib(most),
        large.len() as f64 / 1e6,
    );
    assert!(usual < LARGEST_RESIDENT_BYTES, "{usual}");
}
