//! Where Qdrant is, and how long it may take.

use std::time::Duration;

use alioth_config::{Secret, Section, Span};
use serde::Deserialize;
use tonic::{codegen::http::Uri, metadata::AsciiMetadataValue};

/// Qdrant waits for its update workers and, under an optimizer that lags, for room in a shard's
/// queue of 200 operations. Giving up early sends the same points again into that same queue.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A connect on one network takes milliseconds; a node that does not answer its SYN is away.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A client of ingest-accept waits for this when nothing is cached; Qdrant answers in 1–2 ms.
const DEFAULT_SCHEMA_TIMEOUT: Duration = Duration::from_millis(1500);

const DEFAULT_SCHEMA_TTL: Duration = Duration::from_secs(30);
const DEFAULT_SCHEMA_MISSING_TTL: Duration = Duration::from_secs(5);

/// About 3 MB of memory when every entry is used.
const DEFAULT_SCHEMA_ENTRIES: usize = 10_000;

/// The `ALIOTH_QDRANT_*` settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct QdrantConfig {
    /// gRPC addresses of one cluster's nodes.
    pub url: Vec<String>,
    /// Sent as `api-key` with every call.
    pub api_key: Secret,
    /// Deadline of one upsert, all nodes it tries taken together.
    pub timeout: Span,
    /// Deadline of one connect.
    pub connect_timeout: Span,
    /// Deadline of one question about a collection.
    pub schema_timeout: Span,
    /// How long a collection's schema is believed.
    pub schema_ttl: Span,
    /// How long a collection's absence is believed.
    pub schema_missing_ttl: Span,
    /// Collections the schema cache holds at most.
    pub schema_entries: usize,
}

impl Default for QdrantConfig {
    fn default() -> Self {
        Self {
            url: vec!["http://127.0.0.1:6334".to_owned()],
            api_key: Secret::default(),
            timeout: Span(DEFAULT_TIMEOUT),
            connect_timeout: Span(DEFAULT_CONNECT_TIMEOUT),
            schema_timeout: Span(DEFAULT_SCHEMA_TIMEOUT),
            schema_ttl: Span(DEFAULT_SCHEMA_TTL),
            schema_missing_ttl: Span(DEFAULT_SCHEMA_MISSING_TTL),
            schema_entries: DEFAULT_SCHEMA_ENTRIES,
        }
    }
}

impl Section for QdrantConfig {
    const PREFIX: &'static str = "ALIOTH_QDRANT_";

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
        if AsciiMetadataValue::try_from(self.api_key.expose()).is_err() {
            problems.push(("API_KEY", "holds characters no header can carry".to_owned()));
        }
        let spans = [
            ("TIMEOUT", self.timeout),
            ("CONNECT_TIMEOUT", self.connect_timeout),
            ("SCHEMA_TIMEOUT", self.schema_timeout),
        ];
        for (field, span) in spans {
            if span.0.is_zero() {
                problems.push((field, "must be above zero".to_owned()));
            }
        }
        if self.schema_entries == 0 {
            problems.push(("SCHEMA_ENTRIES", "must be above zero".to_owned()));
        }
        problems
    }
}

/// Reads `http[s]://host[:port]`. The message never repeats the address: it may hold a password.
pub(crate) fn parse_url(url: &str) -> Result<Uri, &'static str> {
    let uri: Uri = url.trim().parse().map_err(|_| "is no URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("wants http:// or https://");
    }
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err("must not hold a user or password; the key goes into ALIOTH_QDRANT_API_KEY");
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("must not hold a path or query");
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_config::Loader;

    fn load(variables: &[(&str, &str)]) -> Result<QdrantConfig, String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut loader = Loader::new(variables);
        let config = loader.section::<QdrantConfig>();
        loader.finish().map(|()| config).map_err(|e| e.to_string())
    }

    #[test]
    fn several_addresses_are_separated_by_commas() {
        let config = load(&[
            ("ALIOTH_QDRANT_URL", "http://a:6334,https://b"),
            ("ALIOTH_QDRANT_TIMEOUT", "5s"),
        ])
        .unwrap();
        assert_eq!(config.url, ["http://a:6334", "https://b"]);
        assert_eq!(config.timeout.0, Duration::from_secs(5));
    }

    #[test]
    fn every_problem_is_named_and_no_value_repeated() {
        let error = load(&[
            (
                "ALIOTH_QDRANT_URL",
                "qdrant:6334,http://me:hunter2@a,http://a/b",
            ),
            ("ALIOTH_QDRANT_API_KEY", "with\nnewline"),
            ("ALIOTH_QDRANT_TIMEOUT", "0s"),
            ("ALIOTH_QDRANT_SCHEMA_ENTRIES", "0"),
        ])
        .unwrap_err();
        for part in [
            "address 1",
            "address 2: must not hold a user",
            "address 3: must not hold a path",
            "ALIOTH_QDRANT_API_KEY",
            "ALIOTH_QDRANT_TIMEOUT: must be above zero",
            "ALIOTH_QDRANT_SCHEMA_ENTRIES",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert!(
            !error.contains("hunter2") && !error.contains("newline"),
            "{error}"
        );
    }

    #[test]
    fn every_variable_is_in_the_readme() {
        let missing = alioth_config::undocumented::<QdrantConfig>(include_str!("../README.md"));
        assert!(missing.is_empty(), "{missing:?}");
    }
}
