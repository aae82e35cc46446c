//! A merge the server fails on: searched for what nobody could decode, narrowed down, and a point set aside only while
//! others pass.

use std::{collections::BTreeMap, ops::Range, sync::atomic::Ordering, time::Duration};

use alioth_points::UpsertMessage;
use tokio::time::Instant;

use super::{Merge, Next, suspicion::Verdict};
use crate::{
    bisect::Part,
    dead_letter::{Cause, Death},
    suspect::{UndecodablePoints, shares_ids, undecodable_points},
};

impl Merge {
    /// What to do with a part the server failed on so many times in a row.
    pub(super) async fn suspect(&mut self, part: &Part, reason: String, faults: u32) -> Next {
        if self.bury_undecodable(part).await {
            return Next::Decided;
        }
        if part.messages().len() > 1 {
            self.suspected |= faults >= self.applier.internal_tries;
            return match self.suspected && self.bisection.halve(part.clone()).is_ok() {
                true => Next::Decided,
                false => Next::Again(Duration::ZERO),
            };
        }
        let death = Death {
            cause: Cause::ServerFault,
            code: "internal",
            reason,
        };
        self.suspect_message(part, death)
    }

    /// What to do with one message, or a part of it, of which the answer does not tell whether it is to blame.
    pub(super) fn suspect_message(&mut self, part: &Part, death: Death) -> Next {
        let index = part.messages().start;
        let is_single = self.entries.points_of(part, index).len() == 1;
        let successes = self.applier.successes.load(Ordering::Relaxed);
        let tries = self.applier.internal_tries;
        let suspicion = &mut self.entries.0[index].suspicion;
        match suspicion.failed(is_single, Instant::now(), successes, tries) {
            Verdict::Again => Next::Again(Duration::ZERO),
            Verdict::AfterOthers => self.defer(part),
            Verdict::Guilty => {
                self.halve_or_bury(part, death);
                Next::Decided
            }
        }
    }

    /// Lets the parts behind this one show whether the server is sound, unless they must come after it.
    fn defer(&mut self, part: &Part) -> Next {
        let mut behind = Vec::new();
        for other in self.bisection.undecided() {
            let messages = other.messages();
            behind.extend(messages.map(|index| self.entries.message_of(other, index)));
        }
        let message = self.entries.message_of(part, part.messages().start);
        if behind.is_empty() || shares_ids(&message, behind.iter()) {
            return Next::Again(Duration::ZERO);
        }
        self.bisection.defer(part.clone());
        Next::AfterOthers
    }

    /// Sets aside what no server could decode; whether there was any.
    async fn bury_undecodable(&mut self, part: &Part) -> bool {
        let unchecked: Vec<(usize, UpsertMessage)> = part
            .messages()
            .filter(|index| !self.entries.0[*index].decodable)
            .map(|index| (index, self.entries.0[index].message.clone()))
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
            self.entries.0[index].decodable = true;
            let Some(UndecodablePoints { points, reason }) = undecodable else {
                continue;
            };
            let undecided = self.entries.points_of(part, index);
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
                self.entries.bury(index, range.clone(), &death);
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
}
