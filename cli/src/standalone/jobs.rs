//! Snapshots and restores of a standalone Alioth: the messages of each queue one at a time, by the code that a job's
//! process runs for its one. Never ends the other functions: without a bucket, requests wait in their queues.

use std::{sync::Arc, time::Duration};

use alioth_broker::{Broker, Queue};
use alioth_cluster::rest::QdrantRest;
use alioth_config::Span;
use alioth_job_runner::{JobConfig, JobMetrics, JobRunner, Progress, Recorder, Report, chain};
use alioth_jobs::{BackupRequest, JobExit, RestoreRequest};
use alioth_snapshot_store::{Credentials, SnapshotStore};
use restore::RestoreError;
use snapshot::SnapshotError;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// Nobody waits for the end of a wait here: it only begins anew.
const WAIT: Span = Span(Duration::from_secs(60 * 60));
/// After a job that was given back to its queue, or a bucket that is away.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// A message may be given back a hundred times: some hours, by this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// All that it takes.
pub(super) struct Jobs {
    pub(super) settings: Settings,
    pub(super) credentials: Credentials,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) job_metrics: JobMetrics,
    pub(super) snapshot_metrics: snapshot::Metrics,
    pub(super) token: CancellationToken,
}

impl Jobs {
    /// Takes messages until the token is cancelled.
    pub(super) async fn run(self) {
        let Some(store) = self.connect().await else {
            return;
        };
        let runner = JobRunner {
            store: store.clone(),
            job: JobConfig {
                wait: WAIT,
                ..self.settings.job.clone()
            },
            push: self.settings.push.clone(),
            metrics: self.job_metrics.clone(),
        };
        let backups = self.repeat(async || Box::pin(self.backup(&runner)).await);
        let restores = self.repeat(async || Box::pin(self.restore(&runner)).await);
        let working = futures_util::future::join(backups, restores);
        tokio::select! {
            _ = working => {}
            () = self.drain_missed() => {}
        }
        store.close().await;
    }

    /// The process must end although a job has not: its message is delivered again at the next start.
    async fn drain_missed(&self) {
        self.token.cancelled().await;
        let deadline = self.settings.consume.drain.timeout.0;
        tokio::time::sleep(deadline).await;
        tracing::error!(?deadline, "drain of a job missed its deadline");
    }

    /// Connects the bucket, however long it is away; `None` once the process is to end.
    async fn connect(&self) -> Option<SnapshotStore> {
        let mut pause = FIRST_PAUSE;
        loop {
            let connecting = SnapshotStore::connect_as(&self.settings.s3, self.credentials.clone());
            let connecting = Box::pin(connecting);
            match self.token.run_until_cancelled(connecting).await? {
                Ok(store) => return Some(store),
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(error, ?pause, "no bucket: requests for jobs wait");
                }
            }
            self.token
                .run_until_cancelled(tokio::time::sleep(pause))
                .await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One message after the other; waits after one that comes back.
    async fn repeat(&self, one: impl AsyncFn() -> JobExit) {
        let mut pause = FIRST_PAUSE;
        while !self.token.is_cancelled() {
            match one().await {
                // Acked, or set aside.
                JobExit::Done | JobExit::BadRequest | JobExit::Internal | JobExit::Integrity => {
                    pause = FIRST_PAUSE;
                }
                // Back in its queue.
                JobExit::BadConfiguration | JobExit::Unavailable => {
                    let wait = tokio::time::sleep(pause);
                    self.token.run_until_cancelled(wait).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn backup(&self, runner: &JobRunner) -> JobExit {
        let work = async |request: &BackupRequest, _: &Recorder| -> Result<Report, SnapshotError> {
            let rest = self.discover().await.ok_or(SnapshotError::Stopped)??;
            let deps = snapshot::Deps {
                rest,
                store: runner.store.clone(),
                metrics: self.snapshot_metrics.clone(),
                lease: runner.job.lease.0,
            };
            let config = &self.settings.snapshot;
            let outcome = snapshot::run(config, deps, request, &self.token).await?;
            Ok(outcome.report())
        };
        let broker = self.broker.as_ref();
        let message = runner.one_message(broker, Queue::Backup, &self.token, work);
        message.await
    }

    async fn restore(&self, runner: &JobRunner) -> JobExit {
        let work =
            async |request: &RestoreRequest, recorder: &Recorder| -> Result<Report, RestoreError> {
                let rest = self.discover().await.ok_or(RestoreError::Interrupted)??;
                let deps = restore::Deps {
                    rest,
                    store: runner.store.clone(),
                    bucket: self.settings.s3.bucket.clone(),
                    progress: Progress::default(),
                };
                let config = &self.settings.restore;
                restore::run(config, deps, request, recorder, &self.token).await
            };
        let broker = self.broker.as_ref();
        let message = runner.one_message(broker, Queue::Restore, &self.token, work);
        message.await
    }

    async fn discover(&self) -> Option<Result<QdrantRest, alioth_cluster::rest::RestError>> {
        let discovered = QdrantRest::discover(&self.settings.rest);
        self.token.run_until_cancelled(discovered).await
    }
}
