//! Qdrant, as the functions use it.
use alioth_points::{CollectionSchema, UpsertBody};
use std::{sync::Arc, time::Duration};

/// A Qdrant cluster; clones share connections. Nothing is dialled until the first call.
#[derive(Clone)]
pub struct Cluster { _p: () }
/// How an upsert went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "skeleton")]
pub enum Applied { Completed, Acknowledged, WaitTimeout }
/// How it did not: one variant a row of the disposition table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "skeleton")]
pub enum UpsertError {
    /// InvalidArgument, NotFound and the like: some point or the collection is at fault.
    #[error("rejected: {reason}")] Rejected { reason: String },
    /// Unavailable, DeadlineExceeded, Aborted, FailedPrecondition, Cancelled; no connection.
    #[error("unavailable: {reason}")] Unavailable { reason: String },
    /// ResourceExhausted: rate limit (`retry_after`), or the 507 quota.
    #[error("exhausted: {reason}")] Exhausted { reason: String, retry_after: Option<Duration>, quota: bool },
    /// Unauthenticated, PermissionDenied: ours to configure.
    #[error("denied: {reason}")] Denied { reason: String },
    /// Internal, Unknown, DataLoss.
    #[error("internal: {reason}")] Internal { reason: String },
}
impl Cluster {
    /// Applies the points, wait=true.
    pub async fn upsert(&self, _body: UpsertBody) -> Result<Applied, UpsertError> { todo!() }
    /// Whether the cluster answers a health check now.
    pub async fn healthy(&self) -> bool { todo!() }
}
/// What is known of a collection.
#[derive(Debug, Clone)]
pub enum SchemaLookup {
    /// It exists.
    Found(Arc<CollectionSchema>),
    /// It does not.
    Missing,
    /// Qdrant could not be asked.
    Unavailable,
}
/// Collection schemas: single flight, TTL 30 s, negative TTL 5 s.
#[derive(Clone)]
pub struct SchemaCache { _p: () }
impl SchemaCache {
    /// From the cache, or asked.
    pub async fn get(&self, _collection: &str) -> SchemaLookup { todo!() }
    /// Asked now, unless somebody's question is under way; for use before a mismatch is answered.
    pub async fn refresh(&self, _collection: &str) -> SchemaLookup { todo!() }
}
