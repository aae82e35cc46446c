//! The messages of one merge, and what is known of their points. Makes no calls and settles nothing.

use std::{ops::Range, sync::Arc};

use alioth_broker::Delivery;
use alioth_points::{UpsertBody, UpsertMessage, merge};

use super::suspicion::Suspicion;
use crate::{
    batcher::Waiting,
    bisect::Part,
    dead_letter::{self, DeadPoints, Death},
    order::Ticket,
};

/// One message of a merge.
pub(super) struct Entry {
    pub(super) ticket: Ticket,
    pub(super) message: UpsertMessage,
    pub(super) bytes: usize,
    /// `None` once settled.
    pub(super) delivery: Option<Delivery>,
    /// Points of which it is not known yet what becomes of them.
    pub(super) undecided: usize,
    pub(super) dead: Vec<DeadPoints>,
    /// Known to be decodable.
    pub(super) decodable: bool,
    pub(super) suspicion: Suspicion,
}

/// All messages of a merge, in delivery order.
pub(super) struct Entries(pub(super) Vec<Entry>);

impl Entries {
    pub(super) fn new(messages: Vec<Waiting<Delivery>>) -> Self {
        Self(messages.into_iter().map(Entry::new).collect())
    }

    /// Points of each message.
    pub(super) fn points(&self) -> Vec<usize> {
        self.0.iter().map(|entry| entry.undecided).collect()
    }

    /// The one collection they all go to.
    pub(super) fn collection(&self) -> Arc<str> {
        let first = self.0.first();
        first
            .map(|entry| entry.message.collection_name())
            .unwrap_or_default()
            .into()
    }

    /// The upsert of a part.
    pub(super) fn body(&self, part: &Part) -> UpsertBody {
        match part {
            Part::Messages(messages) => {
                let messages = self.0[messages.clone()].iter();
                merge(&messages.map(|entry| &entry.message).collect::<Vec<_>>())
            }
            Part::Points { message, .. } => merge(&[&self.message_of(part, *message)]),
        }
    }

    /// The upsert of a part's first point alone.
    pub(super) fn first_point(&self, part: &Part) -> UpsertBody {
        let message = part.messages().start;
        let point = self.points_of(part, message).start;
        merge(&[&self.0[message].message.slice(point..point + 1)])
    }

    /// The points of a message that are in the part.
    pub(super) fn points_of(&self, part: &Part, index: usize) -> Range<usize> {
        match part {
            Part::Messages(_) => 0..self.0[index].message.points(),
            Part::Points { points, .. } => points.clone(),
        }
    }

    /// Of one of a part's messages, the points that are in the part.
    pub(super) fn message_of(&self, part: &Part, index: usize) -> UpsertMessage {
        let message = &self.0[index].message;
        match part {
            Part::Messages(_) => message.clone(),
            Part::Points { points, .. } => message.slice(points.clone()),
        }
    }

    /// Notes that a part is in Qdrant; how many points that were.
    pub(super) fn applied(&mut self, part: &Part) -> usize {
        let mut all = 0;
        for index in part.messages() {
            let points = self.points_of(part, index).len();
            self.0[index].undecided -= points;
            all += points;
        }
        all
    }

    /// Notes that a part is to be set aside.
    pub(super) fn bury_part(&mut self, part: &Part, death: &Death) {
        for index in part.messages() {
            let points = self.points_of(part, index);
            self.bury(index, points, death);
        }
    }

    /// Notes that some points of a message are to be set aside.
    pub(super) fn bury(&mut self, index: usize, points: Range<usize>, death: &Death) {
        let entry = &mut self.0[index];
        entry.undecided -= points.len();
        dead_letter::add(&mut entry.dead, points, death.clone());
    }
}

impl Entry {
    fn new(waiting: Waiting<Delivery>) -> Self {
        Self {
            ticket: waiting.ticket,
            bytes: waiting.footprint,
            undecided: waiting.message.points(),
            message: waiting.message,
            delivery: Some(waiting.item),
            dead: Vec::new(),
            decodable: false,
            suspicion: Suspicion::default(),
        }
    }
}
