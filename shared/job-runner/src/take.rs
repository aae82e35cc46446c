//! One message of a job's queue, held until the job has ended. Never looks into what the job does.

use std::time::Duration;

use alioth_broker::{
    Broker, ConsumeError, Consumer, Delivery, HeaderValue, OutgoingMessage, PublishError, Queue,
    headers,
};
use alioth_jobs::{JobExit, Request};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::record::{Recorder, Retry};

const DEAD_PREFIX: &str = "alioth-dead-";
const DEAD_AT: &str = "alioth-dead-at-ms";
/// How long a dead letter is tried to be published: the publisher connects only now.
const BURY_FOR: Duration = Duration::from_secs(10);
const BURY_AGAIN: Duration = Duration::from_millis(100);

/// What came of waiting for a message.
pub(crate) enum Taken<R> {
    /// There was none.
    Nothing,
    /// A request.
    Request(Box<Held<R>>),
    /// A message that is none; it is in the dead-letter queue.
    Refused,
}

/// Why a message was not taken or not settled. Transient: whoever has it delivers it again.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The broker was closed.
    #[error("subscribe to {queue}")]
    Subscribe {
        /// The queue's name.
        queue: &'static str,
        /// Why.
        #[source]
        source: ConsumeError,
    },
    /// There was no broker in time.
    #[error("subscribe to {queue}: the broker was away for {after:?}")]
    Away {
        /// The queue's name.
        queue: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The broker did not hear that a message is settled.
    #[error("settle the message")]
    Settle(#[source] ConsumeError),
    /// A message could not be set aside.
    #[error("set the message aside in {queue}")]
    Bury {
        /// The queue's name.
        queue: &'static str,
        /// Why.
        #[source]
        source: PublishError,
    },
}

impl TakeError {
    /// Whether it may go well later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Settle(_) | Self::Bury { .. } => true,
            Self::Subscribe { .. } => false,
        }
    }
}

/// Waits for one message.
///
/// # Errors
/// `Subscribe`, `Away`; `Bury` and `Settle` of a message that is no request.
pub(crate) async fn take<R: Request>(
    broker: &dyn Broker,
    queue: Queue,
    wait: Duration,
    token: &CancellationToken,
) -> Result<Taken<R>, TakeError> {
    let queue_name = queue.name();
    let subscribed = broker.consume(queue, 1).await;
    let mut consumer = subscribed.map_err(|source| TakeError::Subscribe {
        queue: queue_name,
        source,
    })?;
    let first = tokio::select! {
        delivery = consumer.next() => delivery,
        () = tokio::time::sleep(wait) => None,
        () = token.cancelled() => None,
    };
    let was_ready = consumer.is_ready();
    let delivery = match first {
        Some(delivery) => Some(delivery),
        // One may be on its way.
        None => {
            consumer.cancel().await;
            consumer.next().await
        }
    };
    let Some(delivery) = delivery else {
        consumer.close().await;
        return match was_ready || token.is_cancelled() {
            true => Ok(Taken::Nothing),
            false => Err(TakeError::Away {
                queue: queue_name,
                after: wait,
            }),
        };
    };
    let message = Message {
        delivery,
        consumer,
        queue,
    };
    match decode::<R>(&message.delivery) {
        Ok(request) => Ok(Taken::Request(Box::new(Held { request, message }))),
        Err(reason) => {
            message.bury(broker, &reason, None).await?;
            Ok(Taken::Refused)
        }
    }
}

fn decode<R: Request>(delivery: &Delivery) -> Result<R, String> {
    if delivery.kind != R::TYPE {
        let found = &delivery.kind;
        return Err(format!("type: is {found:?}, wanted {:?}", R::TYPE));
    }
    R::decode(&delivery.body).map_err(|error| error.to_string())
}

/// A request whose message is not settled yet.
pub(crate) struct Held<R> {
    pub(crate) request: R,
    message: Message,
}

impl<R> Held<R> {
    /// A message that was published anew, as by somebody who moves it out of the dead-letter queue, asks for its job.
    pub(crate) fn retry(&self) -> Retry {
        match self.message.delivery.redelivered {
            true => Retry::IfItMayPass,
            false => Retry::Always,
        }
    }

    /// Settles the message as the job ended. `recorder` is told of a dead letter before the message is acked: the ack may
    /// fail.
    ///
    /// # Errors
    /// `Settle` and `Bury`: the message comes again.
    pub(crate) async fn settle(
        self,
        broker: &dyn Broker,
        exit: JobExit,
        reason: &str,
        recorder: Option<&Recorder>,
    ) -> Result<(), TakeError> {
        match fate(exit) {
            Fate::Ack => self.message.ack().await,
            Fate::Requeue => self.message.requeue().await,
            Fate::Bury => self.message.bury(broker, reason, recorder).await,
        }
    }
}

/// Whether another try of the same job cannot help.
pub(crate) fn is_for_good(exit: JobExit) -> bool {
    match fate(exit) {
        Fate::Ack | Fate::Requeue => false,
        Fate::Bury => true,
    }
}

enum Fate {
    Ack,
    Requeue,
    Bury,
}

/// The one place that decides what becomes of a job's message.
fn fate(exit: JobExit) -> Fate {
    match exit {
        JobExit::Done => Fate::Ack,
        JobExit::BadConfiguration | JobExit::Unavailable => Fate::Requeue,
        JobExit::BadRequest | JobExit::Internal | JobExit::Integrity => Fate::Bury,
    }
}

struct Message {
    delivery: Delivery,
    consumer: Box<dyn Consumer>,
    queue: Queue,
}

impl Message {
    async fn ack(mut self) -> Result<(), TakeError> {
        let settled = self.delivery.ack().await.map_err(TakeError::Settle);
        self.consumer.close().await;
        settled
    }

    async fn requeue(mut self) -> Result<(), TakeError> {
        let settled = self.delivery.requeue().await.map_err(TakeError::Settle);
        self.consumer.close().await;
        settled
    }

    /// Puts the message into its dead-letter queue, and only then off its own.
    async fn bury(
        mut self,
        broker: &dyn Broker,
        reason: &str,
        recorder: Option<&Recorder>,
    ) -> Result<(), TakeError> {
        let Some(dead) = self.queue.dead() else {
            return self.requeue().await;
        };
        let letter = dead_letter(&self.delivery, reason, Timestamp::now());
        if let Err(error) = publish(broker, dead, letter).await {
            self.consumer.close().await;
            return Err(error);
        }
        tracing::warn!(queue = dead.name(), reason, "message set aside");
        if let Some(recorder) = recorder
            && let Err(error) = recorder.dead_lettered().await
        {
            let error = crate::chain(&error);
            tracing::warn!(error, "the dead letter is not in the record");
        }
        self.ack().await
    }
}

async fn publish(
    broker: &dyn Broker,
    dead: Queue,
    letter: OutgoingMessage,
) -> Result<(), TakeError> {
    let publisher = broker.publisher();
    let until = tokio::time::Instant::now() + BURY_FOR;
    loop {
        match publisher.publish(dead, vec![letter.clone()]).await {
            Ok(()) => return Ok(()),
            Err(source) if tokio::time::Instant::now() >= until => {
                let queue = dead.name();
                return Err(TakeError::Bury { queue, source });
            }
            Err(_) => tokio::time::sleep(BURY_AGAIN).await,
        }
    }
}

fn dead_letter(delivery: &Delivery, reason: &str, now: Timestamp) -> OutgoingMessage {
    let mut all = delivery.headers.clone();
    all.retain(|(name, _)| !name.starts_with(DEAD_PREFIX));
    let reason = HeaderValue::Text(reason.to_owned());
    all.push((headers::DEAD_REASON.to_owned(), reason));
    let at = HeaderValue::Int(now.as_millisecond());
    all.push((DEAD_AT.to_owned(), at));
    OutgoingMessage {
        body: delivery.body.clone(),
        content_type: delivery.content_type.clone(),
        kind: delivery.kind.clone(),
        message_id: delivery.message_id.clone(),
        headers: all,
    }
}
