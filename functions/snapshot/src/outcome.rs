//! What a run did, for the job's record, its metrics and the command's tables.

use alioth_cluster::rest::RestNode;
use alioth_job_runner::Report;
use alioth_snapshot_store::{Manifest, SnapshotId, Stored, retention::RemoveReason};
use serde::Serialize;

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// There was nothing to save: no manifest was written, nothing was removed.
    Nothing,
    /// A snapshot of collections.
    Collections(SavedCollections),
    /// Full snapshots of nodes.
    Storage(SavedStorage),
}

/// A snapshot that is complete.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SavedCollections {
    /// Its name.
    pub snapshot: SnapshotId,
    /// Each collection, in the manifest's order.
    pub collections: Vec<SavedCollection>,
    /// Objects.
    pub shards: u64,
    /// Their length.
    pub bytes: u64,
    /// Attempts for a shard that failed.
    pub retries: u64,
    /// What retention did; `None` when it has not been asked yet.
    pub retention: Option<Pruned>,
}

/// A collection of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SavedCollection {
    /// Its name.
    pub name: String,
    /// The fewest of the exact counts before, between and after its shards.
    pub points_before: u64,
    /// The most.
    pub points_after: u64,
    /// Bytes of its shards.
    pub bytes: u64,
}

/// Full snapshots of nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SavedStorage {
    /// One a node.
    pub nodes: Vec<SavedNode>,
    /// Attempts for a stream that failed.
    pub retries: u64,
}

/// A node's full snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SavedNode {
    /// The node.
    pub host: String,
    /// Its peer id.
    pub peer: u64,
    /// The snapshot's name in the bucket.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// What retention did.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Pruned {
    /// Nothing was removed, only said.
    pub dry_run: bool,
    /// Snapshots that stay.
    pub kept: u64,
    /// Snapshots that went, or would.
    pub removed: Vec<Removed>,
    /// Unfinished uploads that were aborted.
    pub aborted_uploads: u64,
    /// What could not be done; the snapshot itself is complete all the same.
    pub error: Option<String>,
}

/// A snapshot that retention removed, or would.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Removed {
    /// Its name.
    pub snapshot: SnapshotId,
    /// Why.
    pub reason: &'static str,
}

impl Outcome {
    /// For the job's record and metrics.
    pub fn report(&self) -> Report {
        let (bytes, shards, retries) = match self {
            Self::Nothing => (0, 0, 0),
            Self::Collections(saved) => (saved.bytes, saved.shards, saved.retries),
            Self::Storage(saved) => {
                let bytes = saved.nodes.iter().map(|node| node.bytes).sum();
                (bytes, saved.nodes.len() as u64, saved.retries)
            }
        };
        Report {
            bytes,
            shards,
            retries,
            // Structs of text and numbers always serialise.
            result: serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

impl SavedCollections {
    pub(crate) fn of(manifest: &Manifest, retries: u64) -> Self {
        let collections = manifest.collections.iter().map(|saved| SavedCollection {
            name: saved.name.clone(),
            points_before: saved.points_before,
            points_after: saved.points_after,
            bytes: saved.shards.iter().map(|shard| shard.bytes).sum(),
        });
        let collections: Vec<SavedCollection> = collections.collect();
        let shards = manifest.collections.iter().map(|saved| saved.shards.len());
        Self {
            snapshot: manifest.id.clone(),
            shards: shards.sum::<usize>() as u64,
            bytes: collections.iter().map(|saved| saved.bytes).sum(),
            collections,
            retries,
            retention: None,
        }
    }
}

impl SavedNode {
    pub(crate) fn of(node: &RestNode, name: String, stored: Stored) -> Self {
        Self {
            host: node.host.clone(),
            peer: node.peer,
            name,
            bytes: stored.bytes,
            sha256: stored.sha256,
        }
    }
}

impl Removed {
    pub(crate) fn of(snapshot: SnapshotId, reason: RemoveReason) -> Self {
        let reason = match reason {
            RemoveReason::NoRule => "no rule keeps it",
            RemoveReason::Incomplete => "it was never completed",
        };
        Self { snapshot, reason }
    }
}
