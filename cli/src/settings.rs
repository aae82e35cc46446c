//! The sections of every function, read at once: one environment serves every command.

use alioth_broker::AmqpConfig;
use alioth_cluster::{QdrantConfig, rest::QdrantRestConfig};
use alioth_config::{ConfigError, Loader, Secret, Section};
use alioth_job_runner::{JobConfig, PushConfig};
use alioth_snapshot_store::S3Config;
use alioth_telemetry::{LogConfig, TracesConfig};
use restore::RestoreConfig;
use serde::Deserialize;

/// Everything the environment tells. Ports are flags, not variables.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) log: LogConfig,
    /// Whether a level was given: commands for people log nothing otherwise.
    pub(crate) log_is_configured: bool,
    pub(crate) traces: TracesConfig,
    pub(crate) amqp: AmqpConfig,
    pub(crate) qdrant: QdrantConfig,
    /// Whether an address of Qdrant was given: the embedded node is not started then.
    pub(crate) qdrant_is_configured: bool,
    pub(crate) rest: QdrantRestConfig,
    pub(crate) s3: S3Config,
    /// Whether a bucket or an endpoint was given: the embedded S3 is not started then.
    pub(crate) s3_is_configured: bool,
    pub(crate) job: JobConfig,
    pub(crate) push: PushConfig,
    pub(crate) accept: ingest_accept::Config,
    pub(crate) consume: ingest_consume::Config,
    pub(crate) snapshot: snapshot::Config,
    pub(crate) restore: RestoreConfig,
}

impl Settings {
    /// What standalone mode reads: where an engine's address is set, all that it takes to reach it.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) fn for_standalone() -> Result<Self, ConfigError> {
        let mut loader = Loader::from_process();
        let settings = Self::load(&mut loader);
        if settings.s3_is_configured {
            loader.require("ALIOTH_S3_BUCKET");
        }
        if settings.qdrant_is_configured {
            loader.require("ALIOTH_QDRANT_REST_URL");
        }
        loader.finish()?;
        Ok(settings)
    }

    /// What commands on a bucket read.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) fn with_bucket() -> Result<Self, ConfigError> {
        let mut loader = Loader::from_process();
        let settings = Self::load(&mut loader);
        loader.require("ALIOTH_S3_BUCKET");
        loader.finish()?;
        Ok(settings)
    }

    /// What an empty environment gives.
    pub(crate) fn defaults() -> Self {
        Self::load(&mut Loader::new([]))
    }

    fn load(loader: &mut Loader) -> Self {
        // Known to the loader, so that it may be set; clap reads it.
        loader.section::<LoadConfig>();
        Self {
            log: loader.section(),
            log_is_configured: loader.is_set("ALIOTH_LOG_LEVEL"),
            traces: loader.section(),
            amqp: loader.section(),
            qdrant: loader.section(),
            qdrant_is_configured: loader.is_set("ALIOTH_QDRANT_URL"),
            rest: QdrantRestConfig::load(loader),
            s3: loader.section(),
            s3_is_configured: loader.is_set("ALIOTH_S3_BUCKET")
                || loader.is_set("ALIOTH_S3_ENDPOINT"),
            job: loader.section(),
            push: loader.section(),
            accept: ingest_accept::Config::load(loader),
            consume: ingest_consume::Config::load(loader),
            snapshot: snapshot::Config::load(loader),
            restore: loader.section(),
        }
    }
}

/// The variables that `alioth load` takes beside its flags.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadConfig {
    api_key: Secret,
}

impl Section for LoadConfig {
    const PREFIX: &'static str = "ALIOTH_LOAD_";
}
