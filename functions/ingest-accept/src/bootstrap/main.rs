//! The Lambda function: configuration and secrets, telemetry, broker, Qdrant, then one invocation after the other.
//! There is no port: the runtime's API is asked for events.

mod secrets;
#[path = "../settings.rs"]
mod settings;

use std::{convert::Infallible, process::ExitCode, sync::Arc, time::Duration};

use alioth_broker::{Broker, BrokerMetrics, RabbitMqBroker, UrlSource};
use alioth_cluster::{Cluster, ClusterMetrics, SchemaCache};
use alioth_config::Loader;
use alioth_lifecycle::Shutdown;
use alioth_telemetry::Telemetry;
use anyhow::{Result, anyhow};
use ingest_accept::{
    Function, KeySource, RunError, Services, Suspendable,
    lambda::{Event, LambdaConfig},
};
use lambda_http::{LambdaEvent, lambda_runtime, service_fn};

use crate::{secrets::Secrets, settings::Settings};

const FUNCTION: &str = env!("CARGO_PKG_NAME");
/// Lambda gives 500 ms between SIGTERM and SIGKILL. Nothing is unconfirmed between invocations, so this is only to
/// say goodbye.
const GOODBYE: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() -> ExitCode {
    let mut loader = Loader::from_process();
    let secrets = match Secrets::resolve(&mut loader).await {
        Ok(secrets) => secrets,
        Err(error) => return error.exit(),
    };
    let config: LambdaConfig = loader.section();
    let settings = match Settings::read(loader) {
        Ok(settings) => settings,
        Err(error) => return error.exit(),
    };
    let Err(error) = run(settings, config, secrets).await else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error:#}");
    error
        .downcast_ref()
        .map_or(ExitCode::FAILURE, RunError::exit)
}

async fn run(settings: Settings, config: LambdaConfig, secrets: Option<Secrets>) -> Result<()> {
    let telemetry = Telemetry::start(settings.telemetry, FUNCTION, env!("CARGO_PKG_VERSION"))?;
    let shutdown = Shutdown::on_signals()?;
    let urls = secrets.as_ref().and_then(Secrets::amqp_url);
    let keys = secrets.as_ref().and_then(Secrets::api_keys);
    let metrics = BrokerMetrics::register(&telemetry.registry)?;
    let urls = urls.map(|url| Arc::new(url) as Arc<dyn UrlSource>);
    let broker = RabbitMqBroker::renewing(&settings.amqp, FUNCTION, metrics, urls)?;
    let metrics = ClusterMetrics::register(&telemetry.registry)?;
    let cluster = Cluster::new(&settings.qdrant, metrics)?;
    let schemas = SchemaCache::new(&cluster, &settings.qdrant);
    let services = Services::new(broker.publisher(), schemas, &telemetry);
    let suspendable = Suspendable {
        broker_within: config.broker_timeout.0,
        keys: keys.map(|keys| Arc::new(keys) as Arc<dyn KeySource>),
    };
    let function = Function::suspendable(&settings.accept, services, suspendable)?;
    // While Lambda initialises: the first request finds a connection.
    function.warm_up().await;

    let token = shutdown.token();
    shutdown.spawn(function.watch_keys(token.clone()));

    let (function, config) = (&function, &config);
    let invocations = lambda_runtime::run(service_fn(|call: LambdaEvent<Event>| async move {
        let deadline = call.context.deadline();
        Ok::<_, Infallible>(function.invoke(call.payload, deadline, config).await)
    }));
    let ended = tokio::select! {
        ended = invocations => ended,
        () = token.cancelled() => Ok(()),
    };
    let goodbye = async {
        broker.close().await;
        telemetry.flush(GOODBYE).await;
    };
    // RabbitMQ notices by the end of the process, or by the heartbeat.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    ended.map_err(|error| anyhow!("the runtime's API failed: {error}"))
}
