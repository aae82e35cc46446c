//! The metrics' names, meanings and buckets, put on a registry.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    Result, core::Collector, exponential_buckets,
};

use super::Metrics;

impl Metrics {
    /// Makes the metrics and puts them on `registry`, once per registry.
    ///
    /// # Errors
    /// When one of that name is there already.
    pub(crate) fn register(registry: &Registry) -> Result<Self> {
        let on = On(registry);
        Ok(Self {
            breaker_state: on.gauge(
                "breaker_state",
                "0 closed, 1 half-open: a probe is under way, 2 open: Qdrant is away.",
            )?,
            dead_letter_failures: on.counter(
                "dead_letter_failures_total",
                "Tries at which dead letters were not confirmed; they are tried until they are.",
            )?,
            dead_letters: on.counters(
                "dead_letters_total",
                "Dead letters confirmed, by cause.",
                "cause",
            )?,
            held_bytes: on.gauge("held_bytes", "Bytes of messages taken and not settled.")?,
            held_messages: on.gauge("held_messages", "Messages taken and not settled.")?,
            // 4 ms to 70 min; whatever took longer waited out an outage.
            lag: on.sizes(
                "lag_seconds",
                "From acceptance to applied, by message.",
                (0.004, 11),
            )?,
            look_aheads: on.counter(
                "look_aheads_total",
                "Times more was taken than the prefetch, to reach what is behind stalled collections.",
            )?,
            merge_messages: on.sizes(
                "merge_messages",
                "Messages merged into one upsert.",
                (1.0, 7),
            )?,
            messages: on.counters(
                "messages_total",
                "Messages settled or handed back, by outcome.",
                "outcome",
            )?,
            points_applied: on.counter(
                "points_applied_total",
                "Points of messages that Qdrant applied.",
            )?,
            points_dead_lettered: on.counters(
                "points_dead_lettered_total",
                "Points set aside, by cause.",
                "cause",
            )?,
            retries: on.counter(
                "retries_total",
                "Upserts tried again after a transient failure.",
            )?,
            stalled_collections: on.gauge(
                "stalled_collections",
                "Collections whose upserts are being retried.",
            )?,
            upsert_bytes: on.sizes("upsert_bytes", "Bytes of an upsert.", (1024.0, 8))?,
            upsert_duration: on.upsert_duration()?,
            upsert_points: on.sizes("upsert_points", "Points of an upsert.", (1.0, 8))?,
            upserts_in_flight: on.gauge("upserts_in_flight", "Upserts sent and not answered.")?,
            upserts: on.counters("upserts_total", "Upserts answered, by outcome.", "outcome")?,
        })
    }
}

/// A registry, with the kinds of metric there are here.
struct On<'a>(&'a Registry);

impl On<'_> {
    fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.put(IntCounter::new(named(name), help)?)
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> Result<IntCounterVec> {
        self.put(IntCounterVec::new(Opts::new(named(name), help), &[label])?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.put(IntGauge::new(named(name), help)?)
    }

    /// So many buckets from `first` on, each four times as wide as the one before.
    fn sizes(&self, name: &str, help: &str, (first, count): (f64, usize)) -> Result<Histogram> {
        let buckets = exponential_buckets(first, 4.0, count)?;
        let options = HistogramOpts::new(named(name), help).buckets(buckets);
        self.put(Histogram::with_opts(options)?)
    }

    fn upsert_duration(&self) -> Result<HistogramVec> {
        let name = named("upsert_duration_seconds");
        let options = HistogramOpts::new(name, "Duration of an upsert with wait=true, by outcome.");
        let options = options.buckets(exponential_buckets(0.001, 4.0, 9)?);
        self.put(HistogramVec::new(options, &["outcome"])?)
    }

    fn put<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}

/// A metric's full name: all begin alike.
fn named(name: &str) -> String {
    format!("alioth_consume_{name}")
}
