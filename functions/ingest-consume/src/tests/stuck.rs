//! One collection that takes nothing while the others do: they do not wait for it.

use std::{collections::BTreeMap, time::Duration};

use alioth_cluster::Applied;
use alioth_testkit::wait_until;
use tokio::time::Instant;

use super::{
    rig::{DEADLINE, Rig, lock, point},
    unavailable,
};

const STUCK: &str = "stuck";

/// A Qdrant whose collection [`STUCK`] is away.
fn rig() -> Rig {
    Rig::new(|upsert| match upsert.collection_name == STUCK {
        true => unavailable(),
        false => Ok(Applied::Completed),
    })
}

/// Upserts so far to the stuck collection.
fn stuck_calls(rig: &Rig) -> usize {
    let calls = lock(&rig.qdrant.calls);
    let stuck = calls
        .iter()
        .filter(|(_, upsert)| upsert.collection_name == STUCK);
    stuck.count()
}

#[tokio::test(start_paused = true)]
async fn the_others_are_applied_meanwhile_and_it_as_soon_as_it_can_be() {
    let mut rig = rig();
    rig.config.consume.prefetch = 16;
    let mut last = BTreeMap::new();
    for write in 0..1_200 {
        match write % 6 {
            0 => rig.put("films", vec![point(write, 1)]),
            _ => {
                last.insert(write % 50, write as i64);
                rig.put(STUCK, vec![point(write % 50, write as i64)])
            }
        };
    }
    let started = Instant::now();
    rig.start();
    wait_until(DEADLINE, || async { rig.applied("films").len() == 200 }).await;
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(rig.metric("alioth_consume_stalled_collections", ""), 1.0);
    let looks = rig.metric("alioth_consume_look_aheads_total", "");
    // Each reaches as many further messages as the prefetch.
    assert!((50.0..150.0).contains(&looks), "{looks}");

    // Nothing spins meanwhile.
    let before = stuck_calls(&rig);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let calls = stuck_calls(&rig) - before;
    assert!((50..400).contains(&calls), "{calls} calls in ten minutes");
    assert!(rig.applied(STUCK).is_empty());

    let back = Instant::now();
    rig.qdrant.answer_by(|_| Ok(Applied::Completed));
    rig.wait_dry().await;
    assert!(
        back.elapsed() < Duration::from_secs(12),
        "{:?}",
        back.elapsed()
    );
    assert_eq!(rig.applied(STUCK), last);
    assert!(rig.dead().is_empty() && rig.broker.requeued().is_empty());
    assert_eq!(rig.metric("alioth_consume_stalled_collections", ""), 0.0);
}

#[tokio::test(start_paused = true)]
async fn its_merges_do_not_keep_others_from_an_open_breaker() {
    let mut rig = rig();
    rig.config.consume.upsert_points = 1;
    for id in 0..20 {
        rig.put(STUCK, vec![point(id, 1)]);
    }
    rig.start();
    // As many merges of it are under way as there are slots, and nobody shows that Qdrant answers.
    wait_until(DEADLINE, || async {
        rig.metric("alioth_consume_breaker_state", "") == 2.0 && stuck_calls(&rig) > 10
    })
    .await;
    for id in 0..20 {
        let put = Instant::now();
        rig.put("films", vec![point(id, 1)]);
        wait_until(DEADLINE, || async {
            rig.applied("films").contains_key(&id)
        })
        .await;
        assert!(
            put.elapsed() < Duration::from_secs(1),
            "{:?}",
            put.elapsed()
        );
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert!(rig.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn others_far_behind_it_are_reached_though_nobody_shows_that_qdrant_answers() {
    let mut rig = rig();
    rig.config.consume.prefetch = 16;
    for id in 0..100 {
        rig.put(STUCK, vec![point(id, 1)]);
    }
    rig.put("films", vec![point(1, 1)]);
    let started = Instant::now();
    rig.start();
    wait_until(DEADLINE, || async { !rig.applied("films").is_empty() }).await;
    // One look ahead per longest pause between two tries.
    assert!(
        started.elapsed() < Duration::from_secs(90),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_held_of_it_is_bounded() {
    let mut rig = rig();
    rig.config.consume.prefetch = 8;
    rig.config.consume.look_ahead = 20;
    for id in 0..200 {
        rig.put(STUCK, vec![point(id, 1)]);
    }
    rig.start();
    let held = || rig.metric("alioth_consume_held_messages", "");
    wait_until(DEADLINE, || async { held() >= 20.0 }).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(held() <= 28.0, "{}", held());
    rig.qdrant.answer_by(|_| Ok(Applied::Completed));
    rig.wait_dry().await;
    assert_eq!((rig.applied(STUCK).len(), rig.dead().len()), (200, 0));
}

#[tokio::test(start_paused = true)]
async fn it_takes_one_slot_however_long_its_failures_take() {
    let mut rig = rig();
    rig.config.consume.upsert_points = 1;
    let minute = Duration::from_secs(60);
    lock(&rig.qdrant.takes_longer).insert(STUCK.to_owned(), minute);
    for id in 0..20 {
        rig.put(STUCK, vec![point(id, 1)]);
    }
    rig.start();
    // Until the first have failed it is not known to be stuck.
    wait_until(DEADLINE, || async { stuck_calls(&rig) > 4 }).await;
    let (started, before) = (Instant::now(), stuck_calls(&rig));
    for id in 0..100 {
        rig.put("films", vec![point(id, 1)]);
    }
    wait_until(DEADLINE, || async { rig.applied("films").len() == 100 }).await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    tokio::time::sleep(10 * minute).await;
    let calls = stuck_calls(&rig) - before;
    assert!(calls <= 11, "{calls} of a minute each in ten minutes");
}
