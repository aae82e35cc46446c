#![doc = include_str!("../README.md")]

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use alioth_config::{Section, Span};
use serde::Deserialize;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Five seconds below Kubernetes' default grace period of 30 s, so that the last steps of a
/// drain (closing connections, the exit itself) come before its SIGKILL.
const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a drain may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DrainConfig {
    /// From the signal to the last settled delivery or answered request.
    pub timeout: Span,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            timeout: Span(DEFAULT_DRAIN_TIMEOUT),
        }
    }
}

impl Section for DrainConfig {
    const PREFIX: &'static str = "ALIOTH_DRAIN_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        if self.timeout.0.is_zero() {
            return vec![("TIMEOUT", "must be above zero".to_owned())];
        }
        Vec::new()
    }
}

/// What can go wrong between start and end. None is transient.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The operating system refused a signal handler.
    #[error("install the handler of {signal}")]
    InstallHandler {
        /// Name of the signal.
        signal: &'static str,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// Tasks were still running at the drain deadline.
    #[error("drain missed its deadline of {deadline:?} with {tasks} tasks running")]
    DrainDeadlineMissed {
        /// The configured deadline.
        deadline: Duration,
        /// Tasks that were cut off.
        tasks: usize,
    },
}

/// The token that ends a process, and the tasks that must have ended before it does.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
    /// When the signal came.
    signalled: Arc<OnceLock<Instant>>,
}

impl Shutdown {
    /// Is cancelled by the first SIGTERM or SIGINT from now on.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn on_signals() -> Result<Self, LifecycleError> {
        let mut terminate = handler(SignalKind::terminate(), "SIGTERM")?;
        let mut interrupt = handler(SignalKind::interrupt(), "SIGINT")?;
        let shutdown = Self::manual();
        let (token, signalled) = (shutdown.token(), Arc::clone(&shutdown.signalled));
        // Not in the tracker: it lives as long as the process, whatever else has ended.
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            signalled.get_or_init(Instant::now);
            tracing::info!(signal = name, "shutting down");
            token.cancel();
        });
        Ok(shutdown)
    }

    /// Is cancelled by nobody but the caller.
    pub fn manual() -> Self {
        Self::default()
    }

    /// The token to hold; cancelling it is what a signal does.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// The tracker of tasks that must have ended before the process does.
    pub fn tracker(&self) -> TaskTracker {
        self.tracker.clone()
    }

    /// Spawns a tracked task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// What is left of the drain's time, for the steps after the drain itself; all of it when no
    /// signal has come.
    pub fn time_left(&self, drain: DrainConfig) -> Duration {
        let gone = self.signalled.get().map(Instant::elapsed);
        drain.timeout.0.saturating_sub(gone.unwrap_or_default())
    }

    /// Returns, and says so, when the signal's drain has had all of its time; without a signal never.
    ///
    /// # Cancel safety
    /// Safe: it does nothing but wait.
    pub async fn drain_missed(&self, drain: DrainConfig) {
        self.token.cancelled().await;
        tokio::time::sleep(self.time_left(drain)).await;
        let deadline = drain.timeout.0;
        tracing::error!(?deadline, "drain missed its deadline");
    }

    /// Waits until every tracked task has ended.
    ///
    /// # Errors
    /// `DrainDeadlineMissed` when some have not by the deadline.
    pub async fn finish(&self, deadline: Duration) -> Result<(), LifecycleError> {
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait())
            .await
            .map_err(|_| LifecycleError::DrainDeadlineMissed {
                deadline,
                tasks: self.tracker.len(),
            })
    }
}

fn handler(kind: SignalKind, name: &'static str) -> Result<Signal, LifecycleError> {
    signal(kind).map_err(|source| LifecycleError::InstallHandler {
        signal: name,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn finish_waits_for_tracked_tasks() {
        let shutdown = Shutdown::manual();
        let token = shutdown.token();
        shutdown.spawn(async move { token.cancelled().await });
        shutdown.token().cancel();
        shutdown.finish(Duration::from_secs(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_past_the_deadline_is_an_error_that_counts_it() {
        let shutdown = Shutdown::manual();
        shutdown.spawn(std::future::pending());
        let error = shutdown.finish(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "drain missed its deadline of 1s with 1 tasks running"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_left_is_counted_from_the_signal_and_never_below_zero() {
        let drain = DrainConfig::default();
        let shutdown = Shutdown::manual();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(shutdown.time_left(drain), DEFAULT_DRAIN_TIMEOUT);
        shutdown.signalled.get_or_init(Instant::now);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(shutdown.time_left(drain), Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(shutdown.time_left(drain), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_is_missed_after_all_of_its_time_and_never_without_a_signal() {
        let (shutdown, drain) = (Shutdown::manual(), DrainConfig::default());
        let day = Duration::from_secs(24 * 60 * 60);
        let unsignalled = tokio::time::timeout(day, shutdown.drain_missed(drain)).await;
        assert!(unsignalled.is_err());
        let began = Instant::now();
        shutdown.token().cancel();
        shutdown.drain_missed(drain).await;
        assert_eq!(began.elapsed(), DEFAULT_DRAIN_TIMEOUT);
    }

    #[test]
    fn every_variable_is_in_the_readme() {
        let missing = alioth_config::undocumented::<DrainConfig>(include_str!("../README.md"));
        assert!(missing.is_empty(), "{missing:?}");
    }
}
