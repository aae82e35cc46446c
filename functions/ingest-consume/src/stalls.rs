//! Collections that take nothing just now: their other messages wait in the batcher, where they merge,
//! rather than run into the same trouble one by one, and of the merges under way one at a time tries.

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
    /// Whose turn it is to try.
    turn: Arc<Semaphore>,
}

/// One merge whose last try failed, until dropped.
#[derive(Debug)]
pub(crate) struct Stalled {
    stalls: Arc<Stalls>,
    collection: Arc<str>,
}

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
                turn: Arc::new(Semaphore::new(1)),
            });
        stall.merges += 1;
        self.count.set(stalls.len() as i64);
        Stalled {
            stalls: Arc::clone(self),
            collection: Arc::clone(collection),
        }
    }

    pub(crate) fn contains(&self, collection: &str) -> bool {
        self.lock().contains_key(collection)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// What to take a permit of before a try; `None` for a collection that is not stalled.
    pub(crate) fn turn(&self, collection: &str) -> Option<Arc<Semaphore>> {
        let stalls = self.lock();
        stalls.get(collection).map(|stall| Arc::clone(&stall.turn))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Stall>> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
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
        assert!(!stalls.contains("films") && stalls.is_empty());
        assert_eq!(count.get(), 0);
    }
}
