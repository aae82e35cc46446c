//! `alioth snapshots list`. Reads no manifest: what a snapshot is comes from its keys.

use alioth_snapshot_store::{Listed, SnapshotStore, StorageFile};
use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    exit::Exit,
    output::{Column, OutputArgs, size, table, time},
    settings::Settings,
};

/// Lists snapshots.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Nodes' full snapshots instead of those of collections
    #[arg(long)]
    storage: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(crate) async fn command(args: ListArgs) -> Result<Exit> {
    let settings = Settings::with_bucket()?;
    let store = SnapshotStore::connect(&settings.s3).await?;
    if args.storage {
        let files = store.list_storage().await?;
        let answer = json!({"storage": files.iter().map(file_json).collect::<Vec<_>>()});
        args.output.print(&answer, || table_of_files(&files))?;
    } else {
        let listed = store.list().await?;
        let snapshots = listed.iter().map(snapshot_json).collect::<Vec<_>>();
        let answer = json!({"cluster": store.cluster(), "snapshots": snapshots});
        args.output.print(&answer, || table_of_snapshots(&listed))?;
    }
    Ok(Exit::Success)
}

fn snapshot_json(listed: &Listed) -> Value {
    json!({
        "id": listed.id,
        "began": listed.id.time(),
        "complete": listed.complete,
        "collections": listed.collections,
        "objects": listed.objects,
        "bytes": listed.bytes,
        "last_modified": listed.last_modified,
    })
}

fn file_json(file: &StorageFile) -> Value {
    json!({
        "host": file.host,
        "name": file.name,
        "key": file.key,
        "bytes": file.bytes,
        "last_modified": file.last_modified,
    })
}

fn table_of_snapshots(listed: &[Listed]) -> String {
    let rows = listed.iter().map(|listed| {
        let state = if listed.complete {
            "complete"
        } else {
            "incomplete"
        };
        vec![
            listed.id.to_string(),
            time(listed.id.time()),
            listed.collections.len().to_string(),
            listed.objects.to_string(),
            size(listed.bytes),
            state.to_owned(),
        ]
    });
    let columns = [
        Column::Left("SNAPSHOT"),
        Column::Left("BEGAN"),
        Column::Right("COLLECTIONS"),
        Column::Right("OBJECTS"),
        Column::Right("SIZE"),
        Column::Left("STATE"),
    ];
    table(&columns, &rows.collect::<Vec<_>>())
}

fn table_of_files(files: &[StorageFile]) -> String {
    let rows = files.iter().map(|file| {
        vec![
            file.host.clone(),
            file.name.clone(),
            time(file.last_modified),
            size(file.bytes),
        ]
    });
    let columns = [
        Column::Left("HOST"),
        Column::Left("NAME"),
        Column::Left("WRITTEN"),
        Column::Right("SIZE"),
    ];
    table(&columns, &rows.collect::<Vec<_>>())
}
