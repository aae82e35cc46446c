//! The thread that owns the file: gathers publishes into commits, hands messages to consumers, and settles.
//!
//! Only publishes wait for the disk. Settles and delivery counts are noted at once and written with the next commit,
//! at the latest after a tenth of a second: a crash before that delivers a message again, as at-least-once allows.

mod deliveries;

use std::{
    error::Error,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
};

use tokio::sync::oneshot;

use super::{
    CLOSED, Shared,
    command::Command,
    journal::{Gathered, Journal, Waiting},
    queue_state::{Entry, QueueState},
    store::{Indexed, Store, StoreError},
    subscribers::Subscribers,
};
use crate::{
    error::PublishError,
    message::OutgoingMessage,
    queue::{Queue, QueueDepth, QueueLimits},
};

/// Everything the thread owns.
pub(super) struct Engine {
    journal: Journal,
    commands: Receiver<Command>,
    shared: Arc<Shared>,
    queues: [QueueState; 6],
    subscribers: Subscribers,
    /// Whom to tell that it stopped; not empty once it shall.
    stopping: Vec<oneshot::Sender<()>>,
}

impl Engine {
    pub(super) fn new(
        store: Store,
        indexed: Vec<Indexed>,
        limits: QueueLimits,
        commands: Receiver<Command>,
        shared: Arc<Shared>,
    ) -> Self {
        // Nothing gives a dead letter up.
        let endless = QueueLimits {
            delivery_limit: u32::MAX,
            ..limits
        };
        let mut queues = Queue::ALL.map(|queue| {
            QueueState::new(if queue.dead().is_some() {
                limits
            } else {
                endless
            })
        });
        for Indexed {
            place: (queue, position),
            bytes,
            delivery_count,
        } in indexed
        {
            queues[queue.index()].load(
                position,
                Entry {
                    bytes,
                    delivery_count,
                    message: None,
                },
            );
        }
        Self {
            journal: Journal::new(store),
            commands,
            shared,
            queues,
            subscribers: Subscribers::default(),
            stopping: Vec::new(),
        }
    }

    /// Serves until told to stop, or nobody is left to serve, or the file fails.
    pub(super) fn run(mut self) {
        let served = self.bury_over_limit().and_then(|()| self.serve());
        let reason = match &served {
            Ok(()) => CLOSED.to_owned(),
            Err(error) => {
                let error = causes(error);
                tracing::error!(error, "the embedded queue failed and takes nothing more");
                error
            }
        };
        self.shared.fail(&reason);
        // The file is unlocked before anybody hears of the end.
        self.journal.fail(&reason);
        drop(self.stopping);
        if served.is_err() {
            // Consumers wait, as they do for any broker that is away; everything else is refused.
            self.commands
                .into_iter()
                .for_each(|command| command.refuse(&reason));
        }
    }

    fn serve(&mut self) -> Result<(), StoreError> {
        loop {
            let received = match self.journal.due_in() {
                None => self
                    .commands
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(due_in) => self.commands.recv_timeout(due_in),
            };
            let ended = match received {
                Ok(command) => {
                    self.take(command)?;
                    self.take_what_is_there()?
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if ended || self.journal.is_due() {
                self.commit()?;
            }
            if ended {
                return Ok(());
            }
            self.dispatch()?;
        }
    }

    /// Takes further commands without waiting; whether it is time to end.
    fn take_what_is_there(&mut self) -> Result<bool, StoreError> {
        while self.stopping.is_empty() && !self.journal.is_full() {
            match self.commands.try_recv() {
                Ok(command) => self.take(command)?,
                Err(TryRecvError::Empty) => return Ok(false),
                Err(TryRecvError::Disconnected) => return Ok(true),
            }
        }
        Ok(!self.stopping.is_empty())
    }

    fn take(&mut self, command: Command) -> Result<(), StoreError> {
        match command {
            Command::Publish {
                queue,
                message,
                share,
                answer,
            } => {
                self.admit(queue, message, (answer, share));
            }
            Command::Subscribe {
                id,
                queue,
                prefetch,
                to,
            } => {
                self.subscribers.add(id, queue, prefetch, to);
            }
            Command::Settle {
                id,
                subscription,
                position,
                how,
            } => self.settle((id, subscription), position, how)?,
            Command::Renew { id } => self.subscribers.renew(id),
            Command::Cancel { id, answer } => {
                self.subscribers.cancel(id);
                let _ = answer.send(());
            }
            Command::Unsubscribe { id, answer } => {
                self.unsubscribe(id)?;
                let _ = answer.send(());
            }
            Command::Depth { queue, answer } => {
                let state = &self.queues[queue.index()];
                let unsettled = Some(state.unsettled());
                let _ = answer.send(QueueDepth {
                    ready: state.ready(),
                    unsettled,
                });
            }
            Command::Stop { answer } => self.stopping.push(answer),
        }
        Ok(())
    }

    fn admit(&mut self, queue: Queue, message: OutgoingMessage, waiting: Waiting) {
        let bytes = message.body.len() as u64;
        let Some(position) = self.queues[queue.index()].admit(bytes) else {
            let queue = self.shared.names.of(queue).to_owned();
            let _ = waiting.0.send(Err(PublishError::QueueFull { queue }));
            return;
        };
        self.journal
            .gather((queue, position), message, Some(waiting));
    }

    /// Writes everything noted, makes what was gathered ready, and tells its publishers.
    fn commit(&mut self) -> Result<(), StoreError> {
        for Gathered {
            place: (queue, position),
            entry,
            waiting,
        } in self.journal.commit()?
        {
            self.queues[queue.index()].arrive(position, entry);
            if let Some((answer, _share)) = waiting {
                // The publisher may have gone; the message is queued all the same.
                let _ = answer.send(Ok(()));
            }
        }
        Ok(())
    }
}

/// An error with everything that led to it, in one line.
fn causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}
