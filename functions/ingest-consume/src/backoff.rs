//! How long to wait before the next try.

use std::time::Duration;

/// Doubling pauses between two bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The pause after so many failures in a row, 1 or more. Its upper half is random, so that many
    /// consumers do not come back in step.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let doubled = self
            .min
            .saturating_mul(1 << failures.saturating_sub(1).min(20));
        doubled.min(self.max).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_never_fall_below_half() {
        let backoff = Backoff {
            min: Duration::from_millis(100),
            max: Duration::from_secs(10),
        };
        for (failures, nominal_ms) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (5, 1_600),
            (8, 10_000),
            (u32::MAX, 10_000),
        ] {
            let pause = backoff.pause(failures);
            let nominal = Duration::from_millis(nominal_ms);
            assert!(
                pause >= nominal / 2 && pause <= nominal,
                "{failures}: {pause:?}"
            );
        }
    }
}
