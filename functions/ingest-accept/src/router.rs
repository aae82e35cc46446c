//! All routes, in one table. Knows nothing of connections: a listener, or Lambda, calls it.

use std::{sync::Arc, time::Instant};

use alioth_telemetry::{Readiness, metrics_router, probe_router, prometheus::Registry};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{MethodRouter, get, post, put},
};

use crate::{
    docs, handlers, job_handlers,
    metrics::{Held, Route},
    write::Acceptor,
};

/// What every handler shares.
pub(crate) type App = Arc<Acceptor>;

pub(crate) const INGEST_PATH: &str = "/alioth/ingest";
pub(crate) const UPSERT_PATH: &str = "/collections/{name}/points";
pub(crate) const BACKUP_COLLECTION_PATH: &str = "/alioth/backup/collection";
pub(crate) const BACKUP_STORAGE_PATH: &str = "/alioth/backup/storage";
pub(crate) const RESTORE_COLLECTION_PATH: &str = "/alioth/restore/collection";
pub(crate) const RESTORE_CLUSTER_PATH: &str = "/alioth/restore/cluster";

/// Routes of the admin endpoint, on this port, too.
#[cfg(test)]
pub(crate) const ADMIN_PATHS: [&str; 4] = ["/healthz", "/livez", "/readyz", "/metrics"];

/// Every route but the admin endpoint's.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/", get(handlers::about)),
        ("/alioth/", get(handlers::about_alioth)),
        (INGEST_PATH, post(handlers::ingest)),
        (UPSERT_PATH, put(handlers::upsert)),
        (
            BACKUP_COLLECTION_PATH,
            post(job_handlers::backup_collection),
        ),
        (BACKUP_STORAGE_PATH, post(job_handlers::backup_storage)),
        (
            RESTORE_COLLECTION_PATH,
            post(job_handlers::restore_collection),
        ),
        (RESTORE_CLUSTER_PATH, post(job_handlers::restore_cluster)),
        ("/openapi.json", get(docs::openapi_json)),
        ("/docs", get(docs::to_index)),
        ("/docs/", get(docs::index)),
        ("/docs/{file}", get(docs::file)),
    ]
}

/// Makes the router of ingest-accept; without a registry it has no `/metrics`.
pub(crate) fn router(app: App, exposed: Option<Registry>, readiness: Readiness) -> Router {
    let metrics = exposed.map(|registry| metrics_router(registry, readiness.clone()));
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, handler)| {
            router.route(path, handler)
        })
        .merge(probe_router(readiness))
        .merge(metrics.unwrap_or_default())
        .fallback(handlers::no_route)
        .method_not_allowed_fallback(handlers::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// Counts requests and their time.
async fn observe(
    State(app): State<App>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let in_flight = Held::one(&app.metrics.in_flight);
    let route = path.map_or(Route::Other, |path| match path.as_str() {
        INGEST_PATH => Route::Ingest,
        UPSERT_PATH => Route::Upsert,
        BACKUP_COLLECTION_PATH | BACKUP_STORAGE_PATH => Route::Backup,
        RESTORE_COLLECTION_PATH | RESTORE_CLUSTER_PATH => Route::Restore,
        _ => Route::Other,
    });
    let response = next.run(request).await;
    drop(in_flight);
    app.metrics
        .answered(route, response.status(), started.elapsed());
    response
}

#[cfg(test)]
mod tests;
