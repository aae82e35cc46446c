//! Everything the process is told by its environment.

use alioth_broker::AmqpConfig;
use alioth_cluster::QdrantConfig;
use alioth_config::{ConfigError, Loader, Problem};
use alioth_telemetry::{AdminConfig, LogConfig};
use ingest_accept::Config;

const AMQP_URL: &str = "ALIOTH_AMQP_URL";

/// All sections of the process.
pub(crate) struct Settings {
    pub(crate) log: LogConfig,
    pub(crate) admin: AdminConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) qdrant: QdrantConfig,
    pub(crate) accept: Config,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// Everything wrong with them. Not transient.
    pub(crate) fn read(mut loader: Loader) -> Result<Self, ConfigError> {
        let settings = Self {
            log: loader.section(),
            admin: loader.section(),
            amqp: loader.section(),
            qdrant: loader.section(),
            accept: Config::load(&mut loader),
        };
        let broker_is_set = loader.is_set(AMQP_URL);
        let mut problems = match loader.finish() {
            Ok(()) => Vec::new(),
            Err(error) => error.problems,
        };
        if !broker_is_set {
            problems.push(Problem {
                variable: AMQP_URL.to_owned(),
                message: "is not set".to_owned(),
            });
        }
        if problems.is_empty() {
            return Ok(settings);
        }
        Err(ConfigError { problems })
    }
}
