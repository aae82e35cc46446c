#![doc = include_str!("../README.md")]

mod qdrant;
mod s3;
mod start;

pub use qdrant::{EmbeddedNode, NodeConfig, NodeError, NodeHandle};
pub use s3::{EmbeddedS3, S3Config, S3Error, S3Handle};
