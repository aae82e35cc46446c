//! Collections from one of our snapshots: verified, made, filled, counted, and then named.

use std::collections::BTreeSet;

use alioth_cluster::rest::{QdrantRest, RestError};
use alioth_job_runner::{Progress, Recorder, Report};
use alioth_jobs::RestoreRequest;
use alioth_snapshot_store::{Depth, Manifest, SnapshotStore};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    config::RestoreConfig,
    error::RestoreError,
    plan::{self, Fate, Planned, Standing},
    progress::Noted,
    refusal::Refusal,
    settle::{self, Expected, Terms},
    shard_keys,
    upload::{Uploader, assign},
};

/// What a restore works with.
pub(crate) struct Restorer<'a> {
    pub(crate) config: &'a RestoreConfig,
    pub(crate) rest: &'a QdrantRest,
    pub(crate) store: &'a SnapshotStore,
    pub(crate) recorder: &'a Recorder,
    pub(crate) progress: &'a Progress,
    /// Held by whoever must not be broken off: a request to delete or create that nobody waits for any more may
    /// reach the cluster late, after the next run's.
    pub(crate) unbroken: &'a Mutex<()>,
}

/// What became of one collection.
struct Restored {
    points: u64,
    warning: Option<String>,
    bytes: u64,
    shards: u64,
    retries: u64,
}

impl Restorer<'_> {
    /// Restores what was asked for, in the manifest's order, and switches all aliases at the end.
    ///
    /// # Errors
    /// `Refused` and `Damaged` before anything is touched; else whatever failed. What was restored until then stays,
    /// under its name and without its aliases.
    pub(crate) async fn collections(
        &self,
        manifest: &Manifest,
        request: &RestoreRequest,
        mut noted: Noted,
    ) -> Result<Report, RestoreError> {
        let standing = self.standing().await?;
        let planned = plan::plan(manifest, request, &standing, &noted)?;
        tracing::info!(snapshot = %manifest.id, collections = planned.len(), "restore is possible");
        let (written, server) = (plan::newest_version(manifest)?, &standing.version);
        if (server.major, server.minor) > (written.major, written.minor) {
            tracing::warn!(%written, %server, "qdrant promises to read snapshots of its own minor version only");
        }
        self.verify(&planned).await?;

        noted.snapshot = Some(manifest.id.as_str().to_owned());
        noted
            .kept_aliases
            .extend(plan::endangered_aliases(&planned, &standing));
        noted.write(self.recorder).await?;

        let mut report = Report::default();
        let mut told = Vec::new();
        for collection in &planned {
            let restored = self.collection(collection, &mut noted).await?;
            noted.restored.insert(collection.target.clone());
            noted.write(self.recorder).await?;
            let mut entry = json!({
                "collection": collection.saved.name, "restored_as": collection.target,
                "points": restored.points, "bytes": restored.bytes, "shards": restored.shards
            });
            if let Some(warning) = restored.warning {
                entry["warning"] = warning.into();
            }
            told.push(entry);
            report.bytes += restored.bytes;
            report.shards += restored.shards;
            report.retries += restored.retries;
        }
        let actions = plan::alias_actions(&planned, &noted);
        if !actions.is_empty() {
            let _unbroken = self.unbroken.lock().await;
            self.rest.update_aliases(&actions).await?;
        }
        report.result = result(manifest, told, actions.len());
        Ok(report)
    }

    pub(crate) fn terms(&self, expected: Expected) -> Terms {
        Terms {
            expected,
            counts: self.config.counts,
            timeout: self.config.settle_timeout.0,
        }
    }

    pub(crate) async fn standing(&self) -> Result<Standing, RestError> {
        let collections = self.rest.collections().await?;
        Ok(Standing {
            version: self.rest.version().clone(),
            collections: collections.into_iter().collect(),
            aliases: self.rest.aliases().await?,
        })
    }

    /// Sees that every object is there and as long as it should be; and, where a collection is to be replaced, that it
    /// is what it should be, before the old one goes.
    async fn verify(&self, planned: &[Planned<'_>]) -> Result<(), RestoreError> {
        for collection in planned {
            let depth = match collection.fate {
                Fate::Kept => continue,
                Fate::Replaced if self.config.verify_first => Depth::Contents,
                Fate::Replaced | Fate::Absent | Fate::Remade => Depth::Lengths,
            };
            for shard in &collection.saved.shards {
                self.progress.expect(shard.bytes);
                if let Some(fault) = self.store.verify_shard(shard, depth).await? {
                    return Err(RestoreError::Damaged {
                        key: shard.key.to_string(),
                        fault,
                    });
                }
            }
        }
        Ok(())
    }

    async fn collection(
        &self,
        planned: &Planned<'_>,
        noted: &mut Noted,
    ) -> Result<Restored, RestoreError> {
        let target = planned.target.as_str();
        let expected = Expected::of(planned.saved.points_before, planned.saved.points_after);
        if planned.fate == Fate::Kept {
            tracing::info!(collection = target, "collection was restored before");
            let points = self.rest.count(target).await?;
            return Ok(Restored {
                points,
                warning: None,
                bytes: 0,
                shards: 0,
                retries: 0,
            });
        }
        tracing::info!(collection = target, fate = ?planned.fate, "collection is restored");
        self.begin(planned, noted).await?;
        let retries = self.fill(planned).await?;
        let counted = settle::wait(self.rest, target, self.terms(expected)).await?;
        let settle::Counted { points, warning } = counted;
        if let Some(warning) = &warning {
            tracing::warn!(collection = target, warning, "count is not the manifest's");
        }
        tracing::info!(collection = target, points, "collection is whole");
        let shards = &planned.saved.shards;
        Ok(Restored {
            points,
            warning,
            bytes: shards.iter().map(|shard| shard.bytes).sum(),
            shards: shards.len() as u64,
            retries,
        })
    }

    /// Notes that the collection is this job's, and makes it. What is not begun is not noted: the next run would take for
    /// its own, and delete, what somebody else has made of that name meanwhile.
    async fn begin(&self, planned: &Planned<'_>, noted: &mut Noted) -> Result<(), RestoreError> {
        let target = &planned.target;
        let is_new = noted.begun.insert(target.clone());
        noted.write(self.recorder).await?;
        match self.create(planned).await {
            Err(error) if error.is_conflict() && is_new && planned.fate == Fate::Absent => {
                // Somebody was faster, and it is theirs.
                noted.begun.remove(target);
                noted.write(self.recorder).await?;
                let name = target.clone();
                Err(Refusal::Exists { name }.into())
            }
            created => Ok(created?),
        }
    }

    /// Makes the collection, empty. Payload indexes come first: shards bring the data of theirs, and only what is
    /// registered here is used, kept and told of.
    async fn create(&self, planned: &Planned<'_>) -> Result<(), RestError> {
        let _unbroken = self.unbroken.lock().await;
        let (rest, target) = (self.rest, planned.target.as_str());
        match planned.fate {
            Fate::Absent | Fate::Kept => {}
            Fate::Replaced | Fate::Remade => rest.delete_collection(target).await?,
        }
        rest.create_collection(target, &planned.bodies.create)
            .await?;
        if let Some(update) = &planned.bodies.update {
            rest.update_collection(target, update).await?;
        }
        for key in &planned.keys {
            rest.create_shard_key(target, &key.body()).await?;
        }
        for (field, schema) in &planned.indexes {
            rest.create_payload_index(target, field, schema).await?;
        }
        Ok(())
    }

    async fn fill(&self, planned: &Planned<'_>) -> Result<u64, RestoreError> {
        let timeout = self.config.settle_timeout.0;
        let placed = settle::placed(self.rest, &planned.target, timeout).await?;
        let reached: BTreeSet<u64> = self.rest.nodes().iter().map(|node| node.peer).collect();
        let collection = || planned.target.clone();
        let pairs = shard_keys::pair(&planned.saved.shards, &planned.keys, &placed);
        let pairs = pairs.map_err(|reason| RestoreError::Placement {
            collection: collection(),
            reason,
        })?;
        let assigned = assign(&pairs, &reached).map_err(|shard| RestoreError::NoHolder {
            collection: collection(),
            shard,
        })?;
        let uploader = Uploader {
            rest: self.rest,
            store: self.store,
            config: self.config,
            progress: self.progress,
            target: &planned.target,
        };
        uploader.all(assigned).await
    }
}

fn result(manifest: &Manifest, collections: Vec<Value>, aliases: usize) -> Value {
    json!({"snapshot": manifest.id, "collections": collections, "aliases": aliases})
}
