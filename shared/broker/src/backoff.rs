//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// The first wait: about what a restarting broker's port is closed for at least.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait: a fleet of pods then tries a few hundred times a minute, and a broker that came back is used
/// within seconds.
const LONGEST: Duration = Duration::from_secs(5);

/// Exponential waits with full jitter in their upper half, so that a fleet does not come back in step.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let ceiling = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// A success: the next failure waits little again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over_after_a_success() {
        let mut backoff = Backoff::default();
        let first = backoff.next_wait();
        assert!((FIRST / 2..=FIRST).contains(&first), "{first:?}");
        let last = (0..40)
            .map(|_| backoff.next_wait())
            .last()
            .expect("forty waits");
        assert!((LONGEST / 2..=LONGEST).contains(&last), "{last:?}");
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST);
    }
}
