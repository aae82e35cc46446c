//! Qdrant over REST: who its nodes are, where the shards of its collections lie, snapshots in and out.
//!
//! Only what the jobs need and gRPC lacks. Never on the write path, and never decides: which
//! replica to take or when to try again is the caller's affair.

mod archive;
mod body;
mod collections;
mod config;
mod discovery;
mod error;
mod http;
mod kinds;
mod nodes;
mod placement;
mod recover;
mod redact;
mod shards;
mod storage;
mod storage_list;

pub use body::{ByteStream, UploadError};
pub use config::QdrantRestConfig;
pub use error::{Operation, RestError};
pub use kinds::{
    Alias, AliasAction, CollectionInfo, Priority, Replica, ReplicaState, RestNode, Shard,
};
pub use nodes::QdrantRest;
pub use semver::Version;
pub use shards::UPLOADED;
