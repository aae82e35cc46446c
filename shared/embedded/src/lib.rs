#![doc = include_str!("../README.md")]

mod qdrant;
mod start;

pub use qdrant::{EmbeddedNode, NodeConfig, NodeError, NodeHandle};
