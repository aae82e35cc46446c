//! The interface both backends implement.

use std::{sync::Arc, time::Duration};

use alioth_config::Secret;

use crate::{
    error::{ConsumeError, DeclareError, PublishError},
    message::{Delivery, OutgoingMessage},
    queue::{Queue, QueueDepth},
};

/// Publishes with confirms. Cheap to clone behind an `Arc`, safe to share.
#[async_trait::async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes all, in order, and returns when every one is confirmed; pipelined, bounded in flight.
    ///
    /// # Errors
    /// The first failure; others may have been queued. Fails at once while the broker is away.
    ///
    /// # Cancel safety
    /// Leaks nothing; what was handed over may be queued all the same.
    async fn publish(
        &self,
        queue: Queue,
        messages: Vec<OutgoingMessage>,
    ) -> Result<(), PublishError>;

    /// Whether a publish now has a broker to go to.
    fn is_ready(&self) -> bool;

    /// Whether a publish now has a broker to go to, proven by a round trip: for a process that may have been
    /// suspended and cannot know what became of its connection. One that does not answer is replaced at once, and
    /// one that is sought is waited for without the pauses of ordinary reconnects, for at most `within`. Where there
    /// is no connection there is nothing to prove.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn prove(&self, _within: Duration) -> bool {
        self.is_ready()
    }
}

/// Where a new URL comes from when RabbitMQ refuses the credentials of the present one.
#[async_trait::async_trait]
pub trait UrlSource: std::fmt::Debug + Send + Sync + 'static {
    /// Asks for the URL anew; `None` when it cannot be had. Asked at most once an attempt to connect.
    async fn renewed(&self) -> Option<Secret>;
}

/// A consumer of one queue. Reconnecting is its own affair. Dropping it unsettled gives everything back.
#[async_trait::async_trait]
pub trait Consumer: Send + 'static {
    /// The next delivery; waits over broker outages; `None` once cancelled and empty.
    ///
    /// # Cancel safety
    /// Cancel safe: no delivery is lost.
    async fn next(&mut self) -> Option<Delivery>;

    /// Asks for a new subscription in place of the present one. What is unsettled stays with this consumer and can
    /// be settled, but no longer counts against the prefetch: as many more are delivered. What was prefetched still
    /// comes from `next`, before anything newer. What is unsettled at the consumer's end goes back in order of each
    /// subscription, not of all.
    fn renew(&mut self);

    /// basic.cancel: the broker sends no more; what was prefetched still comes from `next`.
    async fn cancel(&mut self);

    /// Closes channel and connection, after everything is settled; what is not goes back to the queue.
    async fn close(&mut self);

    /// Whether it is subscribed now.
    fn is_ready(&self) -> bool;
}

/// One broker, RabbitMQ or embedded.
#[async_trait::async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Declares the topology; idempotent. Reconnects repeat it by themselves.
    ///
    /// # Errors
    /// Away (transient); or a queue that exists with other arguments or is refused.
    async fn declare(&self) -> Result<(), DeclareError>;

    /// The shared publisher; connects from the first call on, in the background.
    fn publisher(&self) -> Arc<dyn Publisher>;

    /// Consumes `queue` with at most `prefetch` unsettled deliveries; connects in the background.
    ///
    /// # Errors
    /// After [`Broker::close`]. An absent broker is none: the consumer waits for it.
    async fn consume(&self, queue: Queue, prefetch: u16)
    -> Result<Box<dyn Consumer>, ConsumeError>;

    /// Messages ready and unsettled in `queue`.
    ///
    /// # Errors
    /// Away, or no such queue.
    async fn depth(&self, queue: Queue) -> Result<QueueDepth, ConsumeError>;

    /// Closes every connection; consumers still open end.
    async fn close(&self);
}
