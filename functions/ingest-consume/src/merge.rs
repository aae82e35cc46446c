//! One merge from its first upsert to the last settled message: tries, waits, halves, sets aside, acknowledges.

mod entries;
mod faults;

use std::{ops::Range, sync::Arc, time::Duration};

use alioth_broker::Delivery;
use alioth_cluster::Rejection;
use alioth_points::UpsertBody;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use self::entries::Entries;
pub(crate) use self::entries::Left;
use crate::{
    applier::{Applier, GiveBack, Upsert, now_ms},
    batcher::Waiting,
    bisect::{Bisection, Part},
    dead_letter::{self, Cause, Death},
    disposition::{Disposition, disposition},
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
        }
    }

    /// The one collection all its messages go to.
    pub(crate) fn collection(&self) -> &str {
        &self.collection
    }

    /// Sees every message through, or back into the queue.
    pub(crate) async fn run(mut self) -> Vec<Left> {
        if self.apply().await.is_err() {
            self.applier.access.clear(&self.collection);
        }
        self.applier.free(&mut self.slot);
        let mut left = Vec::with_capacity(self.entries.0.len());
        for entry in self.entries.0 {
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
        let upsert = self.upsert(&part, self.entries.body(&part));
        let mut failed = Failed::default();
        loop {
            let answer = applier.call(&upsert, &mut self.slot, &self.release).await?;
            let decision = disposition(answer);
            let about_the_points = is_about_the_points(&decision);
            let Some(at_least) = self.act(&part, decision, &mut failed).await? else {
                if about_the_points {
                    self.stalled = None;
                }
                return Ok(());
            };
            failed.times += 1;
            let stalls = &applier.stalls;
            self.stalled
                .get_or_insert_with(|| stalls.begin(&upsert.collection));
            applier
                .pause(failed.times, at_least, &mut self.slot, &self.release)
                .await?;
        }
    }

    /// Does what was decided; how long to wait at least when that is to try the part again.
    async fn act(
        &mut self,
        part: &Part,
        decision: Disposition,
        failed: &mut Failed,
    ) -> Result<Option<Duration>, GiveBack> {
        if is_about_the_points(&decision) {
            self.applier.access.clear(&self.collection);
            for entry in &mut self.entries.0[part.messages()] {
                entry.server_faults = 0;
            }
        }
        let again = match decision {
            Disposition::Settle => {
                let points = self.entries.applied(part);
                self.applier.metrics.applied(points);
                None
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
                None
            }
            Disposition::RecheckCollection { reason } => {
                self.recheck(part, reason).await?;
                None
            }
            Disposition::Shrink => {
                let halved = self.bisection.halve(part.clone());
                halved.is_err().then_some(Duration::ZERO)
            }
            Disposition::Retry => Some(Duration::ZERO),
            Disposition::Throttle { at_least, quota } => {
                if failed.times == 0 {
                    tracing::warn!(
                        collection = &*self.collection,
                        quota,
                        ?at_least,
                        "qdrant is at a limit"
                    );
                }
                Some(at_least)
            }
            Disposition::Deny { reason } => {
                self.applier.access.deny(&self.collection, &reason);
                Some(Duration::ZERO)
            }
            Disposition::Suspect { reason } => {
                failed.at_the_server += 1;
                let suspected = self.suspect(part, reason, failed.at_the_server).await;
                (!suspected).then_some(Duration::ZERO)
            }
        };
        Ok(again)
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
            | Disposition::Shrink
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

    /// Acknowledges the messages that are decided, dead letters first.
    async fn settle(&mut self, messages: Range<usize>) -> Result<(), GiveBack> {
        for index in messages {
            let entry = &mut self.entries.0[index];
            if entry.undecided > 0 {
                continue;
            }
            let Some(delivery) = &entry.delivery else {
                continue;
            };
            if !entry.dead.is_empty() {
                // While it is the dead-letter queue that takes nothing, the collection's other messages go on.
                self.stalled = None;
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
        let entries = self.entries.0[part.messages()].iter();
        let deliveries = entries.filter_map(|entry| entry.delivery.as_ref());
        Upsert {
            collection: Arc::clone(&self.collection),
            body: Arc::new(body),
            traceparents: trace::traceparents(&self.applier.tracer, deliveries),
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
