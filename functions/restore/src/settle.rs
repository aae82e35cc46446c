//! Waits until a restored collection is whole on every node: replicas active, nothing under way, points counted.
//!
//! An upload sets the shard's other replicas Dead by consensus, a moment after it was answered. Until then they are
//! Active, and empty: their state alone says nothing. So every node is asked for its own count.
//! Source: qdrant 1.18.3 `src/common/snapshots.rs`, `recover_shard_snapshot_impl`.

mod patience;

use std::time::{Duration, Instant};

use alioth_cluster::rest::{QdrantRest, RestError, Shard};

use self::patience::{AtOnce, Filled, Kind, Patience};
use crate::{config::Counts, error::RestoreError};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const BEING_MOVED: &str = "shards are being moved";

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
    Counts {
        /// What all nodes say, when they say the same.
        agreed: Option<u64>,
        found: String,
    },
}

/// Points of a collection that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) points: u64,
    /// What is strange about it.
    pub(crate) warning: Option<String>,
}

/// What a collection is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) expected: Expected,
    pub(crate) counts: Counts,
    pub(crate) timeout: Duration,
}

/// Waits, and counts the points.
///
/// # Errors
/// `Count`; `NotActive` when nothing has come further for the timeout, or a transfer for a few of them; `Qdrant` when it
/// was away that long.
pub(crate) async fn wait(
    rest: &QdrantRest,
    collection: &str,
    terms: Terms,
) -> Result<Counted, RestoreError> {
    let expected = terms.expected;
    let is_alone = rest.nodes().len() == 1;
    let at_once = AtOnce {
        right: is_alone || expected != Expected::Unknown,
        wrong_counts: is_alone,
    };
    let mut patience = Patience::new(terms.timeout, at_once, Instant::now());
    let mut pause = PAUSE;
    loop {
        let looked = look(rest, collection, expected).await;
        let now = Instant::now();
        match looked {
            Ok((verdict, filled)) => {
                if patience.is_over(verdict.kind(), filled, now) {
                    return verdict.end(collection, terms, patience.still(now));
                }
            }
            Err(error) if !error.is_transient() => return Err(error.into()),
            Err(error) => {
                if patience.is_over(Kind::Away, Filled::default(), now) {
                    return Err(error.into());
                }
                let error = alioth_job_runner::chain(&error);
                tracing::warn!(collection, error, "replicas cannot be looked at");
            }
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
                Some(
                    Verdict::Moving | Verdict::Wrong(Wrong::Counts { .. }) | Verdict::Settled(_),
                ) => BEING_MOVED.to_owned(),
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

impl Verdict {
    fn kind(&self) -> Kind {
        match self {
            Self::Settled(_) => Kind::Settled,
            Self::Moving => Kind::Moving,
            Self::Wrong(Wrong::States(_)) => Kind::States,
            Self::Wrong(Wrong::Counts { .. }) => Kind::Counts,
        }
    }

    /// What it means once it is believed.
    fn end(self, collection: &str, terms: Terms, after: Duration) -> Result<Counted, RestoreError> {
        let collection = collection.to_owned();
        let expected = terms.expected.told();
        let states = match self {
            Self::Settled(points) => {
                let warning = None;
                return Ok(Counted { points, warning });
            }
            Self::Wrong(Wrong::Counts { agreed, found }) => {
                let error = RestoreError::Count {
                    collection,
                    expected,
                    found,
                };
                return match (agreed, terms.counts) {
                    (Some(points), Counts::Warn) => {
                        let warning = Some(error.to_string());
                        Ok(Counted { points, warning })
                    }
                    (_, Counts::Strict) | (None, Counts::Warn) => Err(error),
                };
            }
            Self::Wrong(Wrong::States(states)) => states,
            Self::Moving => BEING_MOVED.to_owned(),
        };
        Err(RestoreError::NotActive {
            collection,
            states,
            after,
        })
    }
}

async fn look(
    rest: &QdrantRest,
    collection: &str,
    expected: Expected,
) -> Result<(Verdict, Filled), RestError> {
    let (shards, points) = rest.filling(collection).await?;
    let replicas = shards.iter().flat_map(|shard| &shard.replicas);
    let active = replicas.filter(|replica| replica.state.is_active()).count();
    let filled = Filled { active, points };
    if let Some(verdict) = judge_states(&shards) {
        return Ok((verdict, filled));
    }
    let mut counts = Vec::new();
    for node in rest.nodes() {
        let count = rest.count_on(node.peer, collection).await?;
        counts.push((node.host.clone(), count));
    }
    Ok((judge_counts(&counts, expected), filled))
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
    Verdict::Wrong(Wrong::Counts {
        agreed: alike.then_some(first),
        found: found.collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests;
