//! `jobs/<id>.json`: what became of a job. What is in it is the jobs' affair.

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    bucket::Content,
    error::StoreError,
    keys::{JOBS_PREFIX, ObjectKey, job_id},
    store::SnapshotStore,
};

/// Longer than any job has to say.
const LONGEST_JOB_BYTES: u64 = 1024 * 1024;

/// A job's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// The job's id.
    pub id: String,
    /// When it was written last.
    pub last_modified: Timestamp,
}

impl SnapshotStore {
    /// Writes a job's file, over the one before.
    ///
    /// # Errors
    /// `Put`.
    pub async fn put_job(&self, id: &str, json: impl Into<Bytes>) -> Result<(), StoreError> {
        let key = self.full(&ObjectKey::job(id));
        self.bucket.put(&key, json.into(), Content::Json).await
    }

    /// Reads a job's file; `None` when there is none.
    ///
    /// # Errors
    /// `Get`.
    pub async fn get_job(&self, id: &str) -> Result<Option<Bytes>, StoreError> {
        let key = self.full(&ObjectKey::job(id));
        self.bucket.get_small(&key, LONGEST_JOB_BYTES).await
    }

    /// Every job, the last written first; of those written within one second, which is all that S3 tells, the one
    /// whose id is the greatest: ids of jobs sort by the time they were made.
    ///
    /// # Errors
    /// `List`.
    pub async fn list_jobs(&self) -> Result<Vec<JobFile>, StoreError> {
        let prefix = format!("{}{JOBS_PREFIX}", self.prefix);
        let mut jobs = Vec::new();
        let list = self.bucket.list(&prefix, |entry| {
            if let Some(id) = entry.key.strip_prefix(&prefix).and_then(job_id) {
                let last_modified = entry.last_modified;
                jobs.push(JobFile { id, last_modified });
            }
        });
        list.await?;
        jobs.sort_by(|a, b| (b.last_modified, &b.id).cmp(&(a.last_modified, &a.id)));
        Ok(jobs)
    }
}
