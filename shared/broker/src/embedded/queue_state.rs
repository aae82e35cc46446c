//! One queue's messages and who has them. Pure: no file, no clock, no channel.

use std::collections::{BTreeMap, HashMap};

use crate::{message::OutgoingMessage, queue::QueueLimits};

/// A message as far as the queue must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    /// Times it went back to the queue.
    pub(super) delivery_count: u32,
    /// The message itself, when memory had room for it.
    pub(super) message: Option<OutgoingMessage>,
}

/// Where a message went that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenBack {
    /// Ready again, at its old place in the order.
    Ready,
    /// It came back too often: it is out of the queue, to be dead-lettered.
    TooOften,
}

/// One queue.
#[derive(Debug)]
pub(super) struct QueueState {
    limits: QueueLimits,
    next_position: u64,
    ready: BTreeMap<u64, Entry>,
    ready_bytes: u64,
    /// Messages with a position that are not on disk yet.
    coming: u64,
    coming_bytes: u64,
    /// By position: the consumer that has it.
    unsettled: HashMap<u64, (u64, Entry)>,
}

impl QueueState {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            next_position: 0,
            ready: BTreeMap::new(),
            ready_bytes: 0,
            coming: 0,
            coming_bytes: 0,
            unsettled: HashMap::new(),
        }
    }

    /// Gives a new message its position, unless the queue is full. As on RabbitMQ only what is ready counts.
    pub(super) fn admit(&mut self, bytes: u64) -> Option<u64> {
        let room = self.ready() + self.coming < self.limits.max_length
            && self.ready_bytes + self.coming_bytes < self.limits.max_length_bytes;
        room.then(|| self.admit_always(bytes))
    }

    /// Gives a message its position, full or not: a dead letter is never refused.
    pub(super) fn admit_always(&mut self, bytes: u64) -> u64 {
        self.coming += 1;
        self.coming_bytes += bytes;
        let position = self.next_position;
        self.next_position += 1;
        position
    }

    /// Makes an admitted message ready: it is on disk now.
    pub(super) fn arrive(&mut self, position: u64, entry: Entry) {
        self.coming -= 1;
        self.coming_bytes -= entry.bytes;
        self.insert(position, entry);
    }

    /// Makes a message ready that was in the file at the start.
    pub(super) fn load(&mut self, position: u64, entry: Entry) {
        self.next_position = self.next_position.max(position.saturating_add(1));
        self.insert(position, entry);
    }

    fn insert(&mut self, position: u64, entry: Entry) {
        self.ready_bytes += entry.bytes;
        self.ready.insert(position, entry);
    }

    /// Hands the first ready message to a consumer.
    pub(super) fn check_out(&mut self, consumer: u64) -> Option<(u64, Entry)> {
        let (position, mut entry) = self.ready.pop_first()?;
        self.ready_bytes -= entry.bytes;
        let message = entry.message.take();
        self.unsettled.insert(position, (consumer, entry.clone()));
        entry.message = message;
        Some((position, entry))
    }

    /// Takes a settled message out; `None` when that consumer does not have it.
    pub(super) fn remove(&mut self, consumer: u64, position: u64) -> Option<Entry> {
        match self.unsettled.get(&position) {
            Some((holder, _)) if *holder == consumer => {}
            Some(_) | None => return None,
        }
        self.unsettled.remove(&position).map(|(_, entry)| entry)
    }

    /// Takes a message back from a consumer; `None` when that consumer does not have it.
    pub(super) fn give_back(&mut self, consumer: u64, position: u64) -> Option<(GivenBack, Entry)> {
        let mut entry = self.remove(consumer, position)?;
        entry.delivery_count = entry.delivery_count.saturating_add(1);
        if entry.delivery_count > self.limits.delivery_limit {
            return Some((GivenBack::TooOften, entry));
        }
        self.insert(position, entry.clone());
        Some((GivenBack::Ready, entry))
    }

    /// What a consumer has, in order.
    pub(super) fn held_by(&self, consumer: u64) -> Vec<u64> {
        let held = self
            .unsettled
            .iter()
            .filter(|(_, (holder, _))| *holder == consumer);
        let mut positions: Vec<u64> = held.map(|(position, _)| *position).collect();
        positions.sort_unstable();
        positions
    }

    /// Takes out everything ready that came back too often: the last return was a crash, or the limit was lowered.
    pub(super) fn take_over_limit(&mut self) -> Vec<(u64, Entry)> {
        let limit = self.limits.delivery_limit;
        let over = self
            .ready
            .extract_if(.., |_, entry| entry.delivery_count > limit);
        let over: Vec<_> = over.collect();
        self.ready_bytes -= over.iter().map(|(_, entry)| entry.bytes).sum::<u64>();
        over
    }

    pub(super) fn ready(&self) -> u64 {
        self.ready.len() as u64
    }

    pub(super) fn unsettled(&self) -> u64 {
        self.unsettled.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(max_length: u64, max_length_bytes: u64, delivery_limit: u32) -> QueueState {
        QueueState::new(QueueLimits {
            max_length_bytes,
            max_length,
            delivery_limit,
        })
    }

    fn push(queue: &mut QueueState, bytes: u64) -> Option<u64> {
        let position = queue.admit(bytes)?;
        queue.arrive(
            position,
            Entry {
                bytes,
                delivery_count: 0,
                message: None,
            },
        );
        Some(position)
    }

    #[test]
    fn both_bounds_count_what_is_ready_or_coming() {
        let mut by_length = queue(2, u64::MAX, 1);
        push(&mut by_length, 1).expect("there is room");
        by_length.admit(1).expect("there is room");
        assert_eq!(by_length.admit(1), None);
        by_length.check_out(7).expect("one is ready");
        assert!(by_length.admit(1).is_some());

        let mut by_bytes = queue(u64::MAX, 10, 1);
        push(&mut by_bytes, 10).expect("there is room");
        assert_eq!(by_bytes.admit(1), None);
        by_bytes.admit_always(1);
    }

    #[test]
    fn what_comes_back_is_first_again_and_counted() {
        let mut queue = queue(10, 100, 5);
        let first = push(&mut queue, 1).expect("room");
        let second = push(&mut queue, 1).expect("room");
        assert_eq!(
            queue.check_out(7).map(|(position, _)| position),
            Some(first)
        );
        assert_eq!(
            queue.check_out(7).map(|(position, _)| position),
            Some(second)
        );
        assert_eq!(queue.held_by(7), [first, second]);
        assert!(matches!(
            queue.give_back(7, second),
            Some((GivenBack::Ready, _))
        ));
        assert!(matches!(
            queue.give_back(7, first),
            Some((GivenBack::Ready, _))
        ));
        let (position, entry) = queue.check_out(8).expect("two are ready");
        assert_eq!((position, entry.delivery_count), (first, 1));
    }

    #[test]
    fn only_the_holder_settles_and_only_once() {
        let mut queue = queue(10, 100, 5);
        let position = push(&mut queue, 1).expect("room");
        queue.check_out(7).expect("one is ready");
        assert_eq!(queue.remove(8, position), None);
        assert!(queue.remove(7, position).is_some());
        assert_eq!(queue.remove(7, position), None);
        assert_eq!((queue.ready(), queue.unsettled()), (0, 0));
    }

    #[test]
    fn one_return_above_the_limit_takes_a_message_out() {
        let mut queue = queue(10, 100, 2);
        let position = push(&mut queue, 1).expect("room");
        for _ in 0..2 {
            queue.check_out(7).expect("it is ready");
            assert!(matches!(
                queue.give_back(7, position),
                Some((GivenBack::Ready, _))
            ));
        }
        queue.check_out(7).expect("it is ready");
        assert!(matches!(
            queue.give_back(7, position),
            Some((GivenBack::TooOften, _))
        ));
        assert_eq!((queue.ready(), queue.unsettled()), (0, 0));
    }

    #[test]
    fn positions_go_on_after_what_was_loaded() {
        let mut queue = queue(10, 100, 2);
        queue.load(
            41,
            Entry {
                bytes: 1,
                delivery_count: 3,
                message: None,
            },
        );
        assert_eq!(queue.admit(1), Some(42));
        let over = queue.take_over_limit();
        assert_eq!(
            over.iter()
                .map(|(position, _)| *position)
                .collect::<Vec<_>>(),
            [41]
        );
        assert_eq!(queue.ready(), 0);
    }
}
