//! Qdrant away, at a limit, or denying: nothing is lost, nothing is set aside, nothing spins.

use std::time::Duration;

use alioth_cluster::{Applied, UpsertError};
use alioth_testkit::wait_until;
use tokio::time::Instant;

use super::{
    reason,
    rig::{DEADLINE, Rig, lock, point},
    unavailable,
};

fn denied() -> super::Answer {
    Err(UpsertError::Denied { reason: reason() })
}

fn limited(retry_after: Option<u64>, quota: bool) -> super::Answer {
    Err(UpsertError::Exhausted {
        reason: reason(),
        retry_after: retry_after.map(Duration::from_secs),
        quota,
    })
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_ten_minutes_loses_nothing_and_makes_few_calls() {
    let back_at = Instant::now() + Duration::from_secs(600);
    let mut rig = Rig::new(move |_| match Instant::now() < back_at {
        true => unavailable(),
        false => Ok(Applied::Completed),
    });
    for id in 0..50 {
        rig.put(
            ["films", "books", "music"][id as usize % 3],
            vec![point(id, 1)],
        );
    }
    rig.run_dry().await;
    let waited = back_at.elapsed();
    assert!(
        waited <= Duration::from_secs(11),
        "noticed after {waited:?}"
    );
    let applied: usize = ["films", "books", "music"]
        .iter()
        .map(|name| rig.applied(name).len())
        .sum();
    assert_eq!((applied, rig.dead().len()), (50, 0));
    let failed = rig.metric("alioth_consume_upserts_total", "unavailable");
    assert!(
        (60.0..150.0).contains(&failed),
        "{failed} calls in ten minutes"
    );
    assert_eq!(rig.metric("alioth_consume_breaker_state", ""), 0.0);
}

#[tokio::test(start_paused = true)]
async fn without_looking_ahead_no_more_is_taken_than_the_prefetch() {
    let mut rig = Rig::new(|_| unavailable());
    rig.config.consume.prefetch = 8;
    rig.config.consume.look_ahead = 0;
    for id in 0..100 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.start();
    wait_until(DEADLINE, || async {
        rig.metric("alioth_consume_breaker_state", "") == 2.0
    })
    .await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(rig.metric("alioth_consume_held_messages", ""), 8.0);
    rig.qdrant.answer_by(|_| Ok(Applied::Completed));
    rig.wait_dry().await;
    assert_eq!(rig.applied("films").len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_for_and_others_go_on() {
    let mut first = None;
    let mut rig = Rig::new(move |upsert| {
        let now = Instant::now();
        let since = now - *first.get_or_insert(now);
        match upsert.collection_name.as_str() {
            "limited" if since < Duration::from_secs(7) => limited(Some(7), false),
            _ => Ok(Applied::Completed),
        }
    });
    for id in 0..20 {
        rig.put("limited", vec![point(id, 1)]);
    }
    rig.put("films", vec![point(1, 1)]);
    let started = Instant::now();
    rig.start();
    wait_until(DEADLINE, || async { !rig.applied("films").is_empty() }).await;
    assert!(started.elapsed() < Duration::from_secs(1));
    rig.wait_dry().await;
    assert!(started.elapsed() >= Duration::from_secs(7));
    assert_eq!((rig.applied("limited").len(), rig.dead().len()), (20, 0));
    // Each upsert that was in flight ran into the limit once; the others waited behind them.
    let limited = rig.metric("alioth_consume_upserts_total", "exhausted");
    assert!(limited <= 4.0, "{limited}");
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_counted_apart_and_waited_for() {
    let full_until = Instant::now() + Duration::from_secs(120);
    let mut rig = Rig::new(move |_| match Instant::now() < full_until {
        true => limited(None, true),
        false => Ok(Applied::Completed),
    });
    rig.put("films", vec![point(1, 1)]);
    rig.run_dry().await;
    let refused = rig.metric("alioth_consume_upserts_total", "quota");
    assert!((10.0..40.0).contains(&refused), "{refused}");
    assert_eq!((rig.applied("films").len(), rig.dead().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_denied_key_is_not_ready_and_dead_letters_nothing() {
    let mut rig = Rig::new(|_| denied());
    for id in 0..10 {
        rig.put("films", vec![point(id, 1)]);
    }
    rig.start();
    wait_until(DEADLINE, || async { rig.qdrant.calls() > 20 }).await;
    assert_eq!(rig.readiness.unready(), ["qdrant-access"]);
    assert!(rig.broker.events().is_empty());
    rig.qdrant.answer_by(|_| Ok(Applied::Completed));
    rig.wait_dry().await;
    assert!(rig.readiness.is_ready());
    assert_eq!((rig.applied("films").len(), rig.dead().len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_too_long_goes_back_and_comes_again() {
    let back_at = Instant::now() + Duration::from_secs(2 * 3600);
    let mut rig = Rig::new(move |_| match Instant::now() < back_at {
        true => unavailable(),
        false => Ok(Applied::Completed),
    });
    for id in 0..20 {
        rig.put("films", vec![point(id, 1), point(id + 1, 2)]);
    }
    rig.start();
    wait_until(3 * DEADLINE, || async { rig.broker.is_empty() }).await;
    // Two hours by 25 minutes, each time all twenty, oldest first.
    let requeued = rig.broker.requeued();
    assert_eq!(requeued.len(), 4 * 20);
    assert_eq!(rig.applied("films").len(), 21);
    assert_eq!(rig.metric("alioth_consume_held_bytes", ""), 0.0);
    let calls = lock(&rig.qdrant.calls).len();
    assert!(calls < 2_000, "{calls} calls in two hours");
}
