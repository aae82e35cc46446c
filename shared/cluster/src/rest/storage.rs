//! A node's full snapshot: made on the node's own disk, read from there, deleted there.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{
    body::ByteStream,
    error::{Operation, RestError},
    http::Call,
    nodes::QdrantRest,
};

impl QdrantRest {
    /// Makes a node copy all its collections into one file, and returns that file's name.
    ///
    /// # Errors
    /// As every call's. After `NoAnswer` the node may go on and leave the file.
    ///
    /// # Cancel safety
    /// None: the node goes on and leaves the file.
    pub async fn create_storage_snapshot(&self, peer: u64) -> Result<String, RestError> {
        #[derive(Deserialize)]
        struct Created {
            name: String,
        }
        let mut call = Call::get(Operation::CreateStorageSnapshot, &["snapshots"]);
        call.method = Method::POST;
        call.query = &[("wait", "true")];
        let created: Created = self
            .address(peer)?
            .result_within(self.snapshot_timeout(), call)
            .await?;
        Ok(created.name)
    }

    /// Streams a full snapshot off its node.
    ///
    /// # Errors
    /// As [`QdrantRest::stream_shard`].
    pub async fn stream_storage_snapshot(
        &self,
        peer: u64,
        name: &str,
    ) -> Result<ByteStream, RestError> {
        let operation = Operation::StreamStorageSnapshot(name.to_owned());
        self.stream(self.address(peer)?, operation, &["snapshots", name])
            .await
    }

    /// Deletes a full snapshot from its node.
    ///
    /// # Errors
    /// As every call's; `Refused` with 404 when it is not there.
    pub async fn delete_storage_snapshot(&self, peer: u64, name: &str) -> Result<(), RestError> {
        let path = ["snapshots", name];
        let mut call = Call::get(Operation::DeleteStorageSnapshot(name.to_owned()), &path);
        call.method = Method::DELETE;
        call.query = &[("wait", "true")];
        let _: Value = self.address(peer)?.result(call).await?;
        Ok(())
    }
}
