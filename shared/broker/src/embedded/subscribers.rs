//! The consumers of every queue: whose turn it is, and how much each may still get. Pure.

use std::collections::{HashMap, VecDeque};

use tokio::sync::mpsc;

use super::command::Delivered;
use crate::{message::OutgoingMessage, queue::Queue};

#[derive(Debug)]
struct Subscriber {
    queue: Queue,
    prefetch: u16,
    /// Deliveries it may get before it settles one.
    credit: u16,
    /// Counts its subscriptions; only what the present one delivered was taken from its credit.
    subscription: u32,
    /// Gone once cancelled: the consumer's stream then ends after what was sent.
    to: Option<mpsc::UnboundedSender<Delivered>>,
}

/// Every consumer, by number.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    all: HashMap<u64, Subscriber>,
    /// By queue: who is served next.
    turns: [VecDeque<u64>; 6],
}

impl Subscribers {
    pub(super) fn add(
        &mut self,
        id: u64,
        queue: Queue,
        prefetch: u16,
        to: mpsc::UnboundedSender<Delivered>,
    ) {
        self.all.insert(
            id,
            Subscriber {
                queue,
                prefetch,
                credit: prefetch,
                subscription: 0,
                to: Some(to),
            },
        );
        self.turns[queue.index()].push_back(id);
    }

    /// The consumer of `queue` that may be sent something and has waited longest.
    pub(super) fn next(&mut self, queue: Queue) -> Option<u64> {
        let turns = &mut self.turns[queue.index()];
        let credited = |id: &u64| {
            self.all
                .get(id)
                .is_some_and(|subscriber| subscriber.credit > 0)
        };
        let place = turns.iter().position(credited)?;
        let id = turns.remove(place)?;
        turns.push_back(id);
        Some(id)
    }

    /// Sends a delivery and takes a credit for it. A consumer that is gone gives it back when it unsubscribes.
    pub(super) fn send(
        &mut self,
        id: u64,
        position: u64,
        message: OutgoingMessage,
        delivery_count: u32,
    ) {
        let Some(subscriber) = self.all.get_mut(&id) else {
            return;
        };
        subscriber.credit = subscriber.credit.saturating_sub(1);
        if let Some(to) = &subscriber.to {
            let _ = to.send(Delivered {
                position,
                message,
                delivery_count,
                subscription: subscriber.subscription,
            });
        }
    }

    /// Gives a credit back for a settled delivery of a subscription.
    pub(super) fn credit(&mut self, id: u64, subscription: u32) {
        if let Some(subscriber) = self.all.get_mut(&id)
            && subscriber.subscription == subscription
        {
            subscriber.credit = subscriber.credit.saturating_add(1);
        }
    }

    /// Begins a consumer's next subscription, with its whole credit.
    pub(super) fn renew(&mut self, id: u64) {
        if let Some(subscriber) = self.all.get_mut(&id) {
            subscriber.subscription = subscriber.subscription.wrapping_add(1);
            subscriber.credit = subscriber.prefetch;
        }
    }

    /// Which queue a consumer consumes.
    pub(super) fn queue_of(&self, id: u64) -> Option<Queue> {
        self.all.get(&id).map(|subscriber| subscriber.queue)
    }

    /// Ends the deliveries to a consumer.
    pub(super) fn cancel(&mut self, id: u64) {
        if let Some(subscriber) = self.all.get_mut(&id) {
            subscriber.to = None;
            self.turns[subscriber.queue.index()].retain(|other| *other != id);
        }
    }

    /// Forgets a consumer.
    pub(super) fn remove(&mut self, id: u64) {
        self.cancel(id);
        self.all.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> OutgoingMessage {
        OutgoingMessage {
            body: bytes::Bytes::new(),
            content_type: String::new(),
            kind: String::new(),
            message_id: String::new(),
            headers: Vec::new(),
        }
    }

    #[test]
    fn a_renewed_subscription_has_its_whole_credit_and_no_more() {
        let mut subscribers = Subscribers::default();
        let (to, mut received) = mpsc::unbounded_channel();
        subscribers.add(1, Queue::Ingest, 2, to);
        let send = |subscribers: &mut Subscribers| {
            let mut sent = 0;
            while let Some(id) = subscribers.next(Queue::Ingest) {
                subscribers.send(id, 0, message(), 0);
                sent += 1;
            }
            sent
        };
        assert_eq!(send(&mut subscribers), 2);
        subscribers.renew(1);
        assert_eq!(send(&mut subscribers), 2);
        // What the first delivered is no credit for the second.
        subscribers.credit(1, 0);
        assert_eq!(send(&mut subscribers), 0);
        subscribers.credit(1, 1);
        assert_eq!(send(&mut subscribers), 1);
        let subscriptions = std::iter::from_fn(|| received.try_recv().ok());
        let subscriptions: Vec<u32> = subscriptions.map(|sent| sent.subscription).collect();
        assert_eq!(subscriptions, [0, 0, 1, 1, 1]);
    }

    #[test]
    fn consumers_take_turns_while_they_have_credit() {
        let mut subscribers = Subscribers::default();
        let (to, mut received) = mpsc::unbounded_channel();
        subscribers.add(1, Queue::Ingest, 2, to.clone());
        subscribers.add(2, Queue::Ingest, 1, to);
        let mut served = Vec::new();
        while let Some(id) = subscribers.next(Queue::Ingest) {
            served.push(id);
            subscribers.send(id, 0, message(), 0);
        }
        assert_eq!(served, [1, 2, 1]);
        assert_eq!(subscribers.next(Queue::Backup), None);
        subscribers.credit(2, 0);
        assert_eq!(subscribers.next(Queue::Ingest), Some(2));
        subscribers.cancel(2);
        assert_eq!(subscribers.next(Queue::Ingest), None);
        assert_eq!(subscribers.queue_of(2), Some(Queue::Ingest));
        subscribers.remove(1);
        subscribers.remove(2);
        assert_eq!(subscribers.queue_of(2), None);
        let mut count = 0;
        while received.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, 3);
    }
}
