#![doc = include_str!("../README.md")]

mod collections;
mod config;
mod error;
mod estimate;
mod metrics;
mod outcome;
mod plan;
mod prune;
mod restores;
mod storage;

use std::{sync::Arc, time::Duration};

use alioth_cluster::rest::QdrantRest;
use alioth_config::Loader;
use alioth_jobs::{BackupRequest, JobId, Request};
use alioth_snapshot_store::SnapshotStore;
use tokio_util::sync::CancellationToken;

pub use config::{RetentionConfig, SnapshotConfig, What};
pub use error::{SnapshotError, of_qdrant, of_store};
pub use estimate::estimate;
pub use metrics::{METRIC_NAMES, Metrics};
pub use outcome::{
    Outcome, Pruned, Removed, SavedCollection, SavedCollections, SavedNode, SavedStorage,
};
pub use plan::{Missing, Unservable};
pub use prune::prune;

use self::collections::Run;

/// All of the function's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// What is saved, and how carefully.
    pub snapshot: SnapshotConfig,
    /// What is kept.
    pub retention: RetentionConfig,
}

impl Config {
    /// Reads the sections; problems are left with the loader.
    pub fn load(loader: &mut Loader) -> Self {
        Self {
            snapshot: loader.section(),
            retention: loader.section(),
        }
    }

    /// The request of a run that nobody asked for but the schedule.
    pub fn scheduled(&self, job_id: JobId) -> BackupRequest {
        match self.snapshot.what {
            What::Collections => BackupRequest::Collections {
                job_id,
                collections: self.snapshot.collections.clone(),
            },
            What::Storage => BackupRequest::Storage {
                job_id,
                hosts: Vec::new(),
            },
        }
    }
}

/// All that [`run`] works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Where snapshots come from.
    pub rest: QdrantRest,
    /// Where they go.
    pub store: SnapshotStore,
    /// What is counted.
    pub metrics: Metrics,
    /// How long a run of another job is believed to live: `ALIOTH_JOB_LEASE`.
    pub lease: Duration,
}

/// Saves what `request` asks for, and then applies the retention policy. Ends soon after `shutdown` is cancelled.
///
/// # Errors
/// After any error there is no manifest, and no upload goes on.
pub async fn run(
    config: &Config,
    deps: Deps,
    request: &BackupRequest,
    shutdown: &CancellationToken,
) -> Result<Outcome, SnapshotError> {
    let Deps {
        rest,
        store,
        metrics,
        lease,
    } = deps;
    let run = Run {
        rest,
        store,
        metrics,
        job_id: Arc::from(request.job_id().as_str()),
        lease,
    };
    match request {
        BackupRequest::Collections { collections, .. } => {
            let saved = collections::save(&run, &config.snapshot, collections, shutdown).await?;
            let Some(mut saved) = saved else {
                tracing::warn!("there is no collection to save, and no snapshot of none");
                return Ok(Outcome::Nothing);
            };
            let made = Some(&saved.snapshot);
            let pruned = prune::prune_but(&run.store, config.retention, lease, made).await;
            saved.retention = Some(pruned);
            Ok(Outcome::Collections(saved))
        }
        BackupRequest::Storage { hosts, .. } => {
            let saved = storage::save(&run, &config.snapshot, hosts, shutdown).await;
            // Also after a failure, which is what leaves something to abort.
            if !shutdown.is_cancelled() {
                prune::abort_unfinished(&run.store, config.retention).await;
            }
            Ok(Outcome::Storage(saved?))
        }
    }
}
