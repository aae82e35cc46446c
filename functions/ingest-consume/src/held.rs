//! What is held and not settled: how much, since when, and of which collection. Pure: no broker, time is passed in.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::order::Ticket;

/// What is kept of every point beside its message: where it is, and which message is the last to write its id.
const POINT_FOOTPRINT: usize = 80;

/// Bytes of memory that a message of so many points takes.
pub(crate) fn footprint(body: &[u8], points: usize) -> usize {
    body.len() + points * POINT_FOOTPRINT
}

/// How much may be held, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HoldLimits {
    /// Bytes of memory at which nothing more is taken.
    pub(crate) bytes: usize,
    /// Age at which everything goes back to the queue.
    pub(crate) time: Duration,
    /// Deliveries of one subscription that may be unsettled.
    pub(crate) prefetch: usize,
    /// Messages of collections that take nothing, held so as to reach those behind them.
    pub(crate) look_ahead: usize,
}

/// Everything held.
#[derive(Debug)]
pub(crate) struct Held {
    limits: HoldLimits,
    /// Arrival of every unsettled message, the oldest first; settled ones are dropped from the front.
    arrivals: VecDeque<(Ticket, Instant)>,
    messages: usize,
    bytes: usize,
    lanes: HashMap<Box<str>, Lane>,
    /// Messages whose dead letters are on their way, with their bytes: of no collection any more.
    set_aside: BTreeMap<Ticket, usize>,
    /// Messages of the present subscription.
    recent: usize,
    /// The first message of the present subscription.
    subscribed_from: Ticket,
    /// Since when those that take nothing have had most of it.
    clogged_since: Option<Instant>,
}

/// What is held of one collection.
#[derive(Debug, Default)]
struct Lane {
    messages: usize,
    bytes: usize,
    /// Messages of the present subscription.
    recent: usize,
    merges: usize,
}

impl Held {
    pub(crate) fn new(limits: HoldLimits) -> Self {
        Self {
            limits,
            arrivals: VecDeque::new(),
            messages: 0,
            bytes: 0,
            lanes: HashMap::new(),
            set_aside: BTreeMap::new(),
            recent: 0,
            subscribed_from: Ticket(0),
            clogged_since: None,
        }
    }

    /// Adds a message; `None` for one whose collection nobody could read.
    pub(crate) fn enter(
        &mut self,
        ticket: Ticket,
        collection: Option<&str>,
        bytes: usize,
        since: Instant,
    ) {
        self.arrivals.push_back((ticket, since));
        self.messages += 1;
        self.recent += 1;
        self.bytes += bytes;
        let Some(collection) = collection else { return };
        let lane = self.lanes.entry(collection.into()).or_default();
        lane.messages += 1;
        lane.bytes += bytes;
        lane.recent += 1;
    }

    /// Takes a message out that was settled or handed back.
    pub(crate) fn leave(&mut self, ticket: Ticket, collection: Option<&str>, bytes: usize) {
        self.messages -= 1;
        self.recent -= usize::from(ticket >= self.subscribed_from);
        self.bytes -= bytes;
        if self.set_aside.remove(&ticket).is_none() {
            self.leave_lane(ticket, collection, bytes);
        }
    }

    /// Notes that a message's dead letters are on their way. It is held until it leaves.
    pub(crate) fn set_aside(&mut self, ticket: Ticket, collection: Option<&str>, bytes: usize) {
        self.leave_lane(ticket, collection, bytes);
        self.set_aside.insert(ticket, bytes);
    }

    fn leave_lane(&mut self, ticket: Ticket, collection: Option<&str>, bytes: usize) {
        let Some(collection) = collection else { return };
        let Some(lane) = self.lanes.get_mut(collection) else {
            return;
        };
        lane.messages -= 1;
        lane.bytes -= bytes;
        lane.recent -= usize::from(ticket >= self.subscribed_from);
        if lane.messages == 0 {
            self.lanes.remove(collection);
        }
    }

    /// Drops what is settled from the front of the arrivals.
    pub(crate) fn forget_settled(&mut self, is_unsettled: impl Fn(Ticket) -> bool) {
        while let Some((ticket, _)) = self.arrivals.front()
            && !is_unsettled(*ticket)
        {
            self.arrivals.pop_front();
        }
    }

    /// Notes that a merge of a collection began; its messages are held until it has ended.
    pub(crate) fn begin_merge(&mut self, collection: &str) {
        if let Some(lane) = self.lanes.get_mut(collection) {
            lane.merges += 1;
        }
    }

    /// Notes that a merge of a collection ended. Its messages leave afterwards.
    pub(crate) fn end_merge(&mut self, collection: &str) {
        if let Some(lane) = self.lanes.get_mut(collection) {
            lane.merges -= 1;
        }
    }

    /// How many merges of a collection are under way.
    pub(crate) fn merges(&self, collection: &str) -> usize {
        self.lanes.get(collection).map_or(0, |lane| lane.merges)
    }

    /// Whether another message may be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes < self.limits.bytes
    }

    /// Whether as many messages of the present subscription are held as it gives.
    pub(crate) fn has_used_up_prefetch(&self) -> bool {
        self.recent >= self.limits.prefetch
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// When the oldest message will have been held too long.
    pub(crate) fn until(&self) -> Option<Instant> {
        let (_, arrived) = self.arrivals.front()?;
        Some(*arrived + self.limits.time)
    }

    /// Since when collections that take nothing, and messages set aside, have had most of the subscription, if more may
    /// be held of them. The others would come to wait behind them.
    pub(crate) fn clogged_since(
        &mut self,
        now: Instant,
        is_stalled: impl Fn(&str) -> bool,
    ) -> Option<Instant> {
        let mut messages = self.set_aside.len();
        let mut bytes: usize = self.set_aside.values().sum();
        let mut recent = self.set_aside.range(self.subscribed_from..).count();
        for (collection, lane) in &self.lanes {
            if is_stalled(collection) {
                messages += lane.messages;
                bytes += lane.bytes;
                recent += lane.recent;
            }
        }
        let is_clogged = recent > 0
            && recent >= self.limits.prefetch / 2
            && messages < self.limits.look_ahead
            // The other half is for those that are reached.
            && bytes < self.limits.bytes / 2;
        match is_clogged {
            true => Some(*self.clogged_since.get_or_insert(now)),
            false => {
                self.clogged_since = None;
                None
            }
        }
    }

    /// Notes a new subscription, whose first message will be `first`.
    pub(crate) fn renewed(&mut self, first: Ticket) {
        self.subscribed_from = first;
        self.recent = 0;
        self.clogged_since = None;
        for lane in self.lanes.values_mut() {
            lane.recent = 0;
        }
    }
}

#[cfg(test)]
mod tests;
