//! All settings of the process.

use alioth_broker::AmqpConfig;
use alioth_cluster::QdrantConfig;
use alioth_config::{ConfigError, Loader};
use alioth_telemetry::TelemetryConfig;
use ingest_consume::Config;

/// One field a section.
pub(crate) struct Settings {
    pub(crate) telemetry: TelemetryConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) qdrant: QdrantConfig,
    pub(crate) consume: Config,
}

impl Settings {
    /// Reads every section.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) fn read(mut loader: Loader) -> Result<Self, ConfigError> {
        let settings = Self {
            telemetry: TelemetryConfig::load(&mut loader),
            amqp: loader.section(),
            qdrant: loader.section(),
            consume: Config::load(&mut loader),
        };
        loader.require("ALIOTH_AMQP_URL");
        loader.finish()?;
        Ok(settings)
    }
}
