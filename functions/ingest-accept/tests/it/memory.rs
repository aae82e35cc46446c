//! What the process holds: idle, under the usual load, and under a hostile one.

use alioth_testkit::usage::mib;
use axum::{body::Body, http::Method};
use tokio::task::JoinSet;

use crate::support::{Http, World, collection, ingest_body, shared_qdrant};

const IDLE_BYTES: u64 = 20 << 20;
const LOADED_BYTES: u64 = 96 << 20;
/// Bodies at their bound of 64 MiB, two bytes of message for each of theirs at worst, and twice
/// that while a buffer grows. Seen on 2026-11-22, two busy cores: 143 and 256 MiB.
const HOSTILE_BYTES: u64 = 384 << 20;

#[tokio::test]
async fn idle_it_stays_below_20_mib_and_under_load_below_96() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 100).await;
    let idle = world.process.usage().resident_bytes();
    let body = ingest_body(&name, 100, 100).to_string();
    let mut writers = JoinSet::new();
    for _ in 0..16 {
        let (http, body) = (Http::new(world.http.address()), body.clone());
        writers.spawn(async move {
            for _ in 0..50 {
                assert_eq!(http.ingest(body.clone()).await.status, 202);
            }
        });
    }
    writers.join_all().await;
    let peak = world.process.usage().peak_resident_bytes();
    println!(
        "resident: idle {:.1} MiB, at most {:.1} MiB under load",
        mib(idle),
        mib(peak)
    );
    assert!(idle < IDLE_BYTES, "idle {idle}");
    assert!(peak < LOADED_BYTES, "at most {peak}");
}

#[tokio::test]
async fn a_crowd_of_the_largest_bodies_is_turned_away_and_memory_stays_bounded() {
    let world = World::start().await;
    let name = collection(shared_qdrant().await, 1).await;
    // As many bytes of messages as possible for each byte of body.
    let numbers = "1,".repeat(15 << 20);
    let body = format!(
        "{{\"collection_name\":\"{name}\",\"batch\":{{\"ids\":[1],\"vectors\":[[{numbers}1]]}}}}"
    );
    let body = bytes::Bytes::from(body);
    let mut writers = JoinSet::new();
    for _ in 0..24 {
        let (http, body) = (Http::new(world.http.address()), body.clone());
        let headers = [("content-type", "application/json")];
        writers.spawn(async move {
            let sent = http
                .send(Method::POST, "/alioth/ingest", &headers, Body::from(body))
                .await;
            sent.map(|answer| (answer.status, answer.retry_after_s()))
        });
    }
    let answers = writers.join_all().await;
    let mut turned_away = 0;
    for answer in answers {
        match answer {
            Ok((422 | 503, _)) => {}
            Ok((429, retry_after_s)) => {
                assert!(retry_after_s.is_some());
                turned_away += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    let peak = world.process.usage().peak_resident_bytes();
    println!(
        "resident: at most {:.1} MiB; {turned_away} of 24 turned away",
        mib(peak)
    );
    assert!(peak < HOSTILE_BYTES, "at most {peak}");
    assert_eq!(world.metric("alioth_accept_held_body_bytes").await, 0.0);
    assert_eq!(
        world
            .http
            .ingest(ingest_body(&name, 1, 1).to_string())
            .await
            .status,
        202
    );
}
