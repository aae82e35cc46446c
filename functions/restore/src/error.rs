//! Why a restore failed, and what its process exits with.

use std::time::Duration;

use alioth_cluster::rest::{RestError, UploadError};
use alioth_job_runner::{JobFault, RecordError};
use alioth_jobs::JobExit;
use alioth_snapshot_store::{FaultClass, ObjectFault, StoreError};

use crate::refusal::Refusal;

/// Why a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It cannot be, as asked; nothing was touched.
    #[error("refuse the restore: {0}")]
    Refused(#[from] Refusal),
    /// The bucket did not give what was asked of it.
    #[error("read the snapshot")]
    Store(#[from] StoreError),
    /// Qdrant did not do what was asked of it.
    #[error("change the cluster")]
    Qdrant(#[from] RestError),
    /// An object is not what the manifest says; nothing was touched.
    #[error("verify object {key}: it {fault}")]
    Damaged {
        /// The object's.
        key: String,
        /// What is wrong with it.
        fault: ObjectFault,
    },
    /// A shard did not get into its node.
    #[error("upload shard {shard} of {collection} after {attempts} attempts")]
    Upload {
        /// The collection restored into.
        collection: String,
        /// The shard's number there.
        shard: u32,
        /// How often it was tried.
        attempts: u32,
        /// Why, the last time.
        #[source]
        source: Box<UploadError<StoreError>>,
    },
    /// A file did not get into its node.
    #[error("upload a snapshot of {collection} after {attempts} attempts")]
    UploadFile {
        /// The collection restored into.
        collection: String,
        /// How often it was tried.
        attempts: u32,
        /// Why, the last time.
        #[source]
        source: Box<UploadError<StoreError>>,
    },
    /// The new collection has other shards than the saved one.
    #[error("place the shards of {collection}: {reason}")]
    Placement {
        /// Which.
        collection: String,
        /// How they differ.
        reason: String,
    },
    /// Whoever holds a shard was away when the nodes were looked for, and may be back by now.
    #[error("place the shards of {collection}: no holder of shard {shard} was reached")]
    NoHolder {
        /// Which.
        collection: String,
        /// The shard's number there.
        shard: u32,
    },
    /// The counts differ. The collection is left as it is, its aliases are not switched.
    #[error("count {collection}: {expected} points are expected, and {found} found")]
    Count {
        /// Which.
        collection: String,
        /// By the manifest.
        expected: String,
        /// By each node.
        found: String,
    },
    /// Replicas did not become active.
    #[error("wait for the replicas of {collection}: {states} after {after:?} without a transfer")]
    NotActive {
        /// Which.
        collection: String,
        /// Their states.
        states: String,
        /// How long nothing moved.
        after: Duration,
    },
    /// The job's record.
    #[error("keep the job's record")]
    Record(#[from] RecordError),
    /// The process is to end.
    #[error("restore: interrupted by the end of the process")]
    Interrupted,
}

/// Qdrant's words for an upload that is not what its checksum says.
/// Source: qdrant 1.18.3 `StorageError::checksum_mismatch`.
const CHECKSUM_MISMATCH: &str = "checksum mismatch";

impl RestoreError {
    /// Whether the same restore may succeed later.
    pub fn is_transient(&self) -> bool {
        self.exit() == JobExit::Unavailable
    }
}

impl JobFault for RestoreError {
    fn exit(&self) -> JobExit {
        match self {
            Self::Refused(_) => JobExit::BadRequest,
            Self::Store(error) => of_store(error),
            Self::Qdrant(error) => of_qdrant(error),
            Self::Damaged { .. } | Self::Count { .. } => JobExit::Integrity,
            Self::Upload { source, .. } | Self::UploadFile { source, .. } => {
                match source.as_ref() {
                    UploadError::Source(error) => of_store(error),
                    UploadError::Rest(error) => of_qdrant(error),
                }
            }
            Self::Placement { .. } => JobExit::Internal,
            Self::NotActive { .. } | Self::NoHolder { .. } | Self::Interrupted => {
                JobExit::Unavailable
            }
            Self::Record(error) if error.is_transient() => JobExit::Unavailable,
            Self::Record(_) => JobExit::BadConfiguration,
        }
    }
}

fn of_store(error: &StoreError) -> JobExit {
    if error.is_integrity() {
        return JobExit::Integrity;
    }
    match error.class() {
        FaultClass::Transient => JobExit::Unavailable,
        FaultClass::Denied | FaultClass::MissingBucket => JobExit::BadConfiguration,
        // An object that the manifest names.
        FaultClass::MissingKey => JobExit::Integrity,
        FaultClass::Other => JobExit::Internal,
    }
}

fn of_qdrant(error: &RestError) -> JobExit {
    if error.is_transient() {
        return JobExit::Unavailable;
    }
    if error.is_denied() {
        return JobExit::BadConfiguration;
    }
    match error {
        RestError::Refused { reason, .. } if reason.contains(CHECKSUM_MISMATCH) => {
            JobExit::Integrity
        }
        RestError::NotOneCluster { .. } | RestError::Client(_) => JobExit::BadConfiguration,
        RestError::Refused { .. }
        | RestError::Malformed { .. }
        | RestError::Resolve { .. }
        | RestError::Unreached { .. }
        | RestError::UnknownPeer { .. }
        | RestError::NoAnswer { .. }
        | RestError::Stalled { .. }
        | RestError::Truncated { .. } => JobExit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_was_away_at_discovery_is_waited_for_and_other_shards_are_not() {
        let collection = "movies".to_owned();
        let away = RestoreError::NoHolder {
            collection: collection.clone(),
            shard: 3,
        };
        assert_eq!(away.exit(), JobExit::Unavailable);
        let reason = "it has 2 shards, and 3 are saved".to_owned();
        let other = RestoreError::Placement { collection, reason };
        assert_eq!(other.exit(), JobExit::Internal);
    }
}
