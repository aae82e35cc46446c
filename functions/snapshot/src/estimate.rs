//! How much a run will move, before it moves anything: for whoever shows how far it is. A guess.

use alioth_jobs::BackupRequest;
use alioth_snapshot_store::{SnapshotStore, StoreError};

use crate::plan;

/// Bytes that the newest snapshot has of the collections asked for; 0 where there is none to go by.
pub async fn estimate(store: &SnapshotStore, request: &BackupRequest) -> u64 {
    let BackupRequest::Collections { collections, .. } = request else {
        return 0;
    };
    // Whatever fails here fails again, and is told, when it matters.
    newest(store, collections).await.unwrap_or_default()
}

async fn newest(store: &SnapshotStore, wanted: &[String]) -> Result<u64, StoreError> {
    let Some(id) = store.latest(None).await? else {
        return Ok(0);
    };
    let manifest = store.get_manifest(&id).await?;
    let saved = manifest.collections.iter().map(|saved| saved.name.clone());
    let saved: Vec<String> = saved.collect();
    // A name that the newest snapshot does not have makes it a guess of nothing.
    let Ok(names) = plan::select(&saved, wanted) else {
        return Ok(0);
    };
    let shards = names.iter().filter_map(|name| manifest.collection(name));
    let shards = shards.flat_map(|saved| &saved.shards);
    Ok(shards.map(|shard| shard.bytes).sum())
}
