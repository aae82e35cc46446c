//! Who may do what: API keys as a Qdrant server takes them, over either protocol.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;
use tonic::{Status, metadata::MetadataMap};

use super::error::RequestError;

const KEY_HEADER: &str = "api-key";
const BEARER: &str = "Bearer ";

/// The keys of a node; without any, everybody may do everything.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    pub(crate) full: Option<String>,
    pub(crate) read_only: Option<String>,
}

/// What the key of a request allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Full,
    ReadOnly,
}

impl Access {
    /// # Errors
    /// When only reading is allowed.
    pub(crate) fn check_write(self) -> Result<(), RequestError> {
        match self {
            Self::Full => Ok(()),
            Self::ReadOnly => Err(RequestError::Forbidden("Write access is required")),
        }
    }
}

/// Why a request has no access at all; Qdrant answers both alike, 401 or UNAUTHENTICATED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("Must provide an API key or an Authorization bearer token")]
    NoKey,
    #[error("Invalid API key or JWT")]
    WrongKey,
}

impl Keys {
    fn access<'a>(&self, header: impl Fn(&str) -> Option<&'a str>) -> Result<Access, Denied> {
        if self.full.is_none() && self.read_only.is_none() {
            return Ok(Access::Full);
        }
        let bearer = || header("authorization").and_then(|value| value.strip_prefix(BEARER));
        let key = header(KEY_HEADER).or_else(bearer).ok_or(Denied::NoKey)?;
        if matches(self.full.as_deref(), key) {
            return Ok(Access::Full);
        }
        if matches(self.read_only.as_deref(), key) {
            return Ok(Access::ReadOnly);
        }
        Err(Denied::WrongKey)
    }

    /// The access of a gRPC request.
    pub(crate) fn of_metadata(&self, metadata: &MetadataMap) -> Result<Access, Status> {
        self.access(|name| metadata.get(name).and_then(|value| value.to_str().ok()))
            .map_err(|denied| Status::unauthenticated(denied.to_string()))
    }

    fn of_headers(&self, headers: &HeaderMap) -> Result<Access, Denied> {
        self.access(|name| headers.get(name).and_then(|value| value.to_str().ok()))
    }
}

/// Lets a REST request pass if its key allows what its method does. A denial is plain text, as
/// Qdrant's is.
pub(crate) async fn require_key(
    State(keys): State<Keys>,
    request: Request,
    next: Next,
) -> Response {
    let access = match keys.of_headers(request.headers()) {
        Ok(access) => access,
        Err(denied) => return (StatusCode::UNAUTHORIZED, denied.to_string()).into_response(),
    };
    if writes(request.method(), request.uri().path())
        && let Err(error) = access.check_write()
    {
        return crate::qdrant::rest::answer::error(&error, std::time::Instant::now());
    }
    next.run(request).await
}

/// Reads come as GET and POST. The points of a whole shard are for who may write, as in Qdrant.
fn writes(method: &Method, path: &str) -> bool {
    const READING_POSTS: [&str; 5] = [
        "/points",
        "/points/scroll",
        "/points/count",
        "/points/query",
        "/points/query/batch",
    ];
    match *method {
        Method::GET => path.contains("/shards/") && path.ends_with("/snapshot"),
        Method::HEAD | Method::OPTIONS => false,
        Method::POST => !READING_POSTS.iter().any(|read| path.ends_with(read)),
        _ => true,
    }
}

fn matches(key: Option<&str>, given: &str) -> bool {
    key.is_some_and(|key| key.as_bytes().ct_eq(given.as_bytes()).into())
}
