//! Whether Qdrant lets us write. If not, somebody has to mend the key: not ready, and said once.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use alioth_telemetry::Condition;

/// The collections Qdrant denied us; a key may be good for some and not for others.
#[derive(Debug)]
pub(crate) struct Access {
    condition: Condition,
    denied: Mutex<HashSet<Arc<str>>>,
    /// Spares the common case the lock.
    any: AtomicBool,
}

impl Access {
    /// Sets the condition: nothing is denied yet.
    pub(crate) fn new(condition: Condition) -> Self {
        condition.set(true);
        Self {
            condition,
            denied: Mutex::default(),
            any: AtomicBool::new(false),
        }
    }

    /// Notes a denial; the first of a collection is logged.
    pub(crate) fn deny(&self, collection: &str, reason: &str) {
        let is_new = self.lock().insert(collection.into());
        self.any.store(true, Ordering::Relaxed);
        self.condition.set(false);
        if is_new {
            tracing::error!(
                collection,
                reason,
                "qdrant denies writing, holding messages back until the key is mended"
            );
        }
    }

    /// Notes that writing went well, or is no longer tried.
    pub(crate) fn clear(&self, collection: &str) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut denied = self.lock();
        if denied.remove(collection) {
            tracing::info!(collection, "qdrant's denial is over");
        }
        if denied.is_empty() {
            self.any.store(false, Ordering::Relaxed);
            self.condition.set(true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_telemetry::Readiness;

    #[test]
    fn not_ready_while_any_collection_is_denied() {
        let readiness = Readiness::new();
        let access = Access::new(readiness.condition("qdrant-access"));
        assert!(readiness.is_ready());
        access.deny("films", "wrong key");
        access.deny("books", "wrong key");
        access.clear("films");
        access.clear("music");
        assert!(!readiness.is_ready());
        access.clear("books");
        assert!(readiness.is_ready());
    }
}
