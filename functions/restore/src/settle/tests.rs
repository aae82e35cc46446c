use super::{patience::BELIEVED_AFTER, *};
use alioth_cluster::rest::{Replica, ReplicaState};

fn shard(states: &[ReplicaState], transfers: bool) -> Shard {
    let replica = |(peer, state): (usize, &ReplicaState)| Replica {
        peer: peer as u64,
        state: *state,
    };
    Shard {
        id: 0,
        key: None,
        replicas: states.iter().enumerate().map(replica).collect(),
        transfers,
    }
}

fn counts(of: &[u64]) -> Vec<(String, u64)> {
    let node = |(index, count): (usize, &u64)| (format!("q{index}"), *count);
    of.iter().enumerate().map(node).collect()
}

#[test]
fn a_replica_that_is_not_active_is_waited_for() {
    use ReplicaState::{Active, Dead};
    assert_eq!(judge_states(&[shard(&[Active, Active], false)]), None);
    let moving = judge_states(&[shard(&[Active, Dead], true)]);
    assert_eq!(moving, Some(Verdict::Moving));
    let wrong = judge_states(&[shard(&[Active, Dead], false)]);
    let told = "shard 0 on peer 1 is Dead".to_owned();
    assert_eq!(wrong, Some(Verdict::Wrong(Wrong::States(told))));
}

#[test]
fn an_active_replica_without_its_points_is_not_settled() {
    let verdict = judge_counts(&counts(&[7, 3]), Expected::Exactly(7));
    let wrong = Wrong::Counts {
        agreed: None,
        found: "7 on q0, 3 on q1".to_owned(),
    };
    assert_eq!(verdict, Verdict::Wrong(wrong));
    let verdict = judge_counts(&counts(&[7, 7]), Expected::Exactly(7));
    assert_eq!(verdict, Verdict::Settled(7));
}

#[test]
fn counts_of_a_snapshot_under_writes_may_lie_between() {
    let between = Expected::of(12, 10);
    assert_eq!(between, Expected::Between(10, 12));
    for (count, fits) in [(9, false), (10, true), (12, true), (13, false)] {
        assert_eq!(between.fits(count), fits, "{count}");
    }
    assert_eq!(Expected::of(5, 5), Expected::Exactly(5));
}

fn exactly(points: u64, counts: Counts) -> Terms {
    Terms {
        expected: Expected::Exactly(points),
        counts,
        timeout: Duration::from_secs(600),
    }
}

#[test]
fn a_count_outside_of_the_range_may_be_a_warning_and_nodes_that_differ_may_not() {
    let end = |of: &[u64], rule| {
        let terms = exactly(100, rule);
        judge_counts(&counts(of), terms.expected).end("movies", terms, Duration::ZERO)
    };
    assert!(end(&[150, 150], Counts::Strict).is_err());
    let counted = end(&[150, 150], Counts::Warn).unwrap();
    assert_eq!(counted.points, 150);
    let warning = counted.warning.unwrap();
    assert!(warning.contains("100 points are expected"), "{warning}");
    assert!(end(&[150, 149], Counts::Warn).is_err());
    assert_eq!(end(&[100], Counts::Warn).unwrap().warning, None);
}

/// Writers: each look counts more than the one before, and none of them is news.
#[test]
fn counts_that_differ_at_every_look_are_given_up_all_the_same() {
    let began = Instant::now();
    let several = AtOnce {
        right: true,
        wrong_counts: false,
    };
    let mut patience = Patience::new(Duration::from_secs(600), several, began);
    let terms = exactly(7, Counts::Warn);
    let filled = |points| Filled { active: 2, points };
    for look in 0..60 {
        let after = Duration::from_secs(look);
        let verdict = judge_counts(&counts(&[8 + look, 9 + look]), terms.expected);
        if patience.is_over(verdict.kind(), filled(look), began + after) {
            assert_eq!(after, BELIEVED_AFTER);
            let error = verdict.end("movies", terms, after).unwrap_err();
            assert!(matches!(error, RestoreError::Count { .. }), "{error}");
            return;
        }
    }
    panic!("it waits on");
}
