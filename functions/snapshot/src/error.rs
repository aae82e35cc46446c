//! Why a run failed, and the code it exits with: decided here and nowhere else.

use alioth_cluster::rest::RestError;
use alioth_job_runner::JobFault;
use alioth_jobs::JobExit;
use alioth_snapshot_store::{FaultClass, StoreError};
use tokio::task::JoinError;

use crate::plan::{Missing, Unservable};

/// A run that failed. It left no manifest.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The request cannot be served as it is.
    #[error(transparent)]
    Request(#[from] Unservable),
    /// Qdrant did not answer a question, or not as it should.
    #[error(transparent)]
    Qdrant(#[from] RestError),
    /// S3 did not take something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Points were on their way between shards: no set of snapshots would be whole.
    #[error("snapshot collection {collection}: it is being resharded")]
    Resharding {
        /// Which.
        collection: String,
    },
    /// It is another collection by now, or of other vectors: shards and configuration would not go together.
    #[error("snapshot collection {collection}: its parameters changed meanwhile")]
    Changed {
        /// Which.
        collection: String,
    },
    /// A restore made a collection while it was saved, or was about to: it would be in the snapshot half made.
    #[error("snapshot collection {collection}: restore {job} is making it")]
    BeingRestored {
        /// Which.
        collection: String,
        /// The restore's job.
        job: String,
    },
    /// Some shards could be read nowhere.
    #[error("snapshot {shards} shards: {}", list(missing))]
    Incomplete {
        /// How many there were to be.
        shards: usize,
        /// Those that are not stored: first those that failed.
        missing: Vec<Missing>,
    },
    /// Some nodes' full snapshots are not stored.
    #[error("save the storage of {nodes} nodes: {}", reasons.join("; "))]
    StorageIncomplete {
        /// How many there were to be.
        nodes: usize,
        /// One reason a node.
        reasons: Vec<String>,
        /// What the process exits with: of the nodes' codes the one that asks most of whoever looks.
        exit: JobExit,
    },
    /// The process was asked to end.
    #[error("stopped before the end")]
    Stopped,
    /// A bug.
    #[error("read a shard")]
    Panicked(#[from] JoinError),
}

impl JobFault for SnapshotError {
    fn exit(&self) -> JobExit {
        match self {
            Self::Request(_) => JobExit::BadRequest,
            Self::Qdrant(error) => of_qdrant(error),
            Self::Store(error) => of_store(error),
            Self::StorageIncomplete { exit, .. } => *exit,
            Self::Resharding { .. }
            | Self::Changed { .. }
            | Self::BeingRestored { .. }
            | Self::Incomplete { .. }
            | Self::Stopped => JobExit::Unavailable,
            Self::Panicked(_) => JobExit::Internal,
        }
    }
}

impl SnapshotError {
    /// Whether the same request may go well later without anybody acting.
    pub fn is_transient(&self) -> bool {
        self.exit() == JobExit::Unavailable
    }
}

/// The code of a run of which several parts failed. What no other run can mend outweighs what somebody has to mend
/// first, and that what passes by itself.
pub(crate) fn worst(exits: impl IntoIterator<Item = JobExit>) -> JobExit {
    let weight = |exit: &JobExit| match exit {
        JobExit::Done => 0,
        JobExit::Unavailable => 1,
        JobExit::BadConfiguration => 2,
        JobExit::BadRequest => 3,
        JobExit::Internal => 4,
        JobExit::Integrity => 5,
    };
    exits
        .into_iter()
        .max_by_key(weight)
        .unwrap_or(JobExit::Unavailable)
}

/// The exit code of a call to Qdrant that failed for good.
pub fn of_qdrant(error: &RestError) -> JobExit {
    if error.is_denied() {
        return JobExit::BadConfiguration;
    }
    // A collection that went meanwhile: the next run does not meet it.
    if error.is_transient() || error.is_not_found() {
        return JobExit::Unavailable;
    }
    match error {
        RestError::NotOneCluster { .. } => JobExit::BadConfiguration,
        RestError::Unreached { source, .. } => of_qdrant(source),
        RestError::Resolve { .. }
        | RestError::UnknownPeer { .. }
        | RestError::Client(_)
        | RestError::Refused { .. }
        | RestError::NoAnswer { .. }
        | RestError::Stalled { .. }
        | RestError::Malformed { .. }
        | RestError::Truncated { .. } => JobExit::Internal,
    }
}

/// The exit code of a call to S3 that failed for good.
pub fn of_store(error: &StoreError) -> JobExit {
    if error.is_integrity() {
        return JobExit::Integrity;
    }
    if matches!(error, StoreError::TooLong { .. }) {
        return JobExit::BadConfiguration;
    }
    match error.class() {
        FaultClass::Transient => JobExit::Unavailable,
        FaultClass::Denied | FaultClass::MissingBucket => JobExit::BadConfiguration,
        FaultClass::MissingKey | FaultClass::Other => JobExit::Internal,
    }
}

/// Longest list of shards in a message; the rest are counted.
const LISTED: usize = 10;

fn list(missing: &[Missing]) -> String {
    let listed = missing.iter().take(LISTED).map(|missing| {
        let Missing {
            collection,
            shard,
            reason,
        } = missing;
        match reason {
            Some(reason) => format!("{collection}/{shard} is missing ({reason})"),
            None => format!("{collection}/{shard} was not read any more"),
        }
    });
    let mut listed: Vec<String> = listed.collect();
    if missing.len() > LISTED {
        listed.push(format!("and {} more", missing.len() - LISTED));
    }
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_failures_the_one_that_no_other_run_mends_tells_the_code() {
        use JobExit::{BadConfiguration, Integrity, Internal, Unavailable};
        assert_eq!(worst([]), Unavailable);
        assert_eq!(worst([Unavailable, Unavailable]), Unavailable);
        assert_eq!(worst([Unavailable, BadConfiguration]), BadConfiguration);
        assert_eq!(worst([Internal, BadConfiguration]), Internal);
        assert_eq!(worst([Integrity, Internal]), Integrity);
    }
}
