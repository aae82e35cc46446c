//! Which snapshots stay and which go, in restic's words. Pure: no clock, no S3. Never lets the newest complete
//! snapshot go.
//!
//! Source: <https://restic.readthedocs.io/en/stable/060_forget.html#removing-snapshots-according-to-a-policy>

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{id::SnapshotId, listing::Listed};

/// Nothing was added to an incomplete snapshot for so long: nobody writes it any more.
const LEFT_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How many to keep; all zero keeps every complete snapshot.
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
    /// The oldest of all, while a rule has fewer hours, days, weeks or months than it asks for.
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

/// Plans. Hours, days, weeks and months are those of UTC.
pub fn plan(listed: &[Listed], policy: &Policy, now: Timestamp) -> Plan {
    let mut newest_first: Vec<_> = listed.iter().collect();
    newest_first.sort_by(|a, b| b.id.cmp(&a.id));
    let oldest = newest_first.iter().rposition(|listed| listed.complete);
    let mut rules = rules(policy);
    let mut plan = Plan::default();
    for (index, listed) in newest_first.into_iter().enumerate() {
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
        let is_oldest = oldest == Some(index);
        let asked = rules
            .iter_mut()
            .filter_map(|rule| rule.keep(&id, is_oldest));
        let mut reasons: Vec<_> = asked.collect();
        if policy.is_empty() {
            reasons.push(KeepReason::NoPolicy);
        }
        reasons.dedup();
        if reasons.is_empty() {
            plan.remove.push((id, RemoveReason::NoRule));
        } else {
            plan.keep.push((id, reasons));
        }
    }
    plan
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
