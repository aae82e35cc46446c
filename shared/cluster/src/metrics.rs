//! Metrics of the calls to Qdrant.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, Result};

use crate::answer::UpsertError;

/// Names of this crate's metrics: dashboards and alerts rest on them.
pub const METRIC_NAMES: [&str; 4] = [
    "alioth_qdrant_calls_total",
    "alioth_qdrant_call_duration_seconds",
    "alioth_qdrant_schema_lookups_total",
    "alioth_qdrant_nodes_away",
];

/// 1 ms to 65 s: an upsert takes 10–100 ms, one behind a lagging optimizer up to the deadline.
const DURATION_BUCKETS: [f64; 9] = [
    0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096, 16.384, 65.536,
];

/// Metrics of one [`Cluster`](crate::Cluster). Clones share them.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    calls: IntCounterVec,
    duration: HistogramVec,
    lookups: IntCounterVec,
    pub(crate) nodes_away: IntGauge,
}

/// What was asked of Qdrant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    Upsert,
    Schema,
    Health,
}

/// How the schema cache answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lookup {
    Cached,
    Asked,
    Stale,
    Unavailable,
}

impl ClusterMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When the registry has them already.
    pub fn register(registry: &Registry) -> Result<Self> {
        let calls = IntCounterVec::new(
            Opts::new(METRIC_NAMES[0], "Calls to Qdrant by operation and outcome."),
            &["operation", "outcome"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(METRIC_NAMES[1], "Duration of calls to Qdrant.")
                .buckets(DURATION_BUCKETS.to_vec()),
            &["operation"],
        )?;
        let lookups = IntCounterVec::new(
            Opts::new(
                METRIC_NAMES[2],
                "Schema lookups by where the answer came from.",
            ),
            &["source"],
        )?;
        let nodes_away = IntGauge::new(
            METRIC_NAMES[3],
            "Nodes whose last call found no connection.",
        )?;
        registry.register(Box::new(calls.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(lookups.clone()))?;
        registry.register(Box::new(nodes_away.clone()))?;
        Ok(Self {
            calls,
            duration,
            lookups,
            nodes_away,
        })
    }

    pub(crate) fn call<T>(
        &self,
        operation: Operation,
        took: Duration,
        answer: &std::result::Result<T, UpsertError>,
    ) {
        let operation = match operation {
            Operation::Upsert => "upsert",
            Operation::Schema => "schema",
            Operation::Health => "health",
        };
        let outcome = match answer {
            Ok(_) => "ok",
            Err(UpsertError::Rejected { .. }) => "rejected",
            Err(UpsertError::Unavailable { .. }) => "unavailable",
            Err(UpsertError::Exhausted { .. }) => "exhausted",
            Err(UpsertError::Denied { .. }) => "denied",
            Err(UpsertError::Internal { .. }) => "internal",
        };
        self.calls.with_label_values(&[operation, outcome]).inc();
        self.duration
            .with_label_values(&[operation])
            .observe(took.as_secs_f64());
    }

    pub(crate) fn lookup(&self, lookup: Lookup) {
        let source = match lookup {
            Lookup::Cached => "cached",
            Lookup::Asked => "asked",
            Lookup::Stale => "stale",
            Lookup::Unavailable => "unavailable",
        };
        self.lookups.with_label_values(&[source]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_holds_exactly_the_listed_names() {
        let registry = Registry::new();
        let metrics = ClusterMetrics::register(&registry).unwrap();
        metrics.call(Operation::Upsert, Duration::from_millis(1), &Ok(()));
        metrics.lookup(Lookup::Cached);
        let mut names: Vec<_> = registry
            .gather()
            .iter()
            .map(|f| f.name().to_owned())
            .collect();
        let mut listed = METRIC_NAMES.to_vec();
        names.sort();
        listed.sort_unstable();
        assert_eq!(names, listed);
        let readme = include_str!("../README.md");
        assert!(
            listed
                .iter()
                .all(|name| readme.contains(&format!("`{name}`")))
        );
    }
}
