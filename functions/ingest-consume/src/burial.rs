//! Dead letters on their way into `ingest.dead`. Each message's are confirmed before it is acknowledged. They are in a
//! task of their own, so that while the dead-letter queue takes nothing, all others go on.

use std::{sync::Arc, time::SystemTime};

use alioth_broker::{Delivery, OutgoingMessage};
use alioth_points::UpsertMessage;
use tokio_util::sync::CancellationToken;

use crate::{
    applier::Applier,
    dead_letter::{self, Cause, DeadPoints, Death},
    metrics::Outcome,
    order::Ticket,
};

/// Messages of one collection with dead points in them, or one that nobody could read. All their other points are
/// applied.
pub(crate) struct Burial(pub(crate) Vec<DeadMessage>);

/// A message of which some is dead.
pub(crate) struct DeadMessage {
    pub(crate) ticket: Ticket,
    pub(crate) delivery: Delivery,
    /// As accounted when it came.
    pub(crate) bytes: usize,
    pub(crate) what: Dead,
}

/// How much of a message is dead.
pub(crate) enum Dead {
    /// All of it: nobody could read it.
    Whole(Death),
    /// These points.
    Points {
        message: UpsertMessage,
        dead: Vec<DeadPoints>,
    },
}

/// A message that left the consumer: acknowledged, or back in the queue.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) ticket: Ticket,
    /// `None` for what was never readable.
    pub(crate) message: Option<UpsertMessage>,
    /// As accounted when it came.
    pub(crate) bytes: usize,
}

impl Burial {
    /// Publishes and acknowledges them one by one; once `release` came, those that are not confirmed at their next try
    /// go back to the queue.
    pub(crate) async fn run(self, applier: Arc<Applier>, release: CancellationToken) -> Vec<Left> {
        let mut left = Vec::with_capacity(self.0.len());
        for message in self.0 {
            left.push(message.bury(&applier, &release).await);
        }
        left
    }
}

impl DeadMessage {
    async fn bury(self, applier: &Applier, release: &CancellationToken) -> Left {
        let Self {
            ticket,
            delivery,
            bytes,
            what,
        } = self;
        match applier.bury(what.letters(&delivery), release).await {
            Ok(()) => {
                for (cause, points) in what.causes() {
                    applier.metrics.dead_letter(cause, points);
                }
                applier.acknowledge(delivery, what.outcome()).await;
            }
            Err(_) => applier.requeue(delivery).await,
        }
        let message = match what {
            Dead::Whole(_) => None,
            Dead::Points { message, .. } => Some(message),
        };
        Left {
            ticket,
            message,
            bytes,
        }
    }

    /// The collection it is for, if anybody can read it.
    pub(crate) fn collection(&self) -> Option<&str> {
        match &self.what {
            Dead::Whole(_) => None,
            Dead::Points { message, .. } => Some(message.collection_name()),
        }
    }
}

impl Dead {
    fn letters(&self, delivery: &Delivery) -> Vec<OutgoingMessage> {
        match self {
            Self::Whole(death) => vec![dead_letter::of_message(delivery, death, now_ms())],
            Self::Points { message, dead } => {
                dead_letter::of_points(delivery, message, dead, now_ms())
            }
        }
    }

    /// Of each letter the cause, and how many points are known to be in it.
    fn causes(&self) -> Vec<(Cause, usize)> {
        match self {
            Self::Whole(death) => vec![(death.cause, 0)],
            Self::Points { dead, .. } => dead
                .iter()
                .map(|dead| (dead.death.cause, dead.points.len()))
                .collect(),
        }
    }

    fn outcome(&self) -> Outcome {
        let Self::Points { message, dead } = self else {
            return Outcome::DeadLettered;
        };
        let points: usize = dead.iter().map(|dead| dead.points.len()).sum();
        match points < message.points() {
            true => Outcome::PartlyApplied,
            false => Outcome::DeadLettered,
        }
    }
}

/// Milliseconds since 1970, for the dead letters' headers.
fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
