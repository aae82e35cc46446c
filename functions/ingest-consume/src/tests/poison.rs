//! Bad points, bad messages, and where they go.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use alioth_cluster::{Applied, Rejection};
use alioth_testkit::wait_until;

use super::{
    has, rejected,
    rig::{DEADLINE, Event, Rig, broken, lock, outgoing, point},
};

/// A Qdrant that will not have these points.
fn particular(bad: &'static [u64]) -> Rig {
    Rig::new(|upsert| match has(upsert, bad) {
        true => rejected(Rejection::Invalid),
        false => Ok(Applied::Completed),
    })
}

fn numbered(numbers: std::ops::Range<u64>) -> Vec<qdrant_client::qdrant::PointStruct> {
    numbers.map(|number| point(number, 1)).collect()
}

#[tokio::test(start_paused = true)]
async fn poison_point_is_dead_lettered_and_its_batch_applied() {
    let mut rig = particular(&[42]);
    rig.put("films", numbered(0..100));
    rig.run_dry().await;
    let applied = rig.applied("films");
    assert_eq!(applied.len(), 99);
    assert!(!applied.contains_key(&42));
    let dead = rig.dead();
    assert_eq!(dead.len(), 1);
    let (ids, headers) = &dead[0];
    assert_eq!(*ids, [42]);
    assert_eq!(headers["alioth-dead-reason"], "why");
    assert_eq!(headers["alioth-dead-code"], "invalid_argument");
    assert_eq!(headers["alioth-dead-cause"], "rejected");
    assert_eq!(headers["alioth-dead-point-ids"], "42");
    assert_eq!(headers["alioth-accepted-at-ms"], "1");
    assert!(rig.qdrant.calls() <= 15, "{} upserts", rig.qdrant.calls());
    assert_eq!(
        rig.metric("alioth_consume_points_dead_lettered_total", "rejected"),
        1.0
    );
    assert_eq!(
        rig.metric("alioth_consume_messages_total", "partly_applied"),
        1.0
    );
}

#[tokio::test(start_paused = true)]
async fn poison_in_a_merge_touches_only_its_own_message() {
    let mut rig = particular(&[205, 207]);
    for message in 0..5 {
        rig.put("films", numbered(message * 100..message * 100 + 100));
    }
    rig.run_dry().await;
    assert_eq!(rig.applied("films").len(), 498);
    let ids: Vec<_> = rig.dead().into_iter().map(|(ids, _)| ids).collect();
    assert_eq!(ids, [[205], [207]]);
    assert_eq!(rig.metric("alioth_consume_messages_total", "applied"), 4.0);
}

#[tokio::test(start_paused = true)]
async fn neighbours_dead_of_the_same_share_a_letter() {
    let mut rig = particular(&[7, 8, 9]);
    rig.put("films", numbered(0..20));
    rig.run_dry().await;
    let ids: Vec<_> = rig.dead().into_iter().map(|(ids, _)| ids).collect();
    assert_eq!(ids, [[7, 8, 9]]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_before_its_dead_letter_is_confirmed() {
    let mut rig = particular(&[1]);
    rig.broker.dead_queue_is_full.store(true, Ordering::SeqCst);
    rig.put("films", numbered(0..3));
    rig.start();
    wait_until(DEADLINE, || async {
        *lock(&rig.broker.dead_publishes) >= 5
    })
    .await;
    assert_eq!(rig.broker.events(), []);
    rig.broker.dead_queue_is_full.store(false, Ordering::SeqCst);
    rig.wait_dry().await;
    assert_eq!(rig.broker.events(), [Event::DeadLettered, Event::Acked(0)]);
    assert!(rig.metric("alioth_consume_dead_letter_failures_total", "") >= 5.0);
}

#[tokio::test(start_paused = true)]
async fn a_full_dead_letter_queue_keeps_only_the_messages_that_have_something_in_it() {
    let mut rig = particular(&[3]);
    rig.config.consume.prefetch = 16;
    rig.broker.dead_queue_is_full.store(true, Ordering::SeqCst);
    for id in 0..64 {
        rig.put("films", numbered(id..id + 1));
    }
    rig.put("books", numbered(0..1));
    rig.start();
    wait_until(DEADLINE, || async { rig.broker.acked().len() == 64 }).await;
    assert_eq!(rig.applied("films").len(), 63);
    assert!(!rig.broker.acked().contains(&3) && !rig.applied("books").is_empty());
    assert_eq!(rig.metric("alioth_consume_held_messages", ""), 1.0);
    rig.broker.dead_queue_is_full.store(false, Ordering::SeqCst);
    rig.wait_dry().await;
    assert_eq!(rig.dead()[0].0, [3]);
}

#[tokio::test(start_paused = true)]
async fn others_are_reached_behind_a_prefetch_of_messages_that_cannot_be_dead_lettered() {
    let mut rig = Rig::new(|upsert| match upsert.collection_name == "films" {
        true => rejected(Rejection::Invalid),
        false => Ok(Applied::Completed),
    });
    rig.config.consume.prefetch = 16;
    rig.broker.dead_queue_is_full.store(true, Ordering::SeqCst);
    for id in 0..100 {
        rig.put("films", numbered(id..id + 1));
    }
    rig.put("books", numbered(0..1));
    rig.start();
    wait_until(DEADLINE, || async { !rig.applied("books").is_empty() }).await;
    assert!(rig.dead().is_empty() && rig.broker.requeued().is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_nobody_can_read_are_dead_lettered_whole() {
    let mut rig = Rig::sound();
    let mut unknown = outgoing("films", numbered(0..1));
    unknown.kind = "qdrant.Unheard".to_owned();
    let mut json = outgoing("films", numbered(0..1));
    json.content_type = "application/json".to_owned();
    let mut garbage = outgoing("films", vec![]);
    garbage.body = b"\xff\xff\xff".as_slice().into();
    for message in [unknown.clone(), json, garbage.clone()] {
        rig.broker.put(message);
    }
    rig.put("films", numbered(10..12));
    rig.run_dry().await;
    assert_eq!(rig.applied("films").len(), 2);
    let bodies: Vec<_> = lock(&rig.broker.dead)
        .iter()
        .map(|letter| letter.body.clone())
        .collect();
    assert!(bodies.contains(&unknown.body) && bodies.contains(&garbage.body));
    let causes: Vec<String> = rig
        .dead()
        .into_iter()
        .map(|(_, h)| h["alioth-dead-cause"].clone())
        .collect();
    let count = |cause: &str| causes.iter().filter(|known| *known == cause).count();
    assert_eq!((count("unknown_type"), count("undecodable")), (2, 1));
    assert_eq!(
        rig.metric("alioth_consume_messages_total", "dead_lettered"),
        3.0
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_collection_is_not_bisected() {
    let mut rig = Rig::new(|upsert| match upsert.collection_name.as_str() {
        "films" => Ok(Applied::Completed),
        _ => rejected(Rejection::NotFound),
    });
    rig.put("gone", numbered(0..1_000));
    rig.put("gone", numbered(1_000..1_100));
    rig.put("films", numbered(0..10));
    rig.run_dry().await;
    assert_eq!(rig.applied("films").len(), 10);
    let dead = rig.dead();
    let counts: Vec<usize> = dead.iter().map(|(ids, _)| ids.len()).collect();
    assert_eq!(counts, [1_000, 100]);
    assert!(
        dead.iter()
            .all(|(_, headers)| headers["alioth-dead-code"] == "not_found")
    );
    assert!(
        dead.iter()
            .all(|(_, headers)| headers["alioth-dead-cause"] == "missing_collection")
    );
    assert!(
        rig.qdrant.calls() <= 1 + 2 * 2,
        "{} upserts",
        rig.qdrant.calls()
    );
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_appears_between_is_written() {
    let mut calls = 0;
    let mut rig = Rig::new(move |_| {
        calls += 1;
        match calls {
            1 => rejected(Rejection::NotFound),
            _ => Ok(Applied::Completed),
        }
    });
    rig.put("films", numbered(0..10));
    rig.run_dry().await;
    assert_eq!((rig.applied("films").len(), rig.dead().len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_point_is_dead_lettered_at_once_and_the_rest_applied() {
    let mut rig = Rig::sound();
    let ids: Vec<u64> = (0..50).collect();
    rig.broker.put(broken("films", &ids, 17));
    rig.put("films", numbered(100..103));
    rig.start();
    wait_until(DEADLINE, || async { rig.broker.is_empty() }).await;
    let dead = lock(&rig.broker.dead).clone();
    assert_eq!(dead.len(), 1);
    let headers: BTreeMap<_, _> = dead[0].headers.iter().cloned().collect();
    let text = |value: &str| alioth_broker::HeaderValue::Text(value.to_owned());
    assert_eq!(headers["alioth-dead-cause"], text("undecodable"));
    assert_eq!(headers["alioth-dead-point-ids"], text("17"));
    assert!(rig.metric("alioth_consume_retries_total", "") <= 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_message_without_points_is_dead_lettered() {
    let mut rig = Rig::sound();
    rig.put("films", vec![]);
    rig.run_dry().await;
    assert_eq!(rig.dead()[0].1["alioth-dead-reason"], "holds no points");
    assert_eq!(rig.qdrant.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upsert_that_never_fits_is_made_smaller_and_nothing_dead_lettered() {
    let mut rig = Rig::new(|upsert| match upsert.points.len() {
        0..=30 => Ok(Applied::Completed),
        _ => Err(alioth_cluster::UpsertError::Exhausted {
            reason: "larger than the limiter's capacity".to_owned(),
            retry_after: None,
            quota: false,
        }),
    });
    rig.put("films", numbered(0..200));
    rig.run_dry().await;
    assert_eq!((rig.applied("films").len(), rig.dead().len()), (200, 0));
}
