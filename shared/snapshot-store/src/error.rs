//! What can go wrong with the store, by operation.

use std::error::Error;

use crate::{
    fault::{Fault, FaultClass},
    id::SnapshotId,
    manifest::ManifestError,
};

/// An operation of the store that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The bucket cannot be used.
    #[error("use bucket {bucket}: {fault}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// What S3 answered.
        fault: Fault,
    },
    /// The bucket is not there and could not be created.
    #[error("create bucket {bucket}: {fault}")]
    CreateBucket {
        /// Its name.
        bucket: String,
        /// What S3 answered.
        fault: Fault,
    },
    /// An object could not be written. Unless S3 was cut off in the very last call of an upload, nothing new is
    /// there under the key.
    #[error("write object {key}: {fault}")]
    Put {
        /// The object's key in the bucket.
        key: String,
        /// What S3 answered.
        fault: Fault,
    },
    /// A stream was longer than an object may be with the part size that is set.
    #[error(
        "write object {key}: it is longer than {limit} bytes, 10000 parts; raise ALIOTH_S3_PART_SIZE"
    )]
    TooLong {
        /// The object's key in the bucket.
        key: String,
        /// Bytes that would have fitted.
        limit: u64,
    },
    /// An object could not be read.
    #[error("read object {key}: {fault}")]
    Get {
        /// The object's key in the bucket.
        key: String,
        /// What S3 answered.
        fault: Fault,
    },
    /// An object is not what the manifest says.
    #[error("read object {key}: its {what} is {found}, the manifest says {expected}")]
    Integrity {
        /// The object's key in the bucket.
        key: String,
        /// `length` or `SHA-256`.
        what: &'static str,
        /// What the manifest says.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A manifest that cannot be used.
    #[error("read manifest of {snapshot}")]
    Manifest {
        /// Whose it is.
        snapshot: SnapshotId,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// There is no snapshot of that name, or none that is complete.
    #[error("find snapshot {snapshot}: it has no manifest")]
    NoSnapshot {
        /// The name asked for.
        snapshot: SnapshotId,
    },
    /// Keys could not be listed.
    #[error("list objects below {prefix:?}: {fault}")]
    List {
        /// Prefix of the keys asked for.
        prefix: String,
        /// What S3 answered.
        fault: Fault,
    },
    /// An object could not be deleted.
    #[error("delete object {key}: {fault}")]
    Delete {
        /// The object's key in the bucket.
        key: String,
        /// What S3 answered.
        fault: Fault,
    },
    /// An unfinished multipart upload could not be aborted.
    #[error("abort the upload of {key}: {fault}")]
    Abort {
        /// The object's key in the bucket.
        key: String,
        /// What S3 answered.
        fault: Fault,
    },
    /// A URL for reading an object could not be signed.
    #[error("sign a URL for {key}: {fault}")]
    Presign {
        /// The object's key in the bucket.
        key: String,
        /// Why.
        fault: Fault,
    },
}

impl StoreError {
    /// An object that was looked for and is not there.
    pub(crate) fn missing(key: String) -> Self {
        let fault = Fault::new(FaultClass::MissingKey, "S3 has no such object");
        Self::Get { key, fault }
    }

    /// Whether the same operation may succeed later without anybody acting.
    pub fn is_transient(&self) -> bool {
        self.class() == FaultClass::Transient
    }

    /// What the failure calls for.
    pub fn class(&self) -> FaultClass {
        match self {
            Self::Bucket { fault, .. }
            | Self::CreateBucket { fault, .. }
            | Self::Put { fault, .. }
            | Self::Get { fault, .. }
            | Self::List { fault, .. }
            | Self::Delete { fault, .. }
            | Self::Abort { fault, .. }
            | Self::Presign { fault, .. } => fault.class,
            Self::NoSnapshot { .. } => FaultClass::MissingKey,
            Self::TooLong { .. } | Self::Integrity { .. } | Self::Manifest { .. } => {
                FaultClass::Other
            }
        }
    }

    /// Whether bytes in S3 are not what they were when written: exit 74, not 69.
    pub fn is_integrity(&self) -> bool {
        match self {
            Self::Integrity { .. } | Self::Manifest { .. } => true,
            Self::Bucket { .. }
            | Self::CreateBucket { .. }
            | Self::Put { .. }
            | Self::TooLong { .. }
            | Self::Get { .. }
            | Self::NoSnapshot { .. }
            | Self::List { .. }
            | Self::Delete { .. }
            | Self::Abort { .. }
            | Self::Presign { .. } => false,
        }
    }
}

/// A stream that was not stored: either side may be at fault.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E: Error + 'static> {
    /// The stream ended in an error; nothing was stored.
    #[error("read what is to be stored as {key}")]
    Source {
        /// The object's key in the bucket.
        key: String,
        /// The stream's error.
        #[source]
        source: E,
    },
    /// S3 did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
