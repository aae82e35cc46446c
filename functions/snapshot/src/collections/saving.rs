//! Every shard of a run, once, from an active replica straight into the bucket. `plan` decides, this acts.

use std::{collections::BTreeMap, time::Duration};

use alioth_cluster::rest::{CollectionInfo, Replica, RestError, Shard};
use alioth_job_runner::chain;
use alioth_snapshot_store::{PutError, SnapshotId, StoreError, Stored, manifest};
use futures_util::TryStreamExt;
use tokio::task::JoinSet;

use super::{Run, Subject};
use crate::{
    SnapshotConfig,
    error::SnapshotError,
    plan::{self, Assignment, Schedule, TaskId, Verdict},
};

/// Longest pause between two attempts for one shard.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Shards on their way.
pub(super) struct Saving<'a> {
    run: &'a Run,
    config: &'a SnapshotConfig,
    id: SnapshotId,
    subjects: BTreeMap<String, Subject>,
    schedule: Schedule,
    tasks: JoinSet<Event>,
}

/// Something a task was spawned for has happened.
enum Event {
    Read(Assignment, Result<Read, ReadError>),
    LookedAgain(TaskId, Result<Vec<Shard>, RestError>),
    Counted(String, Result<Seen, RestError>),
}

/// A shard in the bucket, and its collection's points as they were counted around it.
struct Read {
    stored: Stored,
    counts: Vec<u64>,
}

/// A collection as it stands after its last shard.
struct Seen {
    points: u64,
    shards: Vec<Shard>,
    info: CollectionInfo,
}

/// Which side of a stream failed.
enum ReadError {
    Qdrant(RestError),
    Store(StoreError),
}

impl<'a> Saving<'a> {
    pub(super) fn new(
        run: &'a Run,
        config: &'a SnapshotConfig,
        id: SnapshotId,
        subjects: BTreeMap<String, Subject>,
    ) -> Self {
        let reachable = run.rest.nodes().iter().map(|node| node.peer);
        let mut schedule = Schedule::new(reachable, config.concurrency, config.attempts);
        for (name, subject) in &subjects {
            for shard in &subject.shards {
                schedule.add(name, shard);
            }
        }
        Self {
            run,
            config,
            id,
            subjects,
            schedule,
            tasks: JoinSet::new(),
        }
    }

    /// Reads every shard and counts every collection again.
    pub(super) async fn finish(&mut self) -> Result<(), SnapshotError> {
        loop {
            self.start_what_can_be()?;
            match self.tasks.join_next().await {
                None => return Ok(()),
                Some(event) => self.take(event?)?,
            }
        }
    }

    fn start_what_can_be(&mut self) -> Result<(), SnapshotError> {
        while let Some(task) = self.schedule.unreachable() {
            let reason = self.schedule.unreachable_reason(task);
            self.failed(task, reason)?;
        }
        while let Some(assignment) = self.schedule.next() {
            let (run, id) = (self.run.clone(), self.id.clone());
            self.tasks.spawn(read(run, id, assignment));
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), SnapshotError> {
        match event {
            Event::Read(assignment, Ok(read)) => {
                self.stored(&assignment, read);
                Ok(())
            }
            Event::Read(_, Err(ReadError::Store(error))) => Err(error.into()),
            // No other node would take the key.
            Event::Read(_, Err(ReadError::Qdrant(error))) if error.is_denied() => Err(error.into()),
            Event::Read(assignment, Err(ReadError::Qdrant(error))) => {
                self.failed(assignment.task, chain(&error))
            }
            Event::LookedAgain(task, looked) => self.looked_again(task, looked),
            Event::Counted(name, seen) => self.counted(name, seen?),
        }
    }

    fn stored(&mut self, assignment: &Assignment, read: Read) {
        let Read { stored, counts } = read;
        let Assignment {
            task,
            collection,
            shard,
            peer,
        } = assignment;
        tracing::info!(
            collection,
            shard,
            peer,
            bytes = stored.bytes,
            "shard stored"
        );
        self.run.metrics.shard_stored();
        self.schedule.done(*task);
        let host = self.run.rest.node(*peer).map(|node| node.host.clone());
        let Some(subject) = self.subjects.get_mut(collection) else {
            return;
        };
        let of_key = subject.shards.iter().find(|known| known.id == *shard);
        let entry = manifest::Shard {
            shard: *shard,
            shard_key: of_key.and_then(|known| known.key.clone()),
            key: self.run.store.shard_key(&self.id, collection, *shard),
            bytes: stored.bytes,
            sha256: stored.sha256,
            source_peer: *peer,
            source_host: host.unwrap_or_default(),
        };
        subject.stored.insert(*shard, entry);
        for count in counts {
            subject.points.add(count);
        }
        if self.schedule.is_complete(collection) {
            self.tasks
                .spawn(count(self.run.clone(), collection.clone()));
        }
    }

    fn failed(&mut self, task: TaskId, reason: String) -> Result<(), SnapshotError> {
        let (collection, shard) = self.schedule.shard(task);
        let collection = collection.to_owned();
        tracing::warn!(collection, shard, reason, "shard not read");
        self.run.metrics.attempt_failed();
        match self.schedule.failed(task, reason) {
            Verdict::LookAgain { failures } => {
                let pause = pause(self.config.retry_pause.0, failures);
                let run = self.run.clone();
                self.tasks.spawn(look_again(run, task, collection, pause));
                Ok(())
            }
            Verdict::GiveUp => Err(self.incomplete()),
        }
    }

    fn looked_again(
        &mut self,
        task: TaskId,
        looked: Result<Vec<Shard>, RestError>,
    ) -> Result<(), SnapshotError> {
        let (collection, shard) = self.schedule.shard(task);
        match looked {
            Ok(shards) if plan::is_resharding(&shards) => Err(SnapshotError::Resharding {
                collection: collection.to_owned(),
            }),
            Ok(shards) => {
                let now = shards.into_iter().find(|known| known.id == shard);
                let replicas: Vec<Replica> = now.map_or_else(Vec::new, |shard| shard.replicas);
                self.schedule.looked_again(task, Some(replicas));
                Ok(())
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(collection, shard, error = chain(&error), "shard not found");
                self.schedule.looked_again(task, None);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn counted(&mut self, name: String, seen: Seen) -> Result<(), SnapshotError> {
        let Some(subject) = self.subjects.get_mut(&name) else {
            return Ok(());
        };
        if !plan::same_parameters(&subject.info.config, &seen.info.config) {
            return Err(SnapshotError::Changed { collection: name });
        }
        let shards = &seen.shards;
        if plan::is_resharding(shards) || !plan::same_shards(&subject.shards, shards) {
            return Err(SnapshotError::Resharding { collection: name });
        }
        subject.points.add(seen.points);
        // An index that was made meanwhile is in some of the shards: it has to be told of.
        subject.info = seen.info;
        Ok(())
    }

    fn incomplete(&self) -> SnapshotError {
        let mut missing = self.schedule.missing();
        missing.sort_by_key(|missing| missing.reason.is_none());
        SnapshotError::Incomplete {
            shards: self.schedule.len(),
            missing,
        }
    }

    /// Ends what is still under way, and its uploads with it; what was stored, and how often an attempt failed.
    pub(super) async fn end(mut self) -> (BTreeMap<String, Subject>, u64) {
        self.tasks.shutdown().await;
        (self.subjects, self.schedule.failures())
    }
}

async fn read(run: Run, id: SnapshotId, assignment: Assignment) -> Event {
    let Assignment {
        collection,
        shard,
        peer,
        ..
    } = &assignment;
    let key = run.store.shard_key(&id, collection, *shard);
    let before = sample(&run, collection).await;
    let stream = run.rest.stream_shard(*peer, collection, *shard).await;
    let outcome = match stream {
        Err(error) => Err(ReadError::Qdrant(error)),
        Ok(stream) => {
            let counter = run.metrics.clone();
            let stream = stream.inspect_ok(move |piece| counter.bytes_read(piece.len()));
            let stored = run.store.put_stream(&key, stream).await;
            stored.map_err(|error| match error {
                PutError::Source { source, .. } => ReadError::Qdrant(source),
                PutError::Store(error) => ReadError::Store(error),
            })
        }
    };
    let read = match outcome {
        Err(error) => Err(error),
        Ok(stored) => {
            let after = sample(&run, collection).await;
            let counts = before.into_iter().chain(after).collect();
            Ok(Read { stored, counts })
        }
    };
    Event::Read(assignment, read)
}

/// A count beside those that a run needs; one that fails narrows what is known and fails nothing.
async fn sample(run: &Run, collection: &str) -> Option<u64> {
    let counted = run.rest.count(collection).await;
    let told = |error: &RestError| tracing::warn!(collection, error = chain(error), "not counted");
    counted.inspect_err(told).ok()
}

async fn look_again(run: Run, task: TaskId, collection: String, pause: Duration) -> Event {
    tokio::time::sleep(pause).await;
    Event::LookedAgain(task, run.rest.shards(&collection).await)
}

async fn count(run: Run, collection: String) -> Event {
    let seen = async {
        Ok(Seen {
            points: run.rest.count(&collection).await?,
            shards: run.rest.shards(&collection).await?,
            info: run.rest.collection(&collection).await?,
        })
    };
    let seen = seen.await;
    Event::Counted(collection, seen)
}

/// Doubles with every failure.
fn pause(first: Duration, failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
    first.saturating_mul(factor).min(LONGEST_PAUSE)
}
