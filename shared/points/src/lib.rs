#![doc = include_str!("../README.md")]

mod dedup;
mod error;
mod id;
mod json;
mod merge;
mod message;
mod read;
mod schema;
mod wire;
mod write;

pub use error::{PointRef, WriteError};
pub use id::PointId;
pub use merge::{UpsertBody, merge};
pub use message::{MergeKey, ScanError, UpsertMessage};
pub use schema::{CollectionSchema, VectorKind};
pub use write::{Ordering, UpsertQuery, Write};
