//! A node that Qdrant's clients cannot tell from a small Qdrant server.
//!
//! One direction: `grpc` and `rest` turn requests into the terms of qdrant-edge, `collections`
//! and `collection` carry them out. Both protocols answer from the same [`Node`].

use std::sync::Arc;

use tokio::sync::Semaphore;

use self::{collection::Collection, collections::Collections, error::RequestError};

mod access;
mod collection;
mod collections;
mod error;
mod grpc;
mod query;
mod rest;
mod server;

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
/// Blocking threads a core may have at work for one kind of request.
const THREADS_PER_CORE: usize = 2;

/// What both protocols share.
pub(crate) struct Node {
    collections: Collections,
    reads: Semaphore,
    writes: Semaphore,
}

impl Node {
    fn new(collections: Collections) -> Self {
        let threads =
            THREADS_PER_CORE * std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            collections,
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
