//! Which snapshots stay and which go, in restic's words. Pure: no clock, no S3. Never lets a collection's newest
//! complete snapshot go: the rules hold for each collection by itself, or a snapshot of one would stand for all.
//!
//! Source: <https://restic.readthedocs.io/en/stable/060_forget.html#removing-snapshots-according-to-a-policy>

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{id::SnapshotId, listing::Listed};

/// Nothing was added to an incomplete snapshot for so long: nobody writes it any more.
const LEFT_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How many to keep of each collection; all zero keeps every complete snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// The newest this many.
    pub keep_last: u32,
    /// The newest of each of the last this many hours that have one.
    pub keep_hourly: u32,
    /// The same for days.
    pub keep_daily: u32,
    /// The same for ISO weeks.
    pub keep_weekly: u32,
    /// The same for months.
    pub keep_monthly: u32,
}

/// Why a snapshot stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepReason {
    /// The policy asks for nothing.
    NoPolicy,
    /// Among the last.
    Last,
    /// The newest of its hour.
    Hourly,
    /// The newest of its day.
    Daily,
    /// The newest of its week.
    Weekly,
    /// The newest of its month.
    Monthly,
    /// The oldest of its collection, while a rule has fewer hours, days, weeks or months than it asks for.
    Oldest,
    /// It has no manifest and may be being written.
    Unfinished,
}

/// Why a snapshot goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveReason {
    /// No rule keeps it.
    NoRule,
    /// It has no manifest, and nothing was added to it for a day.
    Incomplete,
}

/// What to keep and what to remove, each newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What stays, and every reason for it.
    pub keep: Vec<(SnapshotId, Vec<KeepReason>)>,
    /// What goes, and why.
    pub remove: Vec<(SnapshotId, RemoveReason)>,
}

impl Policy {
    /// Whether no rule asks for anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Plans. Hours, days, weeks and months are those of UTC. A snapshot stays as soon as one of its collections keeps it.
pub fn plan(listed: &[Listed], policy: &Policy, now: Timestamp) -> Plan {
    let mut newest_first: Vec<_> = listed.iter().collect();
    newest_first.sort_by(|a, b| b.id.cmp(&a.id));
    let mut kept = kept(&newest_first, policy);
    let mut plan = Plan::default();
    for listed in newest_first {
        let id = listed.id.clone();
        if !listed.complete {
            // What was copied here from elsewhere has an old name and young objects.
            let touched = listed.last_modified.max(id.time());
            if now.duration_since(touched) > LEFT_AFTER {
                plan.remove.push((id, RemoveReason::Incomplete));
            } else {
                plan.keep.push((id, vec![KeepReason::Unfinished]));
            }
            continue;
        }
        match kept.remove(&id) {
            Some(reasons) => plan.keep.push((id, reasons.into_iter().collect())),
            None => plan.remove.push((id, RemoveReason::NoRule)),
        }
    }
    plan
}

/// The complete snapshots that stay, with the reasons of all their collections.
fn kept(newest_first: &[&Listed], policy: &Policy) -> BTreeMap<SnapshotId, BTreeSet<KeepReason>> {
    let mut kept: BTreeMap<SnapshotId, BTreeSet<KeepReason>> = BTreeMap::new();
    for ids in by_collection(newest_first).values() {
        let mut rules = rules(policy);
        for (index, id) in ids.iter().enumerate() {
            let is_oldest = index + 1 == ids.len();
            let asked = rules.iter_mut().filter_map(|rule| rule.keep(id, is_oldest));
            let mut reasons: BTreeSet<KeepReason> = asked.collect();
            if policy.is_empty() {
                reasons.insert(KeepReason::NoPolicy);
            }
            if !reasons.is_empty() {
                kept.entry((*id).clone()).or_default().extend(reasons);
            }
        }
    }
    kept
}

/// The complete snapshots of each collection, newest first. Those without any are of one kind too.
fn by_collection<'a>(
    newest_first: &[&'a Listed],
) -> BTreeMap<Option<&'a str>, Vec<&'a SnapshotId>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for listed in newest_first.iter().filter(|listed| listed.complete) {
        if listed.collections.is_empty() {
            groups.entry(None).or_default().push(&listed.id);
        }
        for collection in &listed.collections {
            let group = groups.entry(Some(collection.as_str())).or_default();
            group.push(&listed.id);
        }
    }
    groups
}

/// One of the policy's numbers, counting down.
struct Rule {
    left: u32,
    /// Snapshots of equal buckets are of one hour, day, … .
    bucket: fn(&SnapshotId) -> i64,
    last: Option<i64>,
    reason: KeepReason,
}

impl Rule {
    /// Whether the rule keeps the next older snapshot, and as what.
    fn keep(&mut self, id: &SnapshotId, is_oldest: bool) -> Option<KeepReason> {
        if self.left == 0 {
            return None;
        }
        let bucket = (self.bucket)(id);
        // "Last" has no buckets: each snapshot is one of its own.
        let is_new = self.reason == KeepReason::Last || self.last != Some(bucket);
        if !is_new && !is_oldest {
            return None;
        }
        self.left -= 1;
        self.last = Some(bucket);
        Some(if is_new {
            self.reason
        } else {
            KeepReason::Oldest
        })
    }
}

fn rules(policy: &Policy) -> [Rule; 5] {
    let rule = |left, reason, bucket| Rule {
        left,
        bucket,
        last: None,
        reason,
    };
    [
        rule(policy.keep_last, KeepReason::Last, second),
        rule(policy.keep_hourly, KeepReason::Hourly, hour),
        rule(policy.keep_daily, KeepReason::Daily, day),
        rule(policy.keep_weekly, KeepReason::Weekly, week),
        rule(policy.keep_monthly, KeepReason::Monthly, month),
    ]
}

fn second(id: &SnapshotId) -> i64 {
    id.time().as_second()
}

fn hour(id: &SnapshotId) -> i64 {
    second(id).div_euclid(3600)
}

fn day(id: &SnapshotId) -> i64 {
    hour(id).div_euclid(24)
}

fn week(id: &SnapshotId) -> i64 {
    // ISO weeks begin on Monday; day 0, 1 January 1970, was a Thursday.
    (day(id) + 3).div_euclid(7)
}

fn month(id: &SnapshotId) -> i64 {
    let date = id.time().to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month())
}

#[cfg(test)]
mod tests;
