//! Collections that take nothing just now: their other messages wait in the batcher, where they merge,
//! rather than run into the same trouble one by one, and of the merges under way one at a time tries.
//! Where it is but one message that fails, and often has, the others go on, and show whether it is the message.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::IntGauge;
use tokio::sync::{Notify, Semaphore};

/// Which collections have merges whose last try failed.
#[derive(Debug)]
pub(crate) struct Stalls {
    stalls: Mutex<HashMap<Arc<str>, Stall>>,
    /// How many collections.
    count: IntGauge,
    /// Told whenever one ends, or a slot for an upsert comes free.
    pub(crate) changed: Notify,
}

#[derive(Debug)]
struct Stall {
    /// Merges whose last try failed.
    merges: usize,
    /// Those of them that are down to one message, which has failed often.
    on_probation: usize,
    /// Whose turn it is to try.
    turn: Arc<Semaphore>,
}

/// One merge whose last try failed, until dropped.
#[derive(Debug)]
pub(crate) struct Stalled {
    stalls: Arc<Stalls>,
    collection: Arc<str>,
    is_on_probation: bool,
}

/// Messages of one collection on probation at which its others wait as well. They may all be sound, and their shards
/// away.
const MOST_ON_PROBATION: usize = 2;

impl Stalls {
    /// None yet; `count` follows how many collections there are.
    pub(crate) fn new(count: IntGauge) -> Self {
        Self {
            stalls: Mutex::default(),
            count,
            changed: Notify::new(),
        }
    }

    pub(crate) fn begin(self: &Arc<Self>, collection: &Arc<str>) -> Stalled {
        let mut stalls = self.lock();
        let stall = stalls
            .entry(Arc::clone(collection))
            .or_insert_with(|| Stall {
                merges: 0,
                on_probation: 0,
                turn: Arc::new(Semaphore::new(1)),
            });
        stall.merges += 1;
        self.count.set(stalls.len() as i64);
        Stalled {
            stalls: Arc::clone(self),
            collection: Arc::clone(collection),
            is_on_probation: false,
        }
    }

    /// Whether a collection's other messages are to wait.
    pub(crate) fn holds_back(&self, collection: &str) -> bool {
        self.lock().get(collection).is_some_and(Stall::holds_back)
    }

    pub(crate) fn contains(&self, collection: &str) -> bool {
        self.lock().contains_key(collection)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// What to take a permit of before a try; `None` for a collection that is not stalled, or in which but one message
    /// is on probation.
    pub(crate) fn turn(&self, collection: &str) -> Option<Arc<Semaphore>> {
        let stalls = self.lock();
        let stall = stalls.get(collection).filter(|stall| stall.holds_back())?;
        Some(Arc::clone(&stall.turn))
    }

    /// How many merges of a collection are down to one message that has failed often.
    pub(crate) fn on_probation(&self, collection: &str) -> usize {
        let stalls = self.lock();
        stalls.get(collection).map_or(0, |stall| stall.on_probation)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Stall>> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stall {
    fn holds_back(&self) -> bool {
        self.merges > self.on_probation || self.on_probation >= MOST_ON_PROBATION
    }
}

impl Stalled {
    /// Notes whether the merge is down to one message that has failed often.
    pub(crate) fn set_on_probation(&mut self, is_on_probation: bool) {
        if self.is_on_probation == is_on_probation {
            return;
        }
        self.is_on_probation = is_on_probation;
        if let Some(stall) = self.stalls.lock().get_mut(&self.collection) {
            match is_on_probation {
                true => stall.on_probation += 1,
                false => stall.on_probation -= 1,
            }
        }
        self.stalls.changed.notify_one();
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.set_on_probation(false);
        let mut stalls = self.stalls.lock();
        match stalls.get_mut(&self.collection) {
            Some(stall) if stall.merges > 1 => stall.merges -= 1,
            Some(_) | None => {
                stalls.remove(&self.collection);
            }
        }
        self.stalls.count.set(stalls.len() as i64);
        drop(stalls);
        self.stalls.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_stalled_as_long_as_one_of_its_merges_is() {
        let count = IntGauge::new("stalled", "Stalled.").expect("a good name");
        let stalls = Arc::new(Stalls::new(count.clone()));
        let films: Arc<str> = "films".into();
        let first = stalls.begin(&films);
        let second = stalls.begin(&films);
        assert!(stalls.contains("films") && !stalls.contains("books"));
        assert!(stalls.turn("films").is_some() && stalls.turn("books").is_none());
        assert_eq!(count.get(), 1);
        drop(first);
        assert!(stalls.contains("films"));
        drop(second);
        assert!(!stalls.holds_back("films"));
        assert!(!stalls.contains("films") && stalls.is_empty());
        assert_eq!(count.get(), 0);
    }

    #[test]
    fn one_message_on_probation_does_not_hold_back_the_others_and_two_do() {
        let count = IntGauge::new("stalled", "Stalled.").expect("a good name");
        let stalls = Arc::new(Stalls::new(count));
        let films: Arc<str> = "films".into();
        let mut first = stalls.begin(&films);
        assert!(stalls.holds_back("films"));
        first.set_on_probation(true);
        assert!(stalls.contains("films") && !stalls.holds_back("films"));
        assert!(stalls.turn("films").is_none() && stalls.on_probation("films") == 1);
        let mut second = stalls.begin(&films);
        assert!(stalls.holds_back("films"));
        second.set_on_probation(true);
        assert!(stalls.holds_back("films"));
        drop(first);
        assert!(!stalls.holds_back("films"));
        drop(second);
        assert!(stalls.is_empty());
    }
}
