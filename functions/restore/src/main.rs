//! The restore process: configuration, telemetry, shutdown token, bucket, broker, one message.

mod settings;

use std::{io::Write, process::ExitCode};

use alioth_broker::{Broker, BrokerMetrics, Queue, RabbitMqBroker};
use alioth_cluster::rest::QdrantRest;
use alioth_config::Loader;
use alioth_job_runner::{JobFault, JobMetrics, JobRunner, Progress, Recorder, Report};
use alioth_jobs::{JobExit, RestoreRequest};
use alioth_lifecycle::Shutdown;
use alioth_snapshot_store::SnapshotStore;
use anyhow::{Context, Result};
use restore::{Deps, RestoreError};

use crate::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::read(Loader::from_process()) {
        Ok(settings) => settings,
        Err(error) => {
            // There are no logs yet: how they look is part of the configuration.
            let _ = writeln!(std::io::stderr(), "{error}");
            return JobExit::BadConfiguration.into();
        }
    };
    match run(settings).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            tracing::error!("{error:#}");
            let known = error.downcast_ref::<RestoreError>();
            known.map_or(JobExit::Internal, JobFault::exit).into()
        }
    }
}

async fn run(settings: Settings) -> Result<JobExit> {
    alioth_telemetry::init(&settings.log)?;
    let shutdown = Shutdown::on_signals()?;
    let token = shutdown.token();
    let registry = alioth_telemetry::registry("restore", env!("CARGO_PKG_VERSION"))?;
    let metrics = JobMetrics::register(&registry)?;
    let store = SnapshotStore::connect(&settings.s3)
        .await
        .map_err(RestoreError::from)?;
    let broker = RabbitMqBroker::new(
        &settings.amqp,
        "restore",
        BrokerMetrics::register(&registry)?,
    )
    .context("set up the broker")?;
    let runner = JobRunner {
        store: store.clone(),
        job: settings.job,
        push: settings.push,
        metrics,
    };

    let work =
        async |request: &RestoreRequest, recorder: &Recorder| -> Result<Report, RestoreError> {
            let rest = token.run_until_cancelled(QdrantRest::discover(&settings.qdrant));
            let rest = rest.await;
            let deps = Deps {
                rest: rest.ok_or(RestoreError::Interrupted)??,
                store: store.clone(),
                bucket: settings.s3.bucket.clone(),
                progress: Progress::default(),
            };
            restore::run(&settings.restore, deps, request, recorder, &token).await
        };
    let exit = tokio::select! {
        exit = runner.one_message(&broker, Queue::Restore, &token, work) => exit,
        // The process must end although its job has not: its message goes back to the queue by itself.
        () = shutdown.drain_missed(settings.drain) => JobExit::Unavailable,
    };
    broker.close().await;
    store.close().await;
    Ok(exit)
}
