//! restic's rules on a calendar one can follow, and what no policy may do.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const NOW: &str = "2026-11-22T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A complete snapshot of that time, `2026-11-22T11:30`.
fn complete(time: &str) -> Listed {
    let time: Timestamp = format!("{time}:00Z").parse().unwrap();
    listed(time, true, time)
}

fn listed(time: Timestamp, complete: bool, last_modified: Timestamp) -> Listed {
    Listed {
        id: SnapshotId::new(time, 0),
        complete,
        collections: of(&["movies"]),
        bytes: 1,
        objects: 1,
        last_modified,
    }
}

fn of(collections: &[&str]) -> BTreeSet<String> {
    let own = collections.iter().map(|name| (*name).to_owned());
    own.collect()
}

/// A complete snapshot of that time with these collections.
fn holding(time: &str, collections: &[&str]) -> Listed {
    Listed {
        collections: of(collections),
        ..complete(time)
    }
}

/// Time of day and reasons of each that stays.
fn kept(plan: &Plan) -> Vec<(String, Vec<KeepReason>)> {
    let line = |(id, reasons): &(SnapshotId, Vec<KeepReason>)| {
        (
            id.time().strftime("%m-%dT%H:%M").to_string(),
            reasons.clone(),
        )
    };
    plan.keep.iter().map(line).collect()
}

fn row(time: &str, reasons: &[KeepReason]) -> (String, Vec<KeepReason>) {
    (time.to_owned(), reasons.to_vec())
}

#[test]
fn keep_last_counts_snapshots() {
    let all = [
        "2026-11-22T11:30",
        "2026-11-22T11:30",
        "2026-11-20T00:00",
        "2026-11-19T00:00",
    ];
    let policy = Policy {
        keep_last: 3,
        ..Policy::default()
    };
    let mut all = all.map(complete);
    all[1].id = SnapshotId::new(all[1].id.time(), 7);
    let plan = plan(&all, &policy, now());
    assert_eq!(plan.keep.len(), 3);
    assert_eq!(plan.remove, [(all[3].id.clone(), RemoveReason::NoRule)]);
}

#[test]
fn rules_keep_the_newest_of_each_hour_day_week_and_month() {
    use KeepReason::*;
    let all = [
        "2026-11-22T11:50", // Sunday
        "2026-11-22T11:10",
        "2026-11-22T10:59",
        "2026-11-21T23:00",
        "2026-11-16T00:00", // Monday of the same week
        "2026-11-15T23:59", // Sunday of the week before
        "2026-11-01T00:00",
        "2026-10-31T23:59",
        "2026-09-01T00:00",
    ]
    .map(complete);
    let policy = Policy {
        keep_last: 1,
        keep_hourly: 2,
        keep_daily: 2,
        keep_weekly: 2,
        keep_monthly: 2,
    };
    let plan = plan(&all, &policy, now());
    let expected = [
        row("11-22T11:50", &[Last, Hourly, Daily, Weekly, Monthly]),
        row("11-22T10:59", &[Hourly]),
        row("11-21T23:00", &[Daily]),
        row("11-15T23:59", &[Weekly]),
        row("10-31T23:59", &[Monthly]),
    ];
    assert_eq!(kept(&plan), expected);
    assert_eq!(plan.remove.len(), 4);
}

#[test]
fn the_oldest_stays_while_a_rule_is_not_full() {
    use KeepReason::*;
    let all = ["2026-11-22T11:50", "2026-11-22T11:10", "2026-11-22T11:00"].map(complete);
    let policy = Policy {
        keep_daily: 3,
        ..Policy::default()
    };
    let expected = [row("11-22T11:50", &[Daily]), row("11-22T11:00", &[Oldest])];
    assert_eq!(kept(&plan(&all, &policy, now())), expected);
    let policy = Policy {
        keep_daily: 1,
        ..Policy::default()
    };
    assert_eq!(kept(&plan(&all, &policy, now())), expected[..1]);
}

#[test]
fn no_policy_removes_nothing_that_is_complete() {
    let all = ["2026-11-22T11:50", "2020-01-01T00:00"].map(complete);
    let plan = plan(&all, &Policy::default(), now());
    assert_eq!(plan.keep.len(), 2);
    assert!(
        plan.keep
            .iter()
            .all(|(_, reasons)| reasons == &[KeepReason::NoPolicy])
    );
}

#[test]
fn incomplete_snapshots_go_after_a_day_without_a_write() {
    let hours_ago = |hours| now() - SignedDuration::from_hours(hours);
    let all = [
        listed(hours_ago(1), false, hours_ago(0)),
        listed(hours_ago(23), false, hours_ago(23)),
        listed(hours_ago(24), false, hours_ago(24)),
        listed(hours_ago(25), false, hours_ago(25)),
        listed(hours_ago(48), false, hours_ago(3)),
        listed(hours_ago(72), true, hours_ago(72)),
        listed(hours_ago(96), false, hours_ago(96)),
    ];
    let policy = Policy {
        keep_last: 1,
        ..Policy::default()
    };
    let plan = plan(&all, &policy, now());
    let gone = [3, 6].map(|index: usize| (all[index].id.clone(), RemoveReason::Incomplete));
    assert_eq!(plan.remove, gone);
    assert!(
        plan.keep
            .contains(&(all[5].id.clone(), vec![KeepReason::Last]))
    );
}

#[test]
fn snapshots_of_one_collection_do_not_push_out_those_of_all() {
    use KeepReason::*;
    let full = ["logs", "movies"];
    let all = [
        holding("2026-11-22T11:00", &["movies"]),
        holding("2026-11-22T10:00", &["movies"]),
        holding("2026-11-22T09:00", &full),
        holding("2026-11-22T08:00", &full),
    ];
    let policy = Policy {
        keep_last: 1,
        ..Policy::default()
    };
    let expected = [row("11-22T11:00", &[Last]), row("11-22T09:00", &[Last])];
    assert_eq!(kept(&plan(&all, &policy, now())), expected);
}

#[test]
fn a_nightly_snapshot_of_one_collection_is_not_the_day_s_of_the_others() {
    use KeepReason::*;
    let full = ["logs", "movies"];
    let all = [
        holding("2026-11-21T23:30", &["movies"]),
        holding("2026-11-21T18:00", &full),
        holding("2026-11-21T12:00", &full),
        holding("2026-11-20T23:30", &["movies"]),
        holding("2026-11-20T18:00", &full),
    ];
    let policy = Policy {
        keep_daily: 2,
        ..Policy::default()
    };
    let expected = [
        row("11-21T23:30", &[Daily]),
        row("11-21T18:00", &[Daily]),
        row("11-20T23:30", &[Daily]),
        row("11-20T18:00", &[Daily]),
    ];
    assert_eq!(kept(&plan(&all, &policy, now())), expected);
}

#[test]
fn the_last_snapshot_of_a_collection_that_is_gone_stays() {
    let all = [
        holding("2026-11-22T11:00", &["movies"]),
        holding("2026-01-01T00:00", &["logs"]),
        holding("2025-01-01T00:00", &[]),
        holding("2024-01-01T00:00", &[]),
    ];
    let policy = Policy {
        keep_last: 1,
        ..Policy::default()
    };
    let plan = plan(&all, &policy, now());
    assert_eq!(plan.remove, [(all[3].id.clone(), RemoveReason::NoRule)]);
}

fn any_listed() -> impl Strategy<Value = Vec<Listed>> {
    let newest = now().as_second();
    let one = (
        0..200_i64 * 86_400,
        any::<u32>(),
        any::<bool>(),
        0..86_400 * 3_i64,
        prop::collection::btree_set("[abc]", 0..3),
    );
    let one = one.prop_map(move |(age, random, complete, later, collections)| {
        let time = Timestamp::from_second(newest - age).unwrap();
        let last_modified = Timestamp::from_second((newest - age + later).min(newest)).unwrap();
        Listed {
            id: SnapshotId::new(time, random),
            collections,
            ..listed(time, complete, last_modified)
        }
    });
    prop::collection::vec(one, 0..40).prop_map(|mut all| {
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.dedup_by(|a, b| a.id == b.id);
        all
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (0..4_u32, 0..4_u32, 0..4_u32, 0..4_u32, 0..4_u32).prop_map(
        |(keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly)| Policy {
            keep_last,
            keep_hourly,
            keep_daily,
            keep_weekly,
            keep_monthly,
        },
    )
}

proptest! {
    #[test]
    fn the_newest_complete_snapshot_of_a_collection_never_goes(all in any_listed(), policy in any_policy()) {
        let plan = plan(&all, &policy, now());
        let complete = || all.iter().filter(|listed| listed.complete);
        let collections: BTreeSet<_> = complete().flat_map(|listed| &listed.collections).collect();
        let newest_of = collections.iter().map(|name| {
            complete().filter(|listed| listed.collections.contains(*name)).map(|listed| &listed.id).max()
        });
        let newest = complete().map(|listed| &listed.id).max();
        for newest in newest_of.chain([newest]).flatten() {
            prop_assert!(plan.keep.iter().any(|(id, _)| id == newest));
        }
    }

    #[test]
    fn every_snapshot_stays_or_goes_and_has_a_reason(all in any_listed(), policy in any_policy()) {
        let plan = plan(&all, &policy, now());
        prop_assert!(plan.keep.iter().all(|(_, reasons)| !reasons.is_empty()));
        let kept = plan.keep.iter().map(|(id, _)| id);
        let planned: Vec<_> = kept.chain(plan.remove.iter().map(|(id, _)| id)).collect();
        prop_assert_eq!(planned.len(), all.len());
        let planned: BTreeSet<_> = planned.into_iter().collect();
        prop_assert_eq!(planned, all.iter().map(|listed| &listed.id).collect());
    }

    #[test]
    fn what_a_plan_leaves_the_same_plan_leaves_again(all in any_listed(), policy in any_policy()) {
        let first = plan(&all, &policy, now());
        let left: Vec<_> = all
            .into_iter()
            .filter(|listed| first.keep.iter().any(|(id, _)| *id == listed.id))
            .collect();
        prop_assert_eq!(plan(&left, &policy, now()).remove, []);
    }

    #[test]
    fn a_rule_keeps_no_more_than_its_number(all in any_listed(), keep_daily in 1..6_u32) {
        let policy = Policy { keep_daily, ..Policy::default() };
        let complete = all.into_iter().filter(|listed| listed.complete);
        let complete: Vec<_> = complete.map(|listed| Listed { collections: of(&["movies"]), ..listed }).collect();
        let days: BTreeSet<_> = complete.iter().map(|listed| day(&listed.id)).collect();
        let kept = plan(&complete, &policy, now()).keep.len();
        prop_assert!(kept <= keep_daily as usize);
        prop_assert!(kept >= days.len().min(keep_daily as usize));
    }
}
