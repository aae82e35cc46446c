//! What is known of each collection, since when, and whose turn it is to ask. Asks nobody.

use std::{collections::HashMap, sync::Arc};

use alioth_points::CollectionSchema;
use tokio::{sync::Semaphore, time::Instant};

use super::{SchemaLookup, SchemaTimes};

/// Everything a cache remembers.
#[derive(Default)]
pub(super) struct State {
    pub(super) entries: HashMap<Box<str>, Entry>,
    /// The last question that went unanswered, until one is answered.
    pub(super) outage: Option<Moment>,
    /// Counts calls and questions: two of them may fall on one instant of the clock.
    last_event: u64,
}

/// A point in time, and in the order of events.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) event: u64,
    pub(super) time: Instant,
}

/// A collection somebody asked about.
pub(super) struct Entry {
    known: Option<Known>,
    /// Taken by whoever asks; the others wait for it and find the answer.
    turn: Arc<Semaphore>,
}

/// An answer.
#[derive(Clone)]
pub(super) struct Known {
    /// `None`: missing.
    pub(super) schema: Option<Arc<CollectionSchema>>,
    pub(super) asked: Moment,
}

impl SchemaTimes {
    pub(super) fn believes(&self, known: &Known) -> bool {
        let lifetime = match known.schema {
            Some(_) => self.found,
            None => self.missing,
        };
        known.asked.time.elapsed() < lifetime
    }
}

impl Known {
    pub(super) fn lookup(&self) -> SchemaLookup {
        match &self.schema {
            Some(schema) => SchemaLookup::Found(Arc::clone(schema)),
            None => SchemaLookup::Missing,
        }
    }
}

impl State {
    pub(super) fn moment(&mut self) -> Moment {
        self.last_event += 1;
        Moment {
            event: self.last_event,
            time: Instant::now(),
        }
    }

    pub(super) fn known(&self, collection: &str) -> Option<&Known> {
        self.entries.get(collection)?.known.as_ref()
    }

    pub(super) fn turn(&mut self, collection: &str, times: &SchemaTimes) -> Arc<Semaphore> {
        Arc::clone(&self.entry(collection, times).turn)
    }

    pub(super) fn learn(&mut self, collection: &str, known: Known, times: &SchemaTimes) {
        self.entry(collection, times).known = Some(known);
    }

    fn entry(&mut self, collection: &str, times: &SchemaTimes) -> &mut Entry {
        if !self.entries.contains_key(collection) {
            self.make_room(times);
        }
        self.entries
            .entry(collection.into())
            .or_insert_with(|| Entry {
                known: None,
                turn: Arc::new(Semaphore::new(1)),
            })
    }

    /// Made-up names go first; should real ones alone fill the cache, all are asked anew.
    fn make_room(&mut self, times: &SchemaTimes) {
        if self.entries.len() < times.entries {
            return;
        }
        self.entries.retain(|_, entry| {
            entry
                .known
                .as_ref()
                .is_some_and(|known| known.schema.is_some() && times.believes(known))
        });
        // Half, so that this is not done again at the next name.
        if self.entries.len() > times.entries / 2 {
            self.entries.clear();
        }
    }

    pub(super) fn forget_unknown(&mut self, collection: &str) {
        if self.known(collection).is_none() {
            self.entries.remove(collection);
        }
    }
}
