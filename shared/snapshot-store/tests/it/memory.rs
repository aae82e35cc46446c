//! What streams of half a GiB cost in memory.

use std::convert::Infallible;

use alioth_snapshot_store::{S3Config, SnapshotStore};
use alioth_testkit::S3;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::process::Command;

use crate::config;

const BUCKET: &str = "STORE_TEST_BUCKET";
const ENDPOINT: &str = "STORE_TEST_ENDPOINT";
/// Of each of two streams.
const LENGTH: usize = 256 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;
/// What a job may have for two shards at once, everything in it.
const LIMIT_KIB: u64 = 96 * 1024;

/// This very test in a process of its own, whose memory is nobody else's.
#[tokio::test]
async fn two_streams_at_once_stay_below_96_mib() {
    if let (Ok(bucket), Ok(endpoint)) = (std::env::var(BUCKET), std::env::var(ENDPOINT)) {
        Box::pin(move_streams(&bucket, endpoint)).await;
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        println!("{status}");
        return;
    }
    let s3 = S3::shared().await;
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "memory::two_streams_at_once_stay_below_96_mib",
            "--nocapture",
        ])
        .env(BUCKET, s3.bucket().await)
        .env(ENDPOINT, s3.endpoint())
        .envs(S3::environment())
        .output()
        .await
        .unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{status}");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak
        .and_then(|peak| peak.trim().strip_suffix(" kB"))
        .unwrap();
    let peak: u64 = peak.trim().parse().unwrap();
    assert!(peak < LIMIT_KIB, "{peak} KiB at its peak");
    eprintln!("{peak} KiB at its peak, for 2 × {LENGTH} bytes up and down");
}

async fn move_streams(bucket: &str, endpoint: String) {
    // The defaults are what is measured.
    let defaults = S3Config::default();
    let config = S3Config {
        part_size: defaults.part_size,
        ..config(bucket, endpoint)
    };
    let store = &SnapshotStore::connect(&config).await.unwrap();
    let id = &store.id(Timestamp::now());
    let one = |shard: u32| async move {
        let key = store.shard_key(id, "movies", shard);
        // Each chunk is a buffer of its own, as from a socket.
        let chunks = stream::iter(0..LENGTH / CHUNK)
            .map(|number| Ok::<_, Infallible>(Bytes::from(vec![number as u8; CHUNK])));
        let stored = store.put_stream(&key, chunks).await.unwrap();
        assert_eq!(stored.bytes, LENGTH as u64);
        let mut chunks = store.get_stream(&key).await.unwrap();
        let mut read = 0;
        while let Some(chunk) = chunks.next().await {
            read += chunk.unwrap().len();
        }
        assert_eq!(read, LENGTH);
    };
    tokio::join!(one(0), one(1));
}
