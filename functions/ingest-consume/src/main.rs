//! The ingest-consume process: configuration, telemetry, shutdown token, dependencies, admin endpoint, run.

mod settings;

use std::{process::ExitCode, sync::Arc};

use alioth_broker::{Broker, BrokerMetrics, RabbitMqBroker};
use alioth_cluster::{Cluster, ClusterMetrics};
use alioth_config::Loader;
use alioth_lifecycle::Shutdown;
use alioth_telemetry::Telemetry;
use anyhow::Result;
use ingest_consume::Deps;

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
    ExitCode::FAILURE
}

async fn run(settings: Settings) -> Result<()> {
    let telemetry = Telemetry::start(settings.telemetry, FUNCTION, env!("CARGO_PKG_VERSION"))?;
    let shutdown = Shutdown::on_signals()?;
    let metrics = BrokerMetrics::register(&telemetry.registry)?;
    let broker: Arc<dyn Broker> = Arc::new(RabbitMqBroker::new(&settings.amqp, FUNCTION, metrics)?);
    let metrics = ClusterMetrics::register(&telemetry.registry)?;
    let deps = Deps {
        broker: Arc::clone(&broker),
        cluster: Cluster::new(&settings.qdrant, metrics)?,
        registry: telemetry.registry.clone(),
        readiness: telemetry.readiness.clone(),
        tracer: telemetry.tracer.clone(),
    };
    let admin = telemetry.serve_admin().await?;

    let drain = settings.consume.drain;
    let ended = ingest_consume::run(settings.consume, deps, shutdown.token()).await;
    broker.close().await;
    telemetry.flush(shutdown.time_left(drain)).await;
    admin.stop().await?;
    Ok(ended?)
}
