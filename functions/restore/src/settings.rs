//! All settings of the process.

use alioth_broker::AmqpConfig;
use alioth_cluster::rest::QdrantRestConfig;
use alioth_config::{ConfigError, Loader};
use alioth_job_runner::{JobConfig, PushConfig};
use alioth_lifecycle::DrainConfig;
use alioth_snapshot_store::S3Config;
use alioth_telemetry::LogConfig;
use restore::RestoreConfig;

/// One field a section.
pub(crate) struct Settings {
    pub(crate) log: LogConfig,
    pub(crate) drain: DrainConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) qdrant: QdrantRestConfig,
    pub(crate) s3: S3Config,
    pub(crate) job: JobConfig,
    pub(crate) push: PushConfig,
    pub(crate) restore: RestoreConfig,
}

impl Settings {
    /// Reads every section.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) fn read(mut loader: Loader) -> Result<Self, ConfigError> {
        let settings = Self {
            log: loader.section(),
            drain: loader.section(),
            amqp: loader.section(),
            qdrant: QdrantRestConfig::load(&mut loader),
            s3: loader.section(),
            job: loader.section(),
            push: loader.section(),
            restore: loader.section(),
        };
        loader.require("ALIOTH_AMQP_URL");
        loader.require("ALIOTH_S3_BUCKET");
        loader.finish()?;
        Ok(settings)
    }
}
