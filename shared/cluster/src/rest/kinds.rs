//! What Qdrant tells over REST, as the jobs use it.

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A node that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestNode {
    /// Its peer id; 0 for the one node of a Qdrant that is not distributed.
    pub peer: u64,
    /// A name that stays the node's own over restarts where there is one, else its address.
    pub host: String,
    /// Its REST port.
    pub port: u16,
    /// What runs there.
    pub version: Version,
}

/// How Qdrant describes a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionInfo {
    /// `result.config`, as it came.
    pub config: Value,
    /// `result.payload_schema`, as it came: field → index.
    pub payload_schema: Value,
    /// `green`, `yellow`, `grey` or `red`.
    pub status: String,
}

/// One shard of a collection and who holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard {
    /// Its number.
    pub id: u32,
    /// The key it belongs to under custom sharding: a string or a number.
    pub key: Option<Value>,
    /// Its replicas, by peer.
    pub replicas: Vec<Replica>,
    /// Whether a transfer from or to it is under way.
    pub transfers: bool,
}

/// One copy of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// Who holds it.
    pub peer: u64,
    /// In which state.
    pub state: ReplicaState,
}

/// The state of a replica.
/// Source: qdrant 1.18.3 `lib/collection/src/shards/replica_set/replica_set_state.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ReplicaState {
    /// Sound, reads and writes.
    Active,
    /// Failed; it is to be synchronised.
    Dead,
    /// Being filled from another replica.
    Partial,
    /// Its collection is being created.
    Initializing,
    /// Takes writes, answers no reads.
    Listener,
    /// Qdrant 1.7 and 1.8: receives a snapshot.
    PartialSnapshot,
    /// Being recovered.
    Recovery,
    /// Receives points of a shard that is split.
    Resharding,
    /// Receives points of a shard that is given up.
    ReshardingScaleDown,
    /// Sound for reads, still being filled.
    ActiveRead,
    /// Created empty, to be filled by a snapshot.
    ManualRecovery,
    /// Something a later version has.
    #[serde(other)]
    Unknown,
}

impl ReplicaState {
    /// Whether the replica holds all points of its shard, and only those.
    pub fn is_active(self) -> bool {
        match self {
            Self::Active => true,
            Self::Dead
            | Self::Partial
            | Self::Initializing
            | Self::Listener
            | Self::PartialSnapshot
            | Self::Recovery
            | Self::Resharding
            | Self::ReshardingScaleDown
            | Self::ActiveRead
            | Self::ManualRecovery
            | Self::Unknown => false,
        }
    }

    /// Whether points are on their way between shards.
    pub fn is_resharding(self) -> bool {
        match self {
            Self::Resharding | Self::ReshardingScaleDown => true,
            Self::Active
            | Self::Dead
            | Self::Partial
            | Self::Initializing
            | Self::Listener
            | Self::PartialSnapshot
            | Self::Recovery
            | Self::ActiveRead
            | Self::ManualRecovery
            | Self::Unknown => false,
        }
    }
}

/// Another name of a collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alias {
    /// The name.
    #[serde(rename = "alias_name")]
    pub alias: String,
    /// What it stands for.
    #[serde(rename = "collection_name")]
    pub collection: String,
}

/// A change of aliases; a list of them takes effect at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasAction {
    /// Adds one; an alias of that name is moved.
    Create(Alias),
    /// Removes one.
    Delete {
        /// Which.
        alias: String,
    },
}

/// Whose data count when a snapshot meets other replicas of its shard.
/// Always sent: what Qdrant takes for a default differs from what it documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// The snapshot's, and other replicas are left as they are.
    NoSync,
    /// The snapshot's; other replicas are set Dead and synchronised from it.
    Snapshot,
    /// The other replicas'; the recovered one is synchronised from them.
    Replica,
}

impl Priority {
    /// As Qdrant writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSync => "no_sync",
            Self::Snapshot => "snapshot",
            Self::Replica => "replica",
        }
    }
}
