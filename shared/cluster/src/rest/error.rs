//! What can go wrong with a call over REST.

use std::{fmt, time::Duration};

/// What was asked for, with what it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A node's version.
    Version,
    /// A node's view of the cluster.
    Cluster,
    /// The collections' names.
    ListCollections,
    /// A collection's settings.
    DescribeCollection(String),
    /// Where a collection's shards lie.
    ListShards(String),
    /// Every alias.
    ListAliases,
    /// A collection's exact number of points.
    Count(String),
    /// A shard's snapshot.
    StreamShard(String, u32),
    /// A shard's recovery from an upload.
    UploadShard(String, u32),
    /// A new collection.
    CreateCollection(String),
    /// A change of a collection's settings.
    UpdateCollection(String),
    /// A new shard key in a collection.
    CreateShardKey(String),
    /// A payload index: collection, field.
    CreateIndex(String, String),
    /// A collection's end.
    DeleteCollection(String),
    /// Changes of aliases.
    UpdateAliases,
    /// The full snapshots on a node.
    ListStorageSnapshots,
    /// A node's full snapshot.
    CreateStorageSnapshot,
    /// The same, its bytes.
    StreamStorageSnapshot(String),
    /// The same, its end.
    DeleteStorageSnapshot(String),
    /// A collection's recovery from a URL.
    RecoverCollection(String),
    /// A collection's recovery from an upload.
    UploadCollection(String),
    /// A collection's snapshot on a node, its end: collection, snapshot.
    DeleteCollectionSnapshot(String, String),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("ask the version"),
            Self::Cluster => f.write_str("ask about the cluster"),
            Self::ListCollections => f.write_str("list collections"),
            Self::DescribeCollection(name) => write!(f, "describe collection {name}"),
            Self::ListShards(name) => write!(f, "list the shards of {name}"),
            Self::ListAliases => f.write_str("list aliases"),
            Self::Count(name) => write!(f, "count the points of {name}"),
            Self::StreamShard(name, shard) => write!(f, "stream shard {shard} of {name}"),
            Self::UploadShard(name, shard) => write!(f, "upload shard {shard} of {name}"),
            Self::CreateCollection(name) => write!(f, "create collection {name}"),
            Self::UpdateCollection(name) => write!(f, "update collection {name}"),
            Self::CreateShardKey(name) => write!(f, "create a shard key of {name}"),
            Self::CreateIndex(name, field) => write!(f, "create the index {field} of {name}"),
            Self::DeleteCollection(name) => write!(f, "delete collection {name}"),
            Self::UpdateAliases => f.write_str("update aliases"),
            Self::ListStorageSnapshots => f.write_str("list storage snapshots"),
            Self::CreateStorageSnapshot => f.write_str("create a storage snapshot"),
            Self::StreamStorageSnapshot(name) => write!(f, "stream storage snapshot {name}"),
            Self::DeleteStorageSnapshot(name) => write!(f, "delete storage snapshot {name}"),
            Self::RecoverCollection(name) => write!(f, "recover collection {name}"),
            Self::UploadCollection(name) => write!(f, "upload collection {name}"),
            Self::DeleteCollectionSnapshot(name, snapshot) => {
                write!(f, "delete snapshot {snapshot} of {name}")
            }
        }
    }
}

/// Why a call failed. `host` is the node's, as in [`RestNode`](super::RestNode).
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// A configured name has no address.
    #[error("resolve {host}")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No address answered; the last one's error is kept.
    #[error("reach any of {addresses} addresses of Qdrant")]
    Unreached {
        /// How many were tried.
        addresses: usize,
        /// Why not the last.
        #[source]
        source: Box<RestError>,
    },
    /// The configured addresses do not belong together.
    #[error("take the addresses for one cluster: {reason}")]
    NotOneCluster {
        /// Why not.
        reason: String,
    },
    /// No configured address leads to that peer.
    #[error("reach peer {peer}: no configured address leads to it")]
    UnknownPeer {
        /// Its id.
        peer: u64,
    },
    /// The HTTP client cannot be set up.
    #[error("set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The node answered with an error.
    #[error("{operation} on {host}: {status}: {reason}")]
    Refused {
        /// What was asked.
        operation: Operation,
        /// Of whom.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        reason: String,
    },
    /// There was no answer, or it was cut off.
    #[error("{operation} on {host}")]
    NoAnswer {
        /// What was asked.
        operation: Operation,
        /// Of whom.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Nothing moved for too long.
    #[error("{operation} on {host}: nothing moved for {after:?}")]
    Stalled {
        /// What was asked.
        operation: Operation,
        /// Of whom.
        host: String,
        /// For how long.
        after: Duration,
    },
    /// The answer came whole and its snapshot did not: the node gave up in the middle, which it cannot say.
    #[error("{operation} on {host}: the snapshot ends after {bytes} bytes, before its end")]
    Truncated {
        /// What was asked.
        operation: Operation,
        /// Of whom.
        host: String,
        /// What came.
        bytes: u64,
    },
    /// The answer is not what Qdrant answers.
    #[error("{operation} on {host}: {reason}")]
    Malformed {
        /// What was asked.
        operation: Operation,
        /// Of whom.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What an HTTP status says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Later, or on another node, it may go well.
    Passing,
    /// It needs somebody to act.
    Lasting,
}

/// Every error status Qdrant or a proxy before it answers.
/// Source: qdrant 1.18.3 `src/actix/helpers.rs`, `HttpError::status_code`.
fn standing(status: u16) -> Standing {
    match status {
        // Timeout, rate limit, server faults, and 507 at a quota.
        408 | 429 | 500..=599 => Standing::Passing,
        _ => Standing::Lasting,
    }
}

impl RestError {
    /// Whether the same call may go well later without anybody acting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::NoAnswer { .. }
            | Self::Stalled { .. }
            | Self::Truncated { .. }
            // The peer may come back under one of the addresses.
            | Self::UnknownPeer { .. } => true,
            Self::Unreached { source, .. } => source.is_transient(),
            Self::Refused { status, .. } => standing(*status) == Standing::Passing,
            Self::NotOneCluster { .. } | Self::Client(_) | Self::Malformed { .. } => false,
        }
    }

    /// Whether what the call concerns is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether what is to be made is there already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }

    /// Whether the key is missing, wrong, or allows too little.
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: 401 | 403,
                ..
            }
        )
    }
}
