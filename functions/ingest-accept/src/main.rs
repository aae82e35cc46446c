//! The ingest-accept process: configuration, telemetry, shutdown token, broker, Qdrant, admin
//! endpoint, run.

mod settings;

use std::{io::Write, process::ExitCode, sync::Arc};

use alioth_broker::{Broker, BrokerMetrics, RabbitMqBroker};
use alioth_cluster::{Cluster, ClusterMetrics, SchemaCache};
use alioth_config::{EXIT_BAD_CONFIGURATION, Loader};
use alioth_lifecycle::Shutdown;
use alioth_telemetry::Readiness;
use anyhow::{Context, Result};
use ingest_accept::{Deps, RunError, Services};
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
    let Err(error) = run(settings).await else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error:#}");
    match error.downcast_ref() {
        Some(RunError::Keys(_)) => ExitCode::from(EXIT_BAD_CONFIGURATION),
        Some(RunError::Metrics(_) | RunError::Drain(_)) | None => ExitCode::FAILURE,
    }
}

async fn run(settings: Settings) -> Result<()> {
    alioth_telemetry::init(&settings.log)?;
    let shutdown = Shutdown::on_signals()?;
    let registry = alioth_telemetry::registry("ingest-accept", env!("CARGO_PKG_VERSION"))?;
    let readiness = Readiness::new();
    let metrics = BrokerMetrics::register(&registry)?;
    let broker: Arc<dyn Broker> = Arc::new(RabbitMqBroker::new(
        &settings.amqp,
        "ingest-accept",
        metrics,
    )?);
    let cluster = Cluster::new(&settings.qdrant, ClusterMetrics::register(&registry)?)?;
    let services = Services {
        publisher: broker.publisher(),
        schemas: SchemaCache::new(&cluster, &settings.qdrant),
        registry: registry.clone(),
        readiness: readiness.clone(),
    };

    // Longer than the shutdown token: probes see "not ready" throughout the drain.
    let admin = CancellationToken::new();
    let router = alioth_telemetry::admin_router(registry, readiness);
    let listener = listen(settings.admin.listen).await?;
    let served = tokio::spawn(alioth_telemetry::serve_admin(
        listener,
        router,
        admin.clone(),
    ));

    let listener = listen(settings.accept.http.listen).await?;
    let deps = Deps { listener, services };
    let ended = ingest_accept::run(settings.accept, deps, shutdown.token()).await;
    broker.close().await;
    admin.cancel();
    served.await?.context("serve the admin endpoint")?;
    Ok(ended?)
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    let address = listener.local_addr().context("ask for the port")?;
    tracing::info!(%address, "listening");
    Ok(listener)
}
