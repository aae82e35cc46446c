//! A merge the server fails on: searched for what nobody could decode, narrowed down, and one message set
//! aside only while others pass.

use std::{collections::BTreeMap, ops::Range, sync::atomic::Ordering};

use alioth_points::UpsertMessage;

use super::Merge;
use crate::{
    bisect::Part,
    dead_letter::{Cause, Death},
    suspect::{UndecodablePoints, shares_ids, undecodable_points},
};

impl Merge {
    /// What to do with a part the server failed on so many times in a row; false: try it as it is.
    pub(super) async fn suspect(&mut self, part: &Part, reason: String, faults: u32) -> bool {
        if self.bury_undecodable(part).await {
            return true;
        }
        if part.messages().len() > 1 {
            let enough = self.suspected || faults >= self.applier.internal_tries;
            self.suspected |= enough;
            return enough && self.bisection.halve(part.clone()).is_ok();
        }
        let successes = self.applier.successes.load(Ordering::Relaxed);
        let entry = &mut self.entries.0[part.messages().start];
        // Only while others pass: an outage may look the same.
        let others_pass = entry.server_faults > 0 && successes > entry.successes_by_then;
        entry.successes_by_then = successes;
        entry.server_faults += 1;
        if entry.server_faults < self.applier.internal_tries {
            return false;
        }
        if others_pass {
            let death = Death {
                cause: Cause::ServerFault,
                code: "internal",
                reason,
            };
            self.entries.bury_part(part, &death);
            return true;
        }
        self.defer(part)
    }

    /// Lets the parts behind this one show whether the server is sound, unless they must come after it.
    fn defer(&mut self, part: &Part) -> bool {
        let behind = self.bisection.undecided().iter().flat_map(Part::messages);
        let mut others = behind
            .map(|index| &self.entries.0[index].message)
            .peekable();
        let message = &self.entries.0[part.messages().start].message;
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
