//! `ALIOTH_AMQP_*`.

use std::{path::PathBuf, time::Duration};

use alioth_config::{ByteSize, Secret, Section, Span};
use lapin::uri::AMQPUri;
use serde::Deserialize;

use crate::{queue::QueueLimits, rabbitmq::authorities};

/// Room for every AMQP name: short strings hold 255 octets, the longest queue name is `restore.dead`.
const LONGEST_PREFIX: usize = 200;

/// How to reach RabbitMQ and what to ask of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct AmqpConfig {
    /// `amqp://` or `amqps://`, with user, password and vhost. Empty: none is configured.
    pub url: Secret,
    /// Certificate authorities (PEM) an amqps server's certificate must be signed by. `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Put before every queue's name.
    pub queue_prefix: String,
    /// Asked of the server; a connection silent for twice as long is dropped.
    pub heartbeat: Span,
    /// For TCP, TLS and AMQP handshakes together, and for each declaration.
    pub connect_timeout: Span,
    /// A publish not confirmed within this fails, and its connection is replaced.
    pub confirm_timeout: Span,
    /// Messages published and not confirmed, at most.
    pub in_flight: u32,
    /// Bytes of them, at most.
    pub in_flight_bytes: ByteSize,
    /// `x-max-length-bytes` of every queue.
    pub max_length_bytes: ByteSize,
    /// `x-max-length` of every queue.
    pub max_length: u64,
    /// `x-delivery-limit` of the queues that have a dead-letter queue.
    pub delivery_limit: u32,
}

impl AmqpConfig {
    /// Two missed ones, 20 s, tell of a dead peer well before a load balancer's idle timeout hides it.
    const HEARTBEAT: Span = Span(Duration::from_secs(10));
    const CONNECT_TIMEOUT: Span = Span(Duration::from_secs(5));
    /// Hundreds of times the confirm latency of a loaded broker (53 ms at 256 KiB messages, 64 in flight).
    const CONFIRM_TIMEOUT: Span = Span(Duration::from_secs(10));
    /// More in flight raises latency, not throughput.
    const IN_FLIGHT: u32 = 128;
    /// 64 messages of the default message limit (256 KiB): as many as saturated a broker on two cores.
    const IN_FLIGHT_BYTES: ByteSize = ByteSize::mib(16);

    /// The limits every queue is declared with.
    pub fn limits(&self) -> QueueLimits {
        QueueLimits {
            max_length_bytes: self.max_length_bytes.0,
            max_length: self.max_length,
            delivery_limit: self.delivery_limit,
        }
    }
}

impl Default for AmqpConfig {
    fn default() -> Self {
        let limits = QueueLimits::default();
        Self {
            url: Secret::default(),
            ca_file: None,
            queue_prefix: String::new(),
            heartbeat: Self::HEARTBEAT,
            connect_timeout: Self::CONNECT_TIMEOUT,
            confirm_timeout: Self::CONFIRM_TIMEOUT,
            in_flight: Self::IN_FLIGHT,
            in_flight_bytes: Self::IN_FLIGHT_BYTES,
            max_length_bytes: ByteSize(limits.max_length_bytes),
            max_length: limits.max_length,
            delivery_limit: limits.delivery_limit,
        }
    }
}

impl Section for AmqpConfig {
    const PREFIX: &'static str = "ALIOTH_AMQP_";

    /// An empty URL is no problem here: whether RabbitMQ is needed is the main's to say.
    fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !self.url.is_empty()
            && let Err(reason) = parse_url(&self.url)
        {
            problems.push(("URL", reason));
        }
        if let Some(file) = &self.ca_file
            && let Err(reason) = authorities(file)
        {
            problems.push(("CA_FILE", format!("{}: {reason}", file.display())));
        }
        if self.queue_prefix.len() > LONGEST_PREFIX {
            problems.push((
                "QUEUE_PREFIX",
                format!("is longer than {LONGEST_PREFIX} bytes"),
            ));
        }
        let seconds = Duration::from_secs(1)..=Duration::from_secs(600);
        for (field, span) in [
            ("HEARTBEAT", self.heartbeat),
            ("CONNECT_TIMEOUT", self.connect_timeout),
            ("CONFIRM_TIMEOUT", self.confirm_timeout),
        ] {
            if !seconds.contains(&span.0) {
                problems.push((field, "must be between 1s and 600s".to_owned()));
            }
        }
        let counts = [
            ("IN_FLIGHT", u64::from(self.in_flight)),
            ("IN_FLIGHT_BYTES", self.in_flight_bytes.0),
            ("MAX_LENGTH_BYTES", self.max_length_bytes.0),
            ("MAX_LENGTH", self.max_length),
        ];
        for (field, count) in counts {
            if count == 0 || i64::try_from(count).is_err() {
                problems.push((field, "must be above 0 and fit 63 bits".to_owned()));
            }
        }
        problems
    }
}

/// Reads the URL; the error does not repeat it.
pub(crate) fn parse_url(url: &Secret) -> Result<AMQPUri, String> {
    url.expose().parse::<AMQPUri>().map_err(|_| {
        "is no AMQP URL (amqp://user:password@host:5672/vhost, reserved characters percent-encoded)"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_config::{Loader, undocumented, variable_names};

    fn load(pairs: &[(&str, &str)]) -> Result<AmqpConfig, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut loader = Loader::new(pairs);
        let config = loader.section();
        loader
            .finish()
            .map(|()| config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn readme_documents_every_variable() {
        let readme = include_str!("../README.md");
        assert_eq!(undocumented::<AmqpConfig>(readme), Vec::<String>::new());
        let named = readme.matches("| `ALIOTH_AMQP_").count();
        assert_eq!(
            named,
            variable_names::<AmqpConfig>().len(),
            "a row without a field"
        );
    }

    #[test]
    fn defaults_have_no_problem() {
        assert!(AmqpConfig::default().problems().is_empty());
        assert!(load(&[]).is_ok());
    }

    #[test]
    fn values_are_read() {
        let config = load(&[
            ("ALIOTH_AMQP_URL", "amqps://u:p@rabbit.example:5671/%2f"),
            ("ALIOTH_AMQP_QUEUE_PREFIX", "blue."),
            ("ALIOTH_AMQP_CONFIRM_TIMEOUT", "3s"),
            ("ALIOTH_AMQP_MAX_LENGTH_BYTES", "1GiB"),
        ])
        .expect("good values");
        assert_eq!(config.queue_prefix, "blue.");
        assert_eq!(config.confirm_timeout, Span(Duration::from_secs(3)));
        assert_eq!(config.limits().max_length_bytes, 1 << 30);
    }

    #[test]
    fn every_problem_is_told_and_the_url_is_not() {
        let problems = load(&[
            ("ALIOTH_AMQP_URL", "http://guest:hunter2@rabbit"),
            ("ALIOTH_AMQP_CA_FILE", "/nowhere/ca.pem"),
            ("ALIOTH_AMQP_HEARTBEAT", "0s"),
            ("ALIOTH_AMQP_IN_FLIGHT", "0"),
            ("ALIOTH_AMQP_MAX_LENGTH", "18446744073709551615"),
        ])
        .expect_err("five bad values");
        for field in [
            "URL",
            "CA_FILE: /nowhere/ca.pem",
            "HEARTBEAT",
            "IN_FLIGHT",
            "MAX_LENGTH",
        ] {
            assert!(
                problems.contains(&format!("ALIOTH_AMQP_{field}")),
                "{problems}"
            );
        }
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}
