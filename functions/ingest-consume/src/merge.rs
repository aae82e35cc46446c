//! One merge from its first upsert until every point is decided: tries, waits, halves, acknowledges what is applied.
//! What is dead it hands to a `Burial`.

mod entries;
mod faults;
mod suspicion;

use std::{ops::Range, sync::Arc, time::Duration};

use alioth_broker::Delivery;
use alioth_cluster::Rejection;
use alioth_points::UpsertBody;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use self::entries::{Entries, Entry};
use crate::{
    applier::{Applier, GiveBack, Upsert},
    batcher::Waiting,
    bisect::{Bisection, Part},
    burial::{Burial, Dead, DeadMessage, Left},
    dead_letter::{Cause, Death},
    disposition::{Disposition, disposition},
    metrics::Outcome,
    stalls::Stalled,
    trace,
};

/// Messages of one upsert on their way through.
pub(crate) struct Merge {
    applier: Arc<Applier>,
    entries: Entries,
    collection: Arc<str>,
    bisection: Bisection,
    slot: Option<OwnedSemaphorePermit>,
    /// Cancelled when whatever waits has to go back to the queue.
    release: CancellationToken,
    /// Since a try failed, until the server has looked at the points of one again.
    stalled: Option<Stalled>,
    /// Since the server failed on it: what is halved is halved again at the next failure.
    suspected: bool,
    /// How many parts in a row were put behind others.
    deferrals: u32,
}

/// How a merge ended.
pub(crate) struct Merged {
    pub(crate) collection: Arc<str>,
    pub(crate) left: Vec<Left>,
    /// Messages that are not acknowledged yet.
    pub(crate) dead: Burial,
}

/// What becomes of a part that was tried.
enum Next {
    /// It is decided, or broken up.
    Decided,
    /// It is tried again behind the parts behind it.
    AfterOthers,
    /// It is tried again, after so long at least.
    Again(Duration),
}

/// How often in a row a part failed, and of that at the server's own fault.
#[derive(Default)]
struct Failed {
    times: u32,
    at_the_server: u32,
}

impl Merge {
    pub(crate) fn new(
        applier: Arc<Applier>,
        messages: Vec<Waiting<Delivery>>,
        slot: OwnedSemaphorePermit,
        release: CancellationToken,
    ) -> Self {
        applier.metrics.merged(messages.len());
        let entries = Entries::new(messages);
        Self {
            applier,
            collection: entries.collection(),
            bisection: Bisection::new(entries.points()),
            entries,
            slot: Some(slot),
            release,
            stalled: None,
            suspected: false,
            deferrals: 0,
        }
    }

    /// The one collection all its messages go to.
    pub(crate) fn collection(&self) -> &str {
        &self.collection
    }

    /// Sees every message through, or back into the queue, but for those with something dead in them.
    pub(crate) async fn run(mut self) -> Merged {
        if self.apply().await.is_err() {
            self.applier.access.clear(&self.collection);
        }
        self.applier.free(&mut self.slot);
        let (mut left, mut dead) = (Vec::with_capacity(self.entries.0.len()), Vec::new());
        for mut entry in self.entries.0 {
            if let Some(delivery) = entry.delivery.take() {
                if entry.is_decided() {
                    dead.push(entry.into_dead(delivery));
                    continue;
                }
                self.applier.requeue(delivery).await;
            }
            left.push(Left {
                ticket: entry.ticket,
                message: Some(entry.message),
                bytes: entry.bytes,
            });
        }
        Merged {
            collection: self.collection,
            left,
            dead: Burial(dead),
        }
    }

    async fn apply(&mut self) -> Result<(), GiveBack> {
        while let Some(part) = self.bisection.next() {
            let touched = part.messages();
            self.decide(part).await?;
            self.settle(touched).await;
        }
        Ok(())
    }

    /// Tries one part until it is decided or broken up.
    async fn decide(&mut self, part: Part) -> Result<(), GiveBack> {
        let applier = Arc::clone(&self.applier);
        let mut upsert = self.upsert(&part, self.entries.body(&part));
        let mut failed = Failed::default();
        loop {
            upsert.is_on_probation = self.is_on_probation(&part);
            let answer = applier.call(&upsert, &mut self.slot, &self.release).await?;
            let decision = disposition(answer);
            let about_the_points = is_about_the_points(&decision);
            match self.act(&part, decision, &mut failed).await? {
                Next::Decided => {
                    if about_the_points {
                        self.stalled = None;
                        self.deferrals = 0;
                    }
                    return Ok(());
                }
                Next::AfterOthers => {
                    self.deferrals += 1;
                    self.stall(&part);
                    // The others come at once, unless they were put behind it before.
                    if self.deferrals > 1 {
                        let (failures, slot) = (self.deferrals - 1, &mut self.slot);
                        applier
                            .pause(failures, Duration::ZERO, slot, &self.release)
                            .await?;
                    }
                    return Ok(());
                }
                Next::Again(at_least) => {
                    failed.times += 1;
                    self.stall(&part);
                    applier
                        .pause(failed.times, at_least, &mut self.slot, &self.release)
                        .await?;
                }
            }
        }
    }

    /// Notes that the last try failed.
    fn stall(&mut self, part: &Part) {
        let is_on_probation = self.is_on_probation(part);
        let (stalls, collection) = (&self.applier.stalls, &self.collection);
        let stalled = self.stalled.get_or_insert_with(|| stalls.begin(collection));
        stalled.set_on_probation(is_on_probation);
    }

    /// Whether a part is of one message, which has failed often.
    fn is_on_probation(&self, part: &Part) -> bool {
        match &self.entries.0[part.messages()] {
            [alone] => alone.suspicion.is_on_probation(self.applier.internal_tries),
            _ => false,
        }
    }

    /// Does what was decided.
    async fn act(
        &mut self,
        part: &Part,
        decision: Disposition,
        failed: &mut Failed,
    ) -> Result<Next, GiveBack> {
        if is_about_the_points(&decision) {
            self.applier.access.clear(&self.collection);
            // Of what never fits the server has not looked at a single point.
            if !matches!(decision, Disposition::Shrink { .. }) {
                for entry in &mut self.entries.0[part.messages()] {
                    entry.suspicion.answered();
                }
            }
        }
        let next = match decision {
            Disposition::Settle => {
                let points = self.entries.applied(part);
                self.applier.metrics.applied(points);
                Next::Decided
            }
            Disposition::Bisect { code, reason } => {
                let cause = Cause::Rejected;
                self.halve_or_bury(
                    part,
                    Death {
                        cause,
                        code,
                        reason,
                    },
                );
                Next::Decided
            }
            Disposition::RecheckCollection { reason } => {
                self.recheck(part, reason).await?;
                Next::Decided
            }
            Disposition::Shrink { reason } => {
                let death = Death {
                    cause: Cause::Rejected,
                    code: "resource_exhausted",
                    reason,
                };
                // Proxies say the same of too much at once: a single point is kept for some time.
                match self.bisection.halve(part.clone()) {
                    Ok(()) => Next::Decided,
                    Err(single) => self.suspect_message(&single, death),
                }
            }
            Disposition::Retry => Next::Again(Duration::ZERO),
            Disposition::Throttle { at_least, quota } => {
                if failed.times == 0 {
                    tracing::warn!(
                        collection = &*self.collection,
                        quota,
                        ?at_least,
                        "qdrant is at a limit"
                    );
                }
                Next::Again(at_least)
            }
            Disposition::Deny { reason } => {
                self.applier.access.deny(&self.collection, &reason);
                Next::Again(Duration::ZERO)
            }
            Disposition::Suspect { reason } => {
                failed.at_the_server += 1;
                self.suspect(part, reason, failed.at_the_server).await
            }
        };
        Ok(next)
    }

    /// The points go to the dead letters if there is no collection for a single one of them either.
    /// All of a merge go to one collection and shard key, so one stands for all.
    async fn recheck(&mut self, part: &Part, reason: String) -> Result<(), GiveBack> {
        let upsert = self.upsert(part, self.entries.first_point(part));
        let applier = Arc::clone(&self.applier);
        let answer = applier.call(&upsert, &mut self.slot, &self.release).await?;
        match disposition(answer) {
            Disposition::RecheckCollection { .. } => {
                let death = Death {
                    cause: Cause::MissingCollection,
                    code: Rejection::NotFound.as_str(),
                    reason,
                };
                self.entries.bury_part(part, &death);
            }
            // Something was found after all: as with any other rejection.
            Disposition::Settle
            | Disposition::Bisect { .. }
            | Disposition::Shrink { .. }
            | Disposition::Retry
            | Disposition::Throttle { .. }
            | Disposition::Deny { .. }
            | Disposition::Suspect { .. } => {
                if let Err(single) = self.bisection.halve(part.clone()) {
                    self.bisection.put_back(single);
                }
            }
        }
        Ok(())
    }

    fn halve_or_bury(&mut self, part: &Part, death: Death) {
        if let Err(single) = self.bisection.halve(part.clone()) {
            self.entries.bury_part(&single, &death);
        }
    }

    /// Acknowledges the messages all of whose points are applied.
    async fn settle(&mut self, messages: Range<usize>) {
        for entry in &mut self.entries.0[messages] {
            if entry.is_decided()
                && entry.dead.is_empty()
                && let Some(delivery) = entry.delivery.take()
            {
                self.applier.acknowledge(delivery, Outcome::Applied).await;
            }
        }
    }

    fn upsert(&self, part: &Part, body: UpsertBody) -> Upsert {
        let entries = self.entries.0[part.messages()].iter();
        let deliveries = entries.filter_map(|entry| entry.delivery.as_ref());
        Upsert {
            collection: Arc::clone(&self.collection),
            body: Arc::new(body),
            traceparents: trace::traceparents(&self.applier.tracer, deliveries),
            is_on_probation: false,
        }
    }
}

impl Entry {
    /// Whether it is known of every point what becomes of it.
    fn is_decided(&self) -> bool {
        self.undecided == 0
    }

    fn into_dead(mut self, delivery: Delivery) -> DeadMessage {
        self.dead.sort_by_key(|dead| dead.points.start);
        DeadMessage {
            ticket: self.ticket,
            delivery,
            bytes: self.bytes,
            what: Dead::Points {
                message: self.message,
                dead: self.dead,
            },
        }
    }
}

/// Whether the server looked at the points, rather than fail at or refuse the whole.
fn is_about_the_points(decision: &Disposition) -> bool {
    match decision {
        Disposition::Settle
        | Disposition::Bisect { .. }
        | Disposition::RecheckCollection { .. }
        | Disposition::Shrink { .. }
        | Disposition::Throttle { .. } => true,
        Disposition::Retry | Disposition::Deny { .. } | Disposition::Suspect { .. } => false,
    }
}
