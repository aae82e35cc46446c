//! A node that Qdrant's clients cannot tell from a small Qdrant server.
//!
//! One direction: `grpc` and `rest` turn requests into the terms of qdrant-edge, `collections`
//! and `collection` carry them out. Both protocols answer from the same [`Node`].

use std::sync::Arc;

use tokio::sync::Semaphore;

use self::{
    collection::{
        Collection,
        snapshot::{Limits, Staged},
    },
    collections::Collections,
    error::RequestError,
    snapshots::{Description, Of, Received, Snapshots},
};

mod access;
mod aliases;
mod checksum;
mod collection;
mod collections;
mod error;
mod files;
mod full_snapshot;
mod grpc;
mod query;
mod rest;
mod server;
mod snapshots;

pub use self::{
    error::NodeError,
    server::{EmbeddedNode, NodeConfig, NodeHandle},
};

/// The Qdrant release whose behaviour the node follows; clients compare it with their own.
const QDRANT_VERSION: &str = "1.18.3";
/// What the node calls itself where a Qdrant server says its name.
const TITLE: &str = "alioth embedded node, compatible with qdrant";
/// The only peer of a cluster of one.
const PEER_ID: u64 = 0;
/// The only shard of a collection.
const SHARD_ID: u32 = 0;
/// Blocking threads a core may have at work for one kind of request.
const THREADS_PER_CORE: usize = 2;

/// What both protocols share.
pub(crate) struct Node {
    collections: Collections,
    snapshots: Snapshots,
    reads: Semaphore,
    writes: Semaphore,
}

impl Node {
    fn new(collections: Collections, snapshots: Snapshots) -> Self {
        let threads =
            THREADS_PER_CORE * std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            collections,
            snapshots,
            reads: Semaphore::new(threads),
            writes: Semaphore::new(threads),
        }
    }

    /// Carries out a request that changes a collection. Writers wait for each other and for a
    /// flush, so they have threads of their own.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        collection: String,
        write: impl FnOnce(&Collection) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let collection = self.collections.get(&collection)?;
        blocking(&self.writes, move || write(&collection)).await
    }

    /// Carries out a request that only reads a collection.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        collection: String,
        read: impl FnOnce(&Collection) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let collection = self.collections.get(&collection)?;
        blocking(&self.reads, move || read(&collection)).await
    }

    /// Carries out a request that changes the set of collections.
    pub(crate) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Collections) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let node = Arc::clone(self);
        blocking(&self.writes, move || change(&node.collections)).await
    }

    /// Copies a collection as it is now, to be read as a snapshot.
    pub(crate) async fn stage(self: &Arc<Self>, name: String) -> Result<Staged, RequestError> {
        self.snapshot(move |node| {
            let collection = node.collections.get(&name)?;
            collection.stage(node.snapshots.temporary())
        })
        .await
    }

    /// Keeps a snapshot of a collection.
    pub(crate) async fn create_snapshot(
        self: &Arc<Self>,
        name: String,
    ) -> Result<Description, RequestError> {
        self.snapshot(move |node| {
            let collection = node.collections.get(&name)?;
            let staged = collection.stage(node.snapshots.temporary())?;
            let of = Of::Collection(collection.name());
            node.snapshots.keep(of, |file| staged.write(file))
        })
        .await
    }

    /// Puts the points of a snapshot into the one shard of a collection.
    pub(crate) async fn restore_shard(
        self: &Arc<Self>,
        name: String,
        shard: u32,
        snapshot: Received,
    ) -> Result<bool, RequestError> {
        self.snapshot(move |node| {
            let collection = node.collections.get(&name)?;
            check_shard(shard)?;
            collection.restore(&snapshot.path, &Limits::default())?;
            Ok(true)
        })
        .await
    }

    /// Carries out work on whole collections, which takes its time and room on disk.
    pub(crate) async fn snapshot<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let node = Arc::clone(self);
        blocking(&self.snapshots.threads, move || work(&node)).await
    }
}

/// # Errors
/// When it is not the number of the only shard there is.
pub(crate) fn check_shard(shard: u32) -> Result<(), RequestError> {
    match shard {
        SHARD_ID => Ok(()),
        other => Err(RequestError::ShardMissing(other)),
    }
}

/// Runs `work` on a blocking thread once one is free.
///
/// # Cancel safety
/// Once begun the work is carried out even if the caller has gone.
async fn blocking<T: Send + 'static>(
    threads: &Semaphore,
    work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
) -> Result<T, RequestError> {
    let _permit = threads.acquire().await.map_err(RequestError::internal)?;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(RequestError::internal)?
}
