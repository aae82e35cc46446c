//! Two writes of one id never change places, whatever happens in between.

use std::{collections::BTreeMap, time::Duration};

use alioth_cluster::{Applied, Rejection, UpsertError};
use proptest::prelude::*;

use super::{
    has, internal, rejected,
    rig::{Rig, lock, point, version},
    unavailable,
};

#[tokio::test(start_paused = true)]
async fn of_an_id_twice_in_a_merge_the_later_write_wins() {
    let mut rig = Rig::sound();
    rig.put("films", vec![point(9, 0)]);
    for version in 1..=5 {
        rig.put(
            "films",
            vec![point(1, version), point(10 + version as u64, 0)],
        );
    }
    rig.run_dry().await;
    assert_eq!(rig.applied("films")[&1], 5);
    assert_eq!(rig.qdrant.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_for_an_earlier_one_of_its_id_that_is_retried() {
    let mut calls = 0;
    let mut rig = Rig::new(move |upsert| {
        calls += 1;
        match upsert.points.iter().any(|point| version(point) == 1) && calls < 3 {
            true => unavailable(),
            false => Ok(Applied::Completed),
        }
    });
    rig.put("films", vec![point(1, 1)]);
    rig.start();
    tokio::time::sleep(Duration::from_millis(1)).await;
    rig.put("films", vec![point(1, 2)]);
    rig.put("films", vec![point(2, 2)]);
    rig.wait_dry().await;
    assert_eq!(rig.applied("films")[&1], 2);
    let calls = lock(&rig.qdrant.calls);
    let first_of_second = calls.iter().position(|(_, upsert)| {
        upsert
            .points
            .iter()
            .any(|point| version(point) == 2 && has(upsert, &[1]))
    });
    assert_eq!(first_of_second, Some(calls.len() - 1));
}

/// What a run does to its messages.
#[derive(Debug, Clone)]
struct Trouble {
    messages: Vec<(bool, Vec<u64>)>,
    bad: Vec<u64>,
    /// The answers by call: 0 sound, others some transient failure.
    answers: Vec<u8>,
    takes_ms: Vec<u64>,
    in_flight: usize,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let ids = prop::collection::vec(0u64..12, 1..5);
    (
        prop::collection::vec((any::<bool>(), ids), 1..40),
        prop::collection::vec(0u64..12, 0..3),
        prop::collection::vec(0u8..6, 0..60),
        prop::collection::vec(0u64..40, 1..10),
        1usize..5,
    )
        .prop_map(|(messages, bad, answers, takes_ms, in_flight)| Trouble {
            messages,
            bad,
            answers,
            takes_ms,
            in_flight,
        })
}

/// Every id's last version, and the versions of bad ids, by collection.
async fn run(trouble: Trouble) -> (BTreeMap<(String, u64), i64>, Rig) {
    let Trouble {
        messages,
        bad,
        answers,
        takes_ms,
        in_flight,
    } = trouble;
    let mut answers = answers.into_iter();
    let rejects = bad.clone();
    let mut rig = Rig::new(move |upsert| match answers.next() {
        Some(1) => unavailable(),
        Some(2) => internal(),
        Some(3) => Err(UpsertError::Exhausted {
            reason: String::new(),
            retry_after: Some(Duration::from_secs(1)),
            quota: false,
        }),
        Some(_) | None => match has(upsert, &rejects) {
            true => rejected(Rejection::Invalid),
            false => Ok(Applied::Completed),
        },
    });
    rig.config.consume.upserts_in_flight = in_flight;
    rig.config.consume.upsert_points = 6;
    // Nothing is set aside for answers that have nothing to do with it.
    rig.config.consume.internal_tries = 1_000;
    rig.start();
    let mut expected = BTreeMap::new();
    for (version, (other, ids)) in messages.into_iter().enumerate() {
        let collection = if other { "books" } else { "films" };
        let points = ids.iter().map(|id| point(*id, version as i64)).collect();
        *lock(&rig.qdrant.takes) = Duration::from_millis(takes_ms[version % takes_ms.len()]);
        rig.put(collection, points);
        for id in ids.into_iter().filter(|id| !bad.contains(id)) {
            expected.insert((collection.to_owned(), id), version as i64);
        }
        if version % 3 == 0 {
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    }
    rig.wait_dry().await;
    (expected, rig)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_last_write_of_every_id_stays_whatever_fails(trouble in trouble()) {
        let bad = trouble.bad.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let (expected, rig) = runtime.block_on(run(trouble));
        prop_assert_eq!(&*lock(&rig.qdrant.points), &expected);
        for (ids, headers) in rig.dead() {
            prop_assert!(ids.iter().all(|id| bad.contains(id)), "{:?} {:?}", ids, headers);
        }
        let acked = rig.broker.acked();
        prop_assert!(rig.broker.requeued().is_empty());
        prop_assert_eq!(acked.len(), acked.iter().collect::<std::collections::BTreeSet<_>>().len());
    }
}
