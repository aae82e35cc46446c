//! Waits until a restored collection is whole on every node: replicas active, nothing under way, points counted.
//!
//! An upload sets the shard's other replicas Dead by consensus, a moment after it was answered. Until then they are
//! Active, and empty: their state alone says nothing. So every node is asked for its own count.
//! Source: qdrant 1.18.3 `src/common/snapshots.rs`, `recover_shard_snapshot_impl`.

use std::time::{Duration, Instant};

use alioth_cluster::rest::{QdrantRest, RestError, Shard};

use crate::error::RestoreError;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long counts of several nodes may stay wrong, or nodes of unknown counts seem settled, before it is believed:
/// consensus takes a fraction of it.
const BELIEVED_AFTER: Duration = Duration::from_secs(10);

/// How many points there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nobody wrote while the snapshot was taken, or as much as is known.
    Exactly(u64),
    /// Somebody did.
    Between(u64, u64),
    /// There is no manifest.
    Unknown,
}

impl Expected {
    /// By a manifest's two counts.
    pub(crate) fn of(before: u64, after: u64) -> Self {
        match before == after {
            true => Self::Exactly(before),
            false => Self::Between(before.min(after), before.max(after)),
        }
    }

    fn fits(self, count: u64) -> bool {
        match self {
            Self::Exactly(expected) => count == expected,
            Self::Between(least, most) => (least..=most).contains(&count),
            Self::Unknown => true,
        }
    }

    fn told(self) -> String {
        match self {
            Self::Exactly(expected) => expected.to_string(),
            Self::Between(least, most) => format!("{least} to {most}"),
            Self::Unknown => "any number of".to_owned(),
        }
    }
}

/// What a look at the cluster calls for. Pure.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Settled(u64),
    /// Something is under way.
    Moving,
    /// Nothing is, and it is not right.
    Wrong(Wrong),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrong {
    States(String),
    Counts(String),
}

/// Waits, and returns the number of points.
///
/// # Errors
/// `Count`, `NotActive` when nothing has moved for `timeout`, `Qdrant` when it was away that long.
pub(crate) async fn wait(
    rest: &QdrantRest,
    collection: &str,
    expected: Expected,
    timeout: Duration,
) -> Result<u64, RestoreError> {
    let nodes = rest.nodes().len();
    let mut pause = PAUSE;
    let mut since = Instant::now();
    let mut last = None;
    let mut agreed_since: Option<(u64, Instant)> = None;
    loop {
        match look(rest, collection, expected).await {
            Ok(Verdict::Settled(count)) => {
                let known = expected != Expected::Unknown;
                let (of, at) = *agreed_since.get_or_insert((count, Instant::now()));
                if known || nodes == 1 || (of == count && at.elapsed() >= BELIEVED_AFTER) {
                    return Ok(count);
                }
                if of != count {
                    agreed_since = None;
                }
                since = Instant::now();
            }
            Ok(Verdict::Moving) => {
                (since, agreed_since) = (Instant::now(), None);
            }
            Ok(Verdict::Wrong(wrong)) => {
                agreed_since = None;
                if last.as_ref() != Some(&wrong) {
                    since = Instant::now();
                }
                give_up(
                    collection,
                    expected,
                    &wrong,
                    since.elapsed(),
                    timeout,
                    nodes,
                )?;
                last = Some(wrong);
            }
            Err(error) if error.is_transient() && since.elapsed() < timeout => {
                let error = alioth_job_runner::chain(&error);
                tracing::warn!(collection, error, "replicas cannot be looked at");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits until every node knows a collection that was just made, and returns its shards.
///
/// # Errors
/// `Qdrant`, and `NotActive` after `timeout`.
pub(crate) async fn placed(
    rest: &QdrantRest,
    collection: &str,
    timeout: Duration,
) -> Result<Vec<Shard>, RestoreError> {
    let since = Instant::now();
    loop {
        let states = match rest.shards(collection).await {
            Ok(shards) => match judge_states(&shards) {
                None => return Ok(shards),
                Some(Verdict::Wrong(Wrong::States(states))) => states,
                Some(Verdict::Moving | Verdict::Wrong(Wrong::Counts(_)) | Verdict::Settled(_)) => {
                    "shards are being moved".to_owned()
                }
            },
            // A node that lags behind has not heard of it yet.
            Err(error) if error.is_not_found() || error.is_transient() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let after = since.elapsed();
        if after >= timeout {
            return Err(RestoreError::NotActive {
                collection: collection.to_owned(),
                states,
                after,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Fails once the same thing was wrong for long enough.
fn give_up(
    collection: &str,
    expected: Expected,
    wrong: &Wrong,
    after: Duration,
    timeout: Duration,
    nodes: usize,
) -> Result<(), RestoreError> {
    match wrong {
        // The one node has nobody to hear anything from.
        Wrong::Counts(found) if nodes == 1 || after >= BELIEVED_AFTER => Err(RestoreError::Count {
            collection: collection.to_owned(),
            expected: expected.told(),
            found: found.clone(),
        }),
        Wrong::States(states) if after >= timeout => Err(RestoreError::NotActive {
            collection: collection.to_owned(),
            states: states.clone(),
            after,
        }),
        Wrong::Counts(_) | Wrong::States(_) => Ok(()),
    }
}

async fn look(
    rest: &QdrantRest,
    collection: &str,
    expected: Expected,
) -> Result<Verdict, RestError> {
    let shards = rest.shards(collection).await?;
    if let Some(verdict) = judge_states(&shards) {
        return Ok(verdict);
    }
    let mut counts = Vec::new();
    for node in rest.nodes() {
        let count = rest.count_on(node.peer, collection).await?;
        counts.push((node.host.clone(), count));
    }
    Ok(judge_counts(&counts, expected))
}

/// What states alone say; nothing when all is active.
fn judge_states(shards: &[Shard]) -> Option<Verdict> {
    if shards.iter().any(|shard| shard.transfers) {
        return Some(Verdict::Moving);
    }
    let mut states = Vec::new();
    for shard in shards {
        for replica in shard.replicas.iter().filter(|r| !r.state.is_active()) {
            states.push(format!(
                "shard {} on peer {} is {:?}",
                shard.id, replica.peer, replica.state
            ));
        }
    }
    (!states.is_empty()).then(|| Verdict::Wrong(Wrong::States(states.join(", "))))
}

fn judge_counts(counts: &[(String, u64)], expected: Expected) -> Verdict {
    let first = counts.first().map_or(0, |(_, count)| *count);
    let alike = counts.iter().all(|(_, count)| *count == first);
    if alike && expected.fits(first) {
        return Verdict::Settled(first);
    }
    let found = counts
        .iter()
        .map(|(host, count)| format!("{count} on {host}"));
    Verdict::Wrong(Wrong::Counts(found.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let told = "7 on q0, 3 on q1".to_owned();
        assert_eq!(verdict, Verdict::Wrong(Wrong::Counts(told)));
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

    #[test]
    fn a_wrong_count_is_believed_at_once_by_one_node_and_later_by_several() {
        let wrong = Wrong::Counts("3 on q0".to_owned());
        let expected = Expected::Exactly(7);
        let long = Duration::from_secs(600);
        let after = |after, nodes| give_up("c", expected, &wrong, after, long, nodes);
        assert!(after(Duration::ZERO, 1).is_err());
        assert!(after(Duration::from_secs(1), 3).is_ok());
        assert!(after(BELIEVED_AFTER, 3).is_err());
    }
}
