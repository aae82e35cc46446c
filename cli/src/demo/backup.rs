//! The demo's snapshot and restore, as any client asks for them: a request over HTTP, and then a look at the job's record
//! in the bucket until it has ended.

use std::time::{Duration, Instant};

use alioth_jobs::{JobRecord, JobState};
use alioth_snapshot_store::{Credentials, S3Config, SnapshotStore};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{output::size, standalone::Addresses};

/// Between two looks at a job.
const POLL: Duration = Duration::from_millis(50);

/// Somebody who knows where Alioth and its bucket are.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    store: SnapshotStore,
    deadline: Duration,
}

impl Client {
    pub(super) async fn connect(
        addresses: &Addresses,
        (config, credentials): (S3Config, Credentials),
        deadline: Duration,
    ) -> Result<Self> {
        Ok(Self {
            http: crate::load::http_client(deadline)?,
            url: addresses.http.clone(),
            store: SnapshotStore::connect_as(&config, credentials).await?,
            deadline,
        })
    }

    /// Snapshots a collection, and says what came of it.
    pub(super) async fn snapshot(&self, collection: &str) -> Result<String> {
        let body = json!({"collections": [collection]});
        let (result, took) = self.job("/alioth/backup/collection", &body).await?;
        let id = result["snapshot"].as_str();
        let id = id.context("the job's record names no snapshot")?;
        Ok(format!("{id}: {}", moved(&result, took)))
    }

    /// Restores it from there, where it must not exist, and says what came of it.
    pub(super) async fn restore(&self, collection: &str) -> Result<String> {
        let body = json!({"collection_name": collection, "from": "latest", "overwrite": false});
        let (result, took) = self.job("/alioth/restore/collection", &body).await?;
        Ok(moved(&result["collections"][0], took))
    }

    /// Asks for a job and waits until it is done; its result, and how long it took to be there.
    async fn job(&self, path: &str, body: &Value) -> Result<(Value, Duration)> {
        let started = Instant::now();
        let request = self.http.post(format!("{}{path}", self.url));
        let response = request
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .with_context(|| format!("send {path}"))?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status == 202, "{path} answered {status}: {text}");
        let answer: Value = serde_json::from_str(&text)?;
        let id = answer["job_id"]
            .as_str()
            .context("no job_id in the answer")?;
        loop {
            if let Some(json) = self.store.get_job(id).await? {
                let record: JobRecord = serde_json::from_slice(&json)?;
                match record.state {
                    JobState::Done => return Ok((record.result, started.elapsed())),
                    JobState::Failed => {
                        bail!("job {id} failed: {}", record.error.unwrap_or_default())
                    }
                    JobState::Running => {}
                }
            }
            ensure!(
                started.elapsed() < self.deadline,
                "job {id} was not done within {:?}",
                self.deadline
            );
            tokio::time::sleep(POLL).await;
        }
    }
}

fn moved(result: &Value, took: Duration) -> String {
    let bytes = size(result["bytes"].as_u64().unwrap_or_default());
    format!("{bytes} in {:.1} s", took.as_secs_f64())
}
