//! What restores are doing, by their jobs' records: runs and retention keep out of their way. Never changes a record.

use std::{collections::BTreeSet, time::Duration};

use alioth_job_runner::is_alive;
use alioth_jobs::{JobKind, JobRecord, JobState, Request, RestoreFrom, RestoreRequest};
use alioth_snapshot_store::{JobFile, SnapshotStore, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::error::SnapshotError;

/// How long after its last word a restore that has not succeeded may still go on: one that failed on Friday night is
/// looked at on Monday, and a week has room for a holiday.
pub(crate) const MAY_GO_ON_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Records read at once.
const READS_AT_ONCE: usize = 8;

/// Restores as they stand.
pub(crate) struct Restores(Vec<Restore>);

/// One run of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Restore {
    /// The job and its run: the same job run again makes its collections again.
    run: (String, Option<String>),
    state: JobState,
    is_alive: bool,
    /// The snapshot it restores from, as soon as that is known; none of a file.
    snapshot: Option<String>,
    /// Whether it may still choose one of the cluster's snapshots.
    is_choosing: bool,
    /// Collections that it makes or replaces and that are not whole yet.
    making: BTreeSet<String>,
    /// Those that are.
    made: BTreeSet<String>,
}

/// What a restore notes, and what it says when it is done, as far as others go by it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    progress: Progress,
    snapshot: Option<String>,
    collections: Vec<Made>,
    restored_as: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Progress {
    snapshot: Option<String>,
    begun: BTreeSet<String>,
    restored: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Made {
    restored_as: String,
}

impl Restores {
    /// Those that a run which began then may meet.
    ///
    /// # Errors
    /// As [`Restores::read`]'s.
    pub(crate) async fn standing(
        store: &SnapshotStore,
        began: Timestamp,
        lease: Duration,
    ) -> Result<Self, StoreError> {
        // A run that lives wrote within its lease; clocks, S3's and others', may differ by another.
        let since = began.checked_sub(lease.saturating_mul(2));
        Self::read(store, since.unwrap_or(Timestamp::MIN), lease).await
    }

    /// Reads the records that were written since then. One that cannot be read as a record is nobody's.
    ///
    /// # Errors
    /// `List` and `Get`.
    pub(crate) async fn read(
        store: &SnapshotStore,
        since: Timestamp,
        lease: Duration,
    ) -> Result<Self, StoreError> {
        let files = store.list_jobs().await?.into_iter();
        let files = files.filter(|file| file.last_modified >= since);
        let reads = files.map(|JobFile { id, .. }| async move { store.get_job(&id).await });
        let read: Vec<_> = stream::iter(reads)
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let now = Timestamp::now();
        let records = read.into_iter().flatten();
        let records = records.filter_map(|json| serde_json::from_slice::<JobRecord>(&json).ok());
        let restores = records.filter_map(|record| Restore::of(&record, lease, now));
        Ok(Self(restores.collect()))
    }

    /// Whether a restore that has not succeeded is to go on from that snapshot.
    pub(crate) fn need(&self, snapshot: &str) -> bool {
        let mut unfinished = self.0.iter().filter(|one| one.state != JobState::Done);
        unfinished.any(|one| one.snapshot.as_deref() == Some(snapshot))
    }

    /// Whether a running restore has not said yet which snapshot it needs.
    pub(crate) fn are_choosing(&self) -> bool {
        self.0.iter().any(|one| one.is_choosing)
    }

    /// Fails when a running restore is making one of these collections.
    ///
    /// # Errors
    /// `BeingRestored`.
    pub(crate) fn keep_off(&self, is_wanted: impl Fn(&str) -> bool) -> Result<(), SnapshotError> {
        let running = self.0.iter().filter(|one| one.is_alive);
        let mut making =
            running.flat_map(|one| one.making.iter().map(|name| (one.run.0.as_str(), name)));
        match making.find(|(_, name)| is_wanted(name)) {
            Some((job, collection)) => Err(being_restored(job, collection)),
            None => Ok(()),
        }
    }

    /// The same, and when one of them was made since restores stood as `earlier`.
    ///
    /// # Errors
    /// `BeingRestored`.
    pub(crate) fn kept_off(
        &self,
        earlier: &Self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<(), SnapshotError> {
        self.keep_off(&is_wanted)?;
        let settled: BTreeSet<_> = earlier.0.iter().flat_map(Restore::settled).collect();
        let mut touched = self.0.iter().flat_map(Restore::settled);
        match touched.find(|touch| is_wanted(touch.1) && !settled.contains(touch)) {
            Some(((job, _), collection)) => Err(being_restored(job, collection)),
            None => Ok(()),
        }
    }
}

impl Restore {
    /// `None` of a job of another kind.
    fn of(record: &JobRecord, lease: Duration, now: Timestamp) -> Option<Self> {
        if record.kind != JobKind::Restore {
            return None;
        }
        let is_alive = is_alive(record, lease, now);
        // What cannot be read is as good as nothing: the restore itself takes it so.
        let told: Told = serde_json::from_value(record.result.clone()).unwrap_or_default();
        let Progress {
            snapshot,
            begun,
            restored,
        } = told.progress;
        let asked = serde_json::to_vec(&record.request).unwrap_or_default();
        let asked = RestoreRequest::decode(&asked).map(|request| request.from);
        let named = match &asked {
            Ok(RestoreFrom::Id(id)) => Some(id.clone()),
            _ => None,
        };
        let is_of_url = matches!(asked, Ok(RestoreFrom::Url(_)));
        let snapshot = snapshot.or(told.snapshot).or(named);
        let is_undecided = snapshot.is_none() && begun.is_empty() && !is_of_url;
        let mut made = restored;
        made.extend(told.collections.into_iter().map(|made| made.restored_as));
        made.extend(told.restored_as);
        Some(Self {
            run: (record.id.to_string(), record.run.clone()),
            state: record.state,
            is_alive,
            is_choosing: is_alive && is_undecided,
            snapshot,
            making: begun.difference(&made).cloned().collect(),
            made,
        })
    }

    /// What this run does not touch any more, and has.
    fn settled(&self) -> impl Iterator<Item = (&(String, Option<String>), &str)> {
        let making = self.making.iter().filter(|_| !self.is_alive);
        let names = self.made.iter().chain(making);
        names.map(|name| (&self.run, name.as_str()))
    }
}

fn being_restored(job: &str, collection: &str) -> SnapshotError {
    SnapshotError::BeingRestored {
        collection: collection.to_owned(),
        job: job.to_owned(),
    }
}

#[cfg(test)]
mod tests;
