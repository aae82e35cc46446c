//! Jobs of the functions, done in this process: the functions' own `run`, their records in the bucket, their exit codes.

use alioth_cluster::rest::QdrantRest;
use alioth_job_runner::{Ended, JobFault, JobMetrics, JobRunner, Recorder, Report};
use alioth_jobs::{JobId, JobState, Request};
use alioth_lifecycle::Shutdown;
use alioth_snapshot_store::SnapshotStore;
use anyhow::Result;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    exit::Exit,
    output::OutputArgs,
    settings::Settings,
    transfer::{Counts, watch},
};

/// What jobs are done with.
pub(crate) struct LocalJobs {
    pub(crate) settings: Settings,
    pub(crate) store: SnapshotStore,
    pub(crate) token: CancellationToken,
    pub(crate) registry: alioth_telemetry::prometheus::Registry,
    runner: JobRunner,
}

impl LocalJobs {
    /// Reads the environment, connects the bucket, and listens to SIGINT and SIGTERM.
    pub(crate) async fn prepare() -> Result<Self> {
        let settings = Settings::with_bucket()?;
        if settings.log_is_configured {
            alioth_telemetry::init_on_stderr(&settings.log)?;
        }
        let token = Shutdown::on_signals()?.token();
        let registry = alioth_telemetry::registry("alioth", env!("CARGO_PKG_VERSION"))?;
        let store = SnapshotStore::connect(&settings.s3).await?;
        let runner = JobRunner {
            store: store.clone(),
            job: settings.job.clone(),
            push: settings.push.clone(),
            metrics: JobMetrics::register(&registry)?,
        };
        Ok(Self {
            settings,
            store,
            token,
            registry,
            runner,
        })
    }

    /// Finds the cluster's nodes; `None` once the process is to end.
    pub(crate) async fn discover(
        &self,
    ) -> Option<Result<QdrantRest, alioth_cluster::rest::RestError>> {
        let discovered = QdrantRest::discover(&self.settings.rest);
        self.token.run_until_cancelled(discovered).await
    }

    /// Does the work and shows how far it is, and how it ended; `done` makes a table of its result.
    pub(crate) async fn perform<R, E>(
        &self,
        request: &R,
        output: OutputArgs,
        counts: impl Fn() -> Counts,
        work: impl AsyncFnOnce(&R, &Recorder) -> Result<Report, E>,
        done: impl FnOnce(&Value) -> String,
    ) -> Result<Exit>
    where
        R: Request + Sync,
        E: JobFault,
    {
        let job = Box::pin(self.runner.once(request, &self.token, work));
        let ended = tokio::select! {
            ended = watch(counts, job) => Some(ended),
            () = self.drain_missed() => None,
        };
        self.store.close().await;
        let Some(ended) = ended else {
            crate::complain("alioth: the job did not end in time; its record says `running`");
            return Ok(Exit::Unavailable);
        };
        tell(request.job_id(), &ended, output, done)?;
        Ok(ended.exit.into())
    }

    /// The process must end although its job has not.
    async fn drain_missed(&self) {
        self.token.cancelled().await;
        tokio::time::sleep(self.settings.consume.drain.timeout.0).await;
    }
}

fn tell(
    id: &JobId,
    ended: &Ended,
    output: OutputArgs,
    done: impl FnOnce(&Value) -> String,
) -> Result<()> {
    let result = ended.report.as_ref().map(|report| &report.result);
    if let Some(error) = &ended.error {
        crate::complain(&format!("alioth: job {id} failed: {error}"));
        if !output.json {
            return Ok(());
        }
    }
    let state = match ended.error {
        Some(_) => JobState::Failed,
        None => JobState::Done,
    };
    let answer = json!({
        "job_id": id,
        "state": state,
        "exit_code": ended.exit.code(),
        "error": ended.error,
        "result": result,
    });
    output.print(&answer, || match result {
        Some(result) => format!("{}\njob {id}", done(result).trim_end()),
        None => format!("job {id} was done before"),
    })
}
