//! Everything the process is told by its environment.

use alioth_broker::AmqpConfig;
use alioth_cluster::QdrantConfig;
use alioth_config::{ConfigError, Loader};
use alioth_telemetry::TelemetryConfig;
use ingest_accept::Config;

/// All sections of the process.
pub(crate) struct Settings {
    pub(crate) telemetry: TelemetryConfig,
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
            telemetry: TelemetryConfig::load(&mut loader),
            amqp: loader.section(),
            qdrant: loader.section(),
            accept: Config::load(&mut loader),
        };
        loader.require("ALIOTH_AMQP_URL");
        loader.finish()?;
        Ok(settings)
    }
}
