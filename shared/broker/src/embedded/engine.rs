//! The thread that owns the file: gathers publishes into commits, hands messages to consumers, and settles.
//!
//! Only publishes wait for the disk. Settles and delivery counts are noted at once and written with the next commit,
//! at the latest after [`FLUSH_AFTER`]: a crash before that delivers a message again, as at-least-once allows.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    CLOSED, Shared,
    command::{Command, Delivered, PublishAnswer, Settlement},
    queue_state::{Entry, GivenBack, QueueState},
    store::{Change, Indexed, Place, Store, StoreError},
    subscribers::Subscribers,
};
use crate::{
    error::PublishError,
    message::{HeaderValue, OutgoingMessage, headers},
    queue::{Queue, QueueDepth, QueueLimits},
    shares::Share,
};

/// How long a settle or a delivery count may be in memory only.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// Changes that are written before that: bounds the memory they take.
const FLUSH_CHANGES: usize = 10_000;
/// Bodies gathered into one commit, at most; more would make the first of them wait for the last.
const COMMIT_BYTES: usize = 16 << 20;
/// Bodies kept in memory for consumers that keep up; others are read from the file again.
const CACHED_BYTES: u64 = 16 << 20;

/// A message in the commit that is being gathered.
struct Gathered {
    place: Place,
    entry: Entry,
    /// None for a dead letter: nobody waits.
    waiting: Option<(PublishAnswer, Share)>,
}

/// Everything the thread owns.
pub(super) struct Engine {
    store: Store,
    commands: Receiver<Command>,
    shared: Arc<Shared>,
    queues: [QueueState; 6],
    subscribers: Subscribers,
    changes: BTreeMap<Place, Change>,
    gathered: Vec<Gathered>,
    gathered_bytes: usize,
    cached_bytes: u64,
    /// When the oldest unwritten change was noted.
    changed_at: Option<Instant>,
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
            store,
            commands,
            shared,
            queues,
            subscribers: Subscribers::default(),
            changes: BTreeMap::new(),
            gathered: Vec::new(),
            gathered_bytes: 0,
            cached_bytes: 0,
            changed_at: None,
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
        for (answer, _share) in self
            .gathered
            .drain(..)
            .filter_map(|gathered| gathered.waiting)
        {
            let _ = answer.send(Err(PublishError::Away {
                reason: reason.clone(),
            }));
        }
        // The file is unlocked before anybody hears of the end.
        drop(self.store);
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
            let received = match self.changed_at {
                None => self
                    .commands
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(since) => self
                    .commands
                    .recv_timeout(FLUSH_AFTER.saturating_sub(since.elapsed())),
            };
            let ended = match received {
                Ok(command) => {
                    self.take(command)?;
                    self.take_what_is_there()?
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            let due = self.changes.len() >= FLUSH_CHANGES
                || self
                    .changed_at
                    .is_some_and(|since| since.elapsed() >= FLUSH_AFTER);
            if due || ended || !self.gathered.is_empty() {
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
        while self.stopping.is_empty() && self.gathered_bytes < COMMIT_BYTES {
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
            Command::Settle { id, position, how } => self.settle(id, position, how)?,
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

    fn admit(&mut self, queue: Queue, message: OutgoingMessage, waiting: (PublishAnswer, Share)) {
        let bytes = message.body.len() as u64;
        let Some(position) = self.queues[queue.index()].admit(bytes) else {
            let queue = self.shared.names.of(queue).to_owned();
            let _ = waiting.0.send(Err(PublishError::QueueFull { queue }));
            return;
        };
        self.gather((queue, position), message, Some(waiting));
    }

    fn gather(
        &mut self,
        place: Place,
        message: OutgoingMessage,
        waiting: Option<(PublishAnswer, Share)>,
    ) {
        let bytes = message.body.len() as u64;
        let cached = (self.cached_bytes + bytes <= CACHED_BYTES).then(|| message.clone());
        if cached.is_some() {
            self.cached_bytes += bytes;
        }
        self.gathered_bytes += message.body.len();
        let entry = Entry {
            bytes,
            delivery_count: 0,
            message: cached,
        };
        self.gathered.push(Gathered {
            place,
            entry,
            waiting,
        });
        self.note(place, Change::Put(message));
    }

    fn note(&mut self, place: Place, change: Change) {
        self.changes.insert(place, change);
        self.changed_at.get_or_insert_with(Instant::now);
    }

    /// Writes everything noted, makes what was gathered ready, and tells its publishers.
    fn commit(&mut self) -> Result<(), StoreError> {
        if !self.changes.is_empty() {
            self.store.commit(&self.changes)?;
        }
        self.changes.clear();
        self.changed_at = None;
        self.gathered_bytes = 0;
        for Gathered {
            place: (queue, position),
            entry,
            waiting,
        } in self.gathered.drain(..)
        {
            self.queues[queue.index()].arrive(position, entry);
            if let Some((answer, _share)) = waiting {
                // The publisher may have gone; the message is queued all the same.
                let _ = answer.send(Ok(()));
            }
        }
        Ok(())
    }

    /// Hands out what is ready to whoever has credit.
    fn dispatch(&mut self) -> Result<(), StoreError> {
        for queue in Queue::ALL {
            while self.queues[queue.index()].ready() > 0 {
                let Some(id) = self.subscribers.next(queue) else {
                    break;
                };
                let Some((position, entry)) = self.queues[queue.index()].check_out(id) else {
                    break;
                };
                let Entry {
                    bytes,
                    delivery_count,
                    message,
                } = entry;
                let message = match message {
                    Some(message) => {
                        self.cached_bytes -= bytes;
                        message
                    }
                    None => self.store.read((queue, position))?,
                };
                // Should this process crash over it, the next one knows that it was delivered.
                let delivery_count_then = delivery_count.saturating_add(1);
                let count = Change::Count {
                    bytes,
                    delivery_count: delivery_count_then,
                };
                self.note((queue, position), count);
                self.subscribers.send(
                    id,
                    Delivered {
                        position,
                        message,
                        delivery_count,
                    },
                );
            }
        }
        Ok(())
    }

    fn settle(&mut self, id: u64, position: u64, how: Settlement) -> Result<(), StoreError> {
        // Settled before, or given back when the consumer was closed.
        let Some(queue) = self.subscribers.queue_of(id) else {
            return Ok(());
        };
        match how {
            Settlement::Ack => {
                if self.queues[queue.index()].remove(id, position).is_some() {
                    self.subscribers.credit(id);
                    self.note((queue, position), Change::Remove);
                }
            }
            Settlement::Requeue => self.give_back(id, (queue, position))?,
        }
        Ok(())
    }

    fn unsubscribe(&mut self, id: u64) -> Result<(), StoreError> {
        let Some(queue) = self.subscribers.queue_of(id) else {
            return Ok(());
        };
        for position in self.queues[queue.index()].held_by(id) {
            self.give_back(id, (queue, position))?;
        }
        self.subscribers.remove(id);
        Ok(())
    }

    fn give_back(&mut self, id: u64, (queue, position): Place) -> Result<(), StoreError> {
        match self.queues[queue.index()].give_back(id, position) {
            None => Ok(()),
            // The file has the higher count since the delivery.
            Some((GivenBack::Ready, _)) => {
                self.subscribers.credit(id);
                Ok(())
            }
            Some((GivenBack::TooOften, _)) => {
                self.subscribers.credit(id);
                self.bury((queue, position))
            }
        }
    }

    /// Moves a message that came back too often to its dead-letter queue, full or not: it is never lost.
    fn bury(&mut self, place: Place) -> Result<(), StoreError> {
        let Some(dead) = place.0.dead() else {
            return Ok(());
        };
        let mut message = self.store.read(place)?;
        message
            .headers
            .retain(|(name, _)| name != headers::DEAD_REASON);
        let reason = HeaderValue::Text(headers::DEAD_REASON_DELIVERY_LIMIT.to_owned());
        message
            .headers
            .push((headers::DEAD_REASON.to_owned(), reason));
        message
            .headers
            .sort_by(|(left, _), (right, _)| left.cmp(right));
        let position = self.queues[dead.index()].admit_always(message.body.len() as u64);
        self.note(place, Change::Remove);
        self.gather((dead, position), message, None);
        Ok(())
    }

    fn bury_over_limit(&mut self) -> Result<(), StoreError> {
        for queue in Queue::ALL {
            for (position, _) in self.queues[queue.index()].take_over_limit() {
                self.bury((queue, position))?;
            }
        }
        self.commit()
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
