#![doc = include_str!("../README.md")]

mod bucket;
mod client;
mod config;
mod download;
mod error;
mod fault;
mod id;
mod jobs;
pub mod keys;
mod listing;
pub mod manifest;
mod parts;
mod python;
pub mod retention;
mod store;
mod upload;
mod verify;

pub use config::{Credentials, S3Config, Sse};
pub use download::ObjectStream;
pub use error::{PutError, StoreError};
pub use fault::{Fault, FaultClass};
pub use id::{ParseIdError, SnapshotId};
pub use jobs::JobFile;
pub use keys::ObjectKey;
pub use listing::{Listed, StorageFile};
pub use manifest::Manifest;
pub use store::{SnapshotStore, Stored};
pub use verify::{Depth, ObjectFault, Verification};
