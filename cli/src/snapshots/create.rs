//! `alioth snapshots create`: a run of snapshot, in this process.

use alioth_job_runner::{Recorder, Report};
use alioth_jobs::{BackupRequest, Host, JobId, Request};
use anyhow::Result;
use serde_json::Value;
use snapshot::{Deps, Metrics, SnapshotError};

use crate::{
    exit::Exit,
    local_jobs::LocalJobs,
    output::{Column, OutputArgs, size, table},
    transfer::Counts,
};

/// Creates a snapshot.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Names or globs (`*`, `?`) of collections; none: those of ALIOTH_SNAPSHOT_COLLECTIONS, or all
    #[arg(conflicts_with = "storage")]
    collections: Vec<String>,
    /// Every node's full snapshot instead
    #[arg(long)]
    storage: bool,
    /// With --storage, a node to save; may be repeated. None: all
    #[arg(long, requires = "storage")]
    host: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

impl CreateArgs {
    fn request(&self, config: &snapshot::Config) -> BackupRequest {
        let job_id = JobId::new();
        if self.storage {
            let hosts = self.host.iter().map(Host::named).collect();
            return BackupRequest::Storage { job_id, hosts };
        }
        if self.collections.is_empty() {
            return config.scheduled(job_id);
        }
        let collections = self.collections.clone();
        BackupRequest::Collections {
            job_id,
            collections,
        }
    }
}

/// Runs the command: the exit codes of snapshot.
pub(crate) async fn command(args: CreateArgs) -> Result<Exit> {
    let jobs = LocalJobs::prepare().await?;
    let request = args.request(&jobs.settings.snapshot);
    if let Err(error) = request.check() {
        crate::complain(&format!("alioth: {error}"));
        return Ok(Exit::BadData);
    }
    let metrics = Metrics::register(&jobs.registry)?;
    // Qdrant tells no length before it streams: the last snapshot's is the best guess.
    let total = snapshot::estimate(&jobs.store, &request).await;
    let counts = || Counts {
        done: metrics.bytes(),
        total,
    };
    let work = async |request: &BackupRequest, _: &Recorder| -> Result<Report, SnapshotError> {
        let rest = jobs.discover().await.ok_or(SnapshotError::Stopped)??;
        let deps = Deps {
            rest,
            store: jobs.store.clone(),
            metrics: metrics.clone(),
            lease: jobs.settings.job.lease.0,
        };
        let config = &jobs.settings.snapshot;
        let outcome = snapshot::run(config, deps, request, &jobs.token).await?;
        Ok(outcome.report())
    };
    jobs.perform(&request, args.output, counts, work, text)
        .await
}

/// What a job's record says of its result, for people.
pub(crate) fn text(result: &Value) -> String {
    match result["outcome"].as_str() {
        Some("collections") => collections(result),
        Some("storage") => storage(result),
        _ => "there is no collection to save, and no snapshot of none".to_owned(),
    }
}

fn collections(result: &Value) -> String {
    let rows = rows(&result["collections"], |saved| {
        let points = saved["points_after"].as_u64().unwrap_or_default();
        vec![string(&saved["name"]), points.to_string(), bytes(saved)]
    });
    let columns = [
        Column::Left("COLLECTION"),
        Column::Right("POINTS"),
        Column::Right("SIZE"),
    ];
    let snapshot = string(&result["snapshot"]);
    let mut text = format!(
        "{}snapshot {snapshot}, {}\n",
        table(&columns, &rows),
        bytes(result)
    );
    let removed = result["retention"]["removed"]
        .as_array()
        .map_or(0, Vec::len);
    if removed > 0 {
        text.push_str(&format!("retention removed {removed} older\n"));
    }
    if let Some(error) = result["retention"]["error"].as_str() {
        text.push_str(&format!("retention was not applied: {error}\n"));
    }
    text
}

fn storage(result: &Value) -> String {
    let rows = rows(&result["nodes"], |saved| {
        vec![string(&saved["host"]), string(&saved["name"]), bytes(saved)]
    });
    let columns = [
        Column::Left("HOST"),
        Column::Left("NAME"),
        Column::Right("SIZE"),
    ];
    table(&columns, &rows)
}

fn rows(list: &Value, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(row).collect()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn bytes(value: &Value) -> String {
    size(value["bytes"].as_u64().unwrap_or_default())
}
