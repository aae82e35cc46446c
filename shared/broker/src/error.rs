//! What can go wrong with a broker, by operation.

use std::{path::PathBuf, time::Duration};

/// Why a publish is not confirmed. None of these leaves the message certainly unqueued: callers may repeat.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The queue is at its bound, or the broker nacked the publish.
    #[error("queue {queue} is full")]
    QueueFull {
        /// Full name.
        queue: String,
    },
    /// Returned: no such queue.
    #[error("queue {queue} does not exist")]
    Unroutable {
        /// Full name.
        queue: String,
    },
    /// No connection, or it was lost before the confirm.
    #[error("the broker is away: {reason}")]
    Away {
        /// Why.
        reason: String,
    },
    /// The confirm did not come in time.
    #[error("no confirm within {after:?}")]
    TimedOut {
        /// How long.
        after: Duration,
    },
}

impl PublishError {
    /// Whether the same publish may succeed later without anybody acting. A missing queue comes back with the next
    /// reconnect, which declares the topology.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::QueueFull { .. }
            | Self::Unroutable { .. }
            | Self::Away { .. }
            | Self::TimedOut { .. } => true,
        }
    }
}

/// A consume or settle operation that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConsumeError {
    /// The connection or channel is gone: the broker redelivers what was unsettled.
    #[error("the broker is away: {reason}")]
    Away {
        /// Why.
        reason: String,
    },
}

impl ConsumeError {
    /// Whether the operation may succeed later without anybody acting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away { .. } => true,
        }
    }
}

/// A topology that could not be declared.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeclareError {
    /// No connection, or it was lost meanwhile. Transient.
    #[error("the broker is away: {reason}")]
    Away {
        /// Why.
        reason: String,
    },
    /// The queue exists with another argument: somebody must change the setting back or delete the queue.
    #[error("declare queue {queue}: it exists with another {argument} ({detail})")]
    Conflict {
        /// Full name.
        queue: String,
        /// The queue argument that differs, as `x-max-length-bytes`.
        argument: String,
        /// What the broker said.
        detail: String,
    },
    /// The broker refuses: permissions, or it does not know such queues.
    #[error("declare queue {queue}: {detail}")]
    Refused {
        /// Full name.
        queue: String,
        /// What the broker said.
        detail: String,
    },
}

impl DeclareError {
    /// Whether the operation may succeed later without anybody acting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Conflict { .. } | Self::Refused { .. } => false,
        }
    }
}

/// A broker that could not be set up at all. Never transient.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none of AMQP's.
    #[error("read the AMQP URL: {reason}")]
    Url {
        /// What is wrong with it, without the URL.
        reason: String,
    },
    /// The file of certificate authorities cannot be used.
    #[error("read the AMQP certificate authorities {}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The embedded queue's file cannot be opened.
    #[error("open the embedded queue {}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// Whether the operation may succeed later without anybody acting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Url { .. } | Self::CaFile { .. } | Self::Store { .. } => false,
        }
    }
}
