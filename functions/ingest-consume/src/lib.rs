#![doc = include_str!("../README.md")]

mod access;
mod applier;
mod backoff;
mod batcher;
mod bisect;
mod breaker;
mod burial;
mod config;
mod consume;
mod dead_letter;
mod disposition;
mod drain;
mod held;
mod intake;
mod merge;
mod metrics;
mod order;
mod stalls;
mod suspect;
#[cfg(test)]
mod test_messages;
#[cfg(test)]
mod tests;
mod trace;
mod writes;

use std::sync::{Arc, atomic::AtomicU64};

use alioth_broker::{Broker, ConsumeError, Queue};
use alioth_cluster::Cluster;
use alioth_config::Loader;
use alioth_lifecycle::DrainConfig;
use alioth_telemetry::{Readiness, Tracer};
use prometheus::Registry;
use tokio::{sync::Semaphore, task::JoinError};
use tokio_util::sync::CancellationToken;

pub use config::ConsumeConfig;
pub use drain::DrainDeadlineMissed;
pub use metrics::METRIC_NAMES;

use self::{
    access::Access,
    applier::{Applier, Upserts},
    backoff::Backoff,
    breaker::Breaker,
    consume::{Consume, Ended},
    metrics::Metrics,
    stalls::Stalls,
};

/// All of the function's own settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Config {
    /// How writes are merged and retried.
    pub consume: ConsumeConfig,
    /// How long the end may take.
    pub drain: DrainConfig,
}

impl Config {
    /// Reads the sections; problems are left with the loader.
    pub fn load(loader: &mut Loader) -> Self {
        Self {
            consume: loader.section(),
            drain: loader.section(),
        }
    }
}

/// All that [`run`] works with.
pub struct Deps {
    /// Where messages come from, and dead letters go.
    pub broker: Arc<dyn Broker>,
    /// Where points go.
    pub cluster: Cluster,
    /// Takes the metrics.
    pub registry: Registry,
    /// Gets the conditions `subscribed`, `qdrant-access` and `consuming`.
    pub readiness: Readiness,
    /// Makes the spans of upserts.
    pub tracer: Tracer,
}

/// Why ingest-consume did not run, or did not end well. Never transient.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A metric was registered twice.
    #[error("register the metrics of ingest-consume")]
    Metrics(#[from] prometheus::Error),
    /// The broker is closed.
    #[error("consume queue {}", .queue.name())]
    Consume {
        /// Which.
        queue: Queue,
        /// Why; `None` when it was closed while consuming.
        #[source]
        source: Option<ConsumeError>,
    },
    /// A bug.
    #[error("apply a merge")]
    Panicked(#[source] JoinError),
    /// Upserts were still in flight at the drain deadline.
    #[error("drain ingest-consume")]
    Drain(#[from] DrainDeadlineMissed),
}

/// Applies queued writes until `shutdown` is cancelled, or as long as there are any when that is configured, then drains. Closing the broker is the caller's.
///
/// # Errors
/// `Metrics` and `Consume` at once; `Drain` when the drain deadline is missed.
pub async fn run(config: Config, deps: Deps, shutdown: CancellationToken) -> Result<(), RunError> {
    let Deps {
        broker,
        cluster,
        registry,
        readiness,
        tracer,
    } = deps;
    run_with(
        config,
        broker,
        Arc::new(cluster),
        &registry,
        &readiness,
        tracer,
        shutdown,
    )
    .await
}

async fn run_with(
    config: Config,
    broker: Arc<dyn Broker>,
    qdrant: Arc<dyn Upserts>,
    registry: &Registry,
    readiness: &Readiness,
    tracer: Tracer,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let metrics = Metrics::register(registry)?;
    let subscribed = readiness.condition("subscribed");
    let consuming = readiness.condition("consuming");
    let access = Access::new(readiness.condition("qdrant-access"));
    let queue = Queue::Ingest;
    let consumer = broker
        .consume(queue, config.consume.prefetch)
        .await
        .map_err(|source| RunError::Consume {
            queue,
            source: Some(source),
        })?;
    let backoff = Backoff {
        min: config.consume.retry_min.0,
        max: config.consume.retry_max.0,
    };
    let applier = Arc::new(Applier {
        qdrant,
        publisher: broker.publisher(),
        breaker: Breaker::new(backoff, metrics.clone()),
        slots: Arc::new(Semaphore::new(config.consume.upserts_in_flight)),
        stalls: Arc::new(Stalls::new(metrics.stalled_collections.clone())),
        access,
        backoff,
        internal_tries: config.consume.internal_tries,
        metrics,
        tracer,
        successes: AtomicU64::new(0),
    });
    let mut consume = Consume::new(consumer, applier, config.consume);
    consuming.set(true);
    match consume
        .run(&shutdown, |is_ready| subscribed.set(is_ready))
        .await
    {
        Ended::Shutdown | Ended::Idle => {
            Ok(drain::drain(consume, &consuming, config.drain.timeout.0).await?)
        }
        Ended::BrokerClosed => Err(RunError::Consume {
            queue,
            source: None,
        }),
        Ended::Panicked(panic) => Err(RunError::Panicked(panic)),
    }
}
