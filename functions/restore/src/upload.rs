//! A collection's shards from the bucket into their nodes: several at once, at most one to a node, each tried again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use alioth_cluster::rest::{Priority, QdrantRest, Shard as Placed, UploadError};
use alioth_job_runner::Progress;
use alioth_snapshot_store::{SnapshotStore, StoreError, manifest::Shard as Saved};
use futures_util::{StreamExt, TryStreamExt, stream::FuturesUnordered};

use crate::{config::RestoreConfig, count::Counted, error::RestoreError};

/// Before the second attempt; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A shard, and who may take it: the first is asked first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assigned<'a> {
    pub(crate) saved: &'a Saved,
    /// Its number in the new collection.
    pub(crate) number: u32,
    pub(crate) holders: Vec<u64>,
}

/// Gives each shard to one of its holders, so that no node gets much more than another. Pure.
///
/// # Errors
/// The number of a shard that no node which was reached holds.
pub(crate) fn assign<'a>(
    pairs: &[(&'a Saved, &Placed)],
    reached: &BTreeSet<u64>,
) -> Result<Vec<Assigned<'a>>, u32> {
    let mut pairs = pairs.to_vec();
    pairs.sort_by_key(|(saved, _)| (std::cmp::Reverse(saved.bytes), saved.shard));
    let mut load: BTreeMap<u64, u64> = BTreeMap::new();
    let mut assigned = Vec::new();
    for (saved, placed) in pairs {
        let peers = placed.replicas.iter().map(|replica| replica.peer);
        let mut holders: Vec<u64> = peers.filter(|peer| reached.contains(peer)).collect();
        holders.sort_by_key(|peer| (load.get(peer).copied().unwrap_or(0), *peer));
        let Some(first) = holders.first() else {
            return Err(placed.id);
        };
        *load.entry(*first).or_default() += saved.bytes;
        assigned.push(Assigned {
            saved,
            number: placed.id,
            holders,
        });
    }
    Ok(assigned)
}

/// What an upload needs beside its shard.
pub(crate) struct Uploader<'a> {
    pub(crate) rest: &'a QdrantRest,
    pub(crate) store: &'a SnapshotStore,
    pub(crate) config: &'a RestoreConfig,
    pub(crate) progress: &'a Progress,
    /// The collection restored into.
    pub(crate) target: &'a str,
}

impl Uploader<'_> {
    /// Uploads every shard; returns how many attempts failed on the way.
    ///
    /// # Errors
    /// The first shard's that ran out of attempts; the others are dropped.
    pub(crate) async fn all(&self, mut waiting: Vec<Assigned<'_>>) -> Result<u64, RestoreError> {
        let mut busy = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        let mut retries = 0;
        loop {
            while running.len() < self.config.concurrency {
                let free = |shard: &Assigned<'_>| !busy.contains(&shard.holders[0]);
                let Some(position) = waiting.iter().position(free) else {
                    break;
                };
                let shard = waiting.remove(position);
                let peer = shard.holders[0];
                busy.insert(peer);
                running.push(async move { (peer, self.shard(&shard).await) });
            }
            let Some((peer, uploaded)) = running.next().await else {
                return Ok(retries);
            };
            busy.remove(&peer);
            retries += uploaded?;
        }
    }

    async fn shard(&self, shard: &Assigned<'_>) -> Result<u64, RestoreError> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let peer = holder(&shard.holders, attempt);
            let Err(source) = self.once(shard, peer).await else {
                tracing::info!(
                    collection = self.target,
                    shard = shard.number,
                    peer,
                    "shard uploaded"
                );
                return Ok(u64::from(attempt - 1));
            };
            if !is_transient(&source) || attempt >= self.config.attempts {
                return Err(RestoreError::Upload {
                    collection: self.target.to_owned(),
                    shard: shard.number,
                    attempts: attempt,
                    source: Box::new(source),
                });
            }
            let error = alioth_job_runner::chain(&source);
            tracing::warn!(
                collection = self.target,
                shard = shard.number,
                peer,
                error,
                "shard is tried again"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    async fn once(&self, shard: &Assigned<'_>, peer: u64) -> Result<(), UploadError<StoreError>> {
        let saved = shard.saved;
        let object = self
            .store
            .get_shard(saved)
            .await
            .map_err(UploadError::Source)?;
        let counted = Counted::begin(self.progress);
        let counter = counted.counter();
        let bytes = object.inspect_ok(move |piece| counter.add(piece.len() as u64));
        self.rest
            .upload_shard(
                peer,
                self.target,
                shard.number,
                bytes,
                Some(saved.bytes),
                Some(&saved.sha256),
                // The new collection's empty replicas are not to be asked for their opinion.
                Priority::Snapshot,
            )
            .await?;
        counted.keep();
        Ok(())
    }
}

/// Each holder twice in a row: the one that began may have half of it done.
fn holder(holders: &[u64], attempt: u32) -> u64 {
    let turn = (attempt as usize - 1) / 2;
    holders[turn % holders.len()]
}

pub(crate) fn is_transient(error: &UploadError<StoreError>) -> bool {
    match error {
        UploadError::Source(error) => error.is_transient(),
        UploadError::Rest(error) => error.is_transient(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_cluster::rest::{Replica, ReplicaState};
    use alioth_snapshot_store::ObjectKey;

    fn saved(shard: u32, bytes: u64) -> Saved {
        Saved {
            shard,
            shard_key: None,
            key: ObjectKey::at_root(&format!("shard-{shard}")).unwrap(),
            bytes,
            sha256: String::new(),
            source_peer: 0,
            source_host: String::new(),
        }
    }

    fn placed(id: u32, peers: &[u64]) -> Placed {
        let replica = |peer: &u64| Replica {
            peer: *peer,
            state: ReplicaState::Active,
        };
        Placed {
            id,
            key: None,
            replicas: peers.iter().map(replica).collect(),
            transfers: false,
        }
    }

    #[test]
    fn nodes_get_alike_and_the_largest_shard_goes_first() {
        let shards = [saved(0, 10), saved(1, 30), saved(2, 20), saved(3, 10)];
        let places = [
            placed(0, &[1, 2]),
            placed(1, &[1, 2]),
            placed(2, &[1, 2]),
            placed(3, &[2]),
        ];
        let pairs: Vec<_> = shards.iter().zip(&places).collect();
        let assigned = assign(&pairs, &[1, 2].into()).unwrap();
        let first: Vec<(u32, u64)> = assigned.iter().map(|a| (a.number, a.holders[0])).collect();
        assert_eq!(first, [(1, 1), (2, 2), (0, 2), (3, 2)]);
        assert_eq!(assigned[0].holders, [1, 2], "the other may take it too");
    }

    #[test]
    fn only_nodes_that_were_reached_are_asked() {
        let (shards, places) = ([saved(0, 10)], [placed(0, &[1, 2])]);
        let pairs: Vec<_> = shards.iter().zip(&places).collect();
        let assigned = assign(&pairs, &[2].into()).unwrap();
        assert_eq!(assigned[0].holders, [2]);
        assert_eq!(assign(&pairs, &[3].into()), Err(0));
    }

    #[test]
    fn a_holder_is_tried_twice_before_the_next() {
        let asked: Vec<u64> = (1..=6).map(|attempt| holder(&[7, 8], attempt)).collect();
        assert_eq!(asked, [7, 7, 8, 8, 7, 7]);
    }
}
