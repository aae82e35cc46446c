//! A snapshot of collections: what there is is asked, `saving` stores every shard, and then the manifest is written.
//! Nothing is kept on disk.

mod saving;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use alioth_cluster::rest::{Alias, CollectionInfo, QdrantRest, Shard};
use alioth_snapshot_store::{
    Manifest, SnapshotId, SnapshotStore,
    manifest::{self, FORMAT_VERSION},
};
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::saving::Saving;
use crate::{
    SnapshotConfig, error::SnapshotError, metrics::Metrics, outcome::SavedCollections, plan,
    restores::Restores,
};

/// What a run works with; its tasks hold it too.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) rest: QdrantRest,
    pub(crate) store: SnapshotStore,
    pub(crate) metrics: Metrics,
    pub(crate) job_id: Arc<str>,
    /// How long another job's run is believed to live.
    pub(crate) lease: Duration,
}

/// A collection on its way into the manifest.
struct Subject {
    info: CollectionInfo,
    shards: Vec<Shard>,
    points: Points,
    stored: BTreeMap<u32, manifest::Shard>,
}

/// The fewest and the most points that were counted while a collection was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Points {
    least: u64,
    most: u64,
}

impl Points {
    fn of(count: u64) -> Self {
        Self {
            least: count,
            most: count,
        }
    }

    fn add(&mut self, count: u64) {
        self.least = self.least.min(count);
        self.most = self.most.max(count);
    }
}

/// Saves the collections that `wanted` means; `None` when they are none.
///
/// # Errors
/// As [`crate::run`]'s. The uploads under way are dropped, which aborts them.
pub(crate) async fn save(
    run: &Run,
    config: &SnapshotConfig,
    wanted: &[String],
    token: &CancellationToken,
) -> Result<Option<SavedCollections>, SnapshotError> {
    let started = Timestamp::now();
    // Before anything is asked: a restore that begins from now on is seen at the end.
    let restores = Restores::standing(&run.store, started, run.lease).await?;
    let asked = token.run_until_cancelled(ask(run, wanted)).await;
    let subjects = asked.ok_or(SnapshotError::Stopped)??;
    if subjects.is_empty() {
        return Ok(None);
    }
    let names: BTreeSet<String> = subjects.keys().cloned().collect();
    restores.keep_off(|name| names.contains(name))?;
    let id = run.store.id(started);
    tracing::info!(snapshot = %id, collections = subjects.len(), "snapshot begins");
    let mut saving = Saving::new(run, config, id.clone(), subjects);
    let ended = token.run_until_cancelled(async {
        saving.finish().await?;
        let later = Restores::standing(&run.store, started, run.lease).await?;
        later.kept_off(&restores, |name| names.contains(name))?;
        // After the shards: an alias that was switched meanwhile leads where it leads now.
        Ok(run.rest.aliases().await?)
    });
    let ended = ended.await;
    let (subjects, retries) = saving.end().await;
    let aliases = match ended.unwrap_or(Err(SnapshotError::Stopped)) {
        Ok(aliases) => aliases,
        Err(error) => {
            leave_nothing(run, &id, &error).await;
            return Err(error);
        }
    };
    let whole = plan::is_everything(wanted);
    let manifest = manifest(run, id, started, whole, subjects, &aliases);
    run.store.put_manifest(&manifest).await?;
    tracing::info!(snapshot = %manifest.id, "snapshot complete");
    Ok(Some(SavedCollections::of(&manifest, retries)))
}

/// Learns what there is before anything is streamed.
async fn ask(run: &Run, wanted: &[String]) -> Result<BTreeMap<String, Subject>, SnapshotError> {
    let names = plan::select(&run.rest.collections().await?, wanted)?;
    let mut subjects = BTreeMap::new();
    for name in names {
        let shards = run.rest.shards(&name).await?;
        if plan::is_resharding(&shards) {
            return Err(SnapshotError::Resharding { collection: name });
        }
        let subject = Subject {
            info: run.rest.collection(&name).await?,
            points: Points::of(run.rest.count(&name).await?),
            shards,
            stored: BTreeMap::new(),
        };
        subjects.insert(name, subject);
    }
    Ok(subjects)
}

fn manifest(
    run: &Run,
    id: SnapshotId,
    started: Timestamp,
    whole: bool,
    subjects: BTreeMap<String, Subject>,
    aliases: &[Alias],
) -> Manifest {
    let subjects = subjects.into_iter();
    let collections = subjects.map(|(name, subject)| subject.into_manifest(name, aliases));
    Manifest {
        format_version: FORMAT_VERSION,
        id,
        job_id: run.job_id.to_string(),
        cluster: run.store.cluster().to_owned(),
        started,
        finished: Timestamp::now(),
        alioth_version: env!("CARGO_PKG_VERSION").to_owned(),
        qdrant_version: run.rest.version().to_string(),
        peers: peers(&run.rest),
        whole: Some(whole),
        collections: collections.collect(),
    }
}

fn peers(rest: &QdrantRest) -> Vec<manifest::Peer> {
    let nodes = rest.nodes().iter().map(|node| manifest::Peer {
        id: node.peer,
        host: node.host.clone(),
        version: node.version.to_string(),
    });
    nodes.collect()
}

/// Removes the objects that no manifest will name. Retention would a day later.
async fn leave_nothing(run: &Run, id: &SnapshotId, error: &SnapshotError) {
    // Where S3 or time is what lacks, trying would only cost more of it.
    if matches!(error, SnapshotError::Store(_) | SnapshotError::Stopped) {
        return;
    }
    if let Err(error) = run.store.remove(id).await {
        tracing::warn!(snapshot = %id, %error, "objects without a manifest stay");
    }
}

impl Subject {
    fn into_manifest(self, name: String, aliases: &[Alias]) -> manifest::Collection {
        let mut shard_keys: Vec<Value> = Vec::new();
        for key in self.shards.into_iter().filter_map(|shard| shard.key) {
            if !shard_keys.contains(&key) {
                shard_keys.push(key);
            }
        }
        let aliases = aliases.iter().filter(|alias| alias.collection == name);
        manifest::Collection {
            aliases: aliases.map(|alias| alias.alias.clone()).collect(),
            name,
            config: self.info.config,
            payload_schema: self.info.payload_schema,
            shard_keys,
            points_before: self.points.least,
            points_after: self.points.most,
            shards: self.stored.into_values().collect(),
        }
    }
}
