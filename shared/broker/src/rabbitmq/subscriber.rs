//! The task under a consumer: keeps a subscription, and takes deliveries in as they come, so that each knows when it
//! reached this process and a lost connection is noticed while nobody asks for deliveries.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::OptionFuture};
use lapin::{
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    consumer::Inbox,
    link::{Condition, Link, LinkError},
    settle::Settling,
    topology,
};
use crate::{backoff::Backoff, metrics::BrokerMetrics, queue::Queue};

/// A connection that lived shorter counts as one more failure.
const LIVED: Duration = Duration::from_secs(5);

/// How long an acknowledgement may wait for those of earlier deliveries, to share their frame.
const BEHIND_OTHERS: Duration = Duration::from_millis(25);

/// Keeps a subscription under a consumer.
pub(super) struct Subscriber {
    pub(super) settings: Arc<Settings>,
    pub(super) metrics: BrokerMetrics,
    pub(super) queue: Queue,
    pub(super) prefetch: u16,
    pub(super) inbox: Arc<Inbox>,
    pub(super) renewal: Arc<Notify>,
    pub(super) cancelled: CancellationToken,
    pub(super) unsubscribed: CancellationToken,
    pub(super) closed: CancellationToken,
}

/// One subscription on one connection.
struct Session {
    link: Link,
    condition: watch::Receiver<Condition>,
    channel: lapin::Channel,
    deliveries: lapin::Consumer,
    settling: Arc<Settling>,
}

impl Subscriber {
    /// Subscribes, again and again, until cancelled or closed.
    pub(super) async fn run(self) {
        let mut backoff = Backoff::default();
        let mut last_reason = String::new();
        while !self.cancelled.is_cancelled() {
            let since = Instant::now();
            let subscribed = self.cancelled.run_until_cancelled(self.subscribe()).await;
            let reason = match subscribed {
                None => break,
                Some(Err(reason)) => reason,
                Some(Ok(session)) => match self.serve(session).await {
                    None => break,
                    Some(reason) => {
                        self.metrics.consumer_lost();
                        reason
                    }
                },
            };
            if reason != last_reason {
                tracing::warn!(reason, "rabbitmq is away for consuming");
                last_reason = reason;
            }
            if since.elapsed() > LIVED {
                backoff.reset();
            }
            let pause = tokio::time::sleep(backoff.next_wait());
            self.cancelled.run_until_cancelled(pause).await;
        }
        self.inbox.end();
    }

    async fn subscribe(&self) -> Result<Session, String> {
        let link = topology::connect(&self.settings, "consumer").await?;
        let opening = async {
            let channel = link.channel().await?;
            let qos = channel.basic_qos(self.prefetch, BasicQosOptions::default());
            link.in_time(qos).await?;
            // Whoever asked meant the subscription before.
            let _ = self.renewal.notified().now_or_never();
            Ok((self.consume(&link, &channel).await?, channel))
        };
        let (deliveries, channel) = opening
            .await
            .map_err(|error: LinkError| error.to_string())?;
        let settling = Arc::new(Settling::new(channel.clone(), self.metrics.clone()));
        let condition = link.condition();
        Ok(Session {
            link,
            condition,
            channel,
            deliveries,
            settling,
        })
    }

    async fn consume(
        &self,
        link: &Link,
        channel: &lapin::Channel,
    ) -> Result<lapin::Consumer, LinkError> {
        let consume = channel.basic_consume(
            ShortString::from(self.settings.names.of(self.queue)),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        link.in_time(consume).await
    }

    /// Takes deliveries in until the session ends; why it did, or nothing when that was asked for.
    async fn serve(&self, mut session: Session) -> Option<String> {
        tracing::info!(
            queue = self.settings.names.of(self.queue),
            "consuming from rabbitmq"
        );
        self.inbox.set_subscribed(true);
        let ended = self.take_in(&mut session).await;
        session.settling.send_all();
        self.inbox.set_subscribed(false);
        match &ended {
            // What nobody took goes back with everything unsettled.
            None => session.link.close().await,
            Some(_) => drop(session.link),
        }
        self.inbox.drop_stale();
        ended
    }

    async fn take_in(&self, session: &mut Session) -> Option<String> {
        let (mut cancelling, mut all_taken_in) = (false, false);
        let mut send_all_at = None;
        loop {
            tokio::select! {
                biased;
                () = self.closed.cancelled() => return None,
                reason = end_of(&mut session.condition) => {
                    return (!cancelling).then_some(reason);
                }
                () = self.cancelled.cancelled(), if !cancelling => {
                    cancelling = true;
                    self.unsubscribe(session).await;
                }
                () = self.renewal.notified(), if !cancelling => {
                    if let Err(error) = self.renew(session).await {
                        return Some(error.to_string());
                    }
                }
                () = session.settling.due() => {
                    // Since the first that waits.
                    send_all_at = session.settling.send_together()
                        .then(|| send_all_at.unwrap_or_else(|| Instant::now() + BEHIND_OTHERS));
                }
                Some(()) = OptionFuture::from(send_all_at.map(sleep_until)) => {
                    session.settling.send_all();
                    send_all_at = None;
                }
                delivery = session.deliveries.next(), if !all_taken_in => match delivery {
                    Some(Ok(delivery)) => self.put(&session.settling, delivery),
                    // Its end follows.
                    Some(Err(_)) => {}
                    None if cancelling => {
                        // The channel stays for what is unsettled.
                        self.inbox.end();
                        all_taken_in = true;
                    }
                    None => return Some("the subscription ended".to_owned()),
                },
            }
        }
    }

    fn put(&self, settling: &Arc<Settling>, delivery: lapin::message::Delivery) {
        self.inbox
            .put(settling.delivery(delivery), Arc::clone(settling));
    }

    /// Asks the broker to deliver no more.
    async fn unsubscribe(&self, session: &Session) {
        // A connection that does not answer is dead, which is noticed like any other's end.
        let _ = session.cancel().await;
        self.unsubscribed.cancel();
    }

    /// Ends the subscription and begins another on the same channel: RabbitMQ counts the prefetch by subscription,
    /// and what the ended one delivered can still be settled.
    /// Source: <https://www.rabbitmq.com/docs/consumer-prefetch#independent-consumers>
    async fn renew(&self, session: &mut Session) -> Result<(), LinkError> {
        session.cancel().await?;
        let (deliveries, settling) = (&mut session.deliveries, &session.settling);
        let rest = async {
            while let Some(delivery) = deliveries.next().await {
                self.put(settling, delivery?);
            }
            Ok(())
        };
        session.link.in_time(rest).await?;
        session.deliveries = self.consume(&session.link, &session.channel).await?;
        Ok(())
    }
}

impl Session {
    async fn cancel(&self) -> Result<(), LinkError> {
        let tag = self.deliveries.tag();
        let cancel = self
            .channel
            .basic_cancel(tag, BasicCancelOptions::default());
        self.link.in_time(cancel).await
    }
}

/// Resolves when the connection has ended, with the reason.
async fn end_of(condition: &mut watch::Receiver<Condition>) -> String {
    let closed = condition
        .wait_for(|condition| matches!(condition, Condition::Closed(_)))
        .await;
    match closed.as_deref() {
        Ok(Condition::Closed(reason)) => reason.clone(),
        Ok(Condition::Open | Condition::Blocked(_)) | Err(_) => "it ended".to_owned(),
    }
}
