//! A durable queue in a file, for one process: the broker of standalone mode. What RabbitMQ does, it does.
//!
//! One thread owns the file and every decision; publishers and consumers talk to it over channels.

mod command;
mod consumer;
mod engine;
mod journal;
mod publisher;
mod queue_state;
mod record;
mod store;
mod subscribers;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use tokio::sync::oneshot;

use self::{
    command::Command, consumer::EmbeddedConsumer, engine::Engine, publisher::EmbeddedPublisher,
    store::Store,
};
use crate::{
    broker::{Broker, Consumer, Publisher},
    error::{ConsumeError, DeclareError, OpenError},
    metrics::BrokerMetrics,
    queue::{Queue, QueueDepth, QueueLimits, QueueNames},
};

/// How an embedded queue behaves.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Put before every queue's name, and the file's: queues of different prefixes are apart.
    pub queue_prefix: String,
    /// Where each queue ends.
    pub limits: QueueLimits,
    /// Messages handed over and not on disk yet, at most.
    pub in_flight: usize,
    /// Bytes of them, at most.
    pub in_flight_bytes: usize,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            queue_prefix: String::new(),
            limits: QueueLimits::default(),
            // A commit takes whatever has gathered: more in flight means fewer syncs a message.
            in_flight: 1024,
            in_flight_bytes: 32 << 20,
        }
    }
}

/// What the handles know of the engine without asking it.
#[derive(Debug)]
struct Shared {
    names: QueueNames,
    metrics: BrokerMetrics,
    /// Why the engine takes nothing any more.
    failure: RwLock<Option<String>>,
}

impl Shared {
    fn fail(&self, reason: &str) {
        let mut failure = self.failure.write().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| reason.to_owned());
    }

    fn failure(&self) -> Option<String> {
        self.failure
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn away(&self) -> ConsumeError {
        let reason = self.failure().unwrap_or_else(|| CLOSED.to_owned());
        ConsumeError::Away { reason }
    }
}

const CLOSED: &str = "it was closed";

/// The embedded broker. Closing it, or dropping it and all it handed out, ends its thread and unlocks its file.
#[derive(Debug)]
pub struct EmbeddedBroker {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    options: EmbeddedOptions,
    next_consumer: AtomicU64,
    publisher: OnceLock<Arc<EmbeddedPublisher>>,
}

impl EmbeddedBroker {
    /// Opens the queue in `dir`, or makes it. What was not settled before is delivered again.
    ///
    /// # Errors
    /// When the file cannot be made or read, or another process has it (not transient).
    pub async fn open(
        dir: impl AsRef<Path>,
        options: EmbeddedOptions,
        metrics: BrokerMetrics,
    ) -> Result<Self, OpenError> {
        let path = dir.as_ref().join(file_name(&options.queue_prefix));
        let failed = |source| OpenError::Store {
            path: path.clone(),
            source,
        };
        let opened = tokio::task::spawn_blocking({
            let path: PathBuf = path.clone();
            move || Store::open(&path)
        });
        let opened = opened.await.map_err(|error| failed(error.into()))?;
        let (store, indexed) = opened.map_err(|error| failed(error.into()))?;
        let shared = Arc::new(Shared {
            names: QueueNames::new(&options.queue_prefix),
            metrics,
            failure: RwLock::new(None),
        });
        // Bounded: publishes by the publisher's shares, settles by prefetch.
        let (commands, received) = mpsc::channel();
        let engine = Engine::new(
            store,
            indexed,
            options.limits,
            received,
            Arc::clone(&shared),
        );
        std::thread::Builder::new()
            .name("alioth-queue".to_owned())
            .spawn(move || engine.run())
            .map_err(|error| failed(error.into()))?;
        Ok(Self {
            commands,
            shared,
            options,
            next_consumer: AtomicU64::new(0),
            publisher: OnceLock::new(),
        })
    }

    /// Sends a command and waits for its answer.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, ConsumeError> {
        let (answer, answered) = oneshot::channel();
        self.commands
            .send(command(answer))
            .map_err(|_| self.shared.away())?;
        answered.await.map_err(|_| self.shared.away())
    }
}

#[async_trait::async_trait]
impl Broker for EmbeddedBroker {
    async fn declare(&self) -> Result<(), DeclareError> {
        // The queues are there as soon as the file is.
        match self.shared.failure() {
            None => Ok(()),
            Some(reason) => Err(DeclareError::Away { reason }),
        }
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        let publisher = self.publisher.get_or_init(|| {
            let (commands, shared) = (self.commands.clone(), Arc::clone(&self.shared));
            Arc::new(EmbeddedPublisher::new(commands, shared, &self.options))
        });
        Arc::clone(publisher) as Arc<dyn Publisher>
    }

    async fn consume(
        &self,
        queue: Queue,
        prefetch: u16,
    ) -> Result<Box<dyn Consumer>, ConsumeError> {
        let id = self.next_consumer.fetch_add(1, Ordering::Relaxed);
        let (commands, shared) = (self.commands.clone(), Arc::clone(&self.shared));
        Ok(Box::new(EmbeddedConsumer::subscribe(
            id, queue, prefetch, commands, shared,
        )?))
    }

    async fn depth(&self, queue: Queue) -> Result<QueueDepth, ConsumeError> {
        self.ask(|answer| Command::Depth { queue, answer }).await
    }

    async fn close(&self) {
        // Closed already is closed.
        let _ = self.ask(|answer| Command::Stop { answer }).await;
    }
}

/// `queue.redb` with the prefix before it, as far as a file's name may hold it.
fn file_name(prefix: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let prefix: String = prefix
        .chars()
        .map(|letter| if plain(letter) { letter } else { '_' })
        .collect();
    format!("{prefix}queue.redb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_cannot_leave_the_directory() {
        assert_eq!(file_name(""), "queue.redb");
        assert_eq!(file_name("blue."), "blue.queue.redb");
        assert_eq!(file_name("../up/"), ".._up_queue.redb");
    }
}
