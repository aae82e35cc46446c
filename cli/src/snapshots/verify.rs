//! `alioth snapshots verify`: every object read and hashed, as a restore would.

use alioth_job_runner::Progress;
use alioth_snapshot_store::{Depth, Manifest, ObjectFault, SnapshotStore, StoreError};
use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::{Wanted, no_snapshot};
use crate::{
    exit::Exit,
    output::{Column, OutputArgs, size, table},
    settings::Settings,
    transfer::{Counts, watch},
};

/// Objects read at once: one core hashes about as fast as one reader of S3 reads.
const AT_ONCE: usize = 4;

/// Verifies a snapshot.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// A snapshot's id, or `latest`
    snapshot: Wanted,
    /// Compare the objects' lengths alone, and read none
    #[arg(long)]
    lengths: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command: exit code 74 when an object is not what the manifest says.
pub(crate) async fn command(args: VerifyArgs) -> Result<Exit> {
    let settings = Settings::with_bucket()?;
    let store = SnapshotStore::connect(&settings.s3).await?;
    let Some(manifest) = args.snapshot.manifest(&store).await? else {
        return Ok(no_snapshot());
    };
    let progress = Progress::default();
    let looking = verify(&store, &manifest, args.lengths, &progress);
    let faults = match args.lengths {
        true => looking.await?,
        false => {
            progress.expect(manifest.bytes());
            let counts = || Counts {
                done: progress.done(),
                total: progress.total(),
            };
            watch(counts, looking).await?
        }
    };
    let objects = manifest.shards().count();
    let listed = faults
        .iter()
        .map(|(key, fault)| json!({"key": key, "fault": fault.to_string()}));
    let answer = json!({
        "snapshot": manifest.id,
        "objects": objects,
        "bytes": manifest.bytes(),
        "compared": if args.lengths { "lengths" } else { "contents" },
        "faults": listed.collect::<Vec<_>>(),
    });
    args.output.print(&answer, || {
        let rows = faults
            .iter()
            .map(|(key, fault)| vec![key.clone(), fault.to_string()]);
        let verdict = match faults.len() {
            0 => "all are as the manifest says".to_owned(),
            count => format!("{count} are not as the manifest says"),
        };
        let mut text = format!(
            "{}: {objects} objects, {}: {verdict}\n",
            manifest.id,
            size(manifest.bytes())
        );
        if !faults.is_empty() {
            let columns = [Column::Left("OBJECT"), Column::Left("FAULT")];
            text.push_str(&table(&columns, &rows.collect::<Vec<_>>()));
        }
        text
    })?;
    Ok(match faults.is_empty() {
        true => Exit::Success,
        false => Exit::Integrity,
    })
}

/// Key and fault of each object that is not as it should be, in the order of keys.
async fn verify(
    store: &SnapshotStore,
    manifest: &Manifest,
    lengths: bool,
    progress: &Progress,
) -> Result<Vec<(String, ObjectFault)>, StoreError> {
    let shards: Vec<_> = manifest.shards().cloned().collect();
    let looks = stream::iter(shards).map(|shard| async move {
        let fault = match lengths {
            true => store.verify_shard(&shard, Depth::Lengths).await?,
            false => {
                let count = |bytes| progress.advance(bytes);
                store.verify_contents(&shard, count).await?
            }
        };
        Ok::<_, StoreError>(fault.map(|fault| (shard.key.to_string(), fault)))
    });
    let found: Vec<Option<_>> = looks.buffer_unordered(AT_ONCE).try_collect().await?;
    let mut faults: Vec<_> = found.into_iter().flatten().collect();
    faults.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(faults)
}
