//! How long a restored collection is given to come right, by what each look at it shows. Pure: it is told the time.
//! Whatever the looks show, and in whatever order, one of them is the last.

use std::time::{Duration, Instant};

/// How long counts of several nodes may stay wrong, or nodes of unknown counts seem settled, before it is believed:
/// consensus takes a fraction of it.
pub(super) const BELIEVED_AFTER: Duration = Duration::from_secs(10);
/// Timeouts that a transfer may show nothing new: one of a whole shard's snapshot tells of no points on its way.
const TIMEOUTS_OF_A_TRANSFER: u32 = 6;
/// Even of what gets further: writers add points to a transfer that starts over and over.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What a look shows, without its words: numbers that change at each look are no news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All is as it should be.
    Settled,
    /// Shards are on their way between nodes.
    Moving,
    /// None is, and replicas are not active.
    States,
    /// All are active, and counts are wrong.
    Counts,
    /// Nobody answers.
    Away,
}

/// How far replicas have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Filled {
    /// Replicas that are active.
    pub(super) active: usize,
    /// Points in all of them.
    pub(super) points: u64,
}

/// The time-keeping of one wait.
#[derive(Debug)]
pub(super) struct Patience {
    /// How long what stands still is waited for.
    timeout: Duration,
    /// Whether the first look that is right, or wrong in its counts, is believed.
    at_once: AtOnce,
    began: Instant,
    /// What the last look showed, and since when every look has.
    last: Option<(Kind, Instant)>,
    /// As far as replicas ever came, each number by itself.
    furthest: Filled,
    furthest_at: Instant,
}

/// Which looks need no second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtOnce {
    /// Those that are right: what must be there is known.
    pub(super) right: bool,
    /// Those with wrong counts: the one node has nobody to hear anything from.
    pub(super) wrong_counts: bool,
}

impl Patience {
    pub(super) fn new(timeout: Duration, at_once: AtOnce, now: Instant) -> Self {
        Self {
            timeout,
            at_once,
            began: now,
            last: None,
            furthest: Filled::default(),
            furthest_at: now,
        }
    }

    /// Takes in a look, and says whether it is the last: what it shows is believed, be it right or wrong.
    pub(super) fn is_over(&mut self, kind: Kind, filled: Filled, now: Instant) -> bool {
        let since = match self.last {
            Some((last, since)) if last == kind => since,
            Some(_) | None => now,
        };
        self.last = Some((kind, since));
        match kind {
            Kind::Moving => self.note(filled, now),
            // Points that come without a transfer are a writer's.
            Kind::States => self.note(
                Filled {
                    points: 0,
                    ..filled
                },
                now,
            ),
            Kind::Settled | Kind::Counts | Kind::Away => {}
        }
        let alike = now.duration_since(since);
        let still = now.duration_since(self.furthest_at);
        let too_long = now.duration_since(self.began) >= LONGEST
            || still >= self.timeout * TIMEOUTS_OF_A_TRANSFER;
        match kind {
            Kind::Settled => self.at_once.right || alike >= BELIEVED_AFTER || still >= self.timeout,
            Kind::Counts => {
                self.at_once.wrong_counts || alike >= BELIEVED_AFTER || still >= self.timeout
            }
            Kind::States | Kind::Away => alike.min(still) >= self.timeout || too_long,
            Kind::Moving => too_long,
        }
    }

    /// How long replicas have not come further.
    pub(super) fn still(&self, now: Instant) -> Duration {
        now.duration_since(self.furthest_at)
    }

    fn note(&mut self, filled: Filled, now: Instant) {
        if filled.active > self.furthest.active || filled.points > self.furthest.points {
            self.furthest_at = now;
        }
        self.furthest.active = self.furthest.active.max(filled.active);
        self.furthest.points = self.furthest.points.max(filled.points);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(600);
    const LATER: AtOnce = AtOnce {
        right: false,
        wrong_counts: false,
    };

    /// Looks every two seconds until one is the last; when it was.
    fn last(at_once: AtOnce, mut look: impl FnMut(u64) -> (Kind, Filled)) -> Duration {
        let began = Instant::now();
        let mut patience = Patience::new(TIMEOUT, at_once, began);
        for seconds in (0..2 * LONGEST.as_secs()).step_by(2) {
            let after = Duration::from_secs(seconds);
            let (kind, filled) = look(seconds);
            if patience.is_over(kind, filled, began + after) {
                return after;
            }
        }
        panic!("it waits for ever");
    }

    fn filled(active: usize, points: u64) -> Filled {
        Filled { active, points }
    }

    #[test]
    fn a_wrong_count_is_believed_at_once_by_one_node_and_later_by_several() {
        let one = AtOnce {
            wrong_counts: true,
            ..LATER
        };
        // Each look counts more.
        let wrong = |seconds| (Kind::Counts, filled(4, seconds));
        assert_eq!(last(one, wrong), Duration::ZERO);
        assert_eq!(last(LATER, wrong), BELIEVED_AFTER);
    }

    #[test]
    fn a_right_count_is_believed_at_once_where_it_is_known_and_later_where_it_is_not() {
        let known = AtOnce {
            right: true,
            ..LATER
        };
        let settled = |seconds| (Kind::Settled, filled(4, seconds));
        assert_eq!(last(known, settled), Duration::ZERO);
        assert_eq!(last(LATER, settled), BELIEVED_AFTER);
    }

    /// Writers: counts of several nodes are alike at one look and not at the next.
    #[test]
    fn counts_that_come_and_go_end_at_the_timeout() {
        let flapping = |seconds: u64| match seconds % 4 {
            0 => (Kind::Settled, filled(4, seconds)),
            _ => (Kind::Counts, filled(4, seconds)),
        };
        assert_eq!(last(LATER, flapping), TIMEOUT);
    }

    #[test]
    fn replicas_that_stay_inactive_end_at_the_timeout_and_as_long_after_they_came_further() {
        let inactive = |seconds| (Kind::States, filled(3, 70 + seconds));
        assert_eq!(last(LATER, inactive), TIMEOUT);
        let later = Duration::from_secs(100);
        let one_more = |seconds| match seconds < later.as_secs() {
            true => (Kind::States, filled(3, 70)),
            false => (Kind::States, filled(4, 70)),
        };
        assert_eq!(last(LATER, one_more), later + TIMEOUT);
        assert_eq!(last(LATER, |_| (Kind::Away, filled(0, 0))), TIMEOUT);
    }

    #[test]
    fn a_transfer_that_gets_further_goes_on_and_one_that_does_not_ends() {
        let standing = |_| (Kind::Moving, filled(3, 70));
        assert_eq!(last(LATER, standing), TIMEOUT * TIMEOUTS_OF_A_TRANSFER);
        let whole = 20 * TIMEOUT.as_secs();
        let growing = |seconds: u64| match seconds < whole {
            true => (Kind::Moving, filled(3, seconds)),
            false => (Kind::Settled, filled(4, seconds)),
        };
        let known = AtOnce {
            right: true,
            ..LATER
        };
        assert_eq!(last(known, growing), Duration::from_secs(whole));
    }

    #[test]
    fn a_transfer_that_starts_over_and_over_ends() {
        let again = |seconds: u64| match seconds % 60 {
            0 => (Kind::States, filled(3, 0)),
            done => (Kind::Moving, filled(3, done)),
        };
        let after = last(LATER, again);
        assert!(after < (TIMEOUT + Duration::from_secs(60)) * TIMEOUTS_OF_A_TRANSFER);
        // Under writers each begins with more.
        let more = |seconds: u64| (Kind::Moving, filled(3, seconds));
        assert_eq!(last(LATER, more), LONGEST);
    }
}
