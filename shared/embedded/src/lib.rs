#![doc = include_str!("../README.md")]

mod qdrant;

pub use qdrant::{EmbeddedNode, NodeConfig, NodeError, NodeHandle};
