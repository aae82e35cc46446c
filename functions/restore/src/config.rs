//! `ALIOTH_RESTORE_*`.

use std::time::Duration;

use alioth_config::{Section, Span};
use serde::Deserialize;

/// How a restore goes about it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct RestoreConfig {
    /// Shards being uploaded at once, at most one to a node.
    pub concurrency: usize,
    /// Times a shard is tried, the first included.
    pub attempts: u32,
    /// How long replicas may stay inactive while nothing is transferred between nodes.
    pub settle_timeout: Span,
    /// What a count outside of the manifest's range means.
    pub counts: Counts,
    /// Reads every object of a collection that is to be replaced, and compares its SHA-256, before the old one goes.
    pub verify_first: bool,
}

/// What a count outside of the manifest's range means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counts {
    /// The restore has failed.
    #[default]
    Strict,
    /// The log and the result tell of it: with inserts and deletes while a snapshot is taken, what is in it may count
    /// outside of what was counted before and after.
    Warn,
}

impl RestoreConfig {
    /// Two nodes writing at once keep one reader of S3 busy.
    const CONCURRENCY: usize = 2;
    /// With the pauses between them, about a minute: a node that restarts is back by then.
    const ATTEMPTS: u32 = 6;
    /// Qdrant looks after replicas that are not active every ten seconds, and starts few transfers at once.
    const SETTLE_TIMEOUT: Span = Span(Duration::from_secs(600));
}

impl Default for RestoreConfig {
    fn default() -> Self {
        Self {
            concurrency: Self::CONCURRENCY,
            attempts: Self::ATTEMPTS,
            settle_timeout: Self::SETTLE_TIMEOUT,
            counts: Counts::default(),
            verify_first: true,
        }
    }
}

impl Section for RestoreConfig {
    const PREFIX: &'static str = "ALIOTH_RESTORE_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=64).contains(&self.concurrency) {
            problems.push(("CONCURRENCY", "must be between 1 and 64".to_owned()));
        }
        if !(1..=100).contains(&self.attempts) {
            problems.push(("ATTEMPTS", "must be between 1 and 100".to_owned()));
        }
        if self.settle_timeout.0.is_zero() {
            problems.push(("SETTLE_TIMEOUT", "must be above zero".to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_config::{Loader, undocumented};

    #[test]
    fn readme_documents_every_variable() {
        let readme = include_str!("../README.md");
        assert_eq!(undocumented::<RestoreConfig>(readme), Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_told() {
        let pairs = [
            ("ALIOTH_RESTORE_COUNTS", "ignore"),
            ("ALIOTH_RESTORE_CONCURRENCY", "0"),
            ("ALIOTH_RESTORE_ATTEMPTS", "1000"),
            ("ALIOTH_RESTORE_SETTLE_TIMEOUT", "0s"),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut loader = Loader::new(pairs.map(own));
        loader.section::<RestoreConfig>();
        let problems = loader.finish().unwrap_err().problems;
        let names: Vec<&str> = problems.iter().map(|p| p.variable.as_str()).collect();
        assert_eq!(names, pairs.map(|(name, _)| name));
    }
}
