//! What the routes of jobs do, and how they are documented. Thin: a request's road is `jobs`'.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    job_api::{BackupCollectionBody, BackupStorageBody, RestoreClusterBody, RestoreCollectionBody},
    jobs::Job,
    reply::{self, Family, JobAccepted},
    router::App,
};

/// Asks for a snapshot of collections, into the bucket.
///
/// Answers once the queue holds the request safely. What becomes of it is in the bucket, in `jobs/<job_id>.json`.
#[utoipa::path(
    post,
    path = "/alioth/backup/collection",
    tag = "jobs",
    request_body(content = BackupCollectionBody, content_type = "application/json", examples(
        ("some" = (summary = "By name and by glob", value = json!({"collections": ["movies", "log-*"]}))),
        ("all" = (summary = "Every collection", value = json!({"collections": []})))
    )),
    responses((status = 202, description = "The request is in the queue.", body = JobAccepted)),
    security((), ("api-key" = []), ("bearer" = []))
)]
pub(crate) async fn backup_collection(State(app): State<App>, request: Request) -> Response {
    answer(&app, Job::BackupCollection, request).await
}

/// Asks for a full snapshot of each of these nodes, into the bucket.
///
/// Answers once the queue holds the request safely. What becomes of it is in the bucket, in `jobs/<job_id>.json`.
#[utoipa::path(
    post,
    path = "/alioth/backup/storage",
    tag = "jobs",
    request_body(content = BackupStorageBody, content_type = "application/json", examples(
        ("one" = (summary = "One node", value = json!({
            "hosts": [{"host": "qdrant-0.qdrant-headless", "port": "6333", "grpc_port": "6334", "prefer_grpc": "true"}]
        }))),
        ("all" = (summary = "Every node", value = json!({"hosts": []})))
    )),
    responses((status = 202, description = "The request is in the queue.", body = JobAccepted)),
    security((), ("api-key" = []), ("bearer" = []))
)]
pub(crate) async fn backup_storage(State(app): State<App>, request: Request) -> Response {
    answer(&app, Job::BackupStorage, request).await
}

/// Asks for one collection to be restored from the bucket.
///
/// Answers once the queue holds the request safely. What becomes of it is in the bucket, in `jobs/<job_id>.json`.
#[utoipa::path(
    post,
    path = "/alioth/restore/collection",
    tag = "jobs",
    request_body(content = RestoreCollectionBody, content_type = "application/json", examples(
        ("python" = (summary = "As the Python Alioth took it", value = json!({
            "collection_name": "movies",
            "host": {"host": "qdrant-0.qdrant-headless", "port": 6333, "grpc_port": 6334, "prefer_grpc": true},
            "snapshot_url": null
        }))),
        ("renamed" = (summary = "Yesterday's, beside today's", value = json!({
            "collection_name": "movies", "before": "2026-11-22T00:00:00Z", "as": "movies-yesterday"
        })))
    )),
    responses((status = 202, description = "The request is in the queue.", body = JobAccepted)),
    security((), ("api-key" = []), ("bearer" = []))
)]
pub(crate) async fn restore_collection(State(app): State<App>, request: Request) -> Response {
    answer(&app, Job::RestoreCollection, request).await
}

/// Asks for everything in a snapshot to be restored, aliases too.
///
/// Answers once the queue holds the request safely. What becomes of it is in the bucket, in `jobs/<job_id>.json`.
#[utoipa::path(
    post,
    path = "/alioth/restore/cluster",
    tag = "jobs",
    request_body(content = RestoreClusterBody, content_type = "application/json", examples(
        ("latest" = (summary = "The newest, into an empty cluster", value = json!({"from": "latest"}))),
        ("before" = (summary = "As it was, over what is there", value = json!({
            "before": "2026-11-22T00:00:00Z", "overwrite": true
        })))
    )),
    responses((status = 202, description = "The request is in the queue.", body = JobAccepted)),
    security((), ("api-key" = []), ("bearer" = []))
)]
pub(crate) async fn restore_cluster(State(app): State<App>, request: Request) -> Response {
    answer(&app, Job::RestoreCluster, request).await
}

async fn answer(app: &App, job: Job, request: Request) -> Response {
    let (head, body) = request.into_parts();
    match app.request_job(&head.headers, job, body).await {
        Ok(job_id) => {
            tracing::info!(%job_id, ?job, "job queued");
            reply::job_accepted(&job_id)
        }
        Err(refusal) => {
            app.metrics.refused(refusal.verdict().code);
            reply::refused(&refusal, Family::Alioth, Duration::ZERO)
        }
    }
}
