//! Messages on their way in and out. Never looks into a body.

use std::fmt;

use bytes::Bytes;
use tokio::time::Instant;

use crate::error::ConsumeError;

/// Names of the headers this crate writes or reads itself.
pub mod headers {
    /// Why a message is in a dead-letter queue.
    pub const DEAD_REASON: &str = "alioth-dead-reason";
    /// [`DEAD_REASON`] of a message that went back to its queue too often.
    pub const DEAD_REASON_DELIVERY_LIMIT: &str = "delivery-limit";
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Body.
    pub body: Bytes,
    /// AMQP content type, `application/x-protobuf` for writes.
    pub content_type: String,
    /// AMQP `type`: the proto's name, `qdrant.UpsertPoints`.
    pub kind: String,
    /// AMQP `message_id`: the write id, or of several writes the first's.
    pub message_id: String,
    /// Headers: `alioth-accepted-at-ms`, `alioth-chunk`, `alioth-writes`, `traceparent`, and a dead letter's `alioth-dead-*`.
    pub headers: Vec<(String, HeaderValue)>,
}

/// The header types Alioth writes and reads; others are dropped on the way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// A string.
    Text(String),
    /// A whole number.
    Int(i64),
}

/// A message as it arrives. Until it is settled it counts against its consumer's prefetch; dropped unsettled it
/// stays so until its consumer is closed, and is then delivered again.
pub struct Delivery {
    /// Body.
    pub body: Bytes,
    /// AMQP `type`.
    pub kind: String,
    /// AMQP `content_type`.
    pub content_type: String,
    /// AMQP `message_id`.
    pub message_id: String,
    /// Headers, sorted by name.
    pub headers: Vec<(String, HeaderValue)>,
    /// Redelivered at least once.
    pub redelivered: bool,
    /// Times it went back to the queue, 0 at first.
    pub delivery_count: u64,
    /// When it reached this process.
    pub received_at: Instant,
    settle: Box<dyn Settle>,
}

/// How a delivery is settled: the backend's part of one. Public for fakes in tests.
#[async_trait::async_trait]
pub trait Settle: Send + Sync {
    /// Takes the message off its queue.
    async fn ack(&self) -> Result<(), ConsumeError>;
    /// Gives the message back to its queue.
    async fn requeue(&self) -> Result<(), ConsumeError>;
}

impl Delivery {
    /// A first delivery of `message`, received now.
    pub fn new(message: OutgoingMessage, settle: Box<dyn Settle>) -> Self {
        Self {
            body: message.body,
            kind: message.kind,
            content_type: message.content_type,
            message_id: message.message_id,
            headers: message.headers,
            redelivered: false,
            delivery_count: 0,
            received_at: Instant::now(),
            settle,
        }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&HeaderValue> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Settles it: gone from the queue.
    ///
    /// # Errors
    /// When its consumer or connection is gone: the broker has it still and delivers it again.
    pub async fn ack(self) -> Result<(), ConsumeError> {
        self.settle.ack().await
    }

    /// Hands it back for somebody else.
    ///
    /// # Errors
    /// As [`Delivery::ack`].
    pub async fn requeue(self) -> Result<(), ConsumeError> {
        self.settle.requeue().await
    }
}

impl fmt::Debug for Delivery {
    /// Leaves the body out: it is the client's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("kind", &self.kind)
            .field("message_id", &self.message_id)
            .field("bytes", &self.body.len())
            .field("delivery_count", &self.delivery_count)
            .finish_non_exhaustive()
    }
}
