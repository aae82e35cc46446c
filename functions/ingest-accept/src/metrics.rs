//! The metrics of ingest-accept. Every label's values are known beforehand, so each series exists
//! from the start and counting is one atomic addition.

use std::time::Duration;

use alioth_telemetry::prometheus::{
    self, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry,
};
use axum::http::StatusCode;

use crate::answer::Code;

/// From a write that finds everything warm to one that waits out its answer timeout.
const DURATION_BUCKETS_S: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// The route label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// `POST /alioth/ingest`
    Ingest,
    /// `PUT /collections/{name}/points`
    Upsert,
    /// `POST /alioth/backup/…`
    Backup,
    /// `POST /alioth/restore/…`
    Restore,
    /// Documentation, health, and whatever is no route.
    Other,
}

impl Route {
    const ALL: [Self; 5] = [
        Self::Ingest,
        Self::Upsert,
        Self::Backup,
        Self::Restore,
        Self::Other,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Upsert => "upsert",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Other => "other",
        }
    }
}

/// No answer is informational.
const STATUS_CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

struct RouteMetrics {
    requests: [IntCounter; STATUS_CLASSES.len()],
    duration: Histogram,
}

/// The metrics of one process.
pub(crate) struct Metrics {
    routes: [RouteMetrics; Route::ALL.len()],
    rejected: [IntCounter; Code::ALL.len()],
    pub(crate) points: IntCounter,
    pub(crate) messages: IntCounter,
    pub(crate) message_bytes: IntCounter,
    pub(crate) combined: IntCounter,
    pub(crate) body_bytes: IntCounter,
    pub(crate) unchecked: IntCounter,
    pub(crate) in_flight: IntGauge,
    pub(crate) held_bytes: IntGauge,
    pub(crate) connections: IntGauge,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// When one is registered already. Not transient.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new(
                "alioth_accept_requests_total",
                "Requests answered, by route and class of status.",
            ),
            &["route", "status"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "alioth_accept_request_duration_seconds",
                "From the head of a request to its answer.",
            )
            .buckets(DURATION_BUCKETS_S.to_vec()),
            &["route"],
        )?;
        let rejected = IntCounterVec::new(
            Opts::new(
                "alioth_accept_rejected_total",
                "Requests refused, by reason.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(rejected.clone()))?;
        Ok(Self {
            routes: Route::ALL.map(|route| RouteMetrics {
                requests: STATUS_CLASSES
                    .map(|class| requests.with_label_values(&[route.label(), class])),
                duration: duration.with_label_values(&[route.label()]),
            }),
            rejected: Code::ALL.map(|code| rejected.with_label_values(&[code.as_str()])),
            points: counter(
                registry,
                "alioth_accept_points_total",
                "Points of accepted writes.",
            )?,
            messages: counter(
                registry,
                "alioth_accept_messages_total",
                "Messages confirmed by the broker.",
            )?,
            message_bytes: counter(
                registry,
                "alioth_accept_message_bytes_total",
                "Bytes of those messages' bodies.",
            )?,
            combined: counter(
                registry,
                "alioth_accept_combined_writes_total",
                "Accepted writes that shared a message with others.",
            )?,
            body_bytes: counter(
                registry,
                "alioth_accept_body_bytes_total",
                "Bytes of request bodies, decompressed.",
            )?,
            unchecked: counter(
                registry,
                "alioth_accept_unchecked_writes_total",
                "Writes accepted on shape checks alone, Qdrant being away.",
            )?,
            in_flight: gauge(
                registry,
                "alioth_accept_in_flight_requests",
                "Requests being handled.",
            )?,
            held_bytes: gauge(
                registry,
                "alioth_accept_held_body_bytes",
                "Bytes of bodies being handled.",
            )?,
            connections: gauge(registry, "alioth_accept_connections", "Open connections.")?,
        })
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, route: Route, status: StatusCode, duration: Duration) {
        let metrics = &self.routes[route as usize];
        let class = usize::from(status.as_u16() / 100).saturating_sub(2);
        let class = class.min(STATUS_CLASSES.len() - 1);
        metrics.requests[class].inc();
        metrics.duration.observe(duration.as_secs_f64());
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, code: Code) {
        self.rejected[code as usize].inc();
    }
}

fn counter(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntCounter> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

/// Counts one up for as long as it lives, however its scope is left.
pub(crate) struct Held(IntGauge);

impl Held {
    pub(crate) fn one(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_telemetry::prometheus::TextEncoder;
    use std::{env, fs, path::Path};

    #[test]
    fn names_and_labels_are_the_golden_ones_and_in_the_readme() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.answered(Route::Upsert, StatusCode::OK, Duration::from_millis(3));
        metrics.refused(Code::QueueFull);
        let text = TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        let series: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("# HELP") && !line.contains("_bucket{"))
            .map(|line| match line.rsplit_once(' ') {
                Some((series, _)) if !line.starts_with('#') => series,
                _ => line,
            })
            .collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/metrics.txt");
        let series = series.join("\n") + "\n";
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &series).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            series, golden,
            "dashboards rely on these; if meant, run with UPDATE_GOLDEN=1"
        );

        assert!(text.contains("alioth_accept_requests_total{route=\"upsert\",status=\"2xx\"} 1\n"));
        assert!(text.contains("alioth_accept_rejected_total{reason=\"queue_full\"} 1\n"));
        for family in registry.gather() {
            let name = format!("`{}`", family.name());
            assert!(include_str!("../README.md").contains(&name), "{name}");
        }
    }
}
