//! Bytes of one attempt: taken back from the job's progress when the attempt fails, however it ends.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alioth_job_runner::Progress;

/// One attempt's bytes. Dropped without [`Counted::keep`], they do not count.
pub(crate) struct Counted {
    counter: Counter,
    kept: bool,
}

/// Adds to an attempt.
#[derive(Clone)]
pub(crate) struct Counter {
    progress: Progress,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    pub(crate) fn begin(progress: &Progress) -> Self {
        let counter = Counter {
            progress: progress.clone(),
            bytes: Arc::default(),
        };
        Self {
            counter,
            kept: false,
        }
    }

    pub(crate) fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// The attempt succeeded.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Counter {
    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.progress.advance(bytes);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.kept {
            let bytes = self.counter.bytes.load(Ordering::Relaxed);
            self.counter.progress.retreat(bytes);
        }
    }
}
