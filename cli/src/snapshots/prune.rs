//! `alioth snapshots prune`: the retention policy, now. What a run of snapshot does at its end, by the same code.

use alioth_snapshot_store::SnapshotStore;
use anyhow::Result;
use snapshot::{Pruned, RetentionConfig};

use crate::{
    exit::Exit,
    output::{Column, OutputArgs, table, time},
    settings::Settings,
};

/// Prunes snapshots; the policy is `ALIOTH_RETENTION_*`, and a flag goes before its variable.
#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    /// Only list what would go
    #[arg(long)]
    dry_run: bool,
    /// Keep the newest so many
    #[arg(long, value_name = "COUNT")]
    keep_last: Option<u32>,
    /// Keep the newest of each of so many hours that have one
    #[arg(long, value_name = "COUNT")]
    keep_hourly: Option<u32>,
    /// The same for days
    #[arg(long, value_name = "COUNT")]
    keep_daily: Option<u32>,
    /// The same for ISO weeks
    #[arg(long, value_name = "COUNT")]
    keep_weekly: Option<u32>,
    /// The same for months
    #[arg(long, value_name = "COUNT")]
    keep_monthly: Option<u32>,
    #[command(flatten)]
    output: OutputArgs,
}

impl PruneArgs {
    fn policy(&self, configured: RetentionConfig) -> RetentionConfig {
        RetentionConfig {
            keep_last: self.keep_last.unwrap_or(configured.keep_last),
            keep_hourly: self.keep_hourly.unwrap_or(configured.keep_hourly),
            keep_daily: self.keep_daily.unwrap_or(configured.keep_daily),
            keep_weekly: self.keep_weekly.unwrap_or(configured.keep_weekly),
            keep_monthly: self.keep_monthly.unwrap_or(configured.keep_monthly),
            dry_run: self.dry_run || configured.dry_run,
        }
    }
}

/// Runs the command: exit code 69 when not all could be removed.
pub(crate) async fn command(args: PruneArgs) -> Result<Exit> {
    let settings = Settings::with_bucket()?;
    let store = SnapshotStore::connect(&settings.s3).await?;
    let policy = args.policy(settings.snapshot.retention);
    let pruned = snapshot::prune(&store, policy, settings.job.lease.0).await;
    args.output.print(&pruned, || text(&pruned))?;
    let Some(error) = pruned.error else {
        return Ok(Exit::Success);
    };
    crate::complain(&format!("alioth: not all was pruned: {error}"));
    Ok(Exit::Unavailable)
}

fn text(pruned: &Pruned) -> String {
    let rows = pruned.removed.iter().map(|removed| {
        vec![
            removed.snapshot.to_string(),
            time(removed.snapshot.time()),
            removed.reason.to_owned(),
        ]
    });
    let mut text = String::new();
    if !pruned.removed.is_empty() {
        let columns = [
            Column::Left("SNAPSHOT"),
            Column::Left("BEGAN"),
            Column::Left("REASON"),
        ];
        text = table(&columns, &rows.collect::<Vec<_>>());
    }
    let (done, removed) = match pruned.dry_run {
        true => ("would be removed", "would be kept"),
        false => ("removed", "kept"),
    };
    text.push_str(&format!(
        "{} {done}, {} {removed}",
        pruned.removed.len(),
        pruned.kept
    ));
    match pruned.aborted_uploads {
        0 => {}
        uploads => text.push_str(&format!(", {uploads} unfinished uploads aborted")),
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: PruneArgs,
    }

    #[test]
    fn a_flag_goes_before_its_variable() {
        let configured = RetentionConfig {
            keep_last: 3,
            keep_daily: 7,
            ..RetentionConfig::default()
        };
        let command = Command::parse_from(["prune", "--keep-last", "0", "--dry-run"]);
        let expected = RetentionConfig {
            keep_last: 0,
            dry_run: true,
            ..configured
        };
        assert_eq!(command.args.policy(configured), expected);
    }
}
