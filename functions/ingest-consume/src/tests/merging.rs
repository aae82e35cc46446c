//! Many small writes become few large upserts, and a lone one waits for nobody.

use std::time::Duration;

use tokio::time::Instant;

use super::rig::{Rig, lock, outgoing, point};
use crate::held::footprint;

#[tokio::test(start_paused = true)]
async fn many_small_writes_become_few_upserts() {
    let mut rig = Rig::sound();
    for id in 0..2_000 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.run_dry().await;
    assert_eq!(rig.applied("films").len(), 2_000);
    let upserts = rig.metric("alioth_consume_upserts_total", "");
    assert!(upserts <= 50.0, "{upserts}");
    assert_eq!(
        rig.metric("alioth_consume_points_applied_total", ""),
        2_000.0
    );
    assert_eq!(rig.metric("alioth_consume_merge_messages", ""), upserts);
}

#[tokio::test(start_paused = true)]
async fn a_lone_write_does_not_linger() {
    let mut rig = Rig::sound();
    rig.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let put = Instant::now();
    rig.put("films", vec![point(1, 1)]);
    rig.wait_dry().await;
    assert_eq!(lock(&rig.qdrant.calls)[0].0 - put, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn small_upserts_do_not_follow_each_other_at_once() {
    let mut rig = Rig::sound();
    *lock(&rig.qdrant.takes) = Duration::from_millis(1);
    rig.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for id in 1..=3 {
        rig.put("films", vec![point(id, 1)]);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    rig.wait_dry().await;
    let calls = lock(&rig.qdrant.calls);
    let sizes: Vec<_> = calls
        .iter()
        .map(|(_, upsert)| upsert.points.len())
        .collect();
    assert_eq!(sizes, [1, 2]);
    assert!(calls[1].0 - calls[0].0 >= rig.config.consume.linger.0);
}

#[tokio::test(start_paused = true)]
async fn where_the_prefetch_is_used_up_nothing_lingers() {
    let mut rig = Rig::sound();
    *lock(&rig.qdrant.takes) = Duration::from_millis(1);
    let prefetch = u64::from(rig.config.consume.prefetch);
    for id in 0..2 * prefetch {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.run_dry().await;
    let calls = lock(&rig.qdrant.calls);
    let first_and_last = calls[calls.len() - 2].0 - calls[0].0;
    assert!(
        first_and_last < rig.config.consume.linger.0,
        "{first_and_last:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upsert_is_no_larger_than_aimed_at() {
    let mut rig = Rig::sound();
    rig.config.consume.upsert_points = 100;
    for id in 0..300 {
        rig.put("films", (0..7).map(|n| point(7 * id + n, 1)).collect());
    }
    rig.run_dry().await;
    let calls = lock(&rig.qdrant.calls);
    assert!(calls.iter().all(|(_, upsert)| upsert.points.len() <= 100));
    assert!(calls.iter().any(|(_, upsert)| upsert.points.len() == 98));
}

#[tokio::test(start_paused = true)]
async fn upserts_in_flight_are_bounded() {
    let mut rig = Rig::sound();
    rig.config.consume.upserts_in_flight = 2;
    rig.config.consume.upsert_points = 1;
    for id in 0..10 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.run_dry().await;
    // Ten upserts of 10 ms, two at a time.
    let calls = lock(&rig.qdrant.calls);
    let last = calls.iter().map(|(at, _)| *at).max().expect("ten calls");
    assert!(last - calls[0].0 >= Duration::from_millis(40));
}

#[tokio::test(start_paused = true)]
async fn held_bytes_are_bounded() {
    let mut rig = Rig::sound();
    let one = footprint(&outgoing("films", vec![point(1, 1)]).body, 1) as u64;
    rig.config.consume.hold_bytes = alioth_config::ByteSize(3 * one);
    *lock(&rig.qdrant.takes) = Duration::from_secs(60);
    for id in 0..10 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.metric("alioth_consume_held_messages", ""), 3.0);
    rig.wait_dry().await;
}
