//! Settling deliveries over the channel that delivered them.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};

use super::properties;
use crate::{
    error::ConsumeError,
    message::{Delivery, Settle},
    metrics::{BrokerMetrics, Settled},
};

/// What every delivery of a channel is settled with.
#[derive(Debug)]
pub(super) struct Settling {
    channel: Channel,
    metrics: BrokerMetrics,
}

impl Settling {
    pub(super) fn new(channel: Channel, metrics: BrokerMetrics) -> Self {
        Self { channel, metrics }
    }

    /// Whether the channel's deliveries can still be settled.
    pub(super) fn is_live(&self) -> bool {
        self.channel.status().connected()
    }

    /// A delivery as it goes to the consumer.
    pub(super) fn delivery(self: &Arc<Self>, delivery: lapin::message::Delivery) -> Delivery {
        let (message, delivery_count) = properties::incoming(delivery.data, &delivery.properties);
        let redelivered = delivery.redelivered || delivery_count > 0;
        let settle = ChannelSettle {
            settling: Arc::clone(self),
            tag: delivery.delivery_tag,
        };
        let mut delivery = Delivery::new(message, Box::new(settle));
        delivery.redelivered = redelivered;
        delivery.delivery_count = delivery_count;
        delivery
    }

    /// Hands the frame to the connection and does not wait until it is written: that tells nothing of the broker,
    /// costs two switches of threads for each message, and what is written late is still before a close.
    fn hand_over(
        &self,
        frame: impl Future<Output = lapin::Result<()>>,
        how: Settled,
    ) -> Result<(), ConsumeError> {
        let outcome = match pin!(frame).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending | Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => Err(ConsumeError::Away {
                reason: error.to_string(),
            }),
        };
        self.metrics.settled(how, &outcome);
        outcome
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
        let ack = self
            .settling
            .channel
            .basic_ack(self.tag, BasicAckOptions { multiple: false });
        self.settling.hand_over(ack, Settled::Acked)
    }

    async fn requeue(&self) -> Result<(), ConsumeError> {
        let options = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        let nack = self.settling.channel.basic_nack(self.tag, options);
        self.settling.hand_over(nack, Settled::Requeued)
    }
}
