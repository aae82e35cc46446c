//! An S3 endpoint over one directory, for the snapshots of one process: the calls of Alioth's client and nothing more.
//!
//! [s3s](https://crates.io/crates/s3s) speaks the protocol and checks signatures; `service` answers its calls out of
//! `objects` and `uploads`, each object one file that is renamed into its place when it is whole.

mod file;
mod objects;
mod server;
mod service;
mod uploads;

use std::io;

pub use self::server::{EmbeddedS3, S3Config, S3Error, S3Handle};

/// Why a call was not carried out.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the bucket does not exist")]
    NoSuchBucket,
    #[error("the bucket exists")]
    BucketExists,
    #[error("the key does not exist")]
    NoSuchKey,
    #[error("the upload does not exist: it was completed or aborted")]
    NoSuchUpload,
    #[error("part {0} was not uploaded, or is another than is meant")]
    InvalidPart(i32),
    #[error("the parts are none, or not in ascending order")]
    InvalidPartOrder,
    #[error("part {0} is under 5 MiB, and not the last")]
    EntityTooSmall(i32),
    #[error("the object is another by now")]
    PreconditionFailed,
    #[error("the object has no such bytes")]
    InvalidRange,
    /// The client's connection broke, or its bytes are not the ones it signed.
    #[error("read the request's body")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("use the endpoint's directory")]
    Directory(#[from] io::Error),
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
