//! Where Qdrant's REST API is, and how long it may take.

use std::time::Duration;

use alioth_config::{Loader, Secret, Section, Span};
use serde::Deserialize;

use crate::config::parse_url;

/// A question about a collection takes milliseconds; creating one goes through consensus.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A connect on one network takes milliseconds; a node that does not answer its SYN is away.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Before its first byte a node flushes the shard. Its own patience with a reader is 5 min.
/// Source: qdrant 1.18.3 `lib/collection/src/shards/shard_holder/mod.rs`, `SNAPSHOT_STREAM_WRITE_IDLE_TIMEOUT`.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// A node copies all its collections into a full snapshot, and unpacks and indexes an uploaded
/// one, before it answers: at 100 MB/s an hour is 360 GB.
const DEFAULT_SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The `ALIOTH_QDRANT_REST_*` settings, and the key.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct QdrantRestConfig {
    /// REST addresses of one cluster's nodes; a name stands for all its addresses.
    pub url: Vec<String>,
    /// Deadline of one call that moves no snapshot.
    pub timeout: Span,
    /// Deadline of one connect.
    pub connect_timeout: Span,
    /// How long a snapshot's stream may stand still, and its first byte be awaited.
    pub idle_timeout: Span,
    /// Deadline of what a node does on its own: create a full snapshot, recover from an uploaded one.
    pub snapshot_timeout: Span,
    /// Sent as `api-key` with every call; `ALIOTH_QDRANT_API_KEY`, the same as gRPC's.
    #[serde(skip)]
    pub api_key: Secret,
}

impl Default for QdrantRestConfig {
    fn default() -> Self {
        Self {
            url: vec!["http://127.0.0.1:6333".to_owned()],
            timeout: Span(DEFAULT_TIMEOUT),
            connect_timeout: Span(DEFAULT_CONNECT_TIMEOUT),
            idle_timeout: Span(DEFAULT_IDLE_TIMEOUT),
            snapshot_timeout: Span(DEFAULT_SNAPSHOT_TIMEOUT),
            api_key: Secret::default(),
        }
    }
}

impl QdrantRestConfig {
    /// Reads the section, and the key out of gRPC's; problems are left with the loader.
    pub fn load(loader: &mut Loader) -> Self {
        let mut config: Self = loader.section();
        config.api_key = loader.section::<KeyConfig>().api_key;
        config
    }
}

impl Section for QdrantRestConfig {
    const PREFIX: &'static str = "ALIOTH_QDRANT_REST_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.url.is_empty() {
            problems.push(("URL", "names no address".to_owned()));
        }
        for (index, url) in self.url.iter().enumerate() {
            if let Err(message) = parse_url(url) {
                problems.push(("URL", format!("address {}: {message}", index + 1)));
            }
        }
        let spans = [
            ("TIMEOUT", self.timeout),
            ("CONNECT_TIMEOUT", self.connect_timeout),
            ("IDLE_TIMEOUT", self.idle_timeout),
            ("SNAPSHOT_TIMEOUT", self.snapshot_timeout),
        ];
        for (field, span) in spans {
            if span.0.is_zero() {
                problems.push((field, "must be above zero".to_owned()));
            }
        }
        problems
    }
}

/// The one setting shared with gRPC's section.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyConfig {
    api_key: Secret,
}

impl Section for KeyConfig {
    const PREFIX: &'static str = "ALIOTH_QDRANT_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        if reqwest::header::HeaderValue::from_str(self.api_key.expose()).is_err() {
            return vec![("API_KEY", "holds characters no header can carry".to_owned())];
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<QdrantRestConfig, String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut loader = Loader::new(variables);
        let config = QdrantRestConfig::load(&mut loader);
        loader.finish().map(|()| config).map_err(|e| e.to_string())
    }

    #[test]
    fn addresses_times_and_the_shared_key_are_read() {
        let config = load(&[
            ("ALIOTH_QDRANT_REST_URL", "http://a:6333,https://b"),
            ("ALIOTH_QDRANT_REST_IDLE_TIMEOUT", "5s"),
            ("ALIOTH_QDRANT_API_KEY", "hunter2"),
        ])
        .unwrap();
        assert_eq!(config.url, ["http://a:6333", "https://b"]);
        assert_eq!(config.idle_timeout.0, Duration::from_secs(5));
        assert_eq!(config.api_key.expose(), "hunter2");
    }

    #[test]
    fn every_problem_is_named_and_no_value_repeated() {
        let error = load(&[
            ("ALIOTH_QDRANT_REST_URL", "qdrant:6333,http://me:hunter2@a"),
            ("ALIOTH_QDRANT_REST_TIMEOUT", "0s"),
            ("ALIOTH_QDRANT_API_KEY", "with\nhunter2"),
        ])
        .unwrap_err();
        for part in [
            "address 1",
            "address 2: must not hold a user",
            "ALIOTH_QDRANT_REST_TIMEOUT: must be above zero",
            "ALIOTH_QDRANT_API_KEY",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn every_variable_is_in_the_readme() {
        let readme = include_str!("../../README.md");
        assert_eq!(
            alioth_config::undocumented::<QdrantRestConfig>(readme),
            Vec::<String>::new()
        );
    }
}
