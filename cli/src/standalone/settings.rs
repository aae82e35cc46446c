//! The sections of every function, read at once.

use alioth_broker::AmqpConfig;
use alioth_cluster::QdrantConfig;
use alioth_config::{ConfigError, Loader};
use alioth_telemetry::{LogConfig, TracesConfig};

/// Everything a standalone Alioth is told by the environment. Ports are flags, not variables.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) log: LogConfig,
    pub(crate) traces: TracesConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) qdrant: QdrantConfig,
    /// Whether an address of Qdrant was given: the embedded node is not started then.
    pub(crate) qdrant_is_configured: bool,
    pub(crate) accept: ingest_accept::Config,
    pub(crate) consume: ingest_consume::Config,
}

impl Settings {
    /// Reads the process's environment.
    pub(crate) fn from_process() -> Result<Self, ConfigError> {
        let mut loader = Loader::from_process();
        let settings = Self::load(&mut loader);
        loader.finish()?;
        Ok(settings)
    }

    /// What an empty environment gives.
    pub(crate) fn defaults() -> Self {
        Self::load(&mut Loader::new([]))
    }

    fn load(loader: &mut Loader) -> Self {
        Self {
            log: loader.section(),
            traces: loader.section(),
            amqp: loader.section(),
            qdrant: loader.section(),
            qdrant_is_configured: loader.is_set("ALIOTH_QDRANT_URL"),
            accept: ingest_accept::Config::load(loader),
            consume: ingest_consume::Config::load(loader),
        }
    }
}
