#![doc = include_str!("../README.md")]

mod answer;
pub mod api;
mod body;
mod budget;
mod combine;
mod config;
mod content;
mod cpu;
mod decode;
mod docs;
#[cfg(test)]
mod fakes;
mod handlers;
pub mod job_api;
mod job_handlers;
mod jobs;
mod keys;
pub mod lambda;
mod message;
mod metrics;
mod openapi;
mod presence;
pub mod reply;
mod router;
mod schemas;
mod server;
mod trace;
mod write;

use std::{process::ExitCode, sync::Arc, time::Duration};

use alioth_broker::Publisher;
use alioth_cluster::SchemaCache;
use alioth_config::EXIT_BAD_CONFIGURATION;
use alioth_lifecycle::LifecycleError;
use alioth_telemetry::{
    Condition, Readiness, Telemetry, Tracer,
    prometheus::{self, Registry},
};
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use answer::Code;
pub use config::{AcceptConfig, ApiConfig, Config, HttpConfig};
pub use keys::{KeySource, KeysError};

use self::{keys::Keys, metrics::Metrics, presence::Presence, router::App, write::Acceptor};

/// How often readiness follows the broker's connection. Requests ask it themselves.
const READINESS_INTERVAL: Duration = Duration::from_millis(20);

/// What writes go to and are checked against, and where this is observed.
#[derive(Clone)]
pub struct Services {
    /// Takes the messages.
    pub publisher: Arc<dyn Publisher>,
    /// Knows the collections.
    pub schemas: SchemaCache,
    /// Takes the metrics.
    pub registry: Registry,
    /// Gets the conditions `rabbitmq` and `serving`.
    pub readiness: Readiness,
    /// Makes the spans of writes.
    pub tracer: Tracer,
}

impl Services {
    /// Observed where the process is.
    pub fn new(publisher: Arc<dyn Publisher>, schemas: SchemaCache, telemetry: &Telemetry) -> Self {
        Self {
            publisher,
            schemas,
            registry: telemetry.registry.clone(),
            readiness: telemetry.readiness.clone(),
            tracer: telemetry.tracer.clone(),
        }
    }
}

/// What a process that is suspended between requests has beside its [`Services`].
pub struct Suspendable {
    /// How long a write waits for the broker to be there and to prove it.
    pub broker_within: Duration,
    /// Where keys come from beside the configuration.
    pub keys: Option<Arc<dyn KeySource>>,
}

/// All that [`run`] works with.
pub struct Deps {
    /// The port.
    pub listener: TcpListener,
    /// Everything behind it.
    pub services: Services,
}

/// Why ingest-accept did not run, or did not end well. Never transient.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configured keys cannot be had.
    #[error("load the API keys")]
    Keys(#[from] KeysError),
    /// A metric was registered twice.
    #[error("register the metrics of ingest-accept")]
    Metrics(#[from] prometheus::Error),
    /// Requests were still being handled at the drain deadline.
    #[error("drain ingest-accept")]
    Drain(#[from] LifecycleError),
}

impl RunError {
    /// What the process ends with.
    pub fn exit(&self) -> ExitCode {
        match self {
            Self::Keys(_) => ExitCode::from(EXIT_BAD_CONFIGURATION),
            Self::Metrics(_) | Self::Drain(_) => ExitCode::FAILURE,
        }
    }
}

/// Ingest-accept without a port: what Lambda calls, and what [`run`] serves.
pub struct Function {
    app: App,
    router: Router,
    /// Whether the broker has a connection.
    connected: Condition,
    /// Whether new connections are taken.
    serving: Condition,
}

impl Function {
    /// Loads the keys, registers the metrics and makes the router.
    ///
    /// # Errors
    /// `Keys` and `Metrics`.
    pub fn new(config: &Config, services: Services) -> Result<Self, RunError> {
        let registry = services.registry.clone();
        Self::with(config, services, Presence::Followed, None, Some(registry))
    }

    /// The same for a process that is suspended between requests and is one of many behind an address: the
    /// broker's connection is proven before a write, and there is no `/metrics`, which would be another process's
    /// each time.
    ///
    /// # Errors
    /// `Keys` and `Metrics`.
    pub fn suspendable(
        config: &Config,
        services: Services,
        suspendable: Suspendable,
    ) -> Result<Self, RunError> {
        let presence = Presence::proven(suspendable.broker_within);
        Self::with(config, services, presence, suspendable.keys, None)
    }

    fn with(
        config: &Config,
        services: Services,
        presence: Presence,
        key_source: Option<Arc<dyn KeySource>>,
        exposed: Option<Registry>,
    ) -> Result<Self, RunError> {
        let Services {
            publisher,
            schemas,
            registry,
            readiness,
            tracer,
        } = services;
        let keys = Arc::new(Keys::load(&config.api, key_source)?);
        let metrics = Metrics::register(&registry)?;
        let app = Arc::new(Acceptor::new(
            config, publisher, presence, schemas, keys, metrics, tracer,
        ));
        let connected = readiness.condition("rabbitmq");
        let serving = readiness.condition("serving");
        let router = router::router(Arc::clone(&app), exposed, readiness);
        Ok(Self {
            app,
            router,
            connected,
            serving,
        })
    }

    /// Waits for the broker, as a write would.
    pub async fn warm_up(&self) {
        self.serving.set(true);
        let there = self.app.presence.holds(&*self.app.publisher).await;
        self.connected.set(there);
    }

    /// Follows the file of keys until the token is cancelled, for whoever does not [`run`].
    pub fn watch_keys(&self, token: CancellationToken) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.app.keys).watch(token)
    }

    /// Every route. Clones share their state.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Follows the broker's connection and the file of keys until the token is cancelled.
    fn watch(&self, tasks: &TaskTracker, token: &CancellationToken) {
        tasks.spawn(Arc::clone(&self.app.keys).watch(token.clone()));
        let (app, connected) = (Arc::clone(&self.app), self.connected.clone());
        let token = token.clone();
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(READINESS_INTERVAL);
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    _ = ticks.tick() => connected.set(app.publisher.is_ready()),
                }
            }
        });
    }
}

/// Serves until `shutdown` is cancelled, then answers what is under way, and returns when the last
/// connection has ended. Closing the broker is the caller's.
///
/// # Errors
/// `Keys` and `Metrics` at once; `Drain` when requests outlast the drain deadline.
pub async fn run(config: Config, deps: Deps, shutdown: CancellationToken) -> Result<(), RunError> {
    let function = Function::new(&config, deps.services)?;
    function.serving.set(true);
    let watchers = TaskTracker::new();
    function.watch(&watchers, &shutdown);
    let open = function.app.metrics.connections.clone();
    let router = function.router();
    let connections = server::serve(&deps.listener, router, &config.http, open, shutdown).await;
    // First whoever asks for readiness learns that no more is taken, then whoever connects.
    function.serving.set(false);
    drop(deps.listener);
    watchers.close();
    watchers.wait().await;
    let deadline = config.drain.timeout.0;
    tokio::time::timeout(deadline, connections.wait())
        .await
        .map_err(|_| LifecycleError::DrainDeadlineMissed {
            deadline,
            tasks: connections.len(),
        })?;
    Ok(())
}
