//! The envelope of every REST answer.

use std::time::Instant;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use qdrant_edge::{OrderValue, Payload, PointId, Record, ScoredPoint, VectorStructPersisted};
use serde::Serialize;
use serde_json::json;

use crate::qdrant::error::RequestError;

/// `{"result": …, "status": "ok", "time": …}`, or the error in its place.
pub(super) fn answer<T: Serialize>(result: Result<T, RequestError>, started: Instant) -> Response {
    match result {
        Ok(result) => Json(Envelope {
            result,
            status: "ok",
            time: started.elapsed().as_secs_f64(),
        })
        .into_response(),
        Err(failed) => error(&failed, started),
    }
}

/// What is answered to a change that nobody waits for.
pub(super) fn accepted(started: Instant) -> Response {
    let time = started.elapsed().as_secs_f64();
    let body = Json(json!({"status": "accepted", "time": time}));
    (StatusCode::ACCEPTED, body).into_response()
}

/// `{"status": {"error": …}, "time": …}` under the status of its class.
pub(crate) fn error(error: &RequestError, started: Instant) -> Response {
    let message = match error {
        RequestError::Invalid(rule) => format!("Validation error in JSON body: [{rule}]"),
        other => other.to_string(),
    };
    let time = started.elapsed().as_secs_f64();
    let body = Json(json!({"status": {"error": message}, "time": time}));
    (error.http_status(), body).into_response()
}

#[derive(Serialize)]
struct Envelope<T> {
    result: T,
    status: &'static str,
    time: f64,
}

/// What became of a change.
#[derive(Serialize)]
pub(super) struct Updated {
    operation_id: u64,
    status: &'static str,
}

impl Updated {
    /// Every change is applied at once; only who waited is told so.
    pub(super) fn new(operation_id: u64, wait: bool) -> Self {
        let status = if wait { "completed" } else { "acknowledged" };
        Self {
            operation_id,
            status,
        }
    }
}

/// A point as reads answer it.
#[derive(Serialize)]
pub(super) struct Point {
    id: PointId,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<VectorStructPersisted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_value: Option<OrderValue>,
}

impl From<Record> for Point {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            version: None,
            score: None,
            payload: record.payload,
            vector: record.vector.map(Into::into),
            order_value: record.order_value,
        }
    }
}

impl From<ScoredPoint> for Point {
    fn from(point: ScoredPoint) -> Self {
        Self {
            id: point.id,
            version: Some(point.version),
            score: Some(point.score),
            payload: point.payload,
            vector: point.vector.map(Into::into),
            order_value: point.order_value,
        }
    }
}
