//! Whole collections from snapshots of whole collections: the layout of the Python Alioth.

use bytes::Bytes;
use futures_util::Stream;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    body::UploadError,
    error::{Operation, RestError},
    http::Call,
    kinds::Priority,
    nodes::QdrantRest,
    shards::Target,
};

impl QdrantRest {
    /// Makes a node fetch a collection's snapshot from a URL and recover from it. The collection is
    /// created when it is not there.
    ///
    /// # Errors
    /// As every call's; `Refused` with 403 when the server does not fetch from URLs.
    pub async fn recover(
        &self,
        peer: u64,
        name: &str,
        location: &str,
        priority: Priority,
    ) -> Result<(), RestError> {
        let path = ["collections", name, "snapshots", "recover"];
        let body = json!({"location": location, "priority": priority.as_str()});
        let operation = Operation::RecoverCollection(name.to_owned());
        let mut call = Call::send(operation, Method::PUT, &path, &body);
        call.query = &[("wait", "true")];
        let _: Value = self
            .address(peer)?
            .result_within(self.snapshot_timeout(), call)
            .await?;
        Ok(())
    }

    /// Uploads a collection's snapshot to a node, and returns when the node has recovered from it.
    /// The collection is created when it is not there. The node keeps the file, under the name
    /// [`UPLOADED`](super::UPLOADED): see [`QdrantRest::delete_collection_snapshot`].
    ///
    /// # Errors
    /// As [`QdrantRest::upload_shard`].
    pub async fn upload_collection_snapshot<S, E>(
        &self,
        peer: u64,
        name: &str,
        source: S,
        length: Option<u64>,
        priority: Priority,
    ) -> Result<(), UploadError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Send + 'static,
    {
        let target = Target {
            operation: Operation::UploadCollection(name.to_owned()),
            path: &["collections", name, "snapshots", "upload"],
            sha256: None,
            priority,
            length,
        };
        self.upload(self.address(peer)?, target, source).await
    }

    /// Deletes a snapshot of a collection from a node.
    ///
    /// # Errors
    /// As every call's; `Refused` with 404 when it is not there.
    pub async fn delete_collection_snapshot(
        &self,
        peer: u64,
        name: &str,
        snapshot: &str,
    ) -> Result<(), RestError> {
        let path = ["collections", name, "snapshots", snapshot];
        let operation = Operation::DeleteCollectionSnapshot(name.to_owned(), snapshot.to_owned());
        let mut call = Call::get(operation, &path);
        call.method = Method::DELETE;
        call.query = &[("wait", "true")];
        let _: Value = self.address(peer)?.result(call).await?;
        Ok(())
    }
}
