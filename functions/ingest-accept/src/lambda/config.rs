//! `ALIOTH_LAMBDA_*`: what only the Lambda build is told.

use std::time::Duration;

use alioth_config::{Section, Span};
use serde::Deserialize;

/// Reconnecting takes tens of milliseconds, a broker's restart seconds. With the answer timeout it stays below the
/// time after which Qdrant's clients give up only where the broker is there.
const DEFAULT_BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// What only the Lambda build is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LambdaConfig {
    /// What paths begin with before the routes: a custom domain's base path, or the path of a load balancer's rule.
    pub base_path: String,
    /// How long a write waits for the broker to answer, or to be connected to.
    pub broker_timeout: Span,
}

impl Default for LambdaConfig {
    fn default() -> Self {
        Self {
            base_path: String::new(),
            broker_timeout: Span(DEFAULT_BROKER_TIMEOUT),
        }
    }
}

impl Section for LambdaConfig {
    const PREFIX: &'static str = "ALIOTH_LAMBDA_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let rooted = self.base_path.starts_with('/') && !self.base_path.ends_with('/');
        if !self.base_path.is_empty() && !rooted {
            let message = "must begin with a slash and not end with one";
            problems.push(("BASE_PATH", message.to_owned()));
        }
        if self.broker_timeout.0.is_zero() {
            problems.push(("BROKER_TIMEOUT", "must be above zero".to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_config::Loader;

    fn load(name: &str, value: &str) -> Result<LambdaConfig, String> {
        let mut loader = Loader::new([(name.to_owned(), value.to_owned())]);
        let config = loader.section();
        let finished = loader.finish().map(|()| config);
        finished.map_err(|error| error.to_string())
    }

    #[test]
    fn every_variable_is_in_the_readme() {
        let readme = include_str!("../../README.md");
        let missing = alioth_config::undocumented::<LambdaConfig>(readme);
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_base_path_begins_with_a_slash_and_does_not_end_with_one() {
        for good in ["/vectors", "/a/b"] {
            assert!(load("ALIOTH_LAMBDA_BASE_PATH", good).is_ok(), "{good}");
        }
        for bad in ["vectors", "/vectors/", "/"] {
            let problem = load("ALIOTH_LAMBDA_BASE_PATH", bad).unwrap_err();
            assert!(problem.contains("ALIOTH_LAMBDA_BASE_PATH"), "{problem}");
        }
        assert!(load("ALIOTH_LAMBDA_BROKER_TIMEOUT", "0s").is_err());
    }
}
