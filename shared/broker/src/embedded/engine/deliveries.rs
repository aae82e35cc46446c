//! What becomes of messages that are ready: handed out, settled, given back, or given up.

use super::Engine;
use crate::{
    embedded::{
        command::Settlement,
        queue_state::{Entry, GivenBack},
        store::{Change, Place, StoreError},
    },
    message::{HeaderValue, headers},
    queue::Queue,
};

impl Engine {
    /// Hands out what is ready to whoever has credit.
    pub(super) fn dispatch(&mut self) -> Result<(), StoreError> {
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
                let message = self.journal.take((queue, position), bytes, message)?;
                // Should this process crash over it, the next one knows that it was delivered.
                let delivery_count_then = delivery_count.saturating_add(1);
                let count = Change::Count {
                    bytes,
                    delivery_count: delivery_count_then,
                };
                self.journal.note((queue, position), count);
                self.subscribers.send(id, position, message, delivery_count);
            }
        }
        Ok(())
    }

    /// Settles what one of a consumer's subscriptions delivered.
    pub(super) fn settle(
        &mut self,
        (id, subscription): (u64, u32),
        position: u64,
        how: Settlement,
    ) -> Result<(), StoreError> {
        // Settled before, or given back when the consumer was closed.
        let Some(queue) = self.subscribers.queue_of(id) else {
            return Ok(());
        };
        let settled = match how {
            Settlement::Ack => {
                let removed = self.queues[queue.index()].remove(id, position);
                if removed.is_some() {
                    self.journal.note((queue, position), Change::Remove);
                }
                removed.is_some()
            }
            Settlement::Requeue => self.give_back(id, (queue, position))?,
        };
        if settled {
            self.subscribers.credit(id, subscription);
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, id: u64) -> Result<(), StoreError> {
        let Some(queue) = self.subscribers.queue_of(id) else {
            return Ok(());
        };
        for position in self.queues[queue.index()].held_by(id) {
            self.give_back(id, (queue, position))?;
        }
        self.subscribers.remove(id);
        Ok(())
    }

    /// Takes a message back from a consumer; whether that had it.
    fn give_back(&mut self, id: u64, (queue, position): Place) -> Result<bool, StoreError> {
        match self.queues[queue.index()].give_back(id, position) {
            None => return Ok(false),
            // The file has the higher count since the delivery.
            Some((GivenBack::Ready, _)) => {}
            Some((GivenBack::TooOften, _)) => self.bury((queue, position))?,
        }
        Ok(true)
    }

    /// Moves a message that came back too often to its dead-letter queue, full or not: it is never lost.
    fn bury(&mut self, place: Place) -> Result<(), StoreError> {
        let Some(dead) = place.0.dead() else {
            return Ok(());
        };
        let mut message = self.journal.read(place)?;
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
        self.journal.note(place, Change::Remove);
        self.journal.gather((dead, position), message, None);
        Ok(())
    }

    pub(super) fn bury_over_limit(&mut self) -> Result<(), StoreError> {
        for queue in Queue::ALL {
            for (position, _) in self.queues[queue.index()].take_over_limit() {
                self.bury((queue, position))?;
            }
        }
        self.commit()
    }
}
