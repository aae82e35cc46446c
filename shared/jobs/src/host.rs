//! A Qdrant node as the Python Alioth named one.

use serde::{Deserialize, Serialize};

use crate::lenient;

/// A Qdrant node. Only its name says which one of the configured cluster is meant; where it listens is the
/// configuration's to say, so that a request cannot send the cluster's key elsewhere. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Host {
    /// Its name or address.
    pub host: String,
    /// Its REST port; tells apart nodes of one name.
    #[serde(
        default,
        deserialize_with = "lenient::port",
        skip_serializing_if = "Option::is_none"
    )]
    pub port: Option<u16>,
    /// Its gRPC port. Taken for the Python Alioth's sake: snapshots go over REST.
    #[serde(
        default,
        deserialize_with = "lenient::port",
        skip_serializing_if = "Option::is_none"
    )]
    pub grpc_port: Option<u16>,
    /// Taken for the Python Alioth's sake, as `grpc_port` is.
    #[serde(
        default,
        deserialize_with = "lenient::flag",
        skip_serializing_if = "Option::is_none"
    )]
    pub prefer_grpc: Option<bool>,
}

impl Host {
    /// A node by its name alone.
    pub fn named(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            grpc_port: None,
            prefer_grpc: None,
        }
    }
}
