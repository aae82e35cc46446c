//! The full snapshots that lie on a node, whoever made them.

use serde::Deserialize;

use super::{
    error::{Operation, RestError},
    http::Call,
    nodes::QdrantRest,
};

impl QdrantRest {
    /// Names of a node's full snapshots, sorted. One that is being made is not among them yet.
    ///
    /// # Errors
    /// As every call's.
    pub async fn storage_snapshots(&self, peer: u64) -> Result<Vec<String>, RestError> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let call = Call::get(Operation::ListStorageSnapshots, &["snapshots"]);
        let listed: Vec<Named> = self.address(peer)?.result(call).await?;
        let mut names: Vec<String> = listed.into_iter().map(|named| named.name).collect();
        names.sort_unstable();
        Ok(names)
    }
}
