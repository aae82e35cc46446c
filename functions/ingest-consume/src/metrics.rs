//! Metrics of the consumer.

mod registration;

use std::time::{Duration, SystemTime};

use alioth_cluster::{Applied, UpsertError};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use crate::dead_letter::Cause;

/// Names of this function's metrics: dashboards and alerts rest on them.
pub const METRIC_NAMES: [&str; 18] = [
    "alioth_consume_breaker_state",
    "alioth_consume_dead_letter_failures_total",
    "alioth_consume_dead_letters_total",
    "alioth_consume_held_bytes",
    "alioth_consume_held_messages",
    "alioth_consume_lag_seconds",
    "alioth_consume_look_aheads_total",
    "alioth_consume_merge_messages",
    "alioth_consume_messages_total",
    "alioth_consume_points_applied_total",
    "alioth_consume_points_dead_lettered_total",
    "alioth_consume_retries_total",
    "alioth_consume_stalled_collections",
    "alioth_consume_upsert_bytes",
    "alioth_consume_upsert_duration_seconds",
    "alioth_consume_upsert_points",
    "alioth_consume_upserts_in_flight",
    "alioth_consume_upserts_total",
];

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All its points are in Qdrant.
    Applied,
    /// Some are, the others are dead letters.
    PartlyApplied,
    /// None is.
    DeadLettered,
    /// It went back to the queue.
    Requeued,
}

/// The consumer's metrics. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    breaker_state: IntGauge,
    pub(crate) dead_letter_failures: IntCounter,
    dead_letters: IntCounterVec,
    pub(crate) held_bytes: IntGauge,
    pub(crate) held_messages: IntGauge,
    lag: Histogram,
    pub(crate) look_aheads: IntCounter,
    merge_messages: Histogram,
    messages: IntCounterVec,
    points_applied: IntCounter,
    points_dead_lettered: IntCounterVec,
    pub(crate) retries: IntCounter,
    pub(crate) stalled_collections: IntGauge,
    upsert_bytes: Histogram,
    upsert_duration: HistogramVec,
    upsert_points: Histogram,
    pub(crate) upserts_in_flight: IntGauge,
    upserts: IntCounterVec,
}

impl Metrics {
    pub(crate) fn upsert(
        &self,
        points: usize,
        bytes: usize,
        took: Duration,
        answer: &Result<Applied, UpsertError>,
    ) {
        let outcome = outcome(answer);
        self.upserts.with_label_values(&[outcome]).inc();
        self.upsert_duration
            .with_label_values(&[outcome])
            .observe(took.as_secs_f64());
        self.upsert_points.observe(points as f64);
        self.upsert_bytes.observe(bytes as f64);
    }

    pub(crate) fn merged(&self, messages: usize) {
        self.merge_messages.observe(messages as f64);
    }

    pub(crate) fn applied(&self, points: usize) {
        self.points_applied.inc_by(points as u64);
    }

    /// A dead letter was confirmed; of a message nobody can read the points are not known.
    pub(crate) fn dead_letter(&self, cause: Cause, points: usize) {
        self.dead_letters.with_label_values(&[cause.as_str()]).inc();
        self.points_dead_lettered
            .with_label_values(&[cause.as_str()])
            .inc_by(points as u64);
    }

    pub(crate) fn message(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Applied => "applied",
            Outcome::PartlyApplied => "partly_applied",
            Outcome::DeadLettered => "dead_lettered",
            Outcome::Requeued => "requeued",
        };
        self.messages.with_label_values(&[outcome]).inc();
    }

    /// Clocks of two machines may differ: a negative lag counts as none.
    pub(crate) fn lag(&self, accepted_at_ms: i64) {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let accepted = Duration::from_millis(u64::try_from(accepted_at_ms).unwrap_or(0));
        self.lag.observe(now.saturating_sub(accepted).as_secs_f64());
    }

    pub(crate) fn breaker_closed(&self) {
        self.breaker_state.set(0);
    }

    pub(crate) fn breaker_half_open(&self) {
        self.breaker_state.set(1);
    }

    pub(crate) fn breaker_open(&self) {
        self.breaker_state.set(2);
    }
}

/// An answer in a word: a label, and an attribute of spans.
pub(crate) fn outcome(answer: &Result<Applied, UpsertError>) -> &'static str {
    match answer {
        Ok(Applied::Completed) => "completed",
        Ok(Applied::Acknowledged) => "acknowledged",
        Ok(Applied::WaitTimeout) => "wait_timeout",
        Err(UpsertError::Rejected { .. }) => "rejected",
        Err(UpsertError::Unavailable { .. }) => "unavailable",
        Err(UpsertError::Exhausted { quota: true, .. }) => "quota",
        Err(UpsertError::Exhausted { quota: false, .. }) => "exhausted",
        Err(UpsertError::Denied { .. }) => "denied",
        Err(UpsertError::Internal { .. }) => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::Registry;

    #[test]
    fn the_registry_holds_exactly_the_listed_and_documented_names() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.upsert(1, 1, Duration::ZERO, &Ok(Applied::Completed));
        metrics.message(Outcome::Applied);
        metrics.dead_letter(Cause::Rejected, 1);
        let mut names: Vec<_> = registry
            .gather()
            .iter()
            .map(|f| f.name().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, METRIC_NAMES);
        let readme = include_str!("../README.md");
        assert!(
            METRIC_NAMES
                .iter()
                .all(|name| readme.contains(&format!("`{name}`")))
        );
    }
}
