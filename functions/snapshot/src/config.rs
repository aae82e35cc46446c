//! What is saved when nobody asks, how carefully, and what is kept.

use std::time::Duration;

use alioth_config::{Section, Span};
use alioth_snapshot_store::retention::Policy;
use serde::Deserialize;

/// Each stream keeps a node's disk and a core of it busy; two nodes at work leave a cluster of three one that is not.
const DEFAULT_CONCURRENCY: usize = 2;

/// A replica that died, the one it moved to, and two more.
const DEFAULT_ATTEMPTS: u32 = 4;

/// Consensus tells the other nodes of a dead replica within a second or two.
const DEFAULT_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What a run without a request saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// The shards of collections, with a manifest.
    #[default]
    Collections,
    /// Every node's full snapshot.
    Storage,
}

/// The `ALIOTH_SNAPSHOT_*` settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SnapshotConfig {
    /// Without a request: what is saved.
    pub what: What,
    /// Without a request: names or globs of collections; none: all.
    pub collections: Vec<String>,
    /// Shards, or nodes, at once; never two of one node.
    pub concurrency: usize,
    /// Attempts for one shard, whichever its replicas.
    pub attempts: u32,
    /// Pause after a shard's first failure; doubles.
    pub retry_pause: Span,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self {
            what: What::default(),
            collections: Vec::new(),
            concurrency: DEFAULT_CONCURRENCY,
            attempts: DEFAULT_ATTEMPTS,
            retry_pause: Span(DEFAULT_RETRY_PAUSE),
        }
    }
}

impl Section for SnapshotConfig {
    const PREFIX: &'static str = "ALIOTH_SNAPSHOT_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.collections.iter().any(String::is_empty) {
            problems.push(("COLLECTIONS", "has an empty name in it".to_owned()));
        }
        if self.what == What::Storage && !self.collections.is_empty() {
            let message = "goes with ALIOTH_SNAPSHOT_WHAT=collections only";
            problems.push(("COLLECTIONS", message.to_owned()));
        }
        if self.concurrency == 0 {
            problems.push(("CONCURRENCY", "must be above zero".to_owned()));
        }
        if self.attempts == 0 {
            problems.push(("ATTEMPTS", "must be above zero".to_owned()));
        }
        problems
    }
}

/// The `ALIOTH_RETENTION_*` settings: how many snapshots stay after a successful run. All zero: every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct RetentionConfig {
    /// The newest so many.
    pub keep_last: u32,
    /// The newest of each of so many hours that have one.
    pub keep_hourly: u32,
    /// The same for days.
    pub keep_daily: u32,
    /// The same for ISO weeks.
    pub keep_weekly: u32,
    /// The same for months.
    pub keep_monthly: u32,
    /// Says what would go and removes nothing.
    pub dry_run: bool,
}

impl RetentionConfig {
    pub(crate) fn policy(self) -> Policy {
        Policy {
            keep_last: self.keep_last,
            keep_hourly: self.keep_hourly,
            keep_daily: self.keep_daily,
            keep_weekly: self.keep_weekly,
            keep_monthly: self.keep_monthly,
        }
    }
}

impl Section for RetentionConfig {
    const PREFIX: &'static str = "ALIOTH_RETENTION_";
}

#[cfg(test)]
mod tests {
    use alioth_config::Loader;

    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<(SnapshotConfig, RetentionConfig), String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut loader = Loader::new(variables);
        let sections = (loader.section(), loader.section());
        let finished = loader.finish();
        finished.map(|()| sections).map_err(|e| e.to_string())
    }

    #[test]
    fn the_documented_names_are_read() {
        let (snapshot, retention) = load(&[
            ("ALIOTH_SNAPSHOT_COLLECTIONS", "movies,log-*"),
            ("ALIOTH_SNAPSHOT_CONCURRENCY", "3"),
            ("ALIOTH_RETENTION_KEEP_LAST", "7"),
            ("ALIOTH_RETENTION_DRY_RUN", "true"),
        ])
        .unwrap();
        assert_eq!(snapshot.collections, ["movies", "log-*"]);
        assert_eq!(snapshot.concurrency, 3);
        assert_eq!(retention.policy().keep_last, 7);
        assert!(retention.dry_run);
    }

    #[test]
    fn every_problem_is_named() {
        let error = load(&[
            ("ALIOTH_SNAPSHOT_WHAT", "storage"),
            ("ALIOTH_SNAPSHOT_COLLECTIONS", "movies,,"),
            ("ALIOTH_SNAPSHOT_CONCURRENCY", "0"),
            ("ALIOTH_SNAPSHOT_ATTEMPTS", "0"),
        ])
        .unwrap_err();
        for part in [
            "COLLECTIONS: has an empty name",
            "COLLECTIONS: goes with ALIOTH_SNAPSHOT_WHAT=collections",
            "CONCURRENCY: must be above zero",
            "ATTEMPTS: must be above zero",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn every_variable_is_in_the_readme() {
        let readme = include_str!("../README.md");
        let mut missing = alioth_config::undocumented::<SnapshotConfig>(readme);
        missing.extend(alioth_config::undocumented::<RetentionConfig>(readme));
        assert!(missing.is_empty(), "{missing:?}");
    }
}
