//! Stops calls to a Qdrant that is away, and lets one at a time through to see whether it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{backoff::Backoff, metrics::Metrics};

/// Failures in a row, whosever, that open it: one shard's or one collection's trouble with others
/// passing in between does not.
const THRESHOLD: u32 = 3;

/// Leave to make one call. Held until the call's outcome is reported.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pass<'a> {
    _probe: Option<SemaphorePermit<'a>>,
}

/// Closed: calls pass. Open: none does until a pause is over, then one, whose outcome decides.
#[derive(Debug)]
pub(crate) struct Breaker {
    backoff: Backoff,
    state: Mutex<State>,
    /// Taken in turn by those who wait, so that no single one decides for all.
    probe: Semaphore,
    metrics: Metrics,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// In a row.
    failures: u32,
    /// Set while open.
    open_until: Option<Instant>,
}

impl Breaker {
    pub(crate) fn new(backoff: Backoff, metrics: Metrics) -> Self {
        Self {
            backoff,
            state: Mutex::new(State {
                failures: 0,
                open_until: None,
            }),
            probe: Semaphore::new(1),
            metrics,
        }
    }

    /// Waits until a call may be made.
    ///
    /// # Cancel safety
    /// Cancel safe: the place in the row is lost, nothing else.
    pub(crate) async fn pass(&self) -> Pass<'_> {
        if self.is_closed() {
            return Pass { _probe: None };
        }
        // The semaphore is never closed.
        let probe = self.probe.acquire().await.ok();
        loop {
            let Some(until) = self.lock().open_until else {
                return Pass { _probe: None };
            };
            if Instant::now() >= until {
                self.metrics.breaker_half_open();
                return Pass { _probe: probe };
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// Whether calls pass.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().open_until.is_none()
    }

    /// Qdrant answered, whatever it was: closes.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        let was_open = state.open_until.take().is_some();
        state.failures = 0;
        drop(state);
        if was_open {
            self.metrics.breaker_closed();
            tracing::info!("qdrant answers again");
        }
    }

    /// Qdrant did not answer, or only that it cannot.
    pub(crate) fn failed(&self, reason: &str) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < THRESHOLD {
            return;
        }
        let pause = self.backoff.pause(state.failures - THRESHOLD + 1);
        let was_open = state.open_until.replace(Instant::now() + pause).is_some();
        drop(state);
        self.metrics.breaker_open();
        if !was_open {
            tracing::warn!(reason, "qdrant is away, holding messages back");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, time::Duration};
    use tokio::time::timeout;

    fn breaker() -> Arc<Breaker> {
        let backoff = Backoff {
            min: Duration::from_secs(1),
            max: Duration::from_secs(8),
        };
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        Arc::new(Breaker::new(backoff, metrics))
    }

    fn open(breaker: &Breaker) {
        for _ in 0..THRESHOLD {
            breaker.failed("test");
        }
        assert!(!breaker.is_closed());
    }

    async fn passes_now(breaker: &Breaker) -> bool {
        timeout(Duration::ZERO, breaker.pass()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn failures_with_answers_between_them_do_not_open_it() {
        let breaker = breaker();
        for _ in 0..10 {
            breaker.failed("test");
            breaker.failed("test");
            breaker.answered();
        }
        assert!(breaker.is_closed() && passes_now(&breaker).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_one_lets_nothing_pass_until_its_pause_is_over() {
        let breaker = breaker();
        open(&breaker);
        assert!(!passes_now(&breaker).await);
        let before = Instant::now();
        let _probe = breaker.pass().await;
        let waited = before.elapsed();
        assert!(
            waited >= Duration::from_millis(500) && waited <= Duration::from_millis(1_001),
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_and_every_failure_makes_the_pause_longer() {
        let breaker = breaker();
        open(&breaker);
        let started = Instant::now();
        let mut probes = 0;
        while started.elapsed() < Duration::from_secs(60) {
            let probe = breaker.pass().await;
            assert!(
                !passes_now(&breaker).await,
                "a second call beside the probe"
            );
            breaker.failed("test");
            drop(probe);
            probes += 1;
        }
        assert!((8..=18).contains(&probes), "{probes} probes in a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_lets_everybody_pass_at_once() {
        let breaker = breaker();
        open(&breaker);
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let breaker = Arc::clone(&breaker);
            waiting.spawn(async move {
                let pass = breaker.pass().await;
                breaker.answered();
                drop(pass);
            });
        }
        let before = Instant::now();
        waiting.join_all().await;
        assert!(before.elapsed() <= Duration::from_millis(1_001));
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_probe_makes_room_for_the_next() {
        let breaker = breaker();
        open(&breaker);
        drop(breaker.pass().await);
        assert!(passes_now(&breaker).await);
    }
}
