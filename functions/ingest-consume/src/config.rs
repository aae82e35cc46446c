//! How much is taken from the queue at once, how writes are merged, and how patient retries are.

use std::time::Duration;

use alioth_config::{ByteSize, Section, Span};
use serde::Deserialize;

/// Times accept's message limit of 256 KiB this is 64 MiB, the most the consumer holds at once;
/// of one-point messages it still makes upserts of 64 points with four in flight.
const DEFAULT_PREFETCH: u16 = 256;

/// Qdrant took an eighth more points a second in upserts of 2,000 than of 1,000, and of 4,000 a twentieth more than
/// of 2,000 (100-d, six shards, two cores); each doubling doubles how long an upsert takes.
const DEFAULT_UPSERT_POINTS: usize = 2_000;

/// Qdrant asks for under 5 MB a request. At 1,536 dimensions this is 680 points.
/// Source: <https://qdrant.tech/documentation/database-tutorials/bulk-upload/>
const DEFAULT_UPSERT_BYTES: ByteSize = ByteSize::mib(4);

/// Only waited for while another upsert is in flight, or where one has begun within as long. With 10 ms,
/// 50 writers of single points made upserts of 200, at 22 µs of Qdrant's CPU a point; with 25 ms of 600, at 14; with 50 ms
/// of 960, at 13.
const DEFAULT_LINGER: Duration = Duration::from_millis(25);

/// Qdrant recommends 2–4 parallel streams, and KEDA adds consumers.
const DEFAULT_UPSERTS_IN_FLIGHT: usize = 4;

/// Accounted bytes at which no further delivery is taken; foreign messages may be of any size.
const DEFAULT_HOLD_BYTES: ByteSize = ByteSize::mib(128);

/// Below RabbitMQ's consumer timeout of 30 min, which would close the channel and redeliver everything.
const DEFAULT_HOLD_TIME: Duration = Duration::from_secs(25 * 60);

/// Sixteen prefetches: 40 s of a stalled collection's messages at 100 a second. Their bodies are at most half of the
/// bytes that may be held.
const DEFAULT_LOOK_AHEAD: usize = 4_096;

const DEFAULT_RETRY_MIN: Duration = Duration::from_millis(100);

/// The longest a recovered Qdrant waits to be noticed.
const DEFAULT_RETRY_MAX: Duration = Duration::from_secs(10);

/// Server faults in a row before a message is suspected: with the backoff above about 3 s.
const DEFAULT_INTERNAL_TRIES: u32 = 5;

/// The `ALIOTH_*` settings of ingest-consume itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ConsumeConfig {
    /// Unsettled deliveries at most.
    pub prefetch: u16,
    /// Points of one upsert, aimed at.
    pub upsert_points: usize,
    /// Bytes of one upsert, aimed at.
    pub upsert_bytes: ByteSize,
    /// How long an upsert that is not full waits for more while another is in flight, or one has begun within as long.
    pub linger: Span,
    /// Upserts in flight at most.
    pub upserts_in_flight: usize,
    /// Bytes of held messages above which no more are taken.
    pub hold_bytes: ByteSize,
    /// Age at which held messages go back to the queue.
    pub hold_time: Span,
    /// Messages of stalled collections held at most to reach those behind them; 0: only the prefetch.
    pub look_ahead: usize,
    /// Pause after a first failure.
    pub retry_min: Span,
    /// Longest pause between two tries.
    pub retry_max: Span,
    /// Server faults in a row before a message is suspected.
    pub internal_tries: u32,
    /// How long nothing may be held and nothing come before the process ends, as a Job must; 0: it never does.
    pub exit_when_idle: Span,
}

impl Default for ConsumeConfig {
    fn default() -> Self {
        Self {
            prefetch: DEFAULT_PREFETCH,
            upsert_points: DEFAULT_UPSERT_POINTS,
            upsert_bytes: DEFAULT_UPSERT_BYTES,
            linger: Span(DEFAULT_LINGER),
            upserts_in_flight: DEFAULT_UPSERTS_IN_FLIGHT,
            hold_bytes: DEFAULT_HOLD_BYTES,
            hold_time: Span(DEFAULT_HOLD_TIME),
            look_ahead: DEFAULT_LOOK_AHEAD,
            retry_min: Span(DEFAULT_RETRY_MIN),
            retry_max: Span(DEFAULT_RETRY_MAX),
            internal_tries: DEFAULT_INTERNAL_TRIES,
            exit_when_idle: Span::default(),
        }
    }
}

impl Section for ConsumeConfig {
    const PREFIX: &'static str = "ALIOTH_";

    fn problems(&self) -> Vec<(&'static str, String)> {
        let positive = [
            // 0 means unbounded in AMQP, which is never wanted here.
            ("PREFETCH", self.prefetch > 0),
            ("UPSERT_POINTS", self.upsert_points > 0),
            ("UPSERT_BYTES", self.upsert_bytes.0 > 0),
            ("UPSERTS_IN_FLIGHT", self.upserts_in_flight > 0),
            ("HOLD_BYTES", self.hold_bytes.0 > 0),
            ("HOLD_TIME", !self.hold_time.0.is_zero()),
            ("RETRY_MIN", !self.retry_min.0.is_zero()),
            ("INTERNAL_TRIES", self.internal_tries > 0),
        ];
        let mut problems: Vec<_> = positive
            .into_iter()
            .filter(|(_, good)| !good)
            .map(|(field, _)| (field, "must be above zero".to_owned()))
            .collect();
        if self.retry_max < self.retry_min {
            problems.push(("RETRY_MAX", "must not be below ALIOTH_RETRY_MIN".to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_config::Loader;

    #[test]
    fn the_defaults_are_without_problems_and_zeros_are_not() {
        assert_eq!(ConsumeConfig::default().problems(), []);
        let zeros = ConsumeConfig {
            prefetch: 0,
            upsert_points: 0,
            upsert_bytes: ByteSize(0),
            linger: Span::default(),
            upserts_in_flight: 0,
            hold_bytes: ByteSize(0),
            hold_time: Span::default(),
            look_ahead: 0,
            retry_min: Span::default(),
            retry_max: Span::default(),
            internal_tries: 0,
            exit_when_idle: Span::default(),
        };
        assert_eq!(zeros.problems().len(), 8);
    }

    #[test]
    fn the_documented_names_are_read() {
        let variables = [
            ("ALIOTH_PREFETCH", "8"),
            ("ALIOTH_UPSERT_BYTES", "1MiB"),
            ("ALIOTH_RETRY_MIN", "2s"),
            ("ALIOTH_RETRY_MAX", "1s"),
        ];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut loader = Loader::new(owned);
        let config = loader.section::<ConsumeConfig>();
        assert_eq!(
            (config.prefetch, config.upsert_bytes),
            (8, ByteSize::mib(1))
        );
        let error = loader.finish().unwrap_err().to_string();
        assert!(
            error.contains("ALIOTH_RETRY_MAX: must not be below ALIOTH_RETRY_MIN"),
            "{error}"
        );
    }

    #[test]
    fn every_variable_is_in_the_readme() {
        let missing = alioth_config::undocumented::<ConsumeConfig>(include_str!("../README.md"));
        assert!(missing.is_empty(), "{missing:?}");
    }
}
