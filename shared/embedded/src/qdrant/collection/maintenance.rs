//! Keeps a collection's logs short and its segments indexed, beside its requests.
//!
//! After an update: within [`FLUSH_INTERVAL`], or as soon as the log is full, the shard is
//! flushed and the log forgotten; writers wait for it, readers do not. Then segments are
//! merged, cleaned and indexed as qdrant-edge sees fit; nobody waits for that, and until it is
//! done the log is fsynced instead of the shard, because qdrant-edge panics when a flush meets
//! an optimisation.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, TryLockError, atomic::Ordering},
    time::Duration,
};

use qdrant_edge::EdgeShard;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Collection, lock};

/// As often as a Qdrant server flushes: what a power failure may take.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// A log this long is flushed at once: it bounds the time a restart after a kill takes.
pub(super) const FULL_LOG_BYTES: u64 = 128 * 1024 * 1024;
/// So many closed files of the shard's own log are kept before the shard is loaded anew
/// without them. How long that pauses a large collection has not been measured.
const SHARD_LOG_FILES: usize = 32;

/// Maintains a collection until the token is cancelled or the collection deleted; then
/// flushes a last time.
pub(in crate::qdrant) async fn maintain(
    collection: Arc<Collection>,
    token: CancellationToken,
    tracker: TaskTracker,
) {
    while let Some(()) = token.run_until_cancelled(collection.dirty.notified()).await {
        if collection.deleted.load(Ordering::Relaxed) {
            return;
        }
        tokio::select! {
            () = token.cancelled() => break,
            () = collection.full.notified() => (),
            () = tokio::time::sleep(FLUSH_INTERVAL) => (),
        }
        let flushed = blocking(&collection, Collection::flush_or_sync).await;
        if !flushed || collection.optimizing.swap(true, Ordering::Relaxed) {
            continue;
        }
        optimize(Arc::clone(&collection), &tracker);
    }
    blocking(&collection, Collection::flush_at_end).await;
}

/// Optimises on a thread of its own. It cannot be stopped, and the end of a runtime waits for its
/// blocking tasks, so it is none: a node that stops waits for the tracked task, up to a deadline.
fn optimize(collection: Arc<Collection>, tracker: &TaskTracker) {
    let (done, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("optimize".to_owned());
    let started = thread.spawn(move || {
        collection.optimize();
        // Nobody waits for it any more if the node has stopped meanwhile.
        let _ = done.send(());
    });
    match started {
        Ok(_) => drop(tracker.spawn(ended)),
        Err(error) => tracing::warn!(%error, "could not start a thread to optimise on"),
    }
}

/// Runs a step off the async threads; whether it went well.
async fn blocking(
    collection: &Arc<Collection>,
    step: fn(&Collection) -> Result<(), MaintenanceError>,
) -> bool {
    let name = collection.name().to_owned();
    let collection = Arc::clone(collection);
    match tokio::task::spawn_blocking(move || step(&collection)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(collection = name, error = %error, "maintenance failed");
            false
        }
        Err(error) => {
            tracing::error!(collection = name, %error, "maintenance panicked");
            false
        }
    }
}

/// Which step of the maintenance failed; all are repeated after the next update.
#[derive(Debug, thiserror::Error)]
enum MaintenanceError {
    #[error("sync the update log: {0}")]
    SyncLog(#[source] io::Error),
    #[error("clear the update log: {0}")]
    ClearLog(#[source] io::Error),
    #[error("trim the shard's log: {0}")]
    TrimShardLog(#[source] io::Error),
    #[error("load the shard again: {0}")]
    Load(#[source] qdrant_edge::OperationError),
}

impl Collection {
    fn flush_or_sync(&self) -> Result<(), MaintenanceError> {
        let _maintenance = match self.maintenance.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let log = lock(&self.log).handle();
                return log
                    .and_then(|log| log.sync_data())
                    .map_err(MaintenanceError::SyncLog);
            }
        };
        self.flush()?;
        self.trim()
    }

    fn flush_at_end(&self) -> Result<(), MaintenanceError> {
        let _maintenance = lock(&self.maintenance);
        self.flush()
    }

    /// Under the maintenance lock only.
    fn flush(&self) -> Result<(), MaintenanceError> {
        let mut log = lock(&self.log);
        let shard = self.shard.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(shard) = shard.as_ref() {
            shard.flush();
            log.clear().map_err(MaintenanceError::ClearLog)?;
        }
        Ok(())
    }

    /// Under the maintenance lock only, right after a flush.
    fn trim(&self) -> Result<(), MaintenanceError> {
        let directory = {
            let shard = self.shard.read().unwrap_or_else(PoisonError::into_inner);
            let Some(shard) = shard.as_ref() else {
                return Ok(());
            };
            shard.path().to_owned()
        };
        let closed = closed_shard_logs(&directory).map_err(MaintenanceError::TrimShardLog)?;
        if closed.len() < SHARD_LOG_FILES {
            return Ok(());
        }
        let _log = lock(&self.log);
        let mut shard = self.shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.take().is_none() {
            return Ok(());
        }
        trim_shard_log(&directory).map_err(MaintenanceError::TrimShardLog)?;
        *shard = Some(EdgeShard::load(&directory, None).map_err(MaintenanceError::Load)?);
        Ok(())
    }

    fn optimize(&self) {
        let maintenance = lock(&self.maintenance);
        let optimized = self.read(EdgeShard::optimize);
        drop(maintenance);
        self.optimizing.store(false, Ordering::Relaxed);
        match optimized {
            Ok(false) => (),
            Ok(true) => {
                tracing::info!(collection = self.name, "optimized segments");
                // What it changed wants flushing like any update.
                self.dirty.notify_one();
            }
            Err(error) => tracing::warn!(collection = self.name, %error, "optimisation failed"),
        }
    }
}

/// Deletes the closed files of a shard's own log but the last, whose number says where the
/// next one begins. Nothing reads them; qdrant-edge 0.7 neither replays nor deletes them.
pub(super) fn trim_shard_log(shard: &Path) -> io::Result<()> {
    unread_shard_logs(shard)?
        .into_iter()
        .try_for_each(std::fs::remove_file)
}

/// What [`trim_shard_log`] deletes.
pub(super) fn unread_shard_logs(shard: &Path) -> io::Result<Vec<PathBuf>> {
    let mut closed = closed_shard_logs(shard)?;
    closed.sort_unstable();
    closed.pop();
    Ok(closed.into_iter().map(|(_, path)| path).collect())
}

fn closed_shard_logs(shard: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut closed = Vec::new();
    for entry in std::fs::read_dir(shard.join("wal"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("closed-"));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            closed.push((number, path));
        }
    }
    Ok(closed)
}
