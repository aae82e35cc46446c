//! Which deliveries share an upsert, and when it is due. Pure: no broker, no Qdrant, time is passed in.
//!
//! Messages of one collection and equal options form a group, in delivery order. A merge is cut off
//! the front of a group: as many messages as the target size takes, up to the first that has to wait
//! for an earlier write of one of its ids.

use std::{collections::VecDeque, time::Duration};

use alioth_points::{MergeKey, UpsertMessage};
use tokio::time::Instant;

use crate::order::{Ticket, WriteOrder};

/// A message that waits for its upsert, with whatever settles it.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub(crate) ticket: Ticket,
    pub(crate) message: UpsertMessage,
    /// Unsettled messages it must come after.
    pub(crate) after: Vec<Ticket>,
    pub(crate) since: Instant,
    /// Of its points; kept because counting them takes a walk over all.
    pub(crate) bytes: usize,
    /// Of memory.
    pub(crate) footprint: usize,
    pub(crate) item: T,
}

/// When and how large merges are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MergeLimits {
    pub(crate) points: usize,
    pub(crate) bytes: usize,
    pub(crate) linger: Duration,
}

/// Whether an upsert that is not full is worth waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// No upsert is in flight, and none began within the linger, or no more can come: what is there goes now.
    Idle,
    /// Else: a merge may linger meanwhile.
    Busy,
}

/// The waiting messages by group, the longest waiting group first.
#[derive(Debug)]
pub(crate) struct Batcher<T> {
    limits: MergeLimits,
    groups: VecDeque<Group<T>>,
    messages: usize,
}

#[derive(Debug)]
struct Group<T> {
    key: MergeKey,
    waiting: VecDeque<Waiting<T>>,
    points: usize,
    bytes: usize,
}

impl<T> Batcher<T> {
    pub(crate) fn new(limits: MergeLimits) -> Self {
        Self {
            limits,
            groups: VecDeque::new(),
            messages: 0,
        }
    }

    /// Adds a message behind those of its group.
    pub(crate) fn push(&mut self, waiting: Waiting<T>) {
        self.messages += 1;
        let key = waiting.message.merge_key();
        let group = match self.groups.iter_mut().position(|group| group.key == *key) {
            Some(position) => &mut self.groups[position],
            None => {
                self.groups.push_back(Group {
                    key: key.clone(),
                    waiting: VecDeque::new(),
                    points: 0,
                    bytes: 0,
                });
                let last = self.groups.len() - 1;
                &mut self.groups[last]
            }
        };
        group.points += waiting.message.points();
        group.bytes += waiting.bytes;
        group.waiting.push_back(waiting);
    }

    /// Cuts the next merge that is due, if any; `stalled` tells of collections that take nothing now.
    pub(crate) fn next_merge(
        &mut self,
        now: Instant,
        load: Load,
        order: &WriteOrder,
        stalled: impl Fn(&str) -> bool,
    ) -> Option<Vec<Waiting<T>>> {
        for position in 0..self.groups.len() {
            let group = &self.groups[position];
            let Some(front) = group.waiting.front() else {
                continue;
            };
            if !self.is_due(group, now, load) || stalled(front.message.collection_name()) {
                continue;
            }
            let count = group.mergeable(&self.limits, order);
            if count > 0 {
                return Some(self.cut(position, count));
            }
        }
        None
    }

    /// When the longest waiting group has lingered long enough.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Instant> {
        let fronts = self.groups.iter().filter_map(|group| group.waiting.front());
        let due = fronts.map(|front| front.since + self.limits.linger);
        due.filter(|due| *due > now).min()
    }

    /// Takes every message out, in order of arrival.
    pub(crate) fn take_all(&mut self) -> Vec<Waiting<T>> {
        let groups = std::mem::take(&mut self.groups);
        let mut all: Vec<_> = groups.into_iter().flat_map(|group| group.waiting).collect();
        all.sort_by_key(|waiting| waiting.ticket);
        self.messages = 0;
        all
    }

    /// Messages waiting.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.messages
    }

    fn is_due(&self, group: &Group<T>, now: Instant, load: Load) -> bool {
        let full = group.points >= self.limits.points || group.bytes >= self.limits.bytes;
        let lingered = group
            .waiting
            .front()
            .is_some_and(|front| now >= front.since + self.limits.linger);
        full || lingered || load == Load::Idle
    }

    fn cut(&mut self, position: usize, count: usize) -> Vec<Waiting<T>> {
        let group = &mut self.groups[position];
        let merge: Vec<_> = group.waiting.drain(..count).collect();
        for waiting in &merge {
            group.points -= waiting.message.points();
            group.bytes -= waiting.bytes;
        }
        self.messages -= count;
        // Removed or moved to the end: the other groups had to wait for this one.
        if let Some(group) = self.groups.remove(position)
            && !group.waiting.is_empty()
        {
            self.groups.push_back(group);
        }
        merge
    }
}

impl<T> Group<T> {
    /// How many messages off the front make one upsert now.
    fn mergeable(&self, limits: &MergeLimits, order: &WriteOrder) -> usize {
        let (mut points, mut bytes) = (0, 0);
        for (count, waiting) in self.waiting.iter().enumerate() {
            points += waiting.message.points();
            bytes += waiting.bytes;
            let over = points > limits.points || bytes > limits.bytes;
            if (over && count > 0) || self.must_wait(waiting, count, order) {
                return count;
            }
        }
        self.waiting.len()
    }

    /// Whether a message cannot join the `count` messages before it in one upsert now.
    fn must_wait(&self, waiting: &Waiting<T>, count: usize, order: &WriteOrder) -> bool {
        waiting.after.iter().any(|earlier| {
            match self
                .waiting
                .binary_search_by_key(earlier, |waiting| waiting.ticket)
            {
                // In one upsert the later write wins, which is not what such options mean.
                Ok(position) if position < count => waiting.message.order_matters(),
                Ok(_) | Err(_) => order.is_unsettled(*earlier),
            }
        })
    }
}

#[cfg(test)]
mod tests;
