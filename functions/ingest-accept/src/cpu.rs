//! Where synchronous work runs: in place when it is short, on a thread of its own when it would
//! hold up other requests.

use std::{num::NonZero, sync::Arc, thread};

use tokio::sync::Semaphore;

use crate::answer::Refusal;

/// Whether work may run on a thread that serves other requests too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Below about half a millisecond.
    Light,
    /// Above.
    Heavy,
}

/// Threads for heavy work, as many as there are cores: more would only share them.
#[derive(Debug, Clone)]
pub(crate) struct Cpu {
    slots: Arc<Semaphore>,
}

impl Cpu {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            slots: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Does the work. Heavy work that was begun is finished even when nobody waits any more.
    ///
    /// # Errors
    /// `Internal` when the work panicked or the process is ending.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        match weight {
            Weight::Light => Ok(work()),
            Weight::Heavy => {
                let slots = Arc::clone(&self.slots);
                let slot = slots.acquire_owned().await.map_err(|_| Refusal::Internal)?;
                let task = tokio::task::spawn_blocking(move || {
                    let done = work();
                    drop(slot);
                    done
                });
                task.await.map_err(|error| {
                    tracing::error!(%error, "heavy work ended early");
                    Refusal::Internal
                })
            }
        }
    }
}
