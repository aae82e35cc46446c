//! The bodies that requests for jobs may have, for the OpenAPI document only: requests are read by `alioth-jobs`.

use serde::Serialize;
use utoipa::ToSchema;

/// Which collections to take a snapshot of.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackupCollectionBody {
    /// Names, or globs with `*` and `?`; none: all.
    pub collections: Vec<String>,
}

/// Which nodes to take a full snapshot of.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackupStorageBody {
    /// Nodes of the configured cluster; none: all.
    pub hosts: Vec<QdrantHost>,
}

/// A node of the configured cluster, as the Python Alioth named one.
#[derive(Debug, Serialize, ToSchema)]
pub struct QdrantHost {
    /// Its name or address, as Alioth is configured with it.
    pub host: String,
    /// Its REST port.
    pub port: Option<Port>,
    /// Its gRPC port; taken, and not used.
    pub grpc_port: Option<Port>,
    /// Taken, and not used.
    pub prefer_grpc: Option<Flag>,
}

/// A port.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Port {
    /// As a number.
    Number(u16),
    /// As a string.
    Text(String),
}

/// True or false.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Flag {
    /// As a boolean.
    Boolean(bool),
    /// As a string.
    Text(String),
}

/// What to restore. Fields it does not know are refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoreCollectionBody {
    /// The collection's exact name.
    #[schema(min_length = 1, max_length = 255)]
    pub collection_name: String,
    /// The node whose snapshot, taken by the Python Alioth, is to be restored on it, if that is newer than any of ours.
    pub host: Option<QdrantHost>,
    /// A collection's snapshot file: `https://`, `http://`, or `s3://` in the configured bucket.
    pub snapshot_url: Option<String>,
    /// `latest`, which is the default, or a snapshot's id.
    pub from: Option<String>,
    /// The newest snapshot older than this, in RFC 3339.
    #[schema(format = "date-time")]
    pub before: Option<String>,
    /// Another name to restore under.
    #[schema(min_length = 1, max_length = 255)]
    pub r#as: Option<String>,
    /// Whether a collection of that name may be replaced. By default it may, as with the Python Alioth; with `as`, it
    /// may not.
    pub overwrite: Option<Flag>,
}

/// Which snapshot to restore whole. Fields it does not know are refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoreClusterBody {
    /// `latest`, which is the default, or a snapshot's id.
    pub from: Option<String>,
    /// The newest snapshot older than this, in RFC 3339.
    #[schema(format = "date-time")]
    pub before: Option<String>,
    /// Whether collections that exist may be replaced. By default they may not.
    pub overwrite: Option<Flag>,
}
