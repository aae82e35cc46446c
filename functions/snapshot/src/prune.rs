//! Retention after a successful run: what the policy does not keep goes, and so does what others left unfinished.

use std::time::Duration;

use alioth_job_runner::chain;
use alioth_snapshot_store::{
    SnapshotId, SnapshotStore, StoreError,
    retention::{self, RemoveReason},
};
use jiff::Timestamp;

use crate::{
    RetentionConfig,
    outcome::{Pruned, Removed},
    restores::{MAY_GO_ON_FOR, Restores},
};

/// No upload takes a day: one shard at 100 MB/s would be 8 TB.
const UNFINISHED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Applies the policy. What fails is told in the result and not by an error: snapshots are complete without it.
/// `lease` is how long a restore that says nothing is believed to live.
pub async fn prune(store: &SnapshotStore, config: RetentionConfig, lease: Duration) -> Pruned {
    prune_but(store, config, lease, None).await
}

/// The same after a run, whose own snapshot stays: of two that began within one second no rule can tell which is newer.
pub(crate) async fn prune_but(
    store: &SnapshotStore,
    config: RetentionConfig,
    lease: Duration,
    made: Option<&SnapshotId>,
) -> Pruned {
    let mut pruned = Pruned {
        dry_run: config.dry_run,
        ..Pruned::default()
    };
    if let Err(error) = apply(store, config, lease, made, &mut pruned).await {
        let error = chain(&error);
        tracing::error!(error, "retention not applied");
        pruned.error = Some(error);
    }
    pruned
}

/// Whether a restore is to read from the snapshot: one that replaces a collection has nothing else once the old one
/// is dropped.
fn is_needed(restores: &Restores, id: &SnapshotId, reason: RemoveReason) -> bool {
    let may_be_chosen = reason == RemoveReason::NoRule && restores.are_choosing();
    let is_needed = may_be_chosen || restores.need(id.as_str());
    if is_needed {
        tracing::info!(snapshot = %id, "no rule keeps the snapshot, and a restore needs it");
    }
    is_needed
}

/// Aborts what uploads left unfinished, as after a run of collections; what fails is told in the log.
pub(crate) async fn abort_unfinished(store: &SnapshotStore, config: RetentionConfig) {
    if config.dry_run {
        return;
    }
    match store.abort_leftovers(UNFINISHED_FOR).await {
        Ok(0) => {}
        Ok(uploads) => tracing::info!(uploads, "unfinished uploads aborted"),
        Err(error) => tracing::error!(error = chain(&error), "unfinished uploads stay"),
    }
}

async fn apply(
    store: &SnapshotStore,
    config: RetentionConfig,
    lease: Duration,
    made: Option<&SnapshotId>,
    pruned: &mut Pruned,
) -> Result<(), StoreError> {
    let listed = store.list().await?;
    let now = Timestamp::now();
    let plan = retention::plan(&listed, &config.policy(), now);
    pruned.kept = plan.keep.len() as u64;
    // Read last, so that as little as possible can change until something goes.
    let restores = Restores::read(store, now - MAY_GO_ON_FOR, lease).await?;
    for (id, reason) in plan.remove {
        if made == Some(&id) || is_needed(&restores, &id, reason) {
            pruned.kept += 1;
            continue;
        }
        let removed = Removed::of(id, reason);
        let (snapshot, reason) = (&removed.snapshot, removed.reason);
        if config.dry_run {
            tracing::info!(%snapshot, reason, "snapshot would be removed");
        } else {
            store.remove(snapshot).await?;
            tracing::info!(%snapshot, reason, "snapshot removed");
        }
        pruned.removed.push(removed);
    }
    if !config.dry_run {
        pruned.aborted_uploads = store.abort_leftovers(UNFINISHED_FOR).await?;
    }
    Ok(())
}
