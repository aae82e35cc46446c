//! Why a request is refused, and what it is answered then: the whole answer table. Pure; writing
//! the answer in the shape of its route is `reply`'s.

use std::time::Duration;

use alioth_broker::PublishError;
use alioth_jobs::RequestError;
use alioth_points::WriteError;
use axum::http::StatusCode;
use serde::Serialize;

use crate::content::Encoding;

/// A queue at its bound drains at the consumers' pace: asking sooner only costs both sides.
const QUEUE_FULL_RETRY_S: u32 = 2;
/// Bodies in flight are handled within milliseconds.
const OVERLOADED_RETRY_S: u32 = 1;
/// About what a reconnect takes, once the broker is there.
const BROKER_AWAY_RETRY_S: u32 = 2;

/// Every way a request can fail.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("this route wants a key, in the header api-key or in Authorization: Bearer")]
    KeyMissing,
    #[error("the key is not valid here")]
    KeyWrong,
    #[error("there is no route {path}; Alioth takes writes only, see /docs")]
    NoRoute { path: String },
    #[error("{path} does not take {method}, see /docs")]
    WrongMethod { method: String, path: String },
    #[error("{reason} in the path")]
    BadPath { reason: String },
    #[error("{reason}")]
    BadQuery { reason: String },
    #[error("the body must be declared as Content-Type: application/json in UTF-8, {}", declared(.found.as_deref()))]
    ContentType { found: Option<String> },
    #[error("the body's Content-Encoding is {found}; gzip, zstd or none is taken, and one only")]
    ContentEncoding { found: String },
    #[error("the body is larger than {limit} bytes{}", after(*.encoding))]
    BodyTooLarge { limit: usize, encoding: Encoding },
    #[error("the body did not arrive within {after:?}")]
    BodyTooSlow { after: Duration },
    #[error("the body broke off after {received} bytes")]
    BodyIncomplete { received: usize },
    #[error("the body is not valid {encoding}: {reason}")]
    BadEncoding { encoding: Encoding, reason: String },
    #[error("{0}")]
    Write(#[from] WriteError),
    #[error("{0}")]
    Request(#[from] RequestError),
    #[error("collection_name: {reason}")]
    CollectionName { reason: &'static str },
    #[error("Not found: Collection `{name}` doesn't exist!")]
    CollectionMissing { name: String },
    #[error("a point takes {size} bytes on the queue, and a message at most {limit}")]
    PointTooLarge { size: usize, limit: usize },
    #[error("too many bytes of other bodies are being handled, try again")]
    Overloaded,
    #[error("{}, try again", unpublished(.0))]
    Publish(#[from] PublishError),
    #[error("the broker is away, try again")]
    BrokerAway,
    #[error("no confirm within {after:?}: the request may be queued or not, and may be repeated")]
    NotConfirmed { after: Duration },
    #[error("a worker ended before its work was done")]
    Internal,
}

fn declared(found: Option<&str>) -> String {
    match found {
        Some(found) => format!("not as {found}"),
        None => "and there is no Content-Type".to_owned(),
    }
}

/// What clients are told. Why the broker is away is for the log: it may name hosts.
fn unpublished(error: &PublishError) -> String {
    match error {
        PublishError::Away { .. } => "the broker is away".to_owned(),
        PublishError::QueueFull { .. }
        | PublishError::Unroutable { .. }
        | PublishError::TimedOut { .. } => error.to_string(),
    }
}

fn after(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Identity => "",
        Encoding::Gzip | Encoding::Zstd => " when decompressed",
    }
}

/// A refusal's name: for programs in `error.code`, and as the label `reason` of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Code {
    /// No key where one is wanted.
    KeyMissing,
    /// A key that opens nothing.
    KeyWrong,
    /// No such route.
    NoRoute,
    /// The route exists, for other methods.
    WrongMethod,
    /// The path cannot be read.
    BadPath,
    /// A query parameter has no such value.
    BadQuery,
    /// Not declared as JSON.
    UnsupportedContentType,
    /// Neither gzip nor zstd, or several at once.
    UnsupportedEncoding,
    /// Over the body limit.
    BodyTooLarge,
    /// The body took too long to arrive.
    BodyTooSlow,
    /// The body broke off.
    BodyIncomplete,
    /// Not the gzip or zstd it is declared as.
    BadEncoding,
    /// Not JSON.
    NotJson,
    /// JSON of another form than the route takes.
    WrongForm,
    /// A point, or the batch as a whole, cannot be written.
    InvalidPoint,
    /// No job can be asked for so.
    InvalidRequest,
    /// No collection can have this name.
    InvalidCollectionName,
    /// The collection does not exist.
    CollectionMissing,
    /// One point alone is larger than any message may be.
    PointTooLarge,
    /// Too much is being handled.
    Overloaded,
    /// The queue is at its bound.
    QueueFull,
    /// The queue is not there.
    QueueMissing,
    /// The broker is away.
    BrokerAway,
    /// The confirm did not come in time.
    NotConfirmed,
    /// A fault of Alioth's own.
    Internal,
}

impl Code {
    /// All of them, in order.
    pub const ALL: [Self; 25] = [
        Self::KeyMissing,
        Self::KeyWrong,
        Self::NoRoute,
        Self::WrongMethod,
        Self::BadPath,
        Self::BadQuery,
        Self::UnsupportedContentType,
        Self::UnsupportedEncoding,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::BodyIncomplete,
        Self::BadEncoding,
        Self::NotJson,
        Self::WrongForm,
        Self::InvalidPoint,
        Self::InvalidRequest,
        Self::InvalidCollectionName,
        Self::CollectionMissing,
        Self::PointTooLarge,
        Self::Overloaded,
        Self::QueueFull,
        Self::QueueMissing,
        Self::BrokerAway,
        Self::NotConfirmed,
        Self::Internal,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyMissing => "key_missing",
            Self::KeyWrong => "key_wrong",
            Self::NoRoute => "no_route",
            Self::WrongMethod => "wrong_method",
            Self::BadPath => "bad_path",
            Self::BadQuery => "bad_query",
            Self::UnsupportedContentType => "unsupported_content_type",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyIncomplete => "body_incomplete",
            Self::BadEncoding => "bad_encoding",
            Self::NotJson => "not_json",
            Self::WrongForm => "wrong_form",
            Self::InvalidPoint => "invalid_point",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidCollectionName => "invalid_collection_name",
            Self::CollectionMissing => "collection_missing",
            Self::PointTooLarge => "point_too_large",
            Self::Overloaded => "overloaded",
            Self::QueueFull => "queue_full",
            Self::QueueMissing => "queue_missing",
            Self::BrokerAway => "broker_away",
            Self::NotConfirmed => "not_confirmed",
            Self::Internal => "internal",
        }
    }
}

/// What a refusal is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: StatusCode,
    pub(crate) code: Code,
    /// Whole seconds: Qdrant's clients read nothing else.
    pub(crate) retry_after_s: Option<u32>,
}

impl Refusal {
    /// Decides status, code and Retry-After. The one place where they are decided.
    pub(crate) fn verdict(&self) -> Verdict {
        let (status, code, retry_after_s) = match self {
            Self::KeyMissing => (StatusCode::UNAUTHORIZED, Code::KeyMissing, None),
            Self::KeyWrong => (StatusCode::FORBIDDEN, Code::KeyWrong, None),
            Self::NoRoute { .. } => (StatusCode::NOT_FOUND, Code::NoRoute, None),
            Self::WrongMethod { .. } => (StatusCode::METHOD_NOT_ALLOWED, Code::WrongMethod, None),
            Self::BadPath { .. } => (StatusCode::BAD_REQUEST, Code::BadPath, None),
            Self::BadQuery { .. } => (StatusCode::BAD_REQUEST, Code::BadQuery, None),
            Self::ContentType { .. } => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::UnsupportedContentType,
                None,
            ),
            Self::ContentEncoding { .. } => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::UnsupportedEncoding,
                None,
            ),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, Code::BodyTooLarge, None),
            Self::BodyTooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, Code::BodyTooSlow, None),
            Self::BodyIncomplete { .. } => (StatusCode::BAD_REQUEST, Code::BodyIncomplete, None),
            Self::BadEncoding { .. } => (StatusCode::BAD_REQUEST, Code::BadEncoding, None),
            Self::Write(WriteError::Syntax { .. }) | Self::Request(RequestError::Syntax { .. }) => {
                (StatusCode::BAD_REQUEST, Code::NotJson, None)
            }
            Self::Write(WriteError::Type { .. }) | Self::Request(RequestError::Type { .. }) => {
                (StatusCode::BAD_REQUEST, Code::WrongForm, None)
            }
            Self::Request(RequestError::Invalid { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidRequest, None)
            }
            Self::Write(WriteError::Invalid { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidPoint, None)
            }
            Self::CollectionName { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Code::InvalidCollectionName,
                None,
            ),
            Self::CollectionMissing { .. } => {
                (StatusCode::NOT_FOUND, Code::CollectionMissing, None)
            }
            Self::PointTooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, Code::PointTooLarge, None)
            }
            Self::Overloaded => (
                StatusCode::TOO_MANY_REQUESTS,
                Code::Overloaded,
                Some(OVERLOADED_RETRY_S),
            ),
            Self::Publish(PublishError::QueueFull { .. }) => (
                StatusCode::TOO_MANY_REQUESTS,
                Code::QueueFull,
                Some(QUEUE_FULL_RETRY_S),
            ),
            Self::Publish(PublishError::Unroutable { .. }) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::QueueMissing,
                Some(BROKER_AWAY_RETRY_S),
            ),
            Self::Publish(PublishError::Away { .. }) | Self::BrokerAway => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::BrokerAway,
                Some(BROKER_AWAY_RETRY_S),
            ),
            Self::Publish(PublishError::TimedOut { .. }) | Self::NotConfirmed { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::NotConfirmed,
                Some(BROKER_AWAY_RETRY_S),
            ),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, None),
        };
        Verdict {
            status,
            code,
            retry_after_s,
        }
    }
}

mod examples;

#[cfg(test)]
mod tests;
