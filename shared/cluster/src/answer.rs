//! What Qdrant's answer to an upsert means: one match over every gRPC code.

use std::time::Duration;

use tonic::{Code, Status, metadata::MetadataMap};

/// How an upsert went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Applied and visible.
    Completed,
    /// In the write-ahead log of every shard it concerns.
    Acknowledged,
    /// In the write-ahead log; the write's own `timeout` passed before it was applied.
    WaitTimeout,
}

/// What the server holds against a rejected upsert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Some point or option is not to be had: wrong dimension, unknown vector name, bad id,
    /// unknown shard key, strict mode.
    Invalid,
    /// The collection is not there.
    NotFound,
    /// The upsert is larger than something on the way takes.
    TooLarge,
}

impl Rejection {
    /// The gRPC code's name, as a dead letter carries it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_argument",
            Self::NotFound => "not_found",
            Self::TooLarge => "out_of_range",
        }
    }
}

/// How an upsert went otherwise: one variant a row of the disposition table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpsertError {
    /// InvalidArgument, NotFound and the like: some point or the collection is at fault.
    #[error("rejected: {reason}")]
    Rejected {
        /// What is held against it.
        rejection: Rejection,
        /// The server's words.
        reason: String,
    },
    /// Unavailable, DeadlineExceeded, Aborted, FailedPrecondition, Cancelled; no connection, no answer; Internal that
    /// tells of an outage.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// The server's words, or the transport's.
        reason: String,
    },
    /// ResourceExhausted. With neither `retry_after` nor `quota` the upsert as it is never fits:
    /// Qdrant says so of one larger than a whole minute's write rate, gRPC proxies of one that is too long.
    #[error("exhausted: {reason}")]
    Exhausted {
        /// The server's words.
        reason: String,
        /// A rate limit's: when it may be tried again.
        retry_after: Option<Duration>,
        /// Whether memory or disk are at their quota (507 over REST).
        quota: bool,
    },
    /// Unauthenticated, PermissionDenied, Unimplemented: ours to configure.
    #[error("denied: {reason}")]
    Denied {
        /// The server's words.
        reason: String,
    },
    /// Internal, Unknown, DataLoss: a server fault, or bytes it could not decode.
    #[error("internal: {reason}")]
    Internal {
        /// The server's words.
        reason: String,
    },
}

impl UpsertError {
    /// Whether the same upsert may go well later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Rejected { .. } | Self::Denied { .. } => false,
            Self::Unavailable { .. } | Self::Exhausted { .. } | Self::Internal { .. } => true,
        }
    }
}

/// Metadata by which a quota is told from a rate limit (Qdrant 1.19).
/// Source: qdrant 1.19.0 `lib/collection/src/operations/types.rs`, `INSUFFICIENT_STORAGE_METADATA_KEY`.
const QUOTA_KEY: &str = "qdrant-insufficient-storage";

/// Longest reason kept, in bytes: it goes into AMQP headers, logs and dead letters.
const MAX_REASON: usize = 1000;

/// What Qdrant says with Internal when a part of it is away, whatever the points are.
/// Source: qdrant 1.18.3, `lib/collection/src/shards/replica_set/update.rs`, `execute_read_operation.rs`,
/// `shards/local_shard/shard_ops.rs`, `operations/types.rs`; `lib/segment/src/common/operation_error.rs`.
const OUTAGES: [&str; 6] = [
    "has no active replica",
    "does not have enough active replicas",
    "Consistency of this update is not guaranteed",
    "No space left on device",
    "Out of memory, free:",
    "IO Error:",
];

/// Whether the status was made on this side because there was no answer.
pub(crate) fn is_transport(status: &Status) -> bool {
    // tonic keeps the cause only of what it made itself; a server's status has none.
    std::error::Error::source(status).is_some()
}

/// Classifies every status but success.
pub(crate) fn classify(status: &Status) -> UpsertError {
    let reason = reason(status);
    if is_transport(status) {
        return UpsertError::Unavailable { reason };
    }
    match status.code() {
        // AlreadyExists is no answer to an upsert, and repeating what exists would not help either.
        Code::InvalidArgument | Code::AlreadyExists => UpsertError::Rejected {
            rejection: Rejection::Invalid,
            reason,
        },
        Code::NotFound => UpsertError::Rejected {
            rejection: Rejection::NotFound,
            reason,
        },
        // tonic's own answer to a message over its decode limit.
        Code::OutOfRange => UpsertError::Rejected {
            rejection: Rejection::TooLarge,
            reason,
        },
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::FailedPrecondition
        | Code::Cancelled => UpsertError::Unavailable { reason },
        Code::ResourceExhausted => UpsertError::Exhausted {
            reason,
            retry_after: retry_after(status.metadata()),
            quota: status.metadata().contains_key(QUOTA_KEY),
        },
        // Unimplemented: whatever listens at that address is no Qdrant.
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented => {
            UpsertError::Denied { reason }
        }
        Code::Internal if OUTAGES.iter().any(|words| reason.contains(words)) => {
            UpsertError::Unavailable { reason }
        }
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Ok => {
            UpsertError::Internal { reason }
        }
    }
}

/// Whole seconds, rounded up by the server.
fn retry_after(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

pub(crate) fn reason(status: &Status) -> String {
    let mut reason = match status.message() {
        "" => status.code().to_string(),
        message => message.to_owned(),
    };
    // A transport error's own message is "transport error"; the cause is down the chain.
    let mut source = std::error::Error::source(status);
    while let Some(cause) = source {
        let text = cause.to_string();
        if !reason.ends_with(&text) {
            reason = format!("{reason}: {text}");
        }
        source = cause.source();
    }
    reason.truncate(reason.floor_char_boundary(MAX_REASON));
    reason
}

#[cfg(test)]
mod tests;
