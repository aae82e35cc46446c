//! Consuming from the embedded queue.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use tokio::sync::{mpsc as tokio_mpsc, oneshot};

use super::{
    Shared,
    command::{Command, Delivered, Settlement},
};
use crate::{
    broker::Consumer,
    error::ConsumeError,
    message::{Delivery, Settle},
    metrics::Settled,
    queue::Queue,
};

/// A consumer of the embedded queue.
#[derive(Debug)]
pub(super) struct EmbeddedConsumer {
    id: u64,
    /// Bounded by prefetch: the engine sends no more than that unsettled, until it is renewed.
    delivered: tokio_mpsc::UnboundedReceiver<Delivered>,
    settling: Arc<Settling>,
    subscribed: bool,
}

/// What every delivery of a consumer is settled with.
#[derive(Debug)]
struct Settling {
    id: u64,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    /// Once closed, what was unsettled is the queue's again.
    closed: AtomicBool,
}

impl EmbeddedConsumer {
    pub(super) fn subscribe(
        id: u64,
        queue: Queue,
        prefetch: u16,
        commands: mpsc::Sender<Command>,
        shared: Arc<Shared>,
    ) -> Result<Self, ConsumeError> {
        let (to, delivered) = tokio_mpsc::unbounded_channel();
        let subscribe = Command::Subscribe {
            id,
            queue,
            prefetch,
            to,
        };
        commands.send(subscribe).map_err(|_| shared.away())?;
        let settling = Settling {
            id,
            commands,
            shared,
            closed: AtomicBool::new(false),
        };
        Ok(Self {
            id,
            delivered,
            settling: Arc::new(settling),
            subscribed: true,
        })
    }

    fn unsubscribe(&mut self) -> oneshot::Receiver<()> {
        let (answer, answered) = oneshot::channel();
        self.subscribed = false;
        if !self.settling.closed.swap(true, Ordering::AcqRel) {
            // An engine that is gone has nothing to give back.
            let _ = self.settling.commands.send(Command::Unsubscribe {
                id: self.id,
                answer,
            });
        }
        answered
    }
}

#[async_trait::async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        if self.settling.closed.load(Ordering::Acquire) {
            return None;
        }
        let Delivered {
            position,
            message,
            delivery_count,
            subscription,
        } = self.delivered.recv().await?;
        let redelivered = delivery_count > 0;
        self.settling.shared.metrics.delivery(redelivered);
        let settle = EmbeddedSettle {
            settling: Arc::clone(&self.settling),
            subscription,
            position,
        };
        let mut delivery = Delivery::new(message, Box::new(settle));
        delivery.redelivered = redelivered;
        delivery.delivery_count = u64::from(delivery_count);
        Some(delivery)
    }

    fn renew(&mut self) {
        // An engine that is gone delivers nothing either way.
        let _ = self.settling.commands.send(Command::Renew { id: self.id });
    }

    async fn cancel(&mut self) {
        self.subscribed = false;
        let (answer, answered) = oneshot::channel();
        let cancel = Command::Cancel {
            id: self.id,
            answer,
        };
        if self.settling.commands.send(cancel).is_ok() {
            // Without an answer the engine is gone, and delivers nothing either.
            let _ = answered.await;
        }
    }

    async fn close(&mut self) {
        // As in `cancel`.
        let _ = self.unsubscribe().await;
    }

    fn is_ready(&self) -> bool {
        self.subscribed && self.settling.shared.failure().is_none()
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        drop(self.unsubscribe());
    }
}

/// Settles one delivery.
#[derive(Debug)]
struct EmbeddedSettle {
    settling: Arc<Settling>,
    subscription: u32,
    position: u64,
}

impl EmbeddedSettle {
    fn settle(&self, how: Settlement, settled: Settled) -> Result<(), ConsumeError> {
        let Settling {
            id,
            commands,
            shared,
            closed,
        } = &*self.settling;
        let command = Command::Settle {
            id: *id,
            subscription: self.subscription,
            position: self.position,
            how,
        };
        let outcome = if closed.load(Ordering::Acquire) {
            Err(ConsumeError::Away {
                reason: "the consumer was closed".to_owned(),
            })
        } else if shared.failure().is_some() {
            Err(shared.away())
        } else {
            commands.send(command).map_err(|_| shared.away())
        };
        shared.metrics.settled(settled, &outcome);
        outcome
    }
}

#[async_trait::async_trait]
impl Settle for EmbeddedSettle {
    async fn ack(&self) -> Result<(), ConsumeError> {
        self.settle(Settlement::Ack, Settled::Acked)
    }

    async fn requeue(&self) -> Result<(), ConsumeError> {
        self.settle(Settlement::Requeue, Settled::Requeued)
    }
}
