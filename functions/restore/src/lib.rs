#![doc = include_str!("../README.md")]

mod collections;
mod config;
mod count;
mod create_body;
mod error;
mod files;
mod plan;
mod progress;
mod refusal;
mod settle;
mod shard_keys;
mod source;
mod upload;

use std::pin::pin;

use alioth_cluster::rest::QdrantRest;
use alioth_job_runner::{Progress, Recorder, Report};
use alioth_jobs::RestoreRequest;
use alioth_snapshot_store::SnapshotStore;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use config::{Counts, RestoreConfig};
pub use error::RestoreError;
pub use refusal::Refusal;

use self::{collections::Restorer, progress::Noted, source::Source};

/// What a restore reads from, writes to, and is seen by.
#[derive(Clone)]
pub struct Deps {
    /// The cluster.
    pub rest: QdrantRest,
    /// The bucket.
    pub store: SnapshotStore,
    /// Its name: `s3://` URLs must be of it.
    pub bucket: String,
    /// Bytes for whoever shows them.
    pub progress: Progress,
}

/// Restores what was asked for, once. Run again with the same record it goes on.
///
/// # Errors
/// See [`RestoreError`]; `Refused` and `Damaged` mean that nothing was touched.
///
/// # Cancel safety
/// Ended by `shutdown`, it leaves a collection half made, which the next run of the same job replaces. Dropped in the
/// middle of a deletion, it may leave that on its way to the cluster, for the next run's collection to meet.
pub async fn run(
    config: &RestoreConfig,
    deps: Deps,
    request: &RestoreRequest,
    recorder: &Recorder,
    shutdown: &CancellationToken,
) -> Result<Report, RestoreError> {
    let unbroken = Mutex::new(());
    let mut work = pin!(restore(config, &deps, request, recorder, &unbroken));
    tokio::select! {
        report = &mut work => return report,
        () = shutdown.cancelled() => {}
    }
    tokio::select! {
        report = work => report,
        _ = unbroken.lock() => Err(RestoreError::Interrupted),
    }
}

async fn restore(
    config: &RestoreConfig,
    deps: &Deps,
    request: &RestoreRequest,
    recorder: &Recorder,
    unbroken: &Mutex<()>,
) -> Result<Report, RestoreError> {
    let noted = Noted::read(recorder.previous());
    let source = source::find(request, &deps.store, &deps.bucket, &noted).await?;
    let restorer = Restorer {
        config,
        rest: &deps.rest,
        store: &deps.store,
        recorder,
        progress: &deps.progress,
        unbroken,
    };
    match source {
        Source::Manifest(manifest) => restorer.collections(&manifest, request, noted).await,
        Source::File(origin) => restorer.file(&origin, request, noted).await,
    }
}
