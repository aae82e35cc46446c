//! A Qdrant that answers Internal: to one message, or to all.

use std::time::Duration;

use alioth_cluster::Applied;
use alioth_testkit::wait_until;
use tokio::time::Instant;

use super::{
    has, internal,
    rig::{DEADLINE, Rig, point},
};

/// A Qdrant that fails on this point's upserts.
fn fails_on(bad: u64) -> Rig {
    Rig::new(move |upsert| match has(upsert, &[bad]) {
        true => internal(),
        false => Ok(Applied::Completed),
    })
}

#[tokio::test(start_paused = true)]
async fn one_message_that_keeps_failing_while_others_pass_is_dead_lettered_whole() {
    let mut rig = fails_on(33);
    for id in 0..50 {
        rig.put("films", vec![point(2 * id, 1), point(2 * id + 1, 1)]);
    }
    rig.run_dry().await;
    let dead = rig.dead();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0, [32, 33]);
    assert_eq!(dead[0].1["alioth-dead-cause"], "server_fault");
    assert_eq!(rig.applied("films").len(), 98);
}

#[tokio::test(start_paused = true)]
async fn the_first_of_a_merge_is_found_out_by_those_behind_it() {
    let mut rig = fails_on(0);
    // One merge holds all: the first is in flight when the others come.
    rig.put("films", vec![point(1_000, 1)]);
    for id in 0..5 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.run_dry().await;
    assert_eq!(rig.dead()[0].0, [0]);
    assert_eq!(rig.applied("films").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_lone_message_that_fails_is_kept_until_others_pass() {
    let mut rig = fails_on(1);
    rig.put("films", vec![point(1, 1)]);
    rig.start();
    wait_until(DEADLINE, || async { rig.qdrant.calls() >= 30 }).await;
    assert!(rig.broker.events().is_empty());
    for id in 10..1_000 {
        rig.put("books", vec![point(id, 1)]);
        tokio::time::advance(Duration::from_secs(1)).await;
        if !rig.dead().is_empty() {
            break;
        }
    }
    assert_eq!(rig.dead()[0].0, [1]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_looks_internal_dead_letters_nothing() {
    let back_at = Instant::now() + Duration::from_secs(600);
    let started = Instant::now();
    let mut rig = Rig::new(move |_| match Instant::now() {
        // Healthy at first, so that there are successes to be seen.
        now if now < started + Duration::from_millis(30) => Ok(Applied::Completed),
        now if now < back_at => internal(),
        _ => Ok(Applied::Completed),
    });
    rig.config.consume.prefetch = 16;
    for id in 0..200 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.run_dry().await;
    assert_eq!((rig.applied("films").len(), rig.dead().len()), (200, 0));
    assert!(rig.qdrant.calls() < 500, "{}", rig.qdrant.calls());
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_retried() {
    let mut calls = 0;
    let mut rig = Rig::new(move |_| {
        calls += 1;
        match calls {
            1..=3 => internal(),
            _ => Ok(Applied::Completed),
        }
    });
    rig.put("films", vec![point(1, 1)]);
    rig.run_dry().await;
    assert_eq!((rig.applied("films").len(), rig.dead().len()), (1, 0));
    assert_eq!(rig.metric("alioth_consume_retries_total", ""), 3.0);
}
