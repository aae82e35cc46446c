//! What a run counts as it goes. How it ended is the job runner's to say.

use prometheus::{IntCounter, Registry, Result};

/// Names of this crate's metrics: dashboards and alerts rest on them.
pub const METRIC_NAMES: [&str; 3] = [
    "alioth_snapshot_attempts_failed_total",
    "alioth_snapshot_bytes_total",
    "alioth_snapshot_shards_total",
];

/// The metrics of snapshots. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    attempts_failed: IntCounter,
    bytes: IntCounter,
    shards: IntCounter,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When the registry has them already.
    pub fn register(registry: &Registry) -> Result<Self> {
        let metrics = Self {
            attempts_failed: IntCounter::new(
                METRIC_NAMES[0],
                "Attempts for a shard or a node's storage that failed.",
            )?,
            bytes: IntCounter::new(METRIC_NAMES[1], "Bytes read from Qdrant.")?,
            shards: IntCounter::new(METRIC_NAMES[2], "Shards, or nodes' storages, stored.")?,
        };
        for counter in [&metrics.attempts_failed, &metrics.bytes, &metrics.shards] {
            registry.register(Box::new(counter.clone()))?;
        }
        Ok(metrics)
    }

    /// Bytes read from Qdrant so far, those of failed attempts included.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    pub(crate) fn attempt_failed(&self) {
        self.attempts_failed.inc();
    }

    pub(crate) fn bytes_read(&self, count: usize) {
        self.bytes.inc_by(count as u64);
    }

    pub(crate) fn shard_stored(&self) {
        self.shards.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_holds_exactly_the_listed_and_documented_names() {
        let registry = Registry::new();
        Metrics::register(&registry).unwrap();
        let families = registry.gather();
        let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
        assert_eq!(names, METRIC_NAMES);
        let readme = include_str!("../README.md");
        for name in METRIC_NAMES {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }
}
