//! The ingest-accept process: configuration, telemetry, shutdown token, broker, Qdrant, admin
//! endpoint, run.

mod settings;

use std::{process::ExitCode, sync::Arc};

use alioth_broker::{Broker, BrokerMetrics, RabbitMqBroker};
use alioth_cluster::{Cluster, ClusterMetrics, SchemaCache};
use alioth_config::Loader;
use alioth_lifecycle::Shutdown;
use alioth_telemetry::{Telemetry, listen};
use anyhow::Result;
use ingest_accept::{Deps, RunError, Services};

use crate::settings::Settings;

const FUNCTION: &str = env!("CARGO_PKG_NAME");

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::read(Loader::from_process()) {
        Ok(settings) => settings,
        Err(error) => return error.exit(),
    };
    let Err(error) = run(settings).await else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error:#}");
    error
        .downcast_ref()
        .map_or(ExitCode::FAILURE, RunError::exit)
}

async fn run(settings: Settings) -> Result<()> {
    let telemetry = Telemetry::start(settings.telemetry, FUNCTION, env!("CARGO_PKG_VERSION"))?;
    let shutdown = Shutdown::on_signals()?;
    let metrics = BrokerMetrics::register(&telemetry.registry)?;
    let broker: Arc<dyn Broker> = Arc::new(RabbitMqBroker::new(&settings.amqp, FUNCTION, metrics)?);
    let metrics = ClusterMetrics::register(&telemetry.registry)?;
    let cluster = Cluster::new(&settings.qdrant, metrics)?;
    let schemas = SchemaCache::new(&cluster, &settings.qdrant);
    let services = Services::new(broker.publisher(), schemas, &telemetry);
    let admin = telemetry.serve_admin().await?;
    let listener = listen(settings.accept.http.listen).await?;

    let drain = settings.accept.drain;
    let deps = Deps { listener, services };
    let ended = ingest_accept::run(settings.accept, deps, shutdown.token()).await;
    broker.close().await;
    telemetry.flush(shutdown.time_left(drain)).await;
    admin.stop().await?;
    Ok(ended?)
}
