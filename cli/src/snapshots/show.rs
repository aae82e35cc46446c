//! `alioth snapshots show`: a manifest, for people or as it is.

use alioth_snapshot_store::{Manifest, SnapshotStore, manifest::Collection};
use anyhow::Result;

use super::{Wanted, no_snapshot};
use crate::{
    exit::Exit,
    output::{Column, OutputArgs, fields, size, table, time},
    settings::Settings,
};

/// Shows a snapshot.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// A snapshot's id, or `latest`
    snapshot: Wanted,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(crate) async fn command(args: ShowArgs) -> Result<Exit> {
    let settings = Settings::with_bucket()?;
    let store = SnapshotStore::connect(&settings.s3).await?;
    let Some(manifest) = args.snapshot.manifest(&store).await? else {
        return Ok(no_snapshot());
    };
    args.output.print(&manifest, || text(&manifest))?;
    Ok(Exit::Success)
}

fn text(manifest: &Manifest) -> String {
    let peers = manifest.peers.iter().map(|peer| peer.host.as_str());
    let mut text = fields(&[
        ("snapshot", manifest.id.to_string()),
        ("cluster", manifest.cluster.clone()),
        ("job", manifest.job_id.clone()),
        ("began", time(manifest.started)),
        ("ended", time(manifest.finished)),
        ("qdrant", manifest.qdrant_version.clone()),
        ("peers", peers.collect::<Vec<_>>().join(", ")),
        ("size", size(manifest.bytes())),
        ("of", scope(manifest).to_owned()),
    ]);
    let rows = manifest.collections.iter().map(|saved| {
        vec![
            saved.name.clone(),
            points(saved),
            saved.shards.len().to_string(),
            size(saved.shards.iter().map(|shard| shard.bytes).sum()),
            saved.aliases.join(", "),
        ]
    });
    let columns = [
        Column::Left("COLLECTION"),
        Column::Right("POINTS"),
        Column::Right("SHARDS"),
        Column::Right("SIZE"),
        Column::Left("ALIASES"),
    ];
    text.push('\n');
    text.push_str(&table(&columns, &rows.collect::<Vec<_>>()));
    text
}

/// What was asked for when it was made.
fn scope(manifest: &Manifest) -> &'static str {
    match manifest.whole {
        Some(true) => "all collections",
        Some(false) => "some collections, by name",
        None => "unknown: all collections, or some",
    }
}

/// Somebody may have written while it was saved.
fn points(saved: &Collection) -> String {
    match saved.points_before == saved.points_after {
        true => saved.points_after.to_string(),
        false => format!("{}–{}", saved.points_before, saved.points_after),
    }
}
