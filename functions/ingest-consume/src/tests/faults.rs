//! A Qdrant that answers Internal: to one message, or to all.

use std::time::Duration;

use alioth_cluster::{Applied, UpsertError};
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

/// Writes sound points into a collection, one a second, until there is a dead letter; how many seconds that took.
async fn until_dead(rig: &Rig, collection: &str) -> u64 {
    for second in 0..600 {
        if !rig.dead().is_empty() {
            return second;
        }
        rig.put(collection, vec![point(10_000 + second, 1)]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("no dead letter")
}

#[tokio::test(start_paused = true)]
async fn one_point_that_keeps_failing_while_others_pass_is_dead_lettered_and_its_message_applied() {
    for bad in [32, 33] {
        let mut rig = fails_on(bad);
        for message in 0..20 {
            let ids = message * 5..message * 5 + 5;
            rig.put("films", ids.map(|id| point(id, 1)).collect());
        }
        rig.start();
        let seconds = until_dead(&rig, "films").await;
        // Not while somebody may be mending the server.
        assert!((120..150).contains(&seconds), "{seconds} s");
        rig.wait_dry().await;
        let dead = rig.dead();
        assert_eq!((dead.len(), &dead[0].0), (1, &vec![bad]));
        assert_eq!(dead[0].1["alioth-dead-cause"], "server_fault");
        assert_eq!(rig.applied("films").len() as u64, 99 + seconds);
        assert!(rig.qdrant.calls() < 500, "{} upserts", rig.qdrant.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn the_others_of_its_collection_do_not_wait_for_a_message_on_probation() {
    let mut rig = fails_on(1);
    rig.put("films", vec![point(1, 1)]);
    rig.start();
    wait_until(DEADLINE, || async { rig.qdrant.calls() >= 5 }).await;
    for id in 10..60 {
        let put = Instant::now();
        rig.put("films", vec![point(id, 1)]);
        let applied = || rig.applied("films").contains_key(&id);
        wait_until(DEADLINE, || async { applied() }).await;
        assert!(
            put.elapsed() < Duration::from_secs(1),
            "{:?}",
            put.elapsed()
        );
    }
    assert!(rig.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_fails_while_others_pass_is_waited_for() {
    let back_at = Instant::now() + Duration::from_secs(110);
    let mut rig = Rig::new(move |upsert| match upsert.collection_name == "films" {
        true if Instant::now() < back_at => internal(),
        _ => Ok(Applied::Completed),
    });
    rig.config.consume.prefetch = 16;
    for id in 0..100 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.start();
    while Instant::now() < back_at {
        rig.put("books", vec![point(1, 1)]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    rig.wait_dry().await;
    assert_eq!((rig.applied("films").len(), rig.dead().len()), (100, 0));
    assert!(rig.qdrant.calls() < 2_000, "{} upserts", rig.qdrant.calls());
}

#[tokio::test(start_paused = true)]
async fn one_point_that_never_fits_is_dead_lettered_in_the_end() {
    let mut rig = Rig::new(|upsert| match has(upsert, &[3]) {
        true => Err(UpsertError::Exhausted {
            reason: "received message larger than max".to_owned(),
            retry_after: None,
            quota: false,
        }),
        false => Ok(Applied::Completed),
    });
    rig.put("films", (0..10).map(|id| point(id, 1)).collect());
    rig.start();
    let seconds = until_dead(&rig, "films").await;
    assert!(seconds >= 120, "{seconds} s");
    rig.wait_dry().await;
    let dead = rig.dead();
    assert_eq!((dead.len(), &dead[0].0), (1, &vec![3]));
    assert_eq!(dead[0].1["alioth-dead-code"], "resource_exhausted");
    assert_eq!(rig.applied("films").len() as u64, 9 + seconds);
}

#[tokio::test(start_paused = true)]
async fn the_first_of_a_merge_is_found_out_by_those_behind_it() {
    let mut rig = fails_on(0);
    // One merge holds all: the first is in flight when the others come.
    rig.put("films", vec![point(1_000, 1)]);
    for id in 0..5 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.start();
    let seconds = until_dead(&rig, "books").await;
    rig.wait_dry().await;
    assert_eq!(rig.dead()[0].0, [0]);
    assert_eq!(rig.applied("films").len(), 5);
    assert_eq!(rig.applied("books").len() as u64, seconds);
}

#[tokio::test(start_paused = true)]
async fn a_lone_message_that_fails_is_kept_until_others_pass() {
    let mut rig = fails_on(1);
    rig.put("films", vec![point(1, 1)]);
    rig.start();
    wait_until(DEADLINE, || async { rig.qdrant.calls() >= 30 }).await;
    assert!(rig.broker.events().is_empty());
    until_dead(&rig, "books").await;
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
