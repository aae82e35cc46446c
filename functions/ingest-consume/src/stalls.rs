//! Collections that take nothing just now: their other messages wait in the batcher, where they merge,
//! rather than run into the same limit one by one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// How many merges of each collection are between two tries.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    counts: Mutex<HashMap<Arc<str>, usize>>,
    /// Told whenever one ends, or a slot for an upsert comes free.
    pub(crate) changed: Notify,
}

/// One merge that is between two tries, until dropped.
#[derive(Debug)]
pub(crate) struct Stalled<'a> {
    stalls: &'a Stalls,
    collection: Arc<str>,
}

impl Stalls {
    pub(crate) fn begin(&self, collection: &str) -> Stalled<'_> {
        let collection: Arc<str> = collection.into();
        *self.lock().entry(Arc::clone(&collection)).or_insert(0) += 1;
        Stalled {
            stalls: self,
            collection,
        }
    }

    pub(crate) fn contains(&self, collection: &str) -> bool {
        self.lock().contains_key(collection)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stalled<'_> {
    fn drop(&mut self) {
        let mut counts = self.stalls.lock();
        match counts.get_mut(&self.collection) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                counts.remove(&self.collection);
            }
        }
        drop(counts);
        self.stalls.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_stalled_as_long_as_one_of_its_merges_is() {
        let stalls = Stalls::default();
        let first = stalls.begin("films");
        let second = stalls.begin("films");
        assert!(stalls.contains("films") && !stalls.contains("books"));
        drop(first);
        assert!(stalls.contains("films"));
        drop(second);
        assert!(!stalls.contains("films"));
    }
}
