//! `alioth jobs …`: what became of snapshots and restores, from their records in the bucket.

use alioth_jobs::{JobId, JobKind, JobRecord};
use alioth_snapshot_store::SnapshotStore;
use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    exit::Exit,
    output::{Column, OutputArgs, fields, table, time},
    settings::Settings,
};

/// Looks at jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Show one job: its state, its request, what came of it
    Show(ShowArgs),
    /// List jobs, the last written first
    List(ListArgs),
}

/// Shows a job.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The id that the request was answered with
    id: JobId,
    #[command(flatten)]
    output: OutputArgs,
}

/// Lists jobs.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Jobs at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command: exit code 65 when there is no such job.
pub(crate) async fn command(command: JobsCommand) -> Result<Exit> {
    let settings = Settings::with_bucket()?;
    let store = SnapshotStore::connect(&settings.s3).await?;
    match command {
        JobsCommand::Show(args) => show(&store, &args).await,
        JobsCommand::List(args) => list(&store, &args).await,
    }
}

async fn show(store: &SnapshotStore, args: &ShowArgs) -> Result<Exit> {
    let Some(json) = store.get_job(args.id.as_str()).await? else {
        crate::complain(&format!(
            "alioth: there is no job {} in the bucket; one that waits in its queue has no record yet",
            args.id
        ));
        return Ok(Exit::BadData);
    };
    // As it is: a later version may have written more than is known here.
    let value: Value = serde_json::from_slice(&json).context("read the job's record")?;
    let record: JobRecord = serde_json::from_slice(&json).context("read the job's record")?;
    args.output.print(&value, || text(&record))?;
    Ok(Exit::Success)
}

async fn list(store: &SnapshotStore, args: &ListArgs) -> Result<Exit> {
    let mut records = Vec::new();
    for file in store.list_jobs().await?.into_iter().take(args.limit) {
        let json = store.get_job(&file.id).await?;
        let record = json.map(|json| serde_json::from_slice::<JobRecord>(&json));
        match record {
            Some(Ok(record)) => records.push(record),
            Some(Err(error)) => crate::complain(&format!("alioth: read job {}: {error}", file.id)),
            // Removed meanwhile.
            None => {}
        }
    }
    args.output.print(&json!({"jobs": records}), || {
        let columns = [
            Column::Left("JOB"),
            Column::Left("KIND"),
            Column::Left("STATE"),
            Column::Left("STARTED"),
            Column::Right("TOOK"),
            Column::Left("ERROR"),
        ];
        let rows = records.iter().map(|record| {
            vec![
                record.id.to_string(),
                record.kind.as_str().to_owned(),
                record.state.as_str().to_owned(),
                time(record.started),
                took(record),
                record.error.clone().unwrap_or_default(),
            ]
        });
        table(&columns, &rows.collect::<Vec<_>>())
    })?;
    Ok(Exit::Success)
}

fn text(record: &JobRecord) -> String {
    let optional = |at: Option<_>| at.map(time).unwrap_or_default();
    let mut text = fields(&[
        ("job", record.id.to_string()),
        ("kind", record.kind.as_str().to_owned()),
        ("state", record.state.as_str().to_owned()),
        ("started", time(record.started)),
        ("updated", optional(record.updated)),
        ("finished", optional(record.finished)),
        ("took", took(record)),
        ("request", record.request.to_string()),
        ("error", record.error.clone().unwrap_or_default()),
    ]);
    if record.finished.is_some() && record.error.is_none() {
        text.push('\n');
        text.push_str(&match record.kind {
            JobKind::Snapshot | JobKind::Storage => crate::snapshots::created(&record.result),
            JobKind::Restore => crate::restore::text(&record.result),
        });
    }
    text
}

fn took(record: &JobRecord) -> String {
    let finished = record.finished;
    let took = finished.map(|at| at.duration_since(record.started).as_secs_f64());
    took.map(|seconds| format!("{seconds:.1} s"))
        .unwrap_or_default()
}
