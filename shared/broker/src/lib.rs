//! The durable queue between the functions.
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// A queue of the topology, before its configured prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "skeleton")]
pub enum Queue { Ingest, Backup, Restore, IngestDead, BackupDead, RestoreDead }
impl Queue {
    /// Unprefixed name: `ingest`, `ingest.dead`, ….
    pub fn name(self) -> &'static str { todo!() }
    /// Where its dead letters go; `None` for a dead-letter queue.
    pub fn dead(self) -> Option<Queue> { todo!() }
}
/// A message to publish.
#[derive(Debug, Clone)]
pub struct OutgoingMessage {
    /// Body.
    pub body: Bytes,
    /// AMQP content type, `application/x-protobuf` for writes.
    pub content_type: String,
    /// AMQP `type`: the proto's name, `qdrant.UpsertPoints`.
    pub kind: String,
    /// AMQP `message_id`: the write id.
    pub message_id: String,
    /// Headers: `alioth-accepted-at-ms`, `alioth-chunk`, `traceparent`, and a dead letter's `alioth-dead-*`.
    pub headers: Vec<(String, HeaderValue)>,
}
/// The header types Alioth writes and reads; others are dropped on the way in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "skeleton")]
pub enum HeaderValue { Text(String), Int(i64) }
/// Why a publish is not confirmed. None of these leaves the message certainly unqueued: callers may repeat.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The queue is at its bound, or the broker nacked the publish.
    #[error("queue {queue} is full")] QueueFull { /** Name. */ queue: String },
    /// Returned: no such queue.
    #[error("queue {queue} does not exist")] Unroutable { /** Name. */ queue: String },
    /// No connection, or it was lost before the confirm.
    #[error("the broker is away: {reason}")] Away { /** Why. */ reason: String },
    /// The confirm did not come in time.
    #[error("no confirm within {after:?}")] TimedOut { /** How long. */ after: Duration },
}
/// A consume or settle operation that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConsumeError {
    /// The connection or channel is gone: the broker redelivers what was unsettled.
    #[error("the broker is away: {reason}")] Away { /** Why. */ reason: String },
}
/// Publishes with confirms. Cheap to clone behind an `Arc`, safe to share.
#[async_trait::async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes all and returns when every one is confirmed; pipelined, bounded in flight.
    /// # Errors
    /// The first failure in message order; others may have been queued.
    async fn publish(&self, queue: Queue, messages: Vec<OutgoingMessage>) -> Result<(), PublishError>;
    /// Whether a publish now has a broker to go to.
    fn is_ready(&self) -> bool;
}
/// A consumer of one queue. Reconnecting is its own affair.
#[async_trait::async_trait]
pub trait Consumer: Send + 'static {
    /// The next delivery; waits over broker outages; `None` once cancelled and empty.
    /// # Cancel safety
    /// Cancel safe: no delivery is lost.
    async fn next(&mut self) -> Option<Delivery>;
    /// basic.cancel: the broker sends no more; what was prefetched still comes from `next`.
    async fn cancel(&mut self);
    /// Closes channel and connection, after everything is settled.
    async fn close(&mut self);
    /// Whether it is subscribed now.
    fn is_ready(&self) -> bool;
}
/// A message as it arrives.
pub struct Delivery {
    /// Body.
    pub body: Bytes,
    /// AMQP `type`.
    pub kind: String,
    /// AMQP `content_type`.
    pub content_type: String,
    /// AMQP `message_id`.
    pub message_id: String,
    /// Headers.
    pub headers: Vec<(String, HeaderValue)>,
    /// Redelivered at least once.
    pub redelivered: bool,
    /// `x-delivery-count`, 0 at first.
    pub delivery_count: u64,
    /// When it reached this process.
    pub received_at: tokio::time::Instant,
    settle: Box<dyn Settle>,
}
#[async_trait::async_trait]
pub(crate) trait Settle: Send + Sync {
    async fn ack(&self) -> Result<(), ConsumeError>;
    async fn requeue(&self) -> Result<(), ConsumeError>;
}
impl Delivery {
    /// Settles it: gone from the queue.
    pub async fn ack(self) -> Result<(), ConsumeError> { self.settle.ack().await }
    /// Hands it back for somebody else.
    pub async fn requeue(self) -> Result<(), ConsumeError> { self.settle.requeue().await }
}
/// One broker, RabbitMQ or embedded.
#[async_trait::async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Declares the topology; idempotent.
    async fn declare(&self) -> Result<(), ConsumeError>;
    /// A shared publisher.
    fn publisher(&self) -> Arc<dyn Publisher>;
    /// Consumes `queue` with at most `prefetch` unsettled deliveries.
    async fn consume(&self, queue: Queue, prefetch: u16) -> Result<Box<dyn Consumer>, ConsumeError>;
    /// Messages ready and unsettled in `queue`.
    async fn depth(&self, queue: Queue) -> Result<QueueDepth, ConsumeError>;
    /// Closes every connection.
    async fn close(&self);
}
/// What stands in a queue. RabbitMQ tells only `ready` over AMQP: `unsettled` is `None` there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "skeleton")]
pub struct QueueDepth { pub ready: u64, pub unsettled: Option<u64> }
