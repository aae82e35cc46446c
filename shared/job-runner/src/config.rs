//! `ALIOTH_JOB_*` and `ALIOTH_PUSHGATEWAY_*`.

use std::time::Duration;

use alioth_config::{Section, Span};
use serde::Deserialize;

/// How a job starts, and how long it is believed to live.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct JobConfig {
    /// Where the request comes from.
    pub source: JobSource,
    /// How long to wait for a message.
    pub wait: Span,
    /// A run silent for this long is taken for dead.
    pub lease: Span,
}

/// Where a job's request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobSource {
    /// One message of its queue.
    #[default]
    Queue,
    /// The environment.
    Once,
}

impl JobConfig {
    /// A pod that KEDA started for a message another one took should not linger.
    const WAIT: Span = Span(Duration::from_secs(10));
    /// Three renewals; an S3 that is busy for half a minute costs one of them.
    const LEASE: Span = Span(Duration::from_secs(90));
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            source: JobSource::default(),
            wait: Self::WAIT,
            lease: Self::LEASE,
        }
    }
}

impl Section for JobConfig {
    const PREFIX: &'static str = "ALIOTH_JOB_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.wait.0.is_zero() {
            problems.push(("WAIT", "must be above zero".to_owned()));
        }
        if self.lease.0 < Duration::from_secs(1) {
            problems.push(("LEASE", "must be at least 1s".to_owned()));
        }
        problems
    }
}

/// Where metrics go when a job ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct PushConfig {
    /// The Pushgateway. Empty: nowhere.
    pub url: String,
    /// For one push.
    pub timeout: Span,
}

impl Default for PushConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            timeout: Span(Duration::from_secs(10)),
        }
    }
}

impl Section for PushConfig {
    const PREFIX: &'static str = "ALIOTH_PUSHGATEWAY_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let is_http = |url: &reqwest::Url| matches!(url.scheme(), "http" | "https");
        if !self.url.is_empty() && !reqwest::Url::parse(&self.url).is_ok_and(|url| is_http(&url)) {
            problems.push(("URL", "is no http:// or https:// URL".to_owned()));
        }
        if self.timeout.0.is_zero() {
            problems.push(("TIMEOUT", "must be above zero".to_owned()));
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
        assert_eq!(undocumented::<JobConfig>(readme), Vec::<String>::new());
        assert_eq!(undocumented::<PushConfig>(readme), Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_told() {
        let pairs = [
            ("ALIOTH_JOB_SOURCE", "mail"),
            ("ALIOTH_JOB_WAIT", "0s"),
            ("ALIOTH_JOB_LEASE", "10ms"),
            ("ALIOTH_PUSHGATEWAY_URL", "pushgateway:9091"),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut loader = Loader::new(pairs.map(own));
        loader.section::<JobConfig>();
        loader.section::<PushConfig>();
        let problems = loader.finish().unwrap_err().problems;
        let names: Vec<&str> = problems.iter().map(|p| p.variable.as_str()).collect();
        assert_eq!(names, pairs.map(|(name, _)| name));
    }
}
