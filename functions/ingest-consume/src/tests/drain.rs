//! Each step of the drain.

use std::{sync::atomic::Ordering, time::Duration};

use alioth_cluster::Rejection;
use alioth_testkit::wait_until;
use tokio::time::Instant;

use super::{
    rejected,
    rig::{DEADLINE, Event, Rig, lock, point},
    unavailable,
};
use crate::RunError;

/// One upsert in flight that takes 5 s, and nineteen messages that wait.
async fn loaded() -> Rig {
    let mut rig = Rig::sound();
    rig.config.consume.upserts_in_flight = 1;
    *lock(&rig.qdrant.takes) = Duration::from_secs(5);
    rig.put("films", vec![point(0, 1)]);
    rig.start();
    wait_until(DEADLINE, || async { rig.qdrant.calls() == 1 }).await;
    for id in 1..20 {
        rig.put("films", vec![point(id, 1)]);
    }
    let held = || rig.metric("alioth_consume_held_messages", "");
    wait_until(DEADLINE, || async { held() == 20.0 }).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn it_is_not_ready_from_the_first_moment() {
    let mut rig = loaded().await;
    assert!(rig.readiness.is_ready());
    rig.shutdown.cancel();
    wait_until(DEADLINE, || async { !rig.readiness.is_ready() }).await;
    assert!(rig.readiness.unready().contains(&"consuming"));
    rig.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_steps_come_in_their_order() {
    let mut rig = loaded().await;
    rig.stop().await.unwrap();
    let events = rig.broker.events();
    let position = |event: &Event| events.iter().position(|known| known == event);
    let cancelled = position(&Event::Cancelled).unwrap();
    let last_requeue = events
        .iter()
        .rposition(|event| matches!(event, Event::Requeued(_)))
        .unwrap();
    let settled = events
        .iter()
        .rposition(|event| matches!(event, Event::Acked(_)))
        .unwrap();
    assert!(cancelled < last_requeue && last_requeue < settled);
    assert_eq!(position(&Event::Closed), Some(events.len() - 1));
}

#[tokio::test(start_paused = true)]
async fn what_has_not_started_goes_back_and_what_is_in_flight_is_settled() {
    let mut rig = loaded().await;
    let started = Instant::now();
    rig.stop().await.unwrap();
    assert!(started.elapsed() <= Duration::from_secs(5));
    let (acked, requeued) = (rig.broker.acked(), rig.broker.requeued());
    assert_eq!((acked, requeued.len()), (vec![0], 19));
    assert_eq!(rig.applied("films").len(), 1);
    assert!(requeued.is_sorted());
    assert_eq!(rig.qdrant.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_qdrant_goes_back_at_once() {
    let mut rig = Rig::new(|_| unavailable());
    for id in 0..20 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.start();
    wait_until(DEADLINE, || async {
        rig.metric("alioth_consume_breaker_state", "") == 2.0
    })
    .await;
    let started = Instant::now();
    rig.stop().await.unwrap();
    assert!(
        started.elapsed() <= Duration::from_millis(10),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(rig.broker.requeued().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_dead_letter_goes_back_unacknowledged() {
    let mut rig = Rig::new(|_| rejected(Rejection::Invalid));
    rig.broker.dead_queue_is_full.store(true, Ordering::SeqCst);
    rig.put("films", vec![point(1, 1)]);
    rig.start();
    wait_until(DEADLINE, || async { *lock(&rig.broker.dead_publishes) > 0 }).await;
    rig.stop().await.unwrap();
    assert_eq!(
        (rig.broker.acked(), rig.broker.requeued()),
        (vec![], vec![0])
    );
}

#[tokio::test(start_paused = true)]
async fn a_later_write_of_an_id_goes_back_behind_the_earlier() {
    let mut rig = Rig::new(|_| unavailable());
    *lock(&rig.qdrant.takes) = Duration::from_secs(5);
    rig.put("films", vec![point(1, 1)]);
    rig.start();
    wait_until(DEADLINE, || async { rig.qdrant.calls() == 1 }).await;
    for write in [vec![point(1, 2)], vec![point(1, 3)], vec![point(2, 1)]] {
        rig.put("films", write);
    }
    let held = || rig.metric("alioth_consume_held_messages", "");
    wait_until(DEADLINE, || async { held() == 4.0 }).await;
    rig.stop().await.unwrap();
    assert_eq!(rig.broker.requeued(), [3, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_missed_deadline_is_an_error_that_counts_what_was_cut_off() {
    let mut slow = Rig::sound();
    *lock(&slow.qdrant.takes) = Duration::from_secs(1_000);
    slow.put("films", vec![point(1, 1)]);
    slow.start();
    wait_until(DEADLINE, || async { slow.qdrant.calls() == 1 }).await;
    let started = Instant::now();
    let error = slow.stop().await.unwrap_err();
    assert!(started.elapsed() >= Duration::from_secs(25));
    let RunError::Drain(missed) = &error else {
        panic!("{error}")
    };
    assert_eq!(missed.in_flight, 1);
    assert!(missed.to_string().contains("25s"), "{missed}");
}
