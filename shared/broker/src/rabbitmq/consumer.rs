//! A consumer of one queue, and the task that keeps a connection under it. Never settles anything by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use lapin::{
    Channel,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    },
    types::{FieldTable, ShortString},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    Settings,
    link::{Condition, Link, LinkError},
    properties, topology,
};
use crate::{
    backoff::Backoff,
    broker::Consumer,
    error::ConsumeError,
    message::{Delivery, Settle},
    metrics::{BrokerMetrics, Settled},
    queue::Queue,
};

/// A connection that lived shorter counts as one more failure.
const LIVED: Duration = Duration::from_secs(5);
/// How late the end of a channel on a living connection may be noticed while nobody asks for deliveries.
const CHANNEL_INTERVAL: Duration = Duration::from_secs(1);

/// One subscription: what it delivers, until its channel ends.
struct Session {
    deliveries: lapin::Consumer,
    settling: Arc<Settling>,
    /// Dropped with the session, which tells the connecting task.
    _over: oneshot::Sender<()>,
}

/// Consumes from RabbitMQ.
pub(super) struct RabbitConsumer {
    /// First, so that a drop asks for an orderly close before the session ends.
    _closing: DropGuard,
    sessions: mpsc::Receiver<Session>,
    session: Option<Session>,
    ready: Arc<AtomicBool>,
    /// No further session is wanted.
    cancelled: CancellationToken,
    /// The connection is to be closed.
    closed: CancellationToken,
    /// Resolves when it is.
    gone: CancellationToken,
    timeout: Duration,
}

impl RabbitConsumer {
    /// Starts to connect, in a task that ends when this is closed or dropped, or on `shutdown`.
    pub(super) fn start(
        settings: Arc<Settings>,
        metrics: BrokerMetrics,
        queue: Queue,
        prefetch: u16,
        shutdown: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (subscribed, sessions) = mpsc::channel(1);
        let ready = Arc::new(AtomicBool::new(false));
        let cancelled = shutdown.child_token();
        let gone = CancellationToken::new();
        let timeout = settings.connect_timeout;
        let subscriber = Subscriber {
            settings,
            metrics,
            queue,
            prefetch,
            subscribed,
            ready: Arc::clone(&ready),
            cancelled: cancelled.clone(),
            closed: shutdown.clone(),
        };
        let ended = gone.clone().drop_guard();
        tasks.spawn(async move {
            let _ended = ended;
            subscriber.run().await;
        });
        Self {
            sessions,
            session: None,
            ready,
            cancelled,
            closed: shutdown.clone(),
            gone,
            timeout,
            _closing: shutdown.drop_guard(),
        }
    }

    /// Ends the subscription on the broker; the channel stays for what is unsettled.
    async fn unsubscribe(&self, session: &Session) {
        let tag = session.deliveries.tag();
        let cancel = session
            .settling
            .channel
            .basic_cancel(tag, BasicCancelOptions::default());
        // A channel that does not answer is dead: what it delivered is stale and ends by itself.
        let _ = tokio::time::timeout(self.timeout, cancel).await;
    }
}

impl Session {
    /// A delivery to hand out; none when its channel is dead: the broker has it again.
    fn delivery(&self, delivery: lapin::message::Delivery) -> Option<Delivery> {
        if !self.settling.channel.status().connected() {
            return None;
        }
        let (message, delivery_count) = properties::incoming(delivery.data, &delivery.properties);
        let redelivered = delivery.redelivered || delivery_count > 0;
        self.settling.metrics.delivery(redelivered);
        let settle = ChannelSettle {
            settling: Arc::clone(&self.settling),
            tag: delivery.delivery_tag,
        };
        let mut delivery = Delivery::new(message, Box::new(settle));
        delivery.redelivered = redelivered;
        delivery.delivery_count = delivery_count;
        Some(delivery)
    }
}

#[async_trait::async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let Some(session) = self.session.as_mut() else {
                // Cancel safe: a session is either here or still in the channel.
                self.session = Some(self.sessions.recv().await?);
                continue;
            };
            match session.deliveries.next().await {
                Some(Ok(delivery)) => {
                    if let Some(delivery) = session.delivery(delivery) {
                        return Some(delivery);
                    }
                }
                // Its end follows.
                Some(Err(_)) => {}
                None => self.session = None,
            }
        }
    }

    async fn cancel(&mut self) {
        self.cancelled.cancel();
        self.ready.store(false, Ordering::Release);
        self.sessions.close();
        if self.session.is_none() {
            // Nothing was asked for yet, but something may have been prefetched.
            self.session = self.sessions.try_recv().ok();
        }
        if let Some(session) = &self.session {
            self.unsubscribe(session).await;
        }
    }

    async fn close(&mut self) {
        self.cancelled.cancel();
        self.closed.cancel();
        self.gone.cancelled().await;
        self.sessions.close();
        self.session = None;
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}

/// Keeps a subscription under the consumer.
struct Subscriber {
    settings: Arc<Settings>,
    metrics: BrokerMetrics,
    queue: Queue,
    prefetch: u16,
    subscribed: mpsc::Sender<Session>,
    ready: Arc<AtomicBool>,
    cancelled: CancellationToken,
    closed: CancellationToken,
}

impl Subscriber {
    async fn run(self) {
        let mut backoff = Backoff::default();
        let mut last_reason = String::new();
        loop {
            let since = Instant::now();
            let connected = self.cancelled.run_until_cancelled(self.subscribe()).await;
            let reason = match connected {
                None => return,
                Some(Err(reason)) => reason,
                Some(Ok((link, session, over))) => {
                    tracing::info!(
                        queue = self.settings.names.of(self.queue),
                        "consuming from rabbitmq"
                    );
                    let Some(reason) = self.keep(link, session, over).await else {
                        return;
                    };
                    self.metrics.consumer_lost();
                    reason
                }
            };
            if reason != last_reason {
                tracing::warn!(reason, "rabbitmq is away for consuming");
                last_reason = reason;
            }
            if since.elapsed() > LIVED {
                backoff.reset();
            }
            let pause = tokio::time::sleep(backoff.next_wait());
            if self.cancelled.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    async fn subscribe(&self) -> Result<(Link, Session, oneshot::Receiver<()>), String> {
        let link = topology::connect(&self.settings, "consumer").await?;
        let opening = async {
            let channel = link.channel().await?;
            let qos = channel.basic_qos(self.prefetch, BasicQosOptions::default());
            link.in_time(qos).await?;
            let name = ShortString::from(self.settings.names.of(self.queue));
            let consume = channel.basic_consume(
                name,
                ShortString::default(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            Ok((link.in_time(consume).await?, channel))
        };
        let (deliveries, channel) = opening
            .await
            .map_err(|error: LinkError| error.to_string())?;
        let (tell, over) = oneshot::channel();
        let timeout = self.settings.connect_timeout;
        let settling = Arc::new(Settling {
            channel,
            timeout,
            metrics: self.metrics.clone(),
        });
        Ok((
            link,
            Session {
                deliveries,
                settling,
                _over: tell,
            },
            over,
        ))
    }

    /// Hands the session over and keeps its connection; why it ended, or nothing when that was asked for.
    async fn keep(
        &self,
        link: Link,
        session: Session,
        over: oneshot::Receiver<()>,
    ) -> Option<String> {
        let settling = Arc::clone(&session.settling);
        let mut condition = link.condition();
        if self.subscribed.send(session).await.is_err() {
            // Cancelled meanwhile: what was prefetched goes back at once.
            link.close().await;
            return None;
        }
        self.ready
            .store(!self.cancelled.is_cancelled(), Ordering::Release);
        let over = async {
            // Told by being dropped: the server ended the subscription, or it was cancelled and is drained.
            let _ = over.await;
            if self.cancelled.is_cancelled() {
                // Deliveries may be unsettled still.
                self.closed.cancelled().await;
            }
        };
        let reason = tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            closed = condition.wait_for(|condition| matches!(condition, Condition::Closed(_))) => {
                Some(match closed.as_deref() {
                    Ok(Condition::Closed(reason)) => reason.clone(),
                    Ok(Condition::Open | Condition::Blocked(_)) | Err(_) => "it ended".to_owned(),
                })
            }
            () = over => Some("the subscription ended".to_owned()),
            () = ended(&settling.channel) => Some("the channel was closed".to_owned()),
        };
        self.ready.store(false, Ordering::Release);
        if reason.is_none() || self.closed.is_cancelled() {
            link.close().await;
        }
        reason
    }
}

async fn ended(channel: &Channel) {
    let mut looks = tokio::time::interval(CHANNEL_INTERVAL);
    while channel.status().connected() {
        looks.tick().await;
    }
}

/// What every delivery of a session is settled with.
struct Settling {
    channel: Channel,
    timeout: Duration,
    metrics: BrokerMetrics,
}

impl Settling {
    /// Waits until the frame is written: an error is then known, and a close comes after it.
    async fn written(
        &self,
        frame: impl Future<Output = lapin::Result<()>>,
        how: Settled,
    ) -> Result<(), ConsumeError> {
        let outcome = match tokio::time::timeout(self.timeout, frame).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ConsumeError::Away {
                reason: error.to_string(),
            }),
            Err(_) => Err(ConsumeError::Away {
                reason: "the connection takes nothing".to_owned(),
            }),
        };
        self.metrics.settled(how, &outcome);
        outcome
    }
}

/// Settles one delivery over the channel that delivered it.
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
        self.settling.written(ack, Settled::Acked).await
    }

    async fn requeue(&self) -> Result<(), ConsumeError> {
        let options = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        let nack = self.settling.channel.basic_nack(self.tag, options);
        self.settling.written(nack, Settled::Requeued).await
    }
}
