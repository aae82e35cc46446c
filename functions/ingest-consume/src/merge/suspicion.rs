//! What speaks against one message that the server fails on by itself. Pure: time and successes are passed in.

use std::time::Duration;

use tokio::time::Instant;

/// How long the server must have failed on a message before it may be set aside. A node whose disk is full, or that
/// has lost a shard, fails on some messages while others pass: somebody is to have had the time to mend it.
pub(super) const PROBATION: Duration = Duration::from_secs(120);

/// Of one message of a merge.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// Failures in a row.
    faults: u32,
    /// When the first of them was.
    since: Option<Instant>,
    /// Upserts that had gone well by the last one.
    successes_by_then: u64,
    /// There was enough against the message; which of its points it is, is to be found out.
    is_condemned: bool,
}

/// What is to be done with the message, or with the part of it that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To be tried again.
    Again,
    /// To be tried again after others: nobody has shown that the server is sound.
    AfterOthers,
    /// To be halved, or set aside if it is a single point.
    Guilty,
}

impl Suspicion {
    /// Takes a failure into account: of a single point or of several, after so many upserts that went well, whosever
    /// they were. `tries` failures in a row are needed at least.
    pub(super) fn failed(
        &mut self,
        is_single: bool,
        now: Instant,
        successes: u64,
        tries: u32,
    ) -> Verdict {
        let is_repeated = self.faults > 0 || self.is_condemned;
        // Only while others pass: an outage may look the same.
        let others_pass = is_repeated && successes > self.successes_by_then;
        self.successes_by_then = successes;
        self.faults += 1;
        let since = *self.since.get_or_insert(now);
        if self.is_condemned {
            return match others_pass || !is_single {
                true => Verdict::Guilty,
                false => Verdict::AfterOthers,
            };
        }
        if self.faults < tries {
            return Verdict::Again;
        }
        self.is_condemned = others_pass && now >= since + PROBATION;
        match self.is_condemned {
            true => Verdict::Guilty,
            false => Verdict::AfterOthers,
        }
    }

    /// Whether it has failed so often that others are to show whether it is to blame.
    pub(super) fn is_on_probation(&self, tries: u32) -> bool {
        self.is_condemned || self.faults >= tries
    }

    /// The server has looked at some of its points, and did not fail.
    pub(super) fn answered(&mut self) {
        self.faults = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIES: u32 = 3;

    /// Verdicts on failures, one a second from the end of the probation on: how many successes there were by each,
    /// and whether it was of a single point.
    fn verdicts(suspicion: &mut Suspicion, failures: &[(u64, bool)]) -> Vec<Verdict> {
        let began = Instant::now();
        let mut verdicts = Vec::new();
        for (number, (successes, is_single)) in failures.iter().enumerate() {
            // The first was a probation ago.
            let now = match number {
                0 => began,
                _ => began + PROBATION + Duration::from_secs(number as u64),
            };
            verdicts.push(suspicion.failed(*is_single, now, *successes, TRIES));
        }
        verdicts
    }

    #[test]
    fn it_takes_tries_time_and_others_that_pass() {
        use Verdict::{AfterOthers, Again, Guilty};
        let single = |successes: &[u64]| {
            let failures: Vec<_> = successes.iter().map(|count| (*count, true)).collect();
            verdicts(&mut Suspicion::default(), &failures)
        };
        assert_eq!(
            single(&[0, 0, 0, 0]),
            [Again, Again, AfterOthers, AfterOthers]
        );
        assert_eq!(
            single(&[7, 7, 7, 7]),
            [Again, Again, AfterOthers, AfterOthers]
        );
        assert_eq!(single(&[0, 1, 2]), [Again, Again, Guilty]);
        assert_eq!(single(&[0, 1, 1, 2]), [Again, Again, AfterOthers, Guilty]);
    }

    #[test]
    fn before_its_probation_is_over_nothing_is_guilty() {
        let (mut suspicion, began) = (Suspicion::default(), Instant::now());
        for second in 0..PROBATION.as_secs() {
            let now = began + Duration::from_secs(second);
            assert_ne!(suspicion.failed(true, now, second, TRIES), Verdict::Guilty);
        }
        let over = began + PROBATION;
        assert_eq!(suspicion.failed(true, over, 1_000, TRIES), Verdict::Guilty);
    }

    #[test]
    fn an_answer_makes_it_start_anew() {
        let (mut suspicion, began) = (Suspicion::default(), Instant::now());
        suspicion.failed(true, began, 0, TRIES);
        suspicion.answered();
        let later = began + PROBATION;
        for successes in 1..5 {
            assert_ne!(
                suspicion.failed(true, later, successes, TRIES),
                Verdict::Guilty
            );
        }
    }

    #[test]
    fn of_a_condemned_message_halves_are_guilty_at_once_and_a_single_point_when_others_pass() {
        let mut suspicion = Suspicion::default();
        verdicts(&mut suspicion, &[(0, false), (1, false), (2, false)]);
        let now = Instant::now();
        assert_eq!(suspicion.failed(false, now, 2, TRIES), Verdict::Guilty);
        assert_eq!(suspicion.failed(true, now, 2, TRIES), Verdict::AfterOthers);
        suspicion.answered();
        assert_eq!(suspicion.failed(true, now, 3, TRIES), Verdict::Guilty);
    }
}
