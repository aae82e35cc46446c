#![doc = include_str!("../README.md")]

mod check;
mod cluster_body;
mod error;
mod exit;
mod host;
mod id;
mod lenient;
pub mod python;
mod read;
mod record;
mod request;

pub use cluster_body::ClusterBody;
pub use error::RequestError;
pub use exit::JobExit;
pub use host::Host;
pub use id::{JobId, NotAJobId};
pub use record::{JobKind, JobRecord, JobState};
pub use request::{BackupRequest, Request, RestoreFrom, RestoreRequest, RestoreWhat};
