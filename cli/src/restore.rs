//! `alioth restore`: a run of restore, in this process.

use alioth_job_runner::{Progress, Recorder, Report};
use alioth_jobs::{Host, JobId, Request, RestoreFrom, RestoreRequest, RestoreWhat};
use alioth_snapshot_store::SnapshotId;
use anyhow::Result;
use jiff::Timestamp;
use restore::{Deps, RestoreError};
use serde_json::Value;

use crate::{
    exit::Exit,
    local_jobs::LocalJobs,
    output::{Column, OutputArgs, size, table},
    snapshots::Wanted,
    transfer::Counts,
};

/// The one word that is no collection's name.
const CLUSTER: &str = "cluster";

/// Restores collections.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").args(["from", "before", "url", "python_host"]))]
pub(crate) struct RestoreArgs {
    /// Exact names of collections, or the word `cluster` for all that is in the snapshot, aliases too
    #[arg(required_unless_present = "collection")]
    what: Vec<String>,
    /// A collection by its exact name, be it `cluster`; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "what")]
    collection: Vec<String>,
    /// A snapshot's id, or `latest`: the newest complete one with all that is asked for in it. The default
    #[arg(long, value_name = "ID")]
    from: Option<Wanted>,
    /// The newest complete snapshot that began before this, as in 2026-11-22T12:15:00Z
    #[arg(long, value_name = "TIME")]
    before: Option<Timestamp>,
    /// One collection's snapshot file: s3:// of the configured bucket, or what the node can fetch itself
    #[arg(long)]
    url: Option<String>,
    /// The newest file that the Python Alioth wrote for this host, or the newest snapshot if that is newer
    #[arg(long, value_name = "HOST")]
    python_host: Option<String>,
    /// The node that a file goes to, where there are several
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Restore one collection under this name
    #[arg(long = "as", value_name = "NAME")]
    rename_to: Option<String>,
    /// Replace collections that exist
    #[arg(long)]
    overwrite: bool,
    /// Go on with this job where it was, after a failure
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    #[command(flatten)]
    output: OutputArgs,
}

impl RestoreArgs {
    fn request(&self) -> RestoreRequest {
        RestoreRequest {
            job_id: self.job.clone().unwrap_or_else(JobId::new),
            what: self.what(),
            from: self.source(),
            rename_to: self.rename_to.clone(),
            overwrite: self.overwrite,
            host: self.host().map(Host::named),
        }
    }

    fn what(&self) -> RestoreWhat {
        match self.what.as_slice() {
            [word] if word == CLUSTER => RestoreWhat::Cluster,
            [] => RestoreWhat::Collections(self.collection.clone()),
            names => RestoreWhat::Collections(names.to_vec()),
        }
    }

    /// A file of the Python Alioth goes to the node it is of, unless told otherwise.
    fn host(&self) -> Option<&String> {
        self.host.as_ref().or(self.python_host.as_ref())
    }

    /// clap lets one of them through at most.
    fn source(&self) -> RestoreFrom {
        if let Some(time) = self.before {
            return RestoreFrom::Before(time);
        }
        if let Some(url) = &self.url {
            return RestoreFrom::Url(url.clone());
        }
        if let Some(host) = &self.python_host {
            return RestoreFrom::PythonLatest { host: host.clone() };
        }
        match &self.from {
            None | Some(Wanted::Latest) => RestoreFrom::Latest,
            Some(Wanted::Id(id)) => RestoreFrom::Id(SnapshotId::to_string(id)),
        }
    }
}

/// Runs the command: the exit codes of restore.
pub(crate) async fn command(args: RestoreArgs) -> Result<Exit> {
    let request = args.request();
    if let Err(error) = request.check() {
        crate::complain(&format!("alioth: {error}"));
        return Ok(Exit::BadData);
    }
    let jobs = LocalJobs::prepare().await?;
    let progress = Progress::default();
    let counts = || Counts {
        done: progress.done(),
        total: progress.total(),
    };
    let work =
        async |request: &RestoreRequest, recorder: &Recorder| -> Result<Report, RestoreError> {
            let rest = jobs.discover().await.ok_or(RestoreError::Interrupted)??;
            let deps = Deps {
                rest,
                store: jobs.store.clone(),
                bucket: jobs.settings.s3.bucket.clone(),
                progress: progress.clone(),
            };
            let config = &jobs.settings.restore;
            restore::run(config, deps, request, recorder, &jobs.token).await
        };
    let exit = jobs
        .perform(&request, args.output, counts, work, text)
        .await?;
    // What failed before anything was touched begins anew, which the same id does as well.
    if matches!(exit, Exit::Unavailable | Exit::Internal | Exit::Integrity) {
        let id = &request.job_id;
        crate::complain(&format!(
            "alioth: the same command with --job {id} goes on where this one was"
        ));
    }
    Ok(exit)
}

/// What a job's record says of its result, for people.
pub(crate) fn text(result: &Value) -> String {
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let Some(collections) = result["collections"].as_array() else {
        let (file, target) = (string(&result["file"]), string(&result["restored_as"]));
        return format!(
            "{file} restored as {target}: {} points",
            number(&result["points"])
        );
    };
    let rows = collections.iter().map(|restored| {
        let mut name = string(&restored["restored_as"]);
        let own = string(&restored["collection"]);
        if own != name {
            name.push_str(&format!(" (of {own})"));
        }
        vec![
            name,
            number(&restored["points"]).to_string(),
            number(&restored["shards"]).to_string(),
            size(number(&restored["bytes"])),
        ]
    });
    let columns = [
        Column::Left("COLLECTION"),
        Column::Right("POINTS"),
        Column::Right("SHARDS"),
        Column::Right("SIZE"),
    ];
    let rows = rows.collect::<Vec<_>>();
    let mut text = format!(
        "{}restored from {}\n",
        table(&columns, &rows),
        string(&result["snapshot"])
    );
    for restored in collections {
        if let Some(warning) = restored["warning"].as_str() {
            text.push_str(&format!("warning: {warning}\n"));
        }
    }
    match number(&result["aliases"]) {
        0 => {}
        aliases => text.push_str(&format!("aliases switched: {aliases}\n")),
    }
    text
}
