//! The ingest-consume process: configuration, telemetry, shutdown token, dependencies, admin endpoint, run.

mod settings;

use std::{io::Write, process::ExitCode, sync::Arc};

use alioth_broker::{Broker, BrokerMetrics, RabbitMqBroker};
use alioth_cluster::{Cluster, ClusterMetrics};
use alioth_config::{EXIT_BAD_CONFIGURATION, Loader};
use alioth_lifecycle::Shutdown;
use alioth_telemetry::Readiness;
use anyhow::{Context, Result};
use ingest_consume::Deps;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::read(Loader::from_process()) {
        Ok(settings) => settings,
        Err(error) => {
            // There are no logs yet: how they look is part of the configuration.
            let _ = writeln!(std::io::stderr(), "{error}");
            return ExitCode::from(EXIT_BAD_CONFIGURATION);
        }
    };
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<()> {
    alioth_telemetry::init(&settings.log)?;
    let shutdown = Shutdown::on_signals()?;
    let registry = alioth_telemetry::registry("ingest-consume", env!("CARGO_PKG_VERSION"))?;
    let readiness = Readiness::new();
    let metrics = BrokerMetrics::register(&registry)?;
    let broker: Arc<dyn Broker> = Arc::new(RabbitMqBroker::new(
        &settings.amqp,
        "ingest-consume",
        metrics,
    )?);
    let cluster = Cluster::new(&settings.qdrant, ClusterMetrics::register(&registry)?)?;

    // Longer than the shutdown token: probes see "not ready" throughout the drain.
    let admin = CancellationToken::new();
    let address = settings.admin.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    let router = alioth_telemetry::admin_router(registry.clone(), readiness.clone());
    let served = tokio::spawn(alioth_telemetry::serve_admin(
        listener,
        router,
        admin.clone(),
    ));

    let deps = Deps {
        broker: Arc::clone(&broker),
        cluster,
        registry,
        readiness,
    };
    let ended = ingest_consume::run(settings.consume, deps, shutdown.token()).await;
    broker.close().await;
    admin.cancel();
    served.await?.context("serve the admin endpoint")?;
    Ok(ended?)
}
