//! A consumer of one queue: what its subscriber took in, handed out. Never settles anything by itself.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{Settings, settle::Settling, subscriber::Subscriber};
use crate::{broker::Consumer, message::Delivery, metrics::BrokerMetrics, queue::Queue};

/// Deliveries taken in and not handed out. Bounded by the prefetch and its renewals: each connection's are dropped with it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    content: Mutex<Content>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Content {
    deliveries: VecDeque<(Delivery, Arc<Settling>)>,
    subscribed: bool,
    ended: bool,
}

impl Inbox {
    pub(super) fn put(&self, delivery: Delivery, settling: Arc<Settling>) {
        self.content().deliveries.push_back((delivery, settling));
        self.arrived.notify_one();
    }

    /// Tells whether a subscription is there.
    pub(super) fn set_subscribed(&self, subscribed: bool) {
        self.content().subscribed = subscribed;
    }

    /// Drops what a dead connection delivered: the broker delivers it again.
    pub(super) fn drop_stale(&self) {
        self.content()
            .deliveries
            .retain(|(_, settling)| settling.is_live());
    }

    /// Nothing more will come.
    pub(super) fn end(&self) {
        let mut content = self.content();
        (content.ended, content.subscribed) = (true, false);
        self.arrived.notify_one();
    }

    /// The next delivery that can still be settled; `None` at the end.
    async fn take(&self) -> Option<Delivery> {
        loop {
            {
                let mut content = self.content();
                while let Some((delivery, settling)) = content.deliveries.pop_front() {
                    if settling.is_live() {
                        return Some(delivery);
                    }
                }
                if content.ended {
                    return None;
                }
            }
            // A notification that came before is kept, and one that this future gets and does not use goes on.
            self.arrived.notified().await;
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Consumes from RabbitMQ.
#[derive(Debug)]
pub(super) struct RabbitConsumer {
    inbox: Arc<Inbox>,
    metrics: BrokerMetrics,
    /// Asks for a new subscription.
    renewal: Arc<Notify>,
    /// No more deliveries are wanted.
    cancelled: CancellationToken,
    /// The broker knows that, or is gone.
    unsubscribed: CancellationToken,
    /// The connection is to be closed. Cancelled with this consumer.
    closed: CancellationToken,
    /// It is.
    gone: CancellationToken,
    _closing: DropGuard,
}

impl RabbitConsumer {
    /// Starts to connect, in a task that ends when this is closed or dropped, or on `shutdown`.
    pub(super) fn start(
        settings: Arc<Settings>,
        metrics: BrokerMetrics,
        (queue, prefetch): (Queue, u16),
        shutdown: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let inbox = Arc::new(Inbox::default());
        let renewal = Arc::new(Notify::new());
        let cancelled = shutdown.child_token();
        let (unsubscribed, gone) = (CancellationToken::new(), CancellationToken::new());
        let subscriber = Subscriber {
            settings,
            metrics: metrics.clone(),
            queue,
            prefetch,
            inbox: Arc::clone(&inbox),
            renewal: Arc::clone(&renewal),
            cancelled: cancelled.clone(),
            unsubscribed: unsubscribed.clone(),
            closed: shutdown.clone(),
        };
        let ended = [unsubscribed.clone().drop_guard(), gone.clone().drop_guard()];
        tasks.spawn(async move {
            let _ended = ended;
            subscriber.run().await;
        });
        let closed = shutdown.clone();
        let _closing = shutdown.drop_guard();
        Self {
            inbox,
            metrics,
            renewal,
            cancelled,
            unsubscribed,
            closed,
            gone,
            _closing,
        }
    }
}

#[async_trait::async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.inbox.take().await?;
        self.metrics.delivery(delivery.redelivered);
        Some(delivery)
    }

    fn renew(&mut self) {
        self.renewal.notify_one();
    }

    async fn cancel(&mut self) {
        self.cancelled.cancel();
        self.unsubscribed.cancelled().await;
    }

    async fn close(&mut self) {
        self.closed.cancel();
        self.gone.cancelled().await;
    }

    fn is_ready(&self) -> bool {
        !self.cancelled.is_cancelled() && self.inbox.content().subscribed
    }
}
