//! The routes of Qdrant's REST API that its Python and Rust clients and Alioth's functions use.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{delete, get, post, put},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Node,
    access::{Keys, require_key},
    error::NodeError,
};

mod aliases;
pub(crate) mod answer;
mod body;
mod collections;
mod points;
mod service;
mod snapshots;
mod stream;
mod upload;

/// A Qdrant server's own limit. That of an uploaded snapshot is the disk's: it is never held in
/// memory.
const BODY_BYTES: usize = 32 * 1024 * 1024;

/// Serves until the token is cancelled and the last request answered.
///
/// # Errors
/// When the listener fails.
pub(super) async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    keys: Keys,
    token: CancellationToken,
) -> Result<(), NodeError> {
    axum::serve(listener, router(node, keys))
        .with_graceful_shutdown(token.cancelled_owned())
        .await
        .map_err(|source| NodeError::Serve {
            protocol: "REST",
            source: Box::new(source),
        })
}

fn router(node: Arc<Node>, keys: Keys) -> Router {
    let guarded = Router::new()
        .route("/cluster", get(service::cluster))
        .merge(snapshot_routes())
        .route("/aliases", get(aliases::list))
        .route("/collections/aliases", post(aliases::change))
        .route(
            "/collections/{collection}/aliases",
            get(aliases::list_of_collection),
        )
        .route("/collections", get(collections::list))
        .route(
            "/collections/{collection}",
            put(collections::create)
                .get(collections::info)
                .delete(collections::delete),
        )
        .route("/collections/{collection}/exists", get(collections::exists))
        .route(
            "/collections/{collection}/cluster",
            get(collections::cluster),
        )
        .route(
            "/collections/{collection}/index",
            put(collections::create_index),
        )
        .route(
            "/collections/{collection}/index/{field}",
            delete(collections::delete_index),
        )
        .route(
            "/collections/{collection}/points",
            put(points::upsert).post(points::retrieve),
        )
        .route("/collections/{collection}/points/{id}", get(points::get))
        .route(
            "/collections/{collection}/points/delete",
            post(points::delete),
        )
        .route(
            "/collections/{collection}/points/scroll",
            post(points::scroll),
        )
        .route(
            "/collections/{collection}/points/count",
            post(points::count),
        )
        .route(
            "/collections/{collection}/points/query",
            post(points::query),
        )
        .route(
            "/collections/{collection}/points/query/batch",
            post(points::query_batch),
        )
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn_with_state(keys, require_key));
    // Without a key, as in Qdrant.
    let open = Router::new()
        .route("/", get(service::version))
        .route("/healthz", get(service::alive))
        .route("/livez", get(service::alive))
        .route("/readyz", get(service::ready));
    guarded.merge(open).with_state(node)
}

fn snapshot_routes() -> Router<Arc<Node>> {
    Router::new()
        .route(
            "/snapshots",
            get(snapshots::list_full).post(snapshots::create_full),
        )
        .route(
            "/snapshots/{snapshot}",
            get(snapshots::get_full).delete(snapshots::delete_full),
        )
        .route(
            "/collections/{collection}/snapshots",
            get(snapshots::list).post(snapshots::create),
        )
        .route(
            "/collections/{collection}/snapshots/{snapshot}",
            get(snapshots::get).delete(snapshots::delete),
        )
        .route(
            "/collections/{collection}/snapshots/recover",
            put(upload::recover),
        )
        .route(
            "/collections/{collection}/snapshots/upload",
            post(upload::collection),
        )
        .route(
            "/collections/{collection}/shards/{shard}/snapshot",
            get(snapshots::stream_shard),
        )
        .route(
            "/collections/{collection}/shards/{shard}/snapshots/upload",
            post(upload::shard),
        )
}
