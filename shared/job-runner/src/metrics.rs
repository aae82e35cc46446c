//! What a job leaves in Prometheus. A label's values are closed but for the job's id, of which there is one at a time.

use std::time::Duration;

use alioth_jobs::{JobId, JobKind};
use alioth_telemetry::prometheus::{
    self, GaugeVec, IntGaugeVec, Opts, Registry, TextEncoder, proto::MetricFamily,
};
use jiff::Timestamp;

use crate::runner::Report;

const NAMESPACE: &str = "alioth_job_";

/// The metrics of jobs.
#[derive(Debug, Clone)]
pub struct JobMetrics {
    registry: Registry,
    success: GaugeVec,
    failure: GaugeVec,
    duration: GaugeVec,
    bytes: IntGaugeVec,
    shards: IntGaugeVec,
    retries: IntGaugeVec,
    info: IntGaugeVec,
}

impl JobMetrics {
    /// Registers every metric. A series begins with its first value, so that a push leaves alone what it does not know.
    ///
    /// # Errors
    /// When one is registered already. Not transient.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let time = |name: &str, help: &str| GaugeVec::new(opts(name, help), &["kind"]);
        let count = |name: &str, help: &str| IntGaugeVec::new(opts(name, help), &["kind"]);
        let metrics = Self {
            registry: registry.clone(),
            success: time(
                "last_success_timestamp_seconds",
                "When a job last succeeded.",
            )?,
            failure: time("last_failure_timestamp_seconds", "When a job last failed.")?,
            duration: time("last_duration_seconds", "How long the last run took.")?,
            bytes: count("last_bytes", "Bytes moved by the last success.")?,
            shards: count("last_shards", "Shards of the last success.")?,
            retries: count("last_retries", "What the last success did again.")?,
            info: IntGaugeVec::new(
                opts("last_run_info", "The last run."),
                &["kind", "job_id", "outcome"],
            )?,
        };
        for gauge in [&metrics.success, &metrics.failure, &metrics.duration] {
            registry.register(Box::new(gauge.clone()))?;
        }
        for gauge in [
            &metrics.bytes,
            &metrics.shards,
            &metrics.retries,
            &metrics.info,
        ] {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(metrics)
    }

    pub(crate) fn done(&self, kind: JobKind, id: &JobId, took: Duration, report: &Report) {
        let label = [kind.as_str()];
        self.success.with_label_values(&label).set(now());
        self.bytes
            .with_label_values(&label)
            .set(gauge(report.bytes));
        self.shards
            .with_label_values(&label)
            .set(gauge(report.shards));
        self.retries
            .with_label_values(&label)
            .set(gauge(report.retries));
        self.ended(kind, id, took, "done");
    }

    pub(crate) fn failed(&self, kind: JobKind, id: &JobId, took: Duration) {
        self.failure.with_label_values(&[kind.as_str()]).set(now());
        self.ended(kind, id, took, "failed");
    }

    fn ended(&self, kind: JobKind, id: &JobId, took: Duration, outcome: &str) {
        self.duration
            .with_label_values(&[kind.as_str()])
            .set(took.as_secs_f64());
        self.info.reset();
        self.info
            .with_label_values(&[kind.as_str(), id.as_str(), outcome])
            .set(1);
    }

    /// These metrics in Prometheus' text format, and no others of the registry.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        let mut families: Vec<MetricFamily> = self.registry.gather();
        families.retain(|family| family.name().starts_with(NAMESPACE));
        TextEncoder::new().encode_to_string(&families)
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("{NAMESPACE}{name}"), help)
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_in_the_readme_and_a_failure_says_nothing_of_success() {
        let registry = Registry::new();
        let metrics = JobMetrics::register(&registry).unwrap();
        let id = JobId::new();
        metrics.failed(JobKind::Restore, &id, Duration::from_secs(2));
        let text = metrics.text().unwrap();
        assert!(!text.contains("last_success"), "{text}");
        let duration = "alioth_job_last_duration_seconds{kind=\"restore\"} 2\n";
        assert!(text.contains(duration), "{text}");
        let report = Report {
            bytes: 7,
            ..Report::default()
        };
        metrics.done(JobKind::Restore, &id, Duration::from_secs(1), &report);
        let text = metrics.text().unwrap();
        let info = format!("{{job_id=\"{id}\",kind=\"restore\",outcome=\"done\"}} 1\n");
        assert!(text.contains(&info), "{text}");
        assert!(!text.contains("outcome=\"failed\""), "{text}");
        assert!(text.contains("alioth_job_last_bytes{kind=\"restore\"} 7\n"));
        for family in registry.gather() {
            let name = format!("`{}`", family.name());
            assert!(include_str!("../README.md").contains(&name), "{name}");
        }
    }
}
