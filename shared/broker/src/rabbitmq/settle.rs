//! Settling deliveries over the channel that delivered them. Acknowledgements that come together share a frame.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::sync::Notify;

use super::{
    properties,
    unsettled::{Ack, Unsettled},
};
use crate::{
    error::ConsumeError,
    message::{Delivery, Settle},
    metrics::{BrokerMetrics, Settled},
};

/// What every delivery of a channel is settled with.
#[derive(Debug)]
pub(super) struct Settling {
    channel: Channel,
    /// Locked while a frame is handed over too: a tag's place among the frames is what it means.
    unsettled: Mutex<Unsettled>,
    due: Notify,
    metrics: BrokerMetrics,
}

impl Settling {
    pub(super) fn new(channel: Channel, metrics: BrokerMetrics) -> Self {
        Self {
            channel,
            unsettled: Mutex::default(),
            due: Notify::new(),
            metrics,
        }
    }

    /// Whether the channel's deliveries can still be settled.
    pub(super) fn is_live(&self) -> bool {
        self.channel.status().connected()
    }

    /// A delivery as it goes to the consumer.
    pub(super) fn delivery(self: &Arc<Self>, delivery: lapin::message::Delivery) -> Delivery {
        let (message, delivery_count) = properties::incoming(delivery.data, &delivery.properties);
        let redelivered = delivery.redelivered || delivery_count > 0;
        self.unsettled().deliver(delivery.delivery_tag);
        let settle = ChannelSettle {
            settling: Arc::clone(self),
            tag: delivery.delivery_tag,
        };
        let mut delivery = Delivery::new(message, Box::new(settle));
        delivery.redelivered = redelivered;
        delivery.delivery_count = delivery_count;
        delivery
    }

    /// Resolves when [`Settling::send_together`] may have something to do. Cancel safe.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }

    /// Acknowledges, in one frame, what is due before the first open delivery; whether anything is due behind it.
    pub(super) fn send_together(&self) -> bool {
        let mut unsettled = self.unsettled();
        self.send(unsettled.take_together());
        unsettled.is_due()
    }

    /// Acknowledges everything due. Must be called before the channel is closed.
    pub(super) fn send_all(&self) {
        let mut unsettled = self.unsettled();
        self.send(unsettled.take_all());
    }

    fn send(&self, acks: impl IntoIterator<Item = Ack>) {
        for Ack { tag, multiple } in acks {
            let ack = self.channel.basic_ack(tag, BasicAckOptions { multiple });
            if let Err(error) = hand_over(ack) {
                tracing::debug!(%error, "acknowledgements were lost, their messages will come again");
            }
        }
    }

    /// Has it acknowledged with the next frame.
    fn ack(&self, tag: u64) -> Result<(), ConsumeError> {
        self.unsettled().ack(tag);
        self.due.notify_one();
        let outcome = match self.is_live() {
            true => Ok(()),
            false => Err(ConsumeError::Away {
                reason: "the channel that delivered it is closed".to_owned(),
            }),
        };
        self.metrics.settled(Settled::Acked, &outcome);
        outcome
    }

    fn requeue(&self, tag: u64) -> Result<(), ConsumeError> {
        let options = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        let mut unsettled = self.unsettled();
        // Many of these before a close would have RabbitMQ forget an ack behind them.
        self.send(unsettled.take_together());
        let outcome = hand_over(self.channel.basic_nack(tag, options));
        unsettled.hand_back(tag);
        self.due.notify_one();
        drop(unsettled);
        self.metrics.settled(Settled::Requeued, &outcome);
        outcome
    }

    fn unsettled(&self) -> MutexGuard<'_, Unsettled> {
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands a frame to the connection and does not wait until it is written: that tells nothing of the broker, costs two
/// switches of threads for each message, and what is written late is still before a close.
fn hand_over(frame: impl Future<Output = lapin::Result<()>>) -> Result<(), ConsumeError> {
    match pin!(frame).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending | Poll::Ready(Ok(())) => Ok(()),
        Poll::Ready(Err(error)) => Err(ConsumeError::Away {
            reason: error.to_string(),
        }),
    }
}

/// Settles one delivery.
struct ChannelSettle {
    settling: Arc<Settling>,
    tag: u64,
}

#[async_trait::async_trait]
impl Settle for ChannelSettle {
    async fn ack(&self) -> Result<(), ConsumeError> {
        self.settling.ack(self.tag)
    }

    async fn requeue(&self) -> Result<(), ConsumeError> {
        self.settling.requeue(self.tag)
    }
}
