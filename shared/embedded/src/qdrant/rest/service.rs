//! Routes of the node itself.

use std::time::Instant;

use axum::{Json, response::Response};
use serde_json::{Value, json};

use super::answer::answer;
use crate::qdrant::{QDRANT_VERSION, TITLE};

pub(super) async fn version() -> Json<Value> {
    Json(json!({"title": TITLE, "version": QDRANT_VERSION}))
}

pub(super) async fn alive() -> &'static str {
    "healthz check passed"
}

/// A node listens only once its collections are open.
pub(super) async fn ready() -> &'static str {
    "all shards are ready"
}

pub(super) async fn cluster() -> Response {
    answer(Ok(json!({"status": "disabled"})), Instant::now())
}
