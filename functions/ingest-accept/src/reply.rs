//! Writes answers in the shape of their route: Alioth's own, or Qdrant's REST. Status and code
//! are decided elsewhere.

use std::time::Duration;

use alioth_jobs::JobId;
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{Code, Refusal, Verdict};

mod place;

/// On every accepted write: its id, which its messages and any dead letter of it carry.
const INGEST_ID: HeaderName = HeaderName::from_static("alioth-ingest-id");
/// What to send instead. Source: RFC 7694.
const TAKEN_ENCODINGS: HeaderValue = HeaderValue::from_static("gzip, zstd");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whose clients a route is for, and so how its answers look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Alioth,
    Qdrant,
}

impl Family {
    /// Of a path that is no route: Qdrant's clients ask for nothing outside `/collections`.
    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with("/collections") {
            return Self::Qdrant;
        }
        Self::Alioth
    }
}

/// A write that every broker confirm has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) ingest_id: Uuid,
    pub(crate) points: usize,
}

/// Who answers here.
#[derive(Debug, Serialize, ToSchema)]
pub struct About {
    /// What this is.
    #[schema(example = "Alioth, a durable write path in front of Qdrant")]
    pub title: &'static str,
    /// The Qdrant version whose REST API this speaks, which Qdrant's clients compare with theirs.
    #[schema(example = "1.19.0")]
    pub version: &'static str,
    /// Alioth's own version.
    #[schema(example = "0.1.0")]
    pub alioth_version: &'static str,
}

/// An accepted write on an Alioth route.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "status_code": 202, "ingest_id": "019e0f5c-1f3a-7cc2-b6f0-1d2e3f405162", "points": 2
}))]
pub struct IngestAccepted {
    /// 202, as in the status line.
    pub status_code: u16,
    /// Names the write in logs and dead letters.
    #[schema(value_type = String, format = "uuid")]
    #[serde(serialize_with = "as_text")]
    pub ingest_id: Uuid,
    /// How many points it has.
    pub points: usize,
}

/// A job that is in its queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"status_code": 202, "job_id": "019e0f5c-1f3a-7cc2-b6f0-1d2e3f405162"}))]
pub struct JobAccepted {
    /// 202, as in the status line.
    pub status_code: u16,
    /// Names the job in logs, in the queue, and in its record `jobs/<id>.json` in the bucket.
    #[schema(format = "uuid")]
    pub job_id: String,
}

fn as_text<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// A refusal on an Alioth route.
#[derive(Debug, Serialize, ToSchema)]
pub struct IngestRefused {
    /// As in the status line.
    pub status_code: u16,
    /// What is wrong, and where.
    pub error: Fault,
}

/// What is wrong with a request, and where.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fault {
    /// For programs.
    pub code: Code,
    /// For people; names the place, too.
    pub message: String,
    /// Which point of the write, when it is one's fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<FaultyPoint>,
    /// Which field of the point or the body, as in `vector.title` or `batch.ids[3]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Line of the body, 1-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in that line, in bytes, 1-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// Names a point of a write.
#[derive(Debug, Serialize, ToSchema)]
pub struct FaultyPoint {
    /// Position in the write, 0-based.
    pub index: usize,
    /// Its id, when that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// An accepted write on a Qdrant route.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "result": {"operation_id": null, "status": "acknowledged"}, "status": "ok", "time": 0.0031
}))]
pub struct UpsertAccepted {
    /// What Qdrant's clients read.
    pub result: UpdateResult,
    /// `ok`
    pub status: &'static str,
    /// Seconds since the request's head arrived.
    pub time: f64,
}

/// Qdrant's word for where a write is.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpdateResult {
    /// Always null: Qdrant has not seen the write yet.
    pub operation_id: Option<u64>,
    /// `acknowledged`: safe in the queue, not yet applied.
    pub status: &'static str,
}

/// A refusal on a Qdrant route.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpsertRefused {
    /// What is wrong, and where.
    pub status: RefusedStatus,
    /// Seconds since the request's head arrived.
    pub time: f64,
    /// Always null.
    pub result: Option<UpdateResult>,
}

/// What is wrong, as Qdrant's clients read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedStatus {
    /// For people.
    pub error: String,
}

/// Answers an accepted write.
pub(crate) fn accepted(write: Accepted, family: Family, elapsed: Duration) -> Response {
    let mut response = match family {
        Family::Alioth => {
            let status = StatusCode::ACCEPTED;
            let body = IngestAccepted {
                status_code: status.as_u16(),
                ingest_id: write.ingest_id,
                points: write.points,
            };
            json(status, &body)
        }
        Family::Qdrant => {
            let body = UpsertAccepted {
                result: UpdateResult {
                    operation_id: None,
                    status: "acknowledged",
                },
                status: "ok",
                time: elapsed.as_secs_f64(),
            };
            json(StatusCode::OK, &body)
        }
    };
    let mut id = Uuid::encode_buffer();
    let id: &str = write.ingest_id.hyphenated().encode_lower(&mut id);
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(INGEST_ID, id);
    }
    response
}

/// Answers a refused request.
pub(crate) fn refused(refusal: &Refusal, family: Family, elapsed: Duration) -> Response {
    let verdict = refusal.verdict();
    let mut response = match family {
        Family::Alioth => json(verdict.status, &alioth_body(refusal, verdict)),
        Family::Qdrant => json(verdict.status, &qdrant_body(refusal, elapsed)),
    };
    let headers = response.headers_mut();
    if let Some(seconds) = verdict.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if verdict.code == Code::KeyMissing {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if verdict.code == Code::UnsupportedEncoding {
        headers.insert(header::ACCEPT_ENCODING, TAKEN_ENCODINGS);
    }
    response
}

fn alioth_body(refusal: &Refusal, verdict: Verdict) -> IngestRefused {
    let mut error = Fault {
        code: verdict.code,
        message: refusal.to_string(),
        point: None,
        field: None,
        line: None,
        column: None,
    };
    place::tell(&mut error, refusal);
    IngestRefused {
        status_code: verdict.status.as_u16(),
        error,
    }
}

fn qdrant_body(refusal: &Refusal, elapsed: Duration) -> UpsertRefused {
    UpsertRefused {
        status: RefusedStatus {
            error: refusal.to_string(),
        },
        time: elapsed.as_secs_f64(),
        result: None,
    }
}

/// The body of a refusal as a JSON value, for the documentation.
pub(crate) fn refusal_value(refusal: &Refusal, family: Family) -> serde_json::Value {
    let value = match family {
        Family::Alioth => serde_json::to_value(alioth_body(refusal, refusal.verdict())),
        Family::Qdrant => serde_json::to_value(qdrant_body(refusal, Duration::ZERO)),
    };
    value.unwrap_or_default()
}

/// Answers a job that is in its queue.
pub(crate) fn job_accepted(job_id: &JobId) -> Response {
    let status = StatusCode::ACCEPTED;
    let body = JobAccepted {
        status_code: status.as_u16(),
        job_id: job_id.to_string(),
    };
    json(status, &body)
}

/// Any JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    // Structs of text and numbers always serialise; an empty body says so if one ever does not.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests;
