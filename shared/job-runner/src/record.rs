//! `jobs/<id>.json`: where a job is, whose it is, and what a second run of it may build on.

use std::time::Duration;

use alioth_jobs::{JobExit, JobId, JobRecord, JobState, Request};
use alioth_snapshot_store::{SnapshotStore, StoreError};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{asked, take::is_for_good};

/// Renewals in a lease: two may fail.
const RENEWALS: u32 = 3;

/// Why a job's record could not be begun or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bucket did not take or give it.
    #[error("write down what becomes of job {id}")]
    Store {
        /// The job.
        id: JobId,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Another run has it now.
    #[error("go on with job {id}: another run has taken it over")]
    TakenOver {
        /// The job.
        id: JobId,
    },
    /// The process is to end, while another run has it.
    #[error("wait for another run of job {id}: shutting down")]
    Interrupted {
        /// The job.
        id: JobId,
    },
}

impl RecordError {
    /// Whether the same job may pass later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store { source, .. } => source.is_transient(),
            Self::TakenOver { .. } | Self::Interrupted { .. } => true,
        }
    }
}

/// A job's record, for as long as this run has the job.
pub struct Recorder {
    store: SnapshotStore,
    id: JobId,
    run: String,
    previous: Value,
    /// Held while it is written: an older state must not overtake a newer one.
    record: Mutex<JobRecord>,
}

/// What came of beginning.
pub(crate) enum Begun {
    /// This run has the job.
    Now(Box<Recorder>),
    /// It was done before.
    Already(Box<JobRecord>),
    /// It failed before, for good, and nobody was told: its message is not in the dead-letter queue yet.
    Failed(JobExit, String, Box<Recorder>),
}

/// Whether a job that has failed for good is done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Somebody asked for it.
    Always,
    /// Its message came again by itself: held longer than the broker waits, it could not be acked.
    IfItMayPass,
}

impl Recorder {
    /// Writes that the job runs, here. Waits while it runs elsewhere.
    ///
    /// # Errors
    /// `Store` and `Interrupted`.
    pub(crate) async fn begin<R: Request>(
        store: &SnapshotStore,
        request: &R,
        retry: Retry,
        lease: Duration,
        token: &CancellationToken,
    ) -> Result<Begun, RecordError> {
        let id = request.job_id().clone();
        let mut told = false;
        let previous = loop {
            let found = read(store, &id).await?;
            match found {
                Some(record) if record.state == JobState::Done => {
                    return Ok(Begun::Already(Box::new(record)));
                }
                Some(record) if is_alive(&record, lease, Timestamp::now()) => {}
                Some(record) => match failed_for_good(&record) {
                    Some(exit) if retry == Retry::IfItMayPass => {
                        let is_told = record.dead_lettered.is_some();
                        // Its run may be about to tell.
                        if is_told || !is_recent(&record, lease, Timestamp::now()) {
                            return Ok(Self::failed_before(store, record, exit));
                        }
                    }
                    Some(_) | None => break record.result,
                },
                None => break Value::Null,
            }
            if !told {
                tracing::warn!("another run has this job; waiting for its end or silence");
                told = true;
            }
            tokio::select! {
                () = tokio::time::sleep(lease / (2 * RENEWALS)) => {}
                () = token.cancelled() => return Err(RecordError::Interrupted { id }),
            }
        };
        let recorder = Self::new(store, request, previous);
        recorder.put(&mut *recorder.record.lock().await).await?;
        Ok(Begun::Now(Box::new(recorder)))
    }

    fn failed_before(store: &SnapshotStore, record: JobRecord, exit: JobExit) -> Begun {
        if record.dead_lettered.is_some() {
            return Begun::Already(Box::new(record));
        }
        let error = record.error.clone().unwrap_or_default();
        let recorder = Self {
            store: store.clone(),
            id: record.id.clone(),
            run: record.run.clone().unwrap_or_default(),
            previous: Value::Null,
            record: Mutex::new(record),
        };
        Begun::Failed(exit, error, Box::new(recorder))
    }

    fn new<R: Request>(store: &SnapshotStore, request: &R, previous: Value) -> Self {
        let asked = asked::told(request);
        let id = request.job_id().clone();
        let run = Uuid::new_v4().to_string();
        let mut record = JobRecord::running(id.clone(), request.kind(), asked, Timestamp::now());
        record.run = Some(run.clone());
        record.result = previous.clone();
        Self {
            store: store.clone(),
            id,
            run,
            previous,
            record: Mutex::new(record),
        }
    }

    /// The job.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// What an earlier run of the same job noted, null if there was none.
    pub fn previous(&self) -> &Value {
        &self.previous
    }

    /// Writes down what a later run may need to know, before it is done.
    ///
    /// # Errors
    /// `Store`, `TakenOver`.
    pub async fn note(&self, result: Value) -> Result<(), RecordError> {
        self.write(|record| record.result = result).await
    }

    /// Says again and again that this run lives. Returns once told to stop, or when another run has the job.
    ///
    /// # Cancel safety
    /// Not cancel safe: an older state may overtake what is written next. Tell it to stop and wait for it.
    ///
    /// # Errors
    /// `TakenOver`.
    pub(crate) async fn renew(
        &self,
        lease: Duration,
        stop: CancellationToken,
    ) -> Result<(), RecordError> {
        let pause = lease / RENEWALS;
        while stop
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_some()
        {
            match self.write(|_| {}).await {
                Ok(()) => {}
                Err(error @ RecordError::TakenOver { .. }) => return Err(error),
                Err(error) => tracing::warn!(error = crate::chain(&error), "record not renewed"),
            }
        }
        Ok(())
    }

    /// Writes how the job ended. `result` replaces what was noted, unless there is none.
    ///
    /// # Errors
    /// `Store`, `TakenOver`.
    pub(crate) async fn end(
        &self,
        outcome: Result<Value, (JobExit, String)>,
    ) -> Result<(), RecordError> {
        self.write(|record| {
            record.finished = Some(Timestamp::now());
            match outcome {
                Ok(result) => {
                    record.state = JobState::Done;
                    record.result = result;
                }
                Err((exit, error)) => {
                    record.state = JobState::Failed;
                    record.error = Some(error);
                    record.exit_code = Some(exit.code());
                }
            }
        })
        .await
    }

    /// Writes that the job's message is in the dead-letter queue.
    ///
    /// # Errors
    /// `Store`, `TakenOver`.
    pub(crate) async fn dead_lettered(&self) -> Result<(), RecordError> {
        self.write(|record| record.dead_lettered = Some(Timestamp::now()))
            .await
    }

    /// Writes the record, unless it is another run's by now.
    async fn write(&self, change: impl FnOnce(&mut JobRecord)) -> Result<(), RecordError> {
        let mut record = self.record.lock().await;
        match read(&self.store, &self.id).await? {
            Some(found) if found.run.as_ref() != Some(&self.run) => {
                return Err(RecordError::TakenOver {
                    id: self.id.clone(),
                });
            }
            Some(_) | None => {}
        }
        change(&mut record);
        self.put(&mut record).await
    }

    async fn put(&self, record: &mut JobRecord) -> Result<(), RecordError> {
        record.updated = Some(Timestamp::now());
        // As of the request: it always serialises.
        let json = serde_json::to_vec_pretty(record).unwrap_or_default();
        let written = self.store.put_job(self.id.as_str(), json).await;
        written.map_err(|source| RecordError::Store {
            id: self.id.clone(),
            source,
        })
    }
}

/// The record as it stands. One that cannot be read is as good as none.
async fn read(store: &SnapshotStore, id: &JobId) -> Result<Option<JobRecord>, RecordError> {
    let found = store.get_job(id.as_str()).await;
    let found = found.map_err(|source| RecordError::Store {
        id: id.clone(),
        source,
    })?;
    Ok(found.and_then(|json| match serde_json::from_slice(&json) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::warn!(%error, "the job's record cannot be read and is written anew");
            None
        }
    }))
}

/// What it ended with, if no other try can help.
fn failed_for_good(record: &JobRecord) -> Option<JobExit> {
    let failed = (record.state == JobState::Failed).then_some(record.exit_code);
    let exit = JobExit::of_code(failed??)?;
    is_for_good(exit).then_some(exit)
}

/// Whether a run of that job said within its lease that it lives.
pub fn is_alive(record: &JobRecord, lease: Duration, now: Timestamp) -> bool {
    record.state == JobState::Running && is_recent(record, lease, now)
}

fn is_recent(record: &JobRecord, lease: Duration, now: Timestamp) -> bool {
    let Some(updated) = record.updated else {
        return false;
    };
    // Clocks of two machines differ: a time to come is as good as now.
    now.duration_since(updated).unsigned_abs() < lease
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_jobs::JobKind;

    #[test]
    fn a_run_is_alive_until_its_lease_is_over() {
        let began: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut record = JobRecord::running(JobId::new(), JobKind::Restore, Value::Null, began);
        let lease = Duration::from_secs(90);
        let after = |seconds: i64| began + jiff::SignedDuration::from_secs(seconds);
        assert!(is_alive(&record, lease, after(89)));
        assert!(!is_alive(&record, lease, after(90)));
        record.state = JobState::Failed;
        assert!(!is_alive(&record, lease, after(1)));
        record.state = JobState::Running;
        record.updated = None;
        assert!(!is_alive(&record, lease, after(1)), "written by hand");
    }

    #[test]
    fn only_a_failure_that_no_other_try_helps_is_for_good() {
        let began: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut record = JobRecord::running(JobId::new(), JobKind::Restore, Value::Null, began);
        assert_eq!(failed_for_good(&record), None, "it runs");
        record.state = JobState::Failed;
        assert_eq!(failed_for_good(&record), None, "of an earlier version");
        for exit in JobExit::ALL {
            record.exit_code = Some(exit.code());
            let for_good = matches!(exit.code(), 65 | 70 | 74).then_some(exit);
            assert_eq!(failed_for_good(&record), for_good, "{exit:?}");
        }
    }
}
