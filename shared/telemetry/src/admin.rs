//! The admin endpoint: probes and metrics.

use std::{
    future::IntoFuture as _,
    net::{Ipv4Addr, SocketAddr},
};

use alioth_config::Section;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::{
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, process_collector::ProcessCollector,
};
use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Readiness, TelemetryError, listen};

/// Where the admin endpoint listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AdminConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9090)),
        }
    }
}

impl Section for AdminConfig {
    const PREFIX: &'static str = "ALIOTH_ADMIN_";
}

/// Makes the registry of a process, with its build and process metrics in it.
///
/// # Errors
/// `Register`, which only a bug can cause.
pub fn registry(function: &'static str, version: &'static str) -> Result<Registry, TelemetryError> {
    let registry = Registry::new();
    register(&registry, function, version).map_err(TelemetryError::Register)?;
    Ok(registry)
}

fn register(
    registry: &Registry,
    function: &'static str,
    version: &'static str,
) -> prometheus::Result<()> {
    let build = IntGauge::with_opts(
        Opts::new("alioth_build_info", "Always 1; the labels tell what runs.")
            .const_label("function", function)
            .const_label("version", version),
    )?;
    build.set(1);
    registry.register(Box::new(build))?;
    registry.register(Box::new(ProcessCollector::for_self()))
}

#[derive(Clone)]
struct AdminState {
    registry: Registry,
    readiness: Readiness,
}

/// Makes the routes `/livez`, `/healthz`, `/readyz` and `/metrics`.
pub fn admin_router(registry: Registry, readiness: Readiness) -> Router {
    probe_router(readiness.clone()).merge(metrics_router(registry, readiness))
}

/// Makes the routes `/livez`, `/healthz` and `/readyz`.
pub fn probe_router<S: Clone + Send + Sync + 'static>(readiness: Readiness) -> Router<S> {
    Router::new()
        .route("/livez", get(alive))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

/// Makes the route `/metrics`.
pub fn metrics_router<S: Clone + Send + Sync + 'static>(
    registry: Registry,
    readiness: Readiness,
) -> Router<S> {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(AdminState {
            registry,
            readiness,
        })
}

/// The admin endpoint while it serves: until it is stopped or dropped. It has no part in the shutdown
/// token, so that probes see "not ready" throughout the drain.
#[derive(Debug)]
pub struct AdminEndpoint {
    address: SocketAddr,
    serving: DropGuard,
    served: JoinHandle<std::io::Result<()>>,
}

impl AdminEndpoint {
    /// Serves probes and metrics.
    ///
    /// # Errors
    /// `Listen`.
    pub async fn start(
        config: AdminConfig,
        registry: Registry,
        readiness: Readiness,
    ) -> Result<Self, TelemetryError> {
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().unwrap_or(config.listen);
        let token = CancellationToken::new();
        let server = axum::serve(listener, admin_router(registry, readiness))
            .with_graceful_shutdown(token.clone().cancelled_owned());
        Ok(Self {
            address,
            serving: token.drop_guard(),
            served: tokio::spawn(server.into_future()),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what is under way, and no more.
    ///
    /// # Errors
    /// `Serve` when it had stopped by itself, `Panicked` when that was a bug.
    pub async fn stop(self) -> Result<(), TelemetryError> {
        drop(self.serving);
        let ended = self.served.await.map_err(TelemetryError::Panicked)?;
        ended.map_err(TelemetryError::Serve)
    }
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let unready = readiness.unready();
    if unready.is_empty() {
        return "ready\n".into_response();
    }
    let names = unready.join(", ");
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {names}\n"),
    )
        .into_response()
}

async fn metrics(State(state): State<AdminState>) -> Response {
    let mut families = state.registry.gather();
    if let Ok(readiness) = readiness_family(&state.readiness) {
        families.extend(readiness);
    }
    match TextEncoder::new().encode_to_string(&families) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "encode the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Read off at the scrape, so that a condition needs no metric of its own.
fn readiness_family(
    readiness: &Readiness,
) -> prometheus::Result<Vec<prometheus::proto::MetricFamily>> {
    let states = readiness.states();
    // A family without a metric in it is an error to the encoder.
    if states.is_empty() {
        return Ok(Vec::new());
    }
    let gauge = IntGaugeVec::new(
        Opts::new("alioth_ready", "1 while the condition of readiness holds."),
        &["condition"],
    )?;
    for (name, holds) in states {
        gauge.with_label_values(&[name]).set(i64::from(holds));
    }
    Ok(prometheus::core::Collector::collect(&gauge))
}
