//! A job from its request to its exit code.

use std::{
    error::Error,
    fmt::Write,
    pin::pin,
    time::{Duration, Instant},
};

use alioth_broker::{Broker, Queue};
use alioth_jobs::{JobExit, Request};
use alioth_snapshot_store::SnapshotStore;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    config::{JobConfig, PushConfig},
    metrics::JobMetrics,
    push,
    record::{Begun, RecordError, Recorder, Retry},
    take::{Taken, take},
};

/// Why a job's work failed, and what that means for the process.
pub trait JobFault: Error + Send + Sync + 'static {
    /// The exit code.
    fn exit(&self) -> JobExit;
}

/// What a job did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Bytes of snapshots moved.
    pub bytes: u64,
    /// Shards, or nodes' snapshots.
    pub shards: u64,
    /// What failed and was done again.
    pub retries: u64,
    /// For the job's record.
    pub result: Value,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The exit code.
    pub exit: JobExit,
    /// Why it failed, with every cause.
    pub error: Option<String>,
    /// What it did, when it succeeded here and now.
    pub report: Option<Report>,
}

/// What every job of a process has in common.
#[derive(Debug, Clone)]
pub struct JobRunner {
    /// Where records go.
    pub store: SnapshotStore,
    /// How long to wait, and to be believed in.
    pub job: JobConfig,
    /// Where metrics go.
    pub push: PushConfig,
    /// Which metrics.
    pub metrics: JobMetrics,
}

impl JobRunner {
    /// Takes one message, does the work, and settles the message as the work ended.
    ///
    /// The work has to end soon after `token` is cancelled, with an error whose exit is
    /// [`JobExit::Unavailable`]: its message is then requeued.
    pub async fn one_message<R, E>(
        &self,
        broker: &dyn Broker,
        queue: Queue,
        token: &CancellationToken,
        work: impl AsyncFnOnce(&R, &Recorder) -> Result<Report, E>,
    ) -> JobExit
    where
        R: Request + Sync,
        E: JobFault,
    {
        let taken = take::<R>(broker, queue, self.job.wait.0, token).await;
        let held = match taken {
            Ok(Taken::Request(held)) => held,
            Ok(Taken::Nothing) => {
                tracing::info!(queue = queue.name(), "no message, nothing to do");
                return JobExit::Done;
            }
            Ok(Taken::Refused) => return JobExit::BadRequest,
            Err(error) => {
                tracing::error!(error = chain(&error), "no message taken");
                return JobExit::Unavailable;
            }
        };
        let span = span(&held.request);
        let performed = self.perform(&held.request, held.retry(), token, work);
        let (ended, recorder) = performed.instrument(span).await;
        let reason = ended.error.unwrap_or_default();
        let settled = held.settle(broker, ended.exit, &reason, recorder.as_deref());
        match settled.await {
            Ok(()) => ended.exit,
            Err(error) => {
                tracing::error!(error = chain(&error), "message not settled");
                match ended.exit {
                    // It comes again, and finds its job done.
                    JobExit::Done => JobExit::Unavailable,
                    exit => exit,
                }
            }
        }
    }

    /// Does the work of a request that came from anywhere.
    pub async fn once<R, E>(
        &self,
        request: &R,
        token: &CancellationToken,
        work: impl AsyncFnOnce(&R, &Recorder) -> Result<Report, E>,
    ) -> Ended
    where
        R: Request + Sync,
        E: JobFault,
    {
        let performed = self.perform(request, Retry::Always, token, work);
        let (ended, _) = performed.instrument(span(request)).await;
        ended
    }

    /// The end, and the record of it if there is one.
    async fn perform<R, E>(
        &self,
        request: &R,
        retry: Retry,
        token: &CancellationToken,
        work: impl AsyncFnOnce(&R, &Recorder) -> Result<Report, E>,
    ) -> (Ended, Option<Box<Recorder>>)
    where
        R: Request + Sync,
        E: JobFault,
    {
        let lease = self.job.lease.0;
        let begun = Recorder::begin(&self.store, request, retry, lease, token).await;
        let recorder = match begun {
            Ok(Begun::Now(recorder)) => recorder,
            Ok(Begun::Already(record)) => {
                let state = record.state.as_str();
                tracing::info!(finished = ?record.finished, state, "job has ended before");
                return (Ended::done(None), None);
            }
            Ok(Begun::Failed(exit, error, recorder)) => {
                return (Ended::failed(exit, error), Some(recorder));
            }
            Err(error) => return (Ended::failed(of_record(&error), chain(&error)), None),
        };
        let ended = self.work(request, &recorder, work).await;
        (ended, Some(recorder))
    }

    async fn work<R, E>(
        &self,
        request: &R,
        recorder: &Recorder,
        work: impl AsyncFnOnce(&R, &Recorder) -> Result<Report, E>,
    ) -> Ended
    where
        R: Request + Sync,
        E: JobFault,
    {
        let lease = self.job.lease.0;
        tracing::info!("job begins");
        let started = Instant::now();
        let outcome = match under_lease(recorder, lease, Box::pin(work(request, recorder))).await {
            Ok(outcome) => outcome.map_err(|error| (error.exit(), chain(&error))),
            // Not written down: the record is another's now.
            Err(error) => return Ended::failed(of_record(&error), chain(&error)),
        };
        let (took, id) = (started.elapsed(), request.job_id());
        let (ended, written) = match outcome {
            Ok(report) => {
                self.metrics.done(request.kind(), id, took, &report);
                let written = recorder.end(Ok(report.result.clone())).await;
                tracing::info!(
                    bytes = report.bytes,
                    shards = report.shards,
                    ?took,
                    "job done"
                );
                (Ended::done(Some(report)), written)
            }
            Err((exit, error)) => {
                self.metrics.failed(request.kind(), id, took);
                let written = recorder.end(Err((exit, error.clone()))).await;
                (Ended::failed(exit, error), written)
            }
        };
        push::push(&self.push, &self.metrics, request.kind()).await;
        match (written, ended.exit) {
            // Done, and nobody can know: the next run has to find out.
            (Err(error), JobExit::Done) | (Err(error @ RecordError::TakenOver { .. }), _) => {
                Ended::failed(of_record(&error), chain(&error))
            }
            (Err(error), _) => {
                tracing::error!(error = chain(&error), "the failure is not in the record");
                ended
            }
            (Ok(()), _) => ended,
        }
    }
}

fn span<R: Request>(request: &R) -> tracing::Span {
    let kind = request.kind().as_str();
    tracing::info_span!("job", job_id = %request.job_id(), kind)
}

/// Does the work while the record is renewed.
///
/// # Errors
/// When another run has taken the job over; the work is dropped then.
async fn under_lease<T>(
    recorder: &Recorder,
    lease: Duration,
    work: impl Future<Output = T>,
) -> Result<T, RecordError> {
    let stop = CancellationToken::new();
    let mut renewing = pin!(recorder.renew(lease, stop.clone()));
    let mut work = pin!(work);
    tokio::select! {
        outcome = &mut work => {
            stop.cancel();
            renewing.await?;
            Ok(outcome)
        }
        renewed = &mut renewing => {
            renewed?;
            Ok(work.await)
        }
    }
}

impl Ended {
    fn done(report: Option<Report>) -> Self {
        Self {
            exit: JobExit::Done,
            error: None,
            report,
        }
    }

    fn failed(exit: JobExit, error: String) -> Self {
        tracing::error!(exit = exit.code(), error, "job failed");
        Self {
            exit,
            error: Some(error),
            report: None,
        }
    }
}

fn of_record(error: &RecordError) -> JobExit {
    match error.is_transient() {
        true => JobExit::Unavailable,
        // Credentials, or the bucket's name.
        false => JobExit::BadConfiguration,
    }
}

/// An error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
