//! What is to be written to the file: changes noted, and messages gathered into one commit. Knows nothing of
//! consumers, and never makes a message ready by itself.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    command::PublishAnswer,
    queue_state::Entry,
    store::{Change, Place, Store, StoreError},
};
use crate::{error::PublishError, message::OutgoingMessage, shares::Share};

/// How long a settle or a delivery count may be in memory only.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// Changes that are written before that: bounds the memory they take.
const FLUSH_CHANGES: usize = 10_000;
/// Bodies gathered into one commit, at most; more would make the first of them wait for the last.
const COMMIT_BYTES: usize = 16 << 20;
/// Bodies kept in memory for consumers that keep up; others are read from the file again.
const CACHED_BYTES: u64 = 16 << 20;

/// Who waits for a message to be on disk, with its share of the bounds.
pub(super) type Waiting = (PublishAnswer, Share);

/// A message in the commit that is being gathered.
pub(super) struct Gathered {
    pub(super) place: Place,
    pub(super) entry: Entry,
    /// None for a dead letter: nobody waits.
    pub(super) waiting: Option<Waiting>,
}

/// The file and what is not in it yet.
pub(super) struct Journal {
    store: Store,
    changes: BTreeMap<Place, Change>,
    /// When the oldest unwritten change was noted.
    changed_at: Option<Instant>,
    gathered: Vec<Gathered>,
    gathered_bytes: usize,
    cached_bytes: u64,
}

impl Journal {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            changes: BTreeMap::new(),
            changed_at: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
            cached_bytes: 0,
        }
    }

    /// Adds a message to the next commit.
    pub(super) fn gather(
        &mut self,
        place: Place,
        message: OutgoingMessage,
        waiting: Option<Waiting>,
    ) {
        let bytes = message.body.len() as u64;
        let cached = (self.cached_bytes + bytes <= CACHED_BYTES).then(|| message.clone());
        if cached.is_some() {
            self.cached_bytes += bytes;
        }
        self.gathered_bytes += message.body.len();
        let entry = Entry {
            bytes,
            delivery_count: 0,
            message: cached,
        };
        self.gathered.push(Gathered {
            place,
            entry,
            waiting,
        });
        self.note(place, Change::Put(message));
    }

    /// Adds a change to the next commit.
    pub(super) fn note(&mut self, place: Place, change: Change) {
        self.changes.insert(place, change);
        self.changed_at.get_or_insert_with(Instant::now);
    }

    /// Whether the commit that is being gathered takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.gathered_bytes >= COMMIT_BYTES
    }

    /// How long what is noted may wait still; `None` when nothing is.
    pub(super) fn due_in(&self) -> Option<Duration> {
        let since = self.changed_at?;
        Some(FLUSH_AFTER.saturating_sub(since.elapsed()))
    }

    /// Whether it is time to commit: publishers wait, or changes have waited long enough.
    pub(super) fn is_due(&self) -> bool {
        !self.gathered.is_empty()
            || self.changes.len() >= FLUSH_CHANGES
            || self.due_in().is_some_and(|left| left.is_zero())
    }

    /// Writes everything, and hands out what was gathered: it is on disk.
    pub(super) fn commit(&mut self) -> Result<Vec<Gathered>, StoreError> {
        if !self.changes.is_empty() {
            self.store.commit(&self.changes)?;
        }
        self.changes.clear();
        self.changed_at = None;
        self.gathered_bytes = 0;
        Ok(std::mem::take(&mut self.gathered))
    }

    /// The message of an entry that leaves the queue's memory.
    pub(super) fn take(
        &mut self,
        place: Place,
        bytes: u64,
        cached: Option<OutgoingMessage>,
    ) -> Result<OutgoingMessage, StoreError> {
        match cached {
            Some(message) => {
                self.cached_bytes -= bytes;
                Ok(message)
            }
            None => self.read(place),
        }
    }

    /// A message that is in the file.
    pub(super) fn read(&self, place: Place) -> Result<OutgoingMessage, StoreError> {
        self.store.read(place)
    }

    /// Tells everybody who waits that it failed, and closes the file.
    pub(super) fn fail(self, reason: &str) {
        let waiting = self.gathered.into_iter();
        for (answer, _share) in waiting.filter_map(|gathered| gathered.waiting) {
            let _ = answer.send(Err(PublishError::Away {
                reason: reason.to_owned(),
            }));
        }
    }
}
