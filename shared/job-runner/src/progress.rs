//! How far a job is, for whoever shows it. Counters only.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Bytes moved and to be moved. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// More is to be moved.
    pub fn expect(&self, bytes: u64) {
        self.counts.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// That much was moved.
    pub fn advance(&self, bytes: u64) {
        self.counts.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// That much has to be moved again.
    pub fn retreat(&self, bytes: u64) {
        self.counts.done.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes moved so far.
    pub fn done(&self) -> u64 {
        self.counts.done.load(Ordering::Relaxed)
    }

    /// Bytes to be moved altogether, 0 while that is not known.
    pub fn total(&self) -> u64 {
        self.counts.total.load(Ordering::Relaxed)
    }
}
