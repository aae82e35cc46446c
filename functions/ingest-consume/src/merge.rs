//! One merge from its first upsert to the last settled message: tries, waits, halves, sets aside, acknowledges.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use alioth_broker::Delivery;
use alioth_points::{UpsertBody, UpsertMessage, merge};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::{
    applier::{Applier, GiveBack, Upsert, now_ms},
    batcher::Waiting,
    bisect::{Bisection, Part},
    dead_letter::{self, Cause, DeadPoints, Death},
    disposition::{Disposition, disposition},
    metrics::Outcome,
    order::Ticket,
    suspect::{UndecodablePoints, shares_ids, undecodable_points},
    trace,
};

/// A message that left the consumer: acknowledged, or back in the queue.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) ticket: Ticket,
    /// `None` for what was never readable.
    pub(crate) message: Option<UpsertMessage>,
    /// As accounted when it came.
    pub(crate) bytes: usize,
}

/// Messages of one upsert on their way through.
pub(crate) struct Merge {
    applier: Arc<Applier>,
    entries: Vec<Entry>,
    bisection: Bisection,
    slot: Option<OwnedSemaphorePermit>,
    /// Cancelled when whatever waits has to go back to the queue.
    release: CancellationToken,
    /// Since the server failed on it: what is halved is halved again at the next failure.
    suspected: bool,
}

struct Entry {
    ticket: Ticket,
    message: UpsertMessage,
    bytes: usize,
    /// `None` once settled.
    delivery: Option<Delivery>,
    /// Points of which it is not known yet what becomes of them.
    undecided: usize,
    dead: Vec<DeadPoints>,
    /// Known to be decodable.
    decodable: bool,
    /// Times in a row the server failed on it alone, and how many other upserts had gone well by the last one.
    server_faults: u32,
    successes_by_then: u64,
}

impl Merge {
    pub(crate) fn new(
        applier: Arc<Applier>,
        messages: Vec<Waiting<Delivery>>,
        slot: OwnedSemaphorePermit,
        release: CancellationToken,
    ) -> Self {
        applier.metrics.merged(messages.len());
        let entries: Vec<Entry> = messages.into_iter().map(Entry::new).collect();
        let points = entries.iter().map(|entry| entry.undecided).collect();
        Self {
            applier,
            entries,
            bisection: Bisection::new(points),
            slot: Some(slot),
            release,
            suspected: false,
        }
    }

    /// Sees every message through, or back into the queue.
    pub(crate) async fn run(mut self) -> Vec<Left> {
        if self.apply().await.is_err() {
            let collection = self
                .entries
                .first()
                .map(|entry| entry.message.collection_name());
            self.applier.access.clear(collection.unwrap_or_default());
        }
        self.applier.free(&mut self.slot);
        let mut left = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            if let Some(delivery) = entry.delivery {
                self.applier.requeue(delivery).await;
            }
            left.push(Left {
                ticket: entry.ticket,
                message: Some(entry.message),
                bytes: entry.bytes,
            });
        }
        left
    }

    async fn apply(&mut self) -> Result<(), GiveBack> {
        while let Some(part) = self.bisection.next() {
            let touched = part.messages();
            self.decide(part).await?;
            self.settle(touched).await?;
        }
        Ok(())
    }

    /// Tries one part until it is decided or broken up.
    async fn decide(&mut self, part: Part) -> Result<(), GiveBack> {
        let applier = Arc::clone(&self.applier);
        let upsert = self.upsert(&part, self.body(&part));
        let (mut failures, mut server_faults) = (0, 0);
        let mut stalled = None;
        loop {
            let answer = applier.call(&upsert, &mut self.slot, &self.release).await?;
            let decision = disposition(answer);
            if is_about_the_points(&decision) {
                applier.access.clear(&upsert.collection);
                for entry in &mut self.entries[part.messages()] {
                    entry.server_faults = 0;
                }
            }
            let at_least = match decision {
                Disposition::Settle => {
                    self.applied(&part);
                    return Ok(());
                }
                Disposition::Bisect { code, reason } => {
                    self.halve_or_bury(
                        part,
                        Death {
                            cause: Cause::Rejected,
                            code,
                            reason,
                        },
                    );
                    return Ok(());
                }
                Disposition::RecheckCollection { reason } => {
                    return self.recheck(part, reason).await;
                }
                Disposition::Shrink => match self.bisection.halve(part.clone()) {
                    Ok(()) => return Ok(()),
                    Err(_) => Duration::ZERO,
                },
                Disposition::Retry => Duration::ZERO,
                Disposition::Throttle { at_least, quota } => {
                    if stalled.is_none() {
                        let collection = &upsert.collection;
                        tracing::warn!(%collection, quota, ?at_least, "qdrant is at a limit");
                    }
                    at_least
                }
                Disposition::Deny { reason } => {
                    applier.access.deny(&upsert.collection, &reason);
                    Duration::ZERO
                }
                Disposition::Suspect { reason } => {
                    server_faults += 1;
                    if self.suspect(&part, reason, server_faults).await {
                        return Ok(());
                    }
                    Duration::ZERO
                }
            };
            failures += 1;
            stalled.get_or_insert_with(|| applier.stalls.begin(&upsert.collection));
            applier
                .pause(failures, at_least, &mut self.slot, &self.release)
                .await?;
        }
    }

    /// The points go to the dead letters if there is no collection for a single one of them either.
    /// All of a merge go to one collection and shard key, so one stands for all.
    async fn recheck(&mut self, part: Part, reason: String) -> Result<(), GiveBack> {
        let first = part.messages().start;
        let point = self.points_of(&part, first).start;
        let one = self.entries[first].message.slice(point..point + 1);
        let upsert = self.upsert(&part, merge(&[&one]));
        let applier = Arc::clone(&self.applier);
        let answer = applier.call(&upsert, &mut self.slot, &self.release).await?;
        match disposition(answer) {
            Disposition::RecheckCollection { .. } => {
                let code = alioth_cluster::Rejection::NotFound.as_str();
                let cause = Cause::MissingCollection;
                self.bury_part(
                    &part,
                    &Death {
                        cause,
                        code,
                        reason,
                    },
                );
            }
            // Something was found after all: as with any other rejection.
            Disposition::Settle
            | Disposition::Bisect { .. }
            | Disposition::Shrink
            | Disposition::Retry
            | Disposition::Throttle { .. }
            | Disposition::Deny { .. }
            | Disposition::Suspect { .. } => {
                if let Err(single) = self.bisection.halve(part) {
                    self.bisection.put_back(single);
                }
            }
        }
        Ok(())
    }

    /// What to do with a part the server failed on so many times in a row; false: try it as it is.
    async fn suspect(&mut self, part: &Part, reason: String, faults: u32) -> bool {
        if self.bury_undecodable(part).await {
            return true;
        }
        if part.messages().len() > 1 {
            let enough = self.suspected || faults >= self.applier.internal_tries;
            self.suspected |= enough;
            return enough && self.bisection.halve(part.clone()).is_ok();
        }
        let successes = self.applier.successes.load(Ordering::Relaxed);
        let entry = &mut self.entries[part.messages().start];
        // Only while others pass: an outage may look the same.
        let others_pass = entry.server_faults > 0 && successes > entry.successes_by_then;
        entry.successes_by_then = successes;
        entry.server_faults += 1;
        if entry.server_faults < self.applier.internal_tries {
            return false;
        }
        if others_pass {
            let (cause, code) = (Cause::ServerFault, "internal");
            self.bury_part(
                part,
                &Death {
                    cause,
                    code,
                    reason,
                },
            );
            return true;
        }
        self.defer(part)
    }

    /// Lets the parts behind this one show whether the server is sound, unless they must come after it.
    fn defer(&mut self, part: &Part) -> bool {
        let behind = self.bisection.undecided().iter().flat_map(Part::messages);
        let mut others = behind.map(|index| &self.entries[index].message).peekable();
        let message = &self.entries[part.messages().start].message;
        if others.peek().is_none() || shares_ids(message, others) {
            return false;
        }
        self.bisection.defer(part.clone());
        true
    }

    /// Sets aside what no server could decode; whether there was any.
    async fn bury_undecodable(&mut self, part: &Part) -> bool {
        let unchecked: Vec<(usize, UpsertMessage)> = part
            .messages()
            .filter(|index| !self.entries[*index].decodable)
            .map(|index| (index, self.entries[index].message.clone()))
            .collect();
        if unchecked.is_empty() {
            return false;
        }
        let search = move || {
            let found = unchecked.into_iter();
            found
                .map(|(index, message)| (index, undecodable_points(&message)))
                .collect::<Vec<_>>()
        };
        // A search that panicked finds nothing; it is made again at the next failure.
        let found = tokio::task::spawn_blocking(search)
            .await
            .unwrap_or_default();
        let mut decided = BTreeMap::new();
        for (index, undecodable) in found {
            self.entries[index].decodable = true;
            let Some(UndecodablePoints { points, reason }) = undecodable else {
                continue;
            };
            let undecided = self.points_of(part, index);
            let points: Vec<Range<usize>> = points
                .into_iter()
                .map(|range| range.start.max(undecided.start)..range.end.min(undecided.end))
                .filter(|range| !range.is_empty())
                .collect();
            let death = Death {
                cause: Cause::Undecodable,
                code: "internal",
                reason,
            };
            for range in &points {
                self.bury(index, range.clone(), &death);
            }
            decided.insert(index, points);
        }
        decided.retain(|_, points| !points.is_empty());
        if decided.is_empty() {
            return false;
        }
        self.bisection.put_back_without(part.clone(), &decided);
        true
    }

    fn halve_or_bury(&mut self, part: Part, death: Death) {
        if let Err(single) = self.bisection.halve(part) {
            self.bury_part(&single, &death);
        }
    }

    fn bury_part(&mut self, part: &Part, death: &Death) {
        for index in part.messages() {
            let points = self.points_of(part, index);
            self.bury(index, points, death);
        }
    }

    fn bury(&mut self, index: usize, points: Range<usize>, death: &Death) {
        let entry = &mut self.entries[index];
        entry.undecided -= points.len();
        dead_letter::add(&mut entry.dead, points, death.clone());
    }

    fn applied(&mut self, part: &Part) {
        for index in part.messages() {
            let points = self.points_of(part, index);
            self.entries[index].undecided -= points.len();
            self.applier.metrics.applied(points.len());
        }
    }

    /// Acknowledges the messages that are decided, dead letters first.
    async fn settle(&mut self, messages: Range<usize>) -> Result<(), GiveBack> {
        for index in messages {
            let entry = &mut self.entries[index];
            if entry.undecided > 0 {
                continue;
            }
            let Some(delivery) = &entry.delivery else {
                continue;
            };
            if !entry.dead.is_empty() {
                self.applier.free(&mut self.slot);
                entry.dead.sort_by_key(|dead| dead.points.start);
                let letters =
                    dead_letter::of_points(delivery, &entry.message, &entry.dead, now_ms());
                self.applier.bury(letters, &self.release).await?;
                for dead in &entry.dead {
                    self.applier
                        .metrics
                        .dead_letter(dead.death.cause, dead.points.len());
                }
            }
            let outcome = entry.outcome();
            if let Some(delivery) = entry.delivery.take() {
                self.applier.acknowledge(delivery, outcome).await;
            }
        }
        Ok(())
    }

    fn upsert(&self, part: &Part, body: UpsertBody) -> Upsert {
        let entries = self.entries[part.messages()].iter();
        let deliveries = entries.filter_map(|entry| entry.delivery.as_ref());
        Upsert {
            collection: self.collection(part),
            body: Arc::new(body),
            traceparents: trace::traceparents(&self.applier.tracer, deliveries),
        }
    }

    fn body(&self, part: &Part) -> UpsertBody {
        match part {
            Part::Messages(messages) => {
                let messages = &self.entries[messages.clone()];
                merge(
                    &messages
                        .iter()
                        .map(|entry| &entry.message)
                        .collect::<Vec<_>>(),
                )
            }
            Part::Points { message, points } => {
                merge(&[&self.entries[*message].message.slice(points.clone())])
            }
        }
    }

    fn collection(&self, part: &Part) -> Arc<str> {
        self.entries[part.messages().start]
            .message
            .collection_name()
            .into()
    }

    /// The points of a message that are in the part.
    fn points_of(&self, part: &Part, index: usize) -> Range<usize> {
        match part {
            Part::Messages(_) => 0..self.entries[index].message.points(),
            Part::Points { points, .. } => points.clone(),
        }
    }
}

/// Whether the server looked at the points, rather than fail at or refuse the whole.
fn is_about_the_points(decision: &Disposition) -> bool {
    match decision {
        Disposition::Settle
        | Disposition::Bisect { .. }
        | Disposition::RecheckCollection { .. }
        | Disposition::Shrink
        | Disposition::Throttle { .. } => true,
        Disposition::Retry | Disposition::Deny { .. } | Disposition::Suspect { .. } => false,
    }
}

impl Entry {
    fn new(waiting: Waiting<Delivery>) -> Self {
        Self {
            ticket: waiting.ticket,
            bytes: waiting.item.body.len(),
            undecided: waiting.message.points(),
            message: waiting.message,
            delivery: Some(waiting.item),
            dead: Vec::new(),
            decodable: false,
            server_faults: 0,
            successes_by_then: 0,
        }
    }

    fn outcome(&self) -> Outcome {
        let dead: usize = self.dead.iter().map(|dead| dead.points.len()).sum();
        match dead {
            0 => Outcome::Applied,
            dead if dead < self.message.points() => Outcome::PartlyApplied,
            _ => Outcome::DeadLettered,
        }
    }
}
