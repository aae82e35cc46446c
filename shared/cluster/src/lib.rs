#![doc = include_str!("../README.md")]

mod answer;
mod cluster;
mod config;
mod decode;
mod metrics;
mod nodes;
mod raw;
pub mod rest;
mod schema;
mod schema_cache;

pub use answer::{Applied, Rejection, UpsertError};
pub use cluster::{Cluster, ClusterError};
pub use config::QdrantConfig;
pub use decode::{Undecodable, decode_check};
pub use metrics::{ClusterMetrics, METRIC_NAMES};
pub use schema_cache::{SchemaCache, SchemaLookup, SchemaSource, SchemaTimes};
