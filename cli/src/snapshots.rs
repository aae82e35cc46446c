//! `alioth snapshots …`: makes, lists, shows, verifies and prunes the snapshots in a bucket.

mod create;
mod list;
mod prune;
mod show;
mod verify;

use alioth_snapshot_store::{Manifest, SnapshotId, SnapshotStore, StoreError};
use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;

pub(crate) use create::text as created;

/// Works with the snapshots in a bucket.
#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotsCommand {
    /// Save collections, or the whole storage of nodes, into the bucket
    Create(create::CreateArgs),
    /// List the snapshots in the bucket, newest first
    List(list::ListArgs),
    /// Show what is in a snapshot
    Show(show::ShowArgs),
    /// Read every object of a snapshot and compare its SHA-256 with the manifest
    Verify(verify::VerifyArgs),
    /// Remove the snapshots that no rule of the retention policy keeps
    Prune(prune::PruneArgs),
}

/// Runs the command.
pub(crate) async fn command(command: SnapshotsCommand) -> Result<Exit> {
    match command {
        SnapshotsCommand::Create(args) => create::command(args).await,
        SnapshotsCommand::List(args) => list::command(args).await,
        SnapshotsCommand::Show(args) => show::command(args).await,
        SnapshotsCommand::Verify(args) => verify::command(args).await,
        SnapshotsCommand::Prune(args) => prune::command(args).await,
    }
}

/// Which snapshot is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The newest complete one.
    Latest,
    /// This one.
    Id(SnapshotId),
}

impl std::str::FromStr for Wanted {
    type Err = alioth_snapshot_store::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            id => id.parse().map(Self::Id),
        }
    }
}

impl Wanted {
    /// Reads the manifest.
    async fn manifest(self, store: &SnapshotStore) -> Result<Option<Manifest>, StoreError> {
        let id = match self {
            Self::Id(id) => id,
            Self::Latest => match store.latest(None).await? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        store.get_manifest(&id).await.map(Some)
    }
}

fn no_snapshot() -> Exit {
    crate::complain("alioth: there is no complete snapshot in the bucket");
    Exit::BadData
}
