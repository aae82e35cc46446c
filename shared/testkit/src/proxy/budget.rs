//! How many octets a proxy carries before it cuts a connection. Counts; closes nothing itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Octets left until a connection is cut, when one is to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget(Arc<Mutex<Option<u64>>>);

impl Budget {
    pub(super) fn set(&self, octets: u64) {
        *self.left() = Some(octets);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.left().is_none()
    }

    /// Whether these octets are the ones that are too many; the budget is gone then.
    pub(super) fn is_spent_by(&self, octets: usize) -> bool {
        let mut left = self.left();
        let Some(before) = *left else { return false };
        *left = before.checked_sub(octets as u64);
        left.is_none()
    }

    fn left(&self) -> MutexGuard<'_, Option<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
