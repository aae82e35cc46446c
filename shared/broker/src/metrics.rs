//! Counters of both backends, on a registry passed in.

use std::{sync::Arc, time::Duration};

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::error::{ConsumeError, PublishError};

/// From a local RabbitMQ's confirm (~1 ms) to the default confirm timeout.
const CONFIRM_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The broker's metrics. Clones count into the same.
#[derive(Debug, Clone)]
pub struct BrokerMetrics(Arc<Metrics>);

#[derive(Debug)]
struct Metrics {
    confirmed: IntCounter,
    queue_full: IntCounter,
    unroutable: IntCounter,
    publish_away: IntCounter,
    timed_out: IntCounter,
    confirm_seconds: Histogram,
    in_flight: IntGauge,
    publisher_reconnects: IntCounter,
    consumer_reconnects: IntCounter,
    delivered: IntCounter,
    redelivered: IntCounter,
    acked: IntCounter,
    requeued: IntCounter,
    stale: IntCounter,
}

/// Which way a delivery was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Acked,
    Requeued,
}

impl BrokerMetrics {
    /// Makes the metrics and puts them on `registry`, once per registry.
    ///
    /// # Errors
    /// When one of that name is there already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| {
            let vec = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(vec.clone()))?;
            Ok::<_, prometheus::Error>(vec)
        };
        let publishes = counters(
            "alioth_broker_publishes_total",
            "Messages published, by how that ended.",
            "outcome",
        )?;
        let reconnects = counters(
            "alioth_broker_reconnects_total",
            "Connections lost and sought again.",
            "role",
        )?;
        let deliveries = counters(
            "alioth_broker_deliveries_total",
            "Messages delivered to consumers.",
            "kind",
        )?;
        let settles = counters(
            "alioth_broker_settles_total",
            "Deliveries settled, by how.",
            "outcome",
        )?;
        let confirm_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "alioth_broker_confirm_seconds",
                "From handing a message over to its confirm.",
            )
            .buckets(CONFIRM_BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(confirm_seconds.clone()))?;
        let in_flight = IntGauge::new(
            "alioth_broker_publishes_in_flight",
            "Messages handed over and not confirmed yet.",
        )?;
        registry.register(Box::new(in_flight.clone()))?;
        Ok(Self(Arc::new(Metrics {
            confirmed: publishes.with_label_values(&["confirmed"]),
            queue_full: publishes.with_label_values(&["queue_full"]),
            unroutable: publishes.with_label_values(&["unroutable"]),
            publish_away: publishes.with_label_values(&["away"]),
            timed_out: publishes.with_label_values(&["timed_out"]),
            confirm_seconds,
            in_flight,
            publisher_reconnects: reconnects.with_label_values(&["publisher"]),
            consumer_reconnects: reconnects.with_label_values(&["consumer"]),
            delivered: deliveries.with_label_values(&["first"]),
            redelivered: deliveries.with_label_values(&["again"]),
            acked: settles.with_label_values(&["acked"]),
            requeued: settles.with_label_values(&["requeued"]),
            stale: settles.with_label_values(&["stale"]),
        })))
    }

    pub(crate) fn publish_begun(&self) {
        self.0.in_flight.inc();
    }

    pub(crate) fn publish_ended(&self) {
        self.0.in_flight.dec();
    }

    pub(crate) fn publisher_lost(&self) {
        self.0.publisher_reconnects.inc();
    }

    pub(crate) fn consumer_lost(&self) {
        self.0.consumer_reconnects.inc();
    }

    pub(crate) fn publish_confirmed(&self, after: Duration) {
        self.0.confirmed.inc();
        self.0.confirm_seconds.observe(after.as_secs_f64());
    }

    pub(crate) fn publish_failed(&self, error: &PublishError) {
        match error {
            PublishError::QueueFull { .. } => self.0.queue_full.inc(),
            PublishError::Unroutable { .. } => self.0.unroutable.inc(),
            PublishError::Away { .. } => self.0.publish_away.inc(),
            PublishError::TimedOut { .. } => self.0.timed_out.inc(),
        }
    }

    pub(crate) fn delivery(&self, redelivered: bool) {
        match redelivered {
            false => self.0.delivered.inc(),
            true => self.0.redelivered.inc(),
        }
    }

    pub(crate) fn settled(&self, how: Settled, outcome: &Result<(), ConsumeError>) {
        match (outcome, how) {
            (Ok(()), Settled::Acked) => self.0.acked.inc(),
            (Ok(()), Settled::Requeued) => self.0.requeued.inc(),
            (Err(ConsumeError::Away { .. }), Settled::Acked | Settled::Requeued) => {
                self.0.stale.inc();
            }
        }
    }
}
