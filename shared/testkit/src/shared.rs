//! A service that all tests of a process share: started by the first that asks.

use std::{future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt as _;
use tokio::sync::OnceCell;

/// Holds the service, or that it did not start.
///
/// A start that failed is not tried again: a service that comes up for one test and not for another is a fault to
/// be seen, and a hundred tests that each wait for a start's deadline keep the reason from view for hours.
pub(crate) struct Shared<T> {
    started: OnceCell<Option<T>>,
}

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self {
            started: OnceCell::const_new(),
        }
    }

    /// The service; `start` runs once in a process.
    ///
    /// # Panics
    /// As `start` does, to the first that asks; at once to all others.
    pub(crate) async fn get(&self, start: impl Future<Output = T>) -> &T {
        let mut failure = None;
        let started = self.started.get_or_init(|| async {
            match AssertUnwindSafe(start).catch_unwind().await {
                Ok(service) => Some(service),
                Err(panic) => {
                    failure = Some(panic);
                    None
                }
            }
        });
        match started.await {
            Some(service) => service,
            None => match failure {
                Some(panic) => std::panic::resume_unwind(panic),
                None => panic!("the shared service did not start: another test says why"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn a_start_happens_once() {
        let shared = Shared::new();
        assert_eq!(shared.get(async { 1 }).await, &1);
        assert_eq!(shared.get(async { 2 }).await, &1);
    }

    #[tokio::test]
    async fn a_failed_start_is_told_to_its_test_and_fails_the_others_at_once() {
        let shared = Shared::<u8>::new();
        let starts = Cell::new(0);
        for expected in ["no disk", "the shared service did not start"] {
            let failing = async {
                starts.set(starts.get() + 1);
                panic!("no disk")
            };
            let failed = AssertUnwindSafe(shared.get(failing)).catch_unwind().await;
            let panic = failed.expect_err("it cannot start");
            let message = panic.downcast_ref::<&str>().copied().unwrap_or_default();
            assert!(message.starts_with(expected), "{message}");
        }
        assert_eq!(starts.get(), 1);
    }
}
