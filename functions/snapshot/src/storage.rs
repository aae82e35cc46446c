//! Full snapshots of nodes: made on the node, streamed into the bucket, deleted from the node, come what may.
//! Never deletes one whose name the node did not give as the answer: somebody else may have made it.

use std::time::Duration;

use alioth_cluster::rest::{RestError, RestNode};
use alioth_job_runner::chain;
use alioth_jobs::{Host, JobExit};
use alioth_snapshot_store::{PutError, StoreError, Stored};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    SnapshotConfig,
    collections::Run,
    error::{SnapshotError, of_qdrant, of_store, worst},
    outcome::{SavedNode, SavedStorage},
    plan,
    restores::Restores,
};

/// A node that is making a full snapshot when the process is to end is given so long: then its file can be deleted.
const LAST_CREATE: Duration = Duration::from_secs(15);

/// Attempts to delete a node's file.
const DELETE_ATTEMPTS: u32 = 3;

/// A node, and how often something of it was tried again.
type Saved = (SavedNode, u64);

/// Why a node's storage is not saved.
enum NodeError {
    Qdrant(RestError),
    /// Its snapshot was not made, as far as it said. Qdrant goes on with what nobody waits for any more.
    Create {
        source: RestError,
        /// Full snapshots that have come to the node since.
        new: Vec<String>,
    },
    Store(StoreError),
    Stopped,
}

impl NodeError {
    fn describe(&self) -> String {
        match self {
            Self::Qdrant(error) => chain(error),
            Self::Create { source, new } if new.is_empty() => chain(source),
            Self::Create { source, new } => format!(
                "{}; new on the node, by this run or by somebody else: {}",
                chain(source),
                new.join(", ")
            ),
            Self::Store(error) => chain(error),
            Self::Stopped => "stopped before its end".to_owned(),
        }
    }

    fn exit(&self) -> JobExit {
        match self {
            Self::Qdrant(error) | Self::Create { source: error, .. } => of_qdrant(error),
            Self::Store(error) => of_store(error),
            Self::Stopped => JobExit::Unavailable,
        }
    }
}

/// Saves the storage of the nodes that `wanted` means. A node that fails keeps no other from being saved.
///
/// # Errors
/// As [`crate::run`]'s; `StorageIncomplete` names every node that is missing.
pub(crate) async fn save(
    run: &Run,
    config: &SnapshotConfig,
    wanted: &[Host],
    token: &CancellationToken,
) -> Result<SavedStorage, SnapshotError> {
    let nodes = plan::select_nodes(run.rest.nodes(), wanted)?;
    // A node's storage has every collection in it.
    let restores = Restores::standing(&run.store, Timestamp::now(), run.lease).await?;
    restores.keep_off(|_| true)?;
    // Clones: a future over borrowed nodes cannot be spawned.
    let nodes: Vec<RestNode> = nodes.into_iter().cloned().collect();
    let one = |node: RestNode| async move {
        let saved = Box::pin(save_node(run, config, &node, token)).await;
        (node, saved)
    };
    let ended: Vec<(RestNode, Result<Saved, NodeError>)> = stream::iter(nodes.into_iter().map(one))
        .buffer_unordered(config.concurrency)
        .collect()
        .await;
    let mut saved = SavedStorage {
        nodes: Vec::new(),
        retries: 0,
    };
    let (mut reasons, mut exits) = (Vec::new(), Vec::new());
    for (node, ended) in ended {
        match ended {
            Ok((node, retries)) => {
                saved.retries += retries;
                saved.nodes.push(node);
            }
            Err(error) => {
                exits.push(error.exit());
                reasons.push(format!("{}:{}: {}", node.host, node.port, error.describe()));
            }
        }
    }
    if token.is_cancelled() {
        return Err(SnapshotError::Stopped);
    }
    // Asked for everything, and not everybody is there.
    let absent = run.rest.absent_peers().iter().filter(|_| wanted.is_empty());
    reasons.extend(absent.map(|peer| format!("peer {peer}: no configured address leads to it")));
    if reasons.is_empty() {
        saved.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        return Ok(saved);
    }
    Err(SnapshotError::StorageIncomplete {
        nodes: saved.nodes.len() + reasons.len(),
        reasons,
        // A node that no address leads to may come back.
        exit: worst(exits),
    })
}

async fn save_node(
    run: &Run,
    config: &SnapshotConfig,
    node: &RestNode,
    token: &CancellationToken,
) -> Result<Saved, NodeError> {
    if token.is_cancelled() {
        return Err(NodeError::Stopped);
    }
    let file = create(run, node, token).await?;
    tracing::info!(
        host = node.host,
        peer = node.peer,
        file,
        "storage snapshot made"
    );
    let name = name_in_bucket(&file, node.peer);
    let upload = Box::pin(upload(run, config, node, &file, &name));
    let uploaded = token.run_until_cancelled(upload).await;
    delete(run, node, &file).await;
    let (stored, retries) = uploaded.unwrap_or(Err(NodeError::Stopped))?;
    tracing::info!(
        host = node.host,
        bytes = stored.bytes,
        name,
        "storage snapshot stored"
    );
    run.metrics.shard_stored();
    Ok((SavedNode::of(node, name, stored), retries))
}

/// The file's name on the node. The end of the process is not the end of the node's work: what it
/// makes has to be known to be deleted.
async fn create(
    run: &Run,
    node: &RestNode,
    token: &CancellationToken,
) -> Result<String, NodeError> {
    let before = on_node(run, node).await;
    if let Some(names) = before.as_ref().filter(|names| !names.is_empty()) {
        let (host, peer) = (&node.host, node.peer);
        tracing::warn!(
            host,
            peer,
            ?names,
            "full snapshots lie on the node: somebody made them, or a run that was cut off"
        );
    }
    let create = run.rest.create_storage_snapshot(node.peer);
    let patience = async {
        token.cancelled().await;
        tokio::time::sleep(LAST_CREATE).await;
    };
    tokio::select! {
        created = create => match created {
            Ok(file) => Ok(file),
            Err(source) => Err(NodeError::Create {
                source,
                new: new_on_node(run, node, before).await,
            }),
        },
        () = patience => {
            let (host, peer) = (&node.host, node.peer);
            tracing::error!(host, peer, "a storage snapshot is still being made and stays on the node");
            Err(NodeError::Stopped)
        }
    }
}

/// Names of the full snapshots on the node; `None` when it does not tell.
async fn on_node(run: &Run, node: &RestNode) -> Option<Vec<String>> {
    let listed = run.rest.storage_snapshots(node.peer).await;
    let told = |error: &RestError| {
        let (host, error) = (&node.host, chain(error));
        tracing::warn!(host, error, "full snapshots on the node are not known");
    };
    listed.inspect_err(told).ok()
}

/// Those that were not there before. Which of them, if any, is this run's cannot be told: they have only times in
/// their names.
async fn new_on_node(run: &Run, node: &RestNode, before: Option<Vec<String>>) -> Vec<String> {
    let Some(before) = before else {
        return Vec::new();
    };
    let mut names = on_node(run, node).await.unwrap_or_default();
    names.retain(|name| !before.contains(name));
    names
}

/// Streams the file; how often that failed before it went well.
async fn upload(
    run: &Run,
    config: &SnapshotConfig,
    node: &RestNode,
    file: &str,
    name: &str,
) -> Result<(Stored, u64), NodeError> {
    let mut failures = 0;
    loop {
        let error = match upload_once(run, node, file, name).await {
            Ok(stored) => return Ok((stored, u64::from(failures))),
            Err(error) => error,
        };
        run.metrics.attempt_failed();
        failures += 1;
        let may_pass = matches!(&error, NodeError::Qdrant(error) if error.is_transient());
        if !may_pass || failures >= config.attempts {
            return Err(error);
        }
        tracing::warn!(
            host = node.host,
            error = error.describe(),
            "storage not read"
        );
        tokio::time::sleep(config.retry_pause.0).await;
    }
}

async fn upload_once(
    run: &Run,
    node: &RestNode,
    file: &str,
    name: &str,
) -> Result<Stored, NodeError> {
    let stream = run.rest.stream_storage_snapshot(node.peer, file).await;
    let counter = run.metrics.clone();
    let stream = stream.map_err(NodeError::Qdrant)?;
    let stream = stream.inspect_ok(move |piece| counter.bytes_read(piece.len()));
    let stored = run.store.put_storage(&node.host, name, stream).await;
    stored.map_err(|error| match error {
        PutError::Source { source, .. } => NodeError::Qdrant(source),
        PutError::Store(error) => NodeError::Store(error),
    })
}

/// Deletes the file; what cannot be deleted is an operator's to know of.
async fn delete(run: &Run, node: &RestNode, file: &str) {
    let mut last = None;
    for _ in 0..DELETE_ATTEMPTS {
        match run.rest.delete_storage_snapshot(node.peer, file).await {
            Ok(()) => return,
            Err(error) if error.is_not_found() => return,
            Err(error) => last = Some(chain(&error)),
        }
    }
    tracing::error!(
        host = node.host,
        file,
        error = last,
        "the storage snapshot stays on the node"
    );
}

/// Qdrant names the file by the second alone: two nodes of one host name would have the same.
fn name_in_bucket(file: &str, peer: u64) -> String {
    let stem = file.strip_suffix(".snapshot").unwrap_or(file);
    match peer {
        0 => file.to_owned(),
        peer => format!("{stem}-{peer}.snapshot"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_of_one_host_have_names_of_their_own() {
        let file = "full-snapshot-2026-11-22-12-00-00.snapshot";
        assert_eq!(name_in_bucket(file, 0), file);
        assert_eq!(
            name_in_bucket(file, 7),
            "full-snapshot-2026-11-22-12-00-00-7.snapshot"
        );
        assert_ne!(name_in_bucket(file, 7), name_in_bucket(file, 8));
    }
}
