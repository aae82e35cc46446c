//! What can go wrong: in the life of the node ([`NodeError`]) and in one request
//! ([`RequestError`]). The status of either protocol is decided here and nowhere else.

use std::{io, net::SocketAddr, path::PathBuf};

use axum::http::StatusCode;
use qdrant_edge::OperationError;
use tonic::{Code, Status};

/// Why the node could not start, or did not end well. None is transient.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data directory cannot be created or read.
    #[error("open data directory {}", path.display())]
    OpenDirectory {
        /// The configured directory.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// Another process holds the data directory.
    #[error("lock data directory {}: another node uses it", path.display())]
    LockDirectory {
        /// The configured directory.
        path: PathBuf,
    },
    /// A collection on disk cannot be opened.
    #[error("open collection in {}", path.display())]
    OpenCollection {
        /// Its directory.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A port is taken, or not ours to take.
    #[error("listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A listener ended before it was told to.
    #[error("serve {protocol}")]
    Serve {
        /// gRPC or REST.
        protocol: &'static str,
        /// How it ended.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A task of the node panicked: a defect.
    #[error("run the node")]
    Panicked {
        /// Where.
        #[source]
        source: tokio::task::JoinError,
    },
}

/// Why a request was not carried out, in the classes and words of a Qdrant server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("Wrong input: {0}")]
    WrongInput(String),
    #[error("Bad request: {0}")]
    BadRequest(&'static str),
    /// Not even a request: malformed JSON, a missing field.
    #[error("{0}")]
    Malformed(String),
    /// A request whose values break a rule that needs no collection to tell.
    #[error("Validation error in body: [{0}]")]
    Invalid(String),
    #[error("Wrong input: Collection `{0}` already exists!")]
    CollectionExists(String),
    #[error("Not found: Collection `{0}` doesn't exist!")]
    CollectionMissing(String),
    #[error("Not found: {0}")]
    PointMissing(String),
    #[error("Not found: Alias {0} does not exists!")]
    AliasMissing(String),
    #[error("Not found: shard {0} not found")]
    ShardMissing(u32),
    #[error("Not found: Snapshot {0} not found")]
    SnapshotMissing(String),
    #[error("Checksum mismatch: expected {expected}, actual {actual}")]
    ChecksumMismatch { expected: String, actual: String },
    #[error("Forbidden: {0}")]
    Forbidden(&'static str),
    #[error("{0} is not supported by the embedded node")]
    Unsupported(&'static str),
    #[error("Service internal error: {0}")]
    Internal(String),
}

impl RequestError {
    /// The one rule that both protocols' reads share.
    pub(crate) fn no_limit() -> Self {
        Self::Invalid("limit: value 0 invalid, must be 1 or larger".to_owned())
    }

    /// What a Qdrant server without an inference service says; the node has none.
    pub(crate) fn no_inference() -> Self {
        Self::internal(
            "InferenceService URL not configured - please provide valid address in config",
        )
    }

    /// A fault of ours or of the machine.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// The status of a REST answer.
    pub(crate) fn http_status(&self) -> StatusCode {
        match self {
            Self::WrongInput(_)
            | Self::BadRequest(_)
            | Self::Malformed(_)
            | Self::ChecksumMismatch { .. } => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::CollectionExists(_) => StatusCode::CONFLICT,
            Self::CollectionMissing(_)
            | Self::PointMissing(_)
            | Self::AliasMissing(_)
            | Self::ShardMissing(_)
            | Self::SnapshotMissing(_) => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn grpc_code(&self) -> Code {
        match self {
            Self::WrongInput(_)
            | Self::BadRequest(_)
            | Self::Malformed(_)
            | Self::Invalid(_)
            | Self::ChecksumMismatch { .. } => Code::InvalidArgument,
            Self::CollectionExists(_) => Code::AlreadyExists,
            Self::CollectionMissing(_)
            | Self::PointMissing(_)
            | Self::AliasMissing(_)
            | Self::ShardMissing(_)
            | Self::SnapshotMissing(_) => Code::NotFound,
            Self::Forbidden(_) => Code::PermissionDenied,
            Self::Unsupported(_) => Code::Unimplemented,
            Self::Internal(_) => Code::Internal,
        }
    }
}

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        Self::new(error.grpc_code(), error.to_string())
    }
}

impl From<OperationError> for RequestError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::WrongSparse => {
                Self::WrongInput("Conversion between sparse and regular vectors failed".to_owned())
            }
            OperationError::WrongMulti => {
                Self::WrongInput("Conversion between multi and regular vectors failed".to_owned())
            }
            OperationError::PointIdError { missed_point_id } => {
                Self::PointMissing(format!("No point with id {missed_point_id} found"))
            }
            OperationError::WrongVectorDimension { .. }
            | OperationError::VectorNameNotExists { .. }
            | OperationError::TypeError { .. }
            | OperationError::TypeInferenceError { .. }
            | OperationError::ValidationError { .. }
            | OperationError::MissingRangeIndexForOrderBy { .. }
            | OperationError::MissingMapIndexForFacet { .. }
            | OperationError::VariableTypeError { .. }
            | OperationError::NonFiniteNumber { .. } => Self::WrongInput(error.to_string()),
            OperationError::ServiceError { .. }
            | OperationError::InconsistentStorage { .. }
            | OperationError::OutOfMemory { .. }
            | OperationError::Cancelled { .. }
            | OperationError::Timeout { .. } => Self::internal(error),
        }
    }
}
