//! The road of one write: key, headers, body, parse, check, publish, in this order. What is
//! accepted here is in the queue; whatever else happens is a refusal.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use alioth_broker::Publisher;
use alioth_cluster::SchemaCache;
use alioth_points::{UpsertQuery, Write};
use alioth_telemetry::Tracer;
use axum::{body::Body, http::HeaderMap};
use bytes::Bytes;
use uuid::Uuid;

use crate::{
    answer::Refusal,
    body::{self, Received},
    budget::{Budget, Reservation},
    combine::Combiner,
    config::{Config, LARGEST_MESSAGE},
    content::{self, Encoding},
    cpu::{Cpu, Weight},
    decode::decode,
    keys::Keys,
    message::Envelope,
    metrics::Metrics,
    presence::Presence,
    reply::Accepted,
    schemas::{self, Checked},
};

/// Bodies up to this are parsed where they were received: a body of 200 KB, 100 points × 100
/// dimensions, takes 0.2 to 0.4 ms, about what moving it to another thread and back may cost.
const LIGHT_BODY_BYTES: usize = 256 * 1024;

/// What a request is to become.
#[derive(Debug)]
pub(crate) enum Target {
    /// The body names the collection.
    Ingest,
    /// The path does.
    Upsert {
        collection: String,
        query: UpsertQuery,
    },
}

impl Target {
    fn parse(&self, body: &[u8]) -> Result<Write, Refusal> {
        let write = match self {
            Self::Ingest => Write::parse_ingest(body)?,
            Self::Upsert { collection, query } => Write::parse_upsert(collection, *query, body)?,
        };
        Ok(write)
    }
}

/// Accepts writes. Shared by all requests.
pub(crate) struct Acceptor {
    pub(crate) publisher: Arc<dyn Publisher>,
    combiner: Arc<Combiner>,
    pub(crate) presence: Presence,
    pub(crate) schemas: SchemaCache,
    pub(crate) keys: Arc<Keys>,
    pub(crate) budget: Budget,
    pub(crate) metrics: Metrics,
    pub(crate) tracer: Tracer,
    pub(crate) cpu: Cpu,
    pub(crate) limits: Limits,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) body: usize,
    message: usize,
    body_timeout: Duration,
    pub(crate) answer_timeout: Duration,
}

/// A write that was read, and what it holds of the budget until its messages are confirmed.
struct Parsed {
    write: Write,
    body_bytes: usize,
    reservation: Reservation,
}

impl Acceptor {
    pub(crate) fn new(
        config: &Config,
        publisher: Arc<dyn Publisher>,
        presence: Presence,
        schemas: SchemaCache,
        keys: Arc<Keys>,
        metrics: Metrics,
        tracer: Tracer,
    ) -> Self {
        let held = metrics.held_bytes.clone();
        let limit = config.accept.combine_limit.as_usize();
        let combiner = Combiner::new(Arc::clone(&publisher), &metrics, limit);
        Self {
            publisher,
            combiner,
            presence,
            schemas,
            keys,
            metrics,
            tracer,
            budget: Budget::new(config.http.bodies_limit.as_usize(), held),
            cpu: Cpu::new(),
            limits: Limits {
                body: config.http.body_limit.as_usize(),
                message: config.accept.message_limit.as_usize(),
                body_timeout: config.http.body_timeout.0,
                answer_timeout: config.http.answer_timeout.0,
            },
        }
    }

    /// Takes a write from its request to the queue; its messages carry `traceparent`.
    ///
    /// # Errors
    /// Every refusal there is; those with a Retry-After are transient.
    ///
    /// # Cancel safety
    /// A write that is dropped while it is being published may be queued, in whole or in part.
    pub(crate) async fn accept(
        &self,
        headers: &HeaderMap,
        target: Result<Target, Refusal>,
        body: Body,
        traceparent: Option<String>,
    ) -> Result<Accepted, Refusal> {
        self.keys.admit(headers).await?;
        let target = target?;
        let Limits {
            body: limit,
            answer_timeout,
            ..
        } = self.limits;
        let (encoding, received) = self.receive(headers, body, limit).await?;
        let envelope = Envelope {
            ingest_id: Uuid::now_v7(),
            accepted_at_ms: now_ms(),
            traceparent,
        };
        let enqueued = self.enqueue(target, encoding, received, &envelope);
        let points = tokio::time::timeout(answer_timeout, enqueued)
            .await
            .map_err(|_| Refusal::NotConfirmed {
                after: answer_timeout,
            })??;
        Ok(Accepted {
            ingest_id: envelope.ingest_id,
            points,
        })
    }

    /// Receives a body whose key was good, if there is anywhere to put what it says.
    pub(crate) async fn receive(
        &self,
        headers: &HeaderMap,
        body: Body,
        limit: usize,
    ) -> Result<(Encoding, Received), Refusal> {
        let encoding = content::declared(headers)?;
        if !self.presence.holds(&*self.publisher).await {
            return Err(Refusal::BrokerAway);
        }
        let within = self.limits.body_timeout;
        let received = body::receive(body, limit, within, &self.budget).await?;
        Ok((encoding, received))
    }

    /// Parses, checks and publishes; answers with the number of points.
    async fn enqueue(
        &self,
        target: Target,
        encoding: Encoding,
        received: Received,
        envelope: &Envelope,
    ) -> Result<usize, Refusal> {
        let weight = weight(&received.bytes, encoding);
        let parsed = self.parse(target, encoding, received, weight).await?;
        self.metrics.body_bytes.inc_by(parsed.body_bytes as u64);
        let reservation = parsed.reservation;
        schemas::check_name(parsed.write.collection_name())?;

        let (write, checked) =
            schemas::check(&self.schemas, &self.cpu, weight, parsed.write).await?;
        let points = write.points();
        check_size(&write)?;
        // Options are repeated in every chunk: a filter of 64 KiB may not multiply a write.
        let message_limit = self.limits.message.max(2 * write.options_bytes());
        let chunks = self
            .cpu
            .run(weight, move || write.into_messages(message_limit))
            .await?;
        self.combiner.publish(chunks, envelope, reservation).await?;
        self.presence.seen();

        self.metrics.points.inc_by(points as u64);
        if checked == Checked::OnShapeAlone {
            self.metrics.unchecked.inc();
        }
        Ok(points)
    }

    async fn parse(
        &self,
        target: Target,
        encoding: Encoding,
        received: Received,
        weight: Weight,
    ) -> Result<Parsed, Refusal> {
        let limit = self.limits.body;
        let work = move || {
            let Received {
                bytes,
                mut reservation,
            } = decode(received, encoding, limit)?;
            let write = target.parse(&bytes)?;
            let body_bytes = bytes.len();
            drop(bytes);
            reservation.change_to(write.held_bytes())?;
            Ok(Parsed {
                write,
                body_bytes,
                reservation,
            })
        };
        self.cpu.run(weight, work).await?
    }
}

/// Refuses a point that no message can carry, before it is copied into one.
fn check_size(write: &Write) -> Result<(), Refusal> {
    let (size, limit) = (write.least_message_limit(), LARGEST_MESSAGE.as_usize());
    if size > limit {
        return Err(Refusal::PointTooLarge { size, limit });
    }
    Ok(())
}

pub(crate) fn weight(body: &Bytes, encoding: Encoding) -> Weight {
    // What a compressed body becomes is not known, and decompressing is the larger part of it.
    if encoding == Encoding::Identity && body.len() <= LIGHT_BODY_BYTES {
        return Weight::Light;
    }
    Weight::Heavy
}

pub(crate) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
