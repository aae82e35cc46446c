//! The snapshot process: configuration, telemetry, shutdown token, dependencies, one job, its exit code.

mod settings;

use std::process::ExitCode;

use alioth_broker::{Broker, BrokerMetrics, Queue, RabbitMqBroker};
use alioth_cluster::rest::QdrantRest;
use alioth_config::Loader;
use alioth_job_runner::{JobMetrics, JobRunner, JobSource, Recorder, Report, chain};
use alioth_jobs::{BackupRequest, JobExit, JobId};
use alioth_lifecycle::Shutdown;
use alioth_snapshot_store::SnapshotStore;
use anyhow::Result;
use snapshot::{Deps, Metrics, SnapshotError};

use crate::settings::Settings;

const FUNCTION: &str = env!("CARGO_PKG_NAME");

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::read(Loader::from_process()) {
        Ok(settings) => settings,
        Err(error) => return error.exit(),
    };
    match run(settings).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            tracing::error!("{error:#}");
            JobExit::Internal.into()
        }
    }
}

async fn run(settings: Settings) -> Result<JobExit> {
    alioth_telemetry::init(&settings.log)?;
    let shutdown = Shutdown::on_signals()?;
    let token = shutdown.token();
    let registry = alioth_telemetry::registry(FUNCTION, env!("CARGO_PKG_VERSION"))?;
    let metrics = Metrics::register(&registry)?;
    let store = match SnapshotStore::connect(&settings.s3).await {
        Ok(store) => store,
        Err(error) => {
            tracing::error!(error = chain(&error), "no bucket to write to");
            return Ok(snapshot::of_store(&error));
        }
    };
    let runner = JobRunner {
        store: store.clone(),
        job: settings.job.clone(),
        push: settings.push.clone(),
        metrics: JobMetrics::register(&registry)?,
    };
    let broker_metrics = BrokerMetrics::register(&registry)?;

    let work = async |request: &BackupRequest, _: &Recorder| {
        let rest = QdrantRest::discover(&settings.qdrant);
        let rest = token.run_until_cancelled(rest).await;
        let deps = Deps {
            rest: rest.ok_or(SnapshotError::Stopped)??,
            store: store.clone(),
            metrics,
            lease: settings.job.lease.0,
        };
        let outcome = snapshot::run(&settings.config, deps, request, &token).await?;
        Ok::<Report, SnapshotError>(outcome.report())
    };
    let job = async {
        if settings.job.source == JobSource::Once {
            let request = settings.config.scheduled(JobId::new());
            return Ok(runner.once(&request, &token, work).await.exit);
        }
        let broker = RabbitMqBroker::new(&settings.amqp, FUNCTION, broker_metrics)?;
        let exit = runner.one_message(&broker, Queue::Backup, &token, work);
        let exit = exit.await;
        broker.close().await;
        Ok(exit)
    };
    let exit = tokio::select! {
        exit = job => exit,
        // The process must end although its job has not: what is unsettled goes back to the queue by itself.
        () = shutdown.drain_missed(settings.drain) => Ok(JobExit::Unavailable),
    };
    store.close().await;
    exit
}
