//! The settings of ingest-accept, one section a concern. Each field's variable is its section's
//! prefix and its name in upper case; the crate's README lists them all.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use alioth_config::{ByteSize, Loader, Secret, Section, Span};
use alioth_lifecycle::DrainConfig;
use serde::Deserialize;

use crate::keys::LONGEST_KEY_BYTES;

/// Qdrant's own limit for REST bodies, so whatever fits there fits here.
const DEFAULT_BODY_LIMIT: ByteSize = ByteSize::mib(32);
/// Two bodies of the largest size, or 300 of 100 points × 100 dimensions.
const DEFAULT_BODIES_LIMIT: ByteSize = ByteSize::mib(64);
/// Costs nothing until used; a pod's worth of writers holds a few connections each.
const DEFAULT_CONNECTIONS: usize = 1024;
/// Generous for a few hundred bytes of head on a bad line.
const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// 32 MiB at one MiB a second.
const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Above the 60 s after which common load balancers drop an idle connection, so that it is they
/// who close and no request meets a connection that is just being closed here.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Below the 5 s after which Qdrant's Python client gives up on an answer over REST.
const DEFAULT_ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
/// Cheapest a byte for RabbitMQ and lapin together, at a quarter of the confirm latency of 1 MiB:
/// measured 2026-11 on two cores, quorum queue, 64 in flight.
const DEFAULT_MESSAGE_LIMIT: ByteSize = ByteSize::kib(256);
/// Beyond it neither RabbitMQ nor lapin gains: at 64 KiB their cost a byte is close to its least, and fifty writers of
/// ten points fill it: measured 2026-11 on two cores by `make bench`.
const DEFAULT_COMBINE_LIMIT: ByteSize = ByteSize::kib(64);
/// Below this a chunk's options outweigh its points.
const LEAST_MESSAGE_LIMIT: ByteSize = ByteSize::kib(1);
/// `max_message_size` of RabbitMQ 4, which closes the channel over anything larger.
/// Source: <https://www.rabbitmq.com/docs/configure> (16 MiB there, 128 MiB in 3.x).
pub(crate) const LARGEST_MESSAGE: ByteSize = ByteSize::mib(16);

/// `ALIOTH_HTTP_*`: the port and what one connection, request or body may take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest body, after decompression.
    pub body_limit: ByteSize,
    /// Bytes of all bodies being handled at once.
    pub bodies_limit: ByteSize,
    /// Connections open at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// From the first byte of a request's head to its last.
    pub header_timeout: Span,
    /// From the head of a request to the last byte of its body.
    pub body_timeout: Span,
    /// For which a connection may stay open without a request.
    pub idle_timeout: Span,
    /// From the last byte of a body to its answer.
    pub answer_timeout: Span,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            body_limit: DEFAULT_BODY_LIMIT,
            bodies_limit: DEFAULT_BODIES_LIMIT,
            connections: DEFAULT_CONNECTIONS,
            header_timeout: Span(DEFAULT_HEADER_TIMEOUT),
            body_timeout: Span(DEFAULT_BODY_TIMEOUT),
            idle_timeout: Span(DEFAULT_IDLE_TIMEOUT),
            answer_timeout: Span(DEFAULT_ANSWER_TIMEOUT),
        }
    }
}

impl Section for HttpConfig {
    const PREFIX: &'static str = "ALIOTH_HTTP_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.body_limit.0 == 0 || self.body_limit.0 > u64::from(u32::MAX) {
            problems.push(("BODY_LIMIT", "must be above zero and below 4GiB".to_owned()));
        }
        if self.bodies_limit < self.body_limit || self.bodies_limit.0 > u64::from(u32::MAX) {
            let message = "must be at least ALIOTH_HTTP_BODY_LIMIT and below 4GiB";
            problems.push(("BODIES_LIMIT", message.to_owned()));
        }
        if self.connections == 0 {
            problems.push(("CONNECTIONS", "must be above zero".to_owned()));
        }
        let spans = [
            ("HEADER_TIMEOUT", self.header_timeout),
            ("BODY_TIMEOUT", self.body_timeout),
            ("IDLE_TIMEOUT", self.idle_timeout),
            ("ANSWER_TIMEOUT", self.answer_timeout),
        ];
        for (name, span) in spans {
            if span.0.is_zero() {
                problems.push((name, "must be above zero".to_owned()));
            }
        }
        problems
    }
}

/// `ALIOTH_API_*`: who may write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApiConfig {
    /// Keys, any of which opens every write route.
    pub keys: Vec<Secret>,
    /// A file of further keys, one a line; read again whenever it changes.
    pub keys_file: Option<PathBuf>,
}

impl Section for ApiConfig {
    const PREFIX: &'static str = "ALIOTH_API_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.keys.iter().any(Secret::is_empty) {
            problems.push(("KEYS", "has an empty key in it".to_owned()));
        }
        if self
            .keys
            .iter()
            .any(|key| key.expose().len() > LONGEST_KEY_BYTES)
        {
            let message = format!("has a key of more than {LONGEST_KEY_BYTES} bytes in it");
            problems.push(("KEYS", message));
        }
        problems
    }
}

/// `ALIOTH_ACCEPT_*`: how a write becomes messages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AcceptConfig {
    /// A write larger than this is published in chunks of at most this.
    pub message_limit: ByteSize,
    /// Small writes that come while others await their confirms share messages of at most this; 0: none does.
    pub combine_limit: ByteSize,
}

impl Default for AcceptConfig {
    fn default() -> Self {
        Self {
            message_limit: DEFAULT_MESSAGE_LIMIT,
            combine_limit: DEFAULT_COMBINE_LIMIT,
        }
    }
}

impl Section for AcceptConfig {
    const PREFIX: &'static str = "ALIOTH_ACCEPT_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.message_limit < LEAST_MESSAGE_LIMIT || self.message_limit > LARGEST_MESSAGE {
            problems.push(("MESSAGE_LIMIT", "must be 1KiB to 16MiB".to_owned()));
        }
        if self.combine_limit > LARGEST_MESSAGE {
            problems.push(("COMBINE_LIMIT", "must be at most 16MiB".to_owned()));
        }
        problems
    }
}

/// All that [`run`](crate::run) is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The port and its limits.
    pub http: HttpConfig,
    /// Who may write.
    pub api: ApiConfig,
    /// How a write becomes messages.
    pub accept: AcceptConfig,
    /// How long the end may take.
    pub drain: DrainConfig,
}

impl Config {
    /// Reads the sections; problems are left with the loader.
    pub fn load(loader: &mut Loader) -> Self {
        Self {
            http: loader.section(),
            api: loader.section(),
            accept: loader.section(),
            drain: loader.section(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_named_at_once() {
        let variables = [
            ("ALIOTH_HTTP_LISTEN", "nowhere"),
            ("ALIOTH_HTTP_BODY_LIMIT", "0"),
            ("ALIOTH_HTTP_BODIES_LIMIT", "1"),
            ("ALIOTH_HTTP_IDLE_TIMEOUT", "0s"),
            ("ALIOTH_ACCEPT_MESSAGE_LIMIT", "1GiB"),
            ("ALIOTH_ACCEPT_COMBINE_LIMIT", "17MiB"),
            ("ALIOTH_API_KEYS", "good,,hidden"),
        ];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut loader = Loader::new(owned);
        Config::load(&mut loader);
        let message = loader.finish().unwrap_err().to_string();
        for (name, _) in variables
            .iter()
            .filter(|(name, _)| !name.ends_with("BODIES_LIMIT"))
        {
            assert!(message.contains(name), "{name} is missing in {message}");
        }
        assert!(!message.contains("hidden"), "{message}");
    }

    #[test]
    fn defaults_have_no_problem() {
        let mut loader = Loader::new([]);
        assert_eq!(Config::load(&mut loader), Config::default());
        loader.finish().unwrap();
    }

    #[test]
    fn every_variable_is_in_the_readme() {
        let readme = include_str!("../README.md");
        let mut missing = alioth_config::undocumented::<HttpConfig>(readme);
        missing.extend(alioth_config::undocumented::<ApiConfig>(readme));
        missing.extend(alioth_config::undocumented::<AcceptConfig>(readme));
        assert!(missing.is_empty(), "{missing:?}");
    }
}
