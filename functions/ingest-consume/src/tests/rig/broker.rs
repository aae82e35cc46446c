//! A broker of memory, which keeps a record of what happened.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use alioth_broker::{
    Broker, ConsumeError, Consumer, DeclareError, Delivery, OutgoingMessage, PublishError,
    Publisher, Queue, QueueDepth, Settle,
};
use tokio::sync::Notify;

use super::lock;

/// What happened at the broker, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Acked(u64),
    Requeued(u64),
    Cancelled,
    Closed,
    DeadLettered,
}

/// A broker of memory.
#[derive(Default)]
pub(crate) struct FakeBroker {
    ready: Mutex<VecDeque<(u64, OutgoingMessage)>>,
    unsettled: Mutex<BTreeMap<u64, OutgoingMessage>>,
    /// Delivered by an ended subscription.
    of_before: Mutex<BTreeSet<u64>>,
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) dead: Mutex<Vec<OutgoingMessage>>,
    pub(crate) dead_queue_is_full: AtomicBool,
    pub(crate) dead_publishes: Mutex<usize>,
    cancelled: AtomicBool,
    changed: Notify,
    next: Mutex<u64>,
}

impl FakeBroker {
    pub(crate) fn put(&self, message: OutgoingMessage) -> u64 {
        let mut next = lock(&self.next);
        let id = *next;
        *next += 1;
        lock(&self.ready).push_back((id, message));
        self.changed.notify_one();
        id
    }

    fn deliver(&self, prefetch: usize) -> Option<(u64, OutgoingMessage)> {
        let mut unsettled = lock(&self.unsettled);
        let mut of_before = lock(&self.of_before);
        let counted = unsettled.keys().filter(|id| !of_before.contains(id));
        if counted.count() >= prefetch {
            return None;
        }
        let (id, message) = lock(&self.ready).pop_front()?;
        unsettled.insert(id, message.clone());
        of_before.remove(&id);
        Some((id, message))
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.ready).is_empty() && lock(&self.unsettled).is_empty()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    pub(crate) fn acked(&self) -> Vec<u64> {
        self.ids(|event| match event {
            Event::Acked(id) => Some(id),
            _ => None,
        })
    }

    pub(crate) fn requeued(&self) -> Vec<u64> {
        self.ids(|event| match event {
            Event::Requeued(id) => Some(id),
            _ => None,
        })
    }

    fn ids(&self, of: impl Fn(Event) -> Option<u64>) -> Vec<u64> {
        self.events().into_iter().filter_map(of).collect()
    }
}

struct FakeSettle {
    broker: Arc<FakeBroker>,
    id: u64,
}

#[async_trait::async_trait]
impl Settle for FakeSettle {
    async fn ack(&self) -> Result<(), ConsumeError> {
        lock(&self.broker.unsettled).remove(&self.id);
        lock(&self.broker.events).push(Event::Acked(self.id));
        self.broker.changed.notify_one();
        Ok(())
    }

    async fn requeue(&self) -> Result<(), ConsumeError> {
        let message = lock(&self.broker.unsettled).remove(&self.id);
        let mut ready = lock(&self.broker.ready);
        ready.extend(message.map(|message| (self.id, message)));
        ready.make_contiguous().sort_by_key(|(id, _)| *id);
        lock(&self.broker.events).push(Event::Requeued(self.id));
        self.broker.changed.notify_one();
        Ok(())
    }
}

struct FakeConsumer {
    broker: Arc<FakeBroker>,
    prefetch: usize,
}

#[async_trait::async_trait]
impl Consumer for FakeConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let changed = self.broker.changed.notified();
            if self.broker.cancelled.load(Ordering::SeqCst) {
                return None;
            }
            if let Some((id, message)) = self.broker.deliver(self.prefetch) {
                let broker = Arc::clone(&self.broker);
                return Some(Delivery::new(message, Box::new(FakeSettle { broker, id })));
            }
            changed.await;
        }
    }

    fn renew(&mut self) {
        let unsettled = lock(&self.broker.unsettled);
        lock(&self.broker.of_before).extend(unsettled.keys());
        self.broker.changed.notify_one();
    }

    async fn cancel(&mut self) {
        self.broker.cancelled.store(true, Ordering::SeqCst);
        lock(&self.broker.events).push(Event::Cancelled);
    }

    async fn close(&mut self) {
        lock(&self.broker.events).push(Event::Closed);
    }

    fn is_ready(&self) -> bool {
        !self.broker.cancelled.load(Ordering::SeqCst)
    }
}

struct FakePublisher(Arc<FakeBroker>);

#[async_trait::async_trait]
impl Publisher for FakePublisher {
    async fn publish(
        &self,
        queue: Queue,
        messages: Vec<OutgoingMessage>,
    ) -> Result<(), PublishError> {
        assert_eq!(queue, Queue::IngestDead);
        *lock(&self.0.dead_publishes) += 1;
        if self.0.dead_queue_is_full.load(Ordering::SeqCst) {
            return Err(PublishError::QueueFull {
                queue: queue.name().to_owned(),
            });
        }
        lock(&self.0.dead).extend(messages);
        lock(&self.0.events).push(Event::DeadLettered);
        Ok(())
    }

    fn is_ready(&self) -> bool {
        true
    }
}

/// The broker as the consumer gets it.
pub(crate) struct Handle(pub(crate) Arc<FakeBroker>);

#[async_trait::async_trait]
impl Broker for Handle {
    async fn declare(&self) -> Result<(), DeclareError> {
        Ok(())
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(FakePublisher(Arc::clone(&self.0)))
    }

    async fn consume(&self, _: Queue, prefetch: u16) -> Result<Box<dyn Consumer>, ConsumeError> {
        let broker = Arc::clone(&self.0);
        Ok(Box::new(FakeConsumer {
            broker,
            prefetch: usize::from(prefetch),
        }))
    }

    async fn depth(&self, _: Queue) -> Result<QueueDepth, ConsumeError> {
        Ok(QueueDepth {
            ready: 0,
            unsettled: None,
        })
    }

    async fn close(&self) {}
}
