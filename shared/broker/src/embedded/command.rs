//! What publishers and consumers ask of the engine.

use tokio::sync::{mpsc, oneshot};

use crate::{
    error::PublishError,
    message::OutgoingMessage,
    queue::{Queue, QueueDepth},
    shares::Share,
};

/// A message on its way to a consumer.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) position: u64,
    pub(super) message: OutgoingMessage,
    pub(super) delivery_count: u32,
    /// Which of the consumer's subscriptions it counts against.
    pub(super) subscription: u32,
}

/// How a delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settlement {
    Ack,
    Requeue,
}

pub(super) type PublishAnswer = oneshot::Sender<Result<(), PublishError>>;

/// A request to the engine; an answer nobody waits for any more is dropped.
#[derive(Debug)]
pub(super) enum Command {
    Publish {
        queue: Queue,
        message: OutgoingMessage,
        /// Held until the answer.
        share: Share,
        answer: PublishAnswer,
    },
    Subscribe {
        id: u64,
        queue: Queue,
        prefetch: u16,
        to: mpsc::UnboundedSender<Delivered>,
    },
    Settle {
        id: u64,
        subscription: u32,
        position: u64,
        how: Settlement,
    },
    /// Begins a consumer's next subscription: what it has no longer counts against the prefetch.
    Renew {
        id: u64,
    },
    /// Ends the deliveries; what is unsettled stays with the consumer.
    Cancel {
        id: u64,
        answer: oneshot::Sender<()>,
    },
    /// Ends the consumer; what is unsettled goes back.
    Unsubscribe {
        id: u64,
        answer: oneshot::Sender<()>,
    },
    Depth {
        queue: Queue,
        answer: oneshot::Sender<QueueDepth>,
    },
    Stop {
        answer: oneshot::Sender<()>,
    },
}

impl Command {
    /// Answers a command that cannot be served any more.
    pub(super) fn refuse(self, reason: &str) {
        match self {
            Self::Publish { answer, .. } => {
                let _ = answer.send(Err(PublishError::Away {
                    reason: reason.to_owned(),
                }));
            }
            // Dropping the answer is one.
            Self::Subscribe { .. }
            | Self::Settle { .. }
            | Self::Renew { .. }
            | Self::Cancel { .. }
            | Self::Unsubscribe { .. }
            | Self::Depth { .. }
            | Self::Stop { .. } => {}
        }
    }
}
