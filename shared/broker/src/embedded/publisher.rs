//! Publishing to the embedded queue: bounded, and confirmed when it is on disk.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{CLOSED, EmbeddedOptions, Shared, command::Command};
use crate::{
    broker::Publisher,
    error::PublishError,
    message::OutgoingMessage,
    queue::Queue,
    shares::{Share, Shares},
};

/// A disk that takes longer for a commit is as good as gone to whoever waits for an answer.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// Publishes to the embedded queue.
#[derive(Debug)]
pub(super) struct EmbeddedPublisher {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    shares: Shares,
}

impl EmbeddedPublisher {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        shared: Arc<Shared>,
        options: &EmbeddedOptions,
    ) -> Self {
        let metrics = shared.metrics.clone();
        let shares = Shares::new(options.in_flight, options.in_flight_bytes, metrics);
        Self {
            commands,
            shared,
            shares,
        }
    }

    async fn publish_all(
        &self,
        queue: Queue,
        messages: Vec<OutgoingMessage>,
    ) -> Result<(), PublishError> {
        let mut answers = Vec::with_capacity(messages.len());
        for mut message in messages {
            message
                .headers
                .sort_by(|(left, _), (right, _)| left.cmp(right));
            let share = self.share(&message).await?;
            let (answer, answered) = oneshot::channel();
            let command = Command::Publish {
                queue,
                message,
                share,
                answer,
            };
            self.commands.send(command).map_err(|_| self.away())?;
            answers.push((Instant::now(), answered));
        }
        for (begun, answered) in answers {
            answered.await.map_err(|_| self.away())??;
            self.shared.metrics.publish_confirmed(begun.elapsed());
        }
        Ok(())
    }

    async fn share(&self, message: &OutgoingMessage) -> Result<Share, PublishError> {
        match self.shares.try_take(message.body.len()) {
            Some(share) => Ok(share),
            None => self
                .shares
                .take(message.body.len())
                .await
                .map_err(|_| self.away()),
        }
    }

    fn away(&self) -> PublishError {
        let reason = self.shared.failure().unwrap_or_else(|| CLOSED.to_owned());
        PublishError::Away { reason }
    }
}

#[async_trait::async_trait]
impl Publisher for EmbeddedPublisher {
    async fn publish(
        &self,
        queue: Queue,
        messages: Vec<OutgoingMessage>,
    ) -> Result<(), PublishError> {
        let published = self.publish_all(queue, messages);
        let published = match tokio::time::timeout(CONFIRM_TIMEOUT, published).await {
            Ok(published) => published,
            Err(_) => Err(PublishError::TimedOut {
                after: CONFIRM_TIMEOUT,
            }),
        };
        if let Err(error) = &published {
            self.shared.metrics.publish_failed(error);
        }
        published
    }

    fn is_ready(&self) -> bool {
        self.shared.failure().is_none()
    }
}
