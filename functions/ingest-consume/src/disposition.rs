//! Qdrant's answer to an upsert → what becomes of its messages. Pure: no broker, no clock.
//!
//! Where a poison point goes: `Bisect` here → halved in `bisect` until it stands alone →
//! `dead_letter` → confirmed in `ingest.dead` → its message is acknowledged, the rest of it applied.

use std::time::Duration;

use alioth_cluster::{Applied, Rejection, UpsertError};

/// What to do with the messages of an upsert, or of the part of one that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// They are in Qdrant: acknowledge.
    Settle,
    /// Some of the points are bad: halve until those stand alone, and set them aside.
    Bisect {
        /// The gRPC code's name, for the dead letter.
        code: &'static str,
        /// The server's words, for the dead letter.
        reason: String,
    },
    /// The collection is not there: ask once more with a single point, then set all aside.
    RecheckCollection {
        /// As in `Bisect`.
        reason: String,
    },
    /// As large as it is it never fits: halve. A single point that does not is suspected like one of `Suspect`.
    Shrink {
        /// The server's words, or a proxy's, for the dead letter.
        reason: String,
    },
    /// Qdrant or a part of it is away: keep, back off, let the breaker see it.
    Retry,
    /// The collection is at a limit: keep, and wait at least that long; others go on.
    Throttle {
        /// What the server asked for.
        at_least: Duration,
        /// Memory or disk at its quota, rather than a rate limit.
        quota: bool,
    },
    /// Our key is wrong: keep, be loud, wait for somebody to act.
    Deny {
        /// The server's words, for the log.
        reason: String,
    },
    /// The server failed on it: retry, and suspect the messages if it keeps failing while others pass.
    Suspect {
        /// The server's words, for the dead letter.
        reason: String,
    },
}

/// The disposition table.
pub(crate) fn disposition(answer: Result<Applied, UpsertError>) -> Disposition {
    match answer {
        Ok(Applied::Completed | Applied::Acknowledged | Applied::WaitTimeout) => {
            Disposition::Settle
        }
        Err(UpsertError::Rejected { rejection, reason }) => match rejection {
            Rejection::Invalid | Rejection::TooLarge => Disposition::Bisect {
                code: rejection.as_str(),
                reason,
            },
            Rejection::NotFound => Disposition::RecheckCollection { reason },
        },
        Err(UpsertError::Unavailable { .. }) => Disposition::Retry,
        Err(UpsertError::Exhausted {
            retry_after: Some(at_least),
            quota,
            ..
        }) => Disposition::Throttle { at_least, quota },
        Err(UpsertError::Exhausted {
            retry_after: None,
            quota: true,
            ..
        }) => Disposition::Throttle {
            at_least: Duration::ZERO,
            quota: true,
        },
        Err(UpsertError::Exhausted {
            retry_after: None,
            quota: false,
            reason,
        }) => Disposition::Shrink { reason },
        Err(UpsertError::Denied { reason }) => Disposition::Deny { reason },
        Err(UpsertError::Internal { reason }) => Disposition::Suspect { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why() -> String {
        "why".to_owned()
    }

    fn exhausted(retry_after: Option<u64>, quota: bool) -> Disposition {
        disposition(Err(UpsertError::Exhausted {
            reason: why(),
            retry_after: retry_after.map(Duration::from_secs),
            quota,
        }))
    }

    fn rejected(rejection: Rejection) -> Disposition {
        disposition(Err(UpsertError::Rejected {
            rejection,
            reason: why(),
        }))
    }

    #[test]
    fn whatever_reached_the_write_ahead_log_is_settled() {
        for applied in [
            Applied::Completed,
            Applied::Acknowledged,
            Applied::WaitTimeout,
        ] {
            assert_eq!(disposition(Ok(applied)), Disposition::Settle);
        }
    }

    #[test]
    fn bad_points_are_searched_for() {
        let bisect = |code| Disposition::Bisect {
            code,
            reason: why(),
        };
        assert_eq!(rejected(Rejection::Invalid), bisect("invalid_argument"));
        assert_eq!(rejected(Rejection::TooLarge), bisect("out_of_range"));
    }

    #[test]
    fn a_missing_collection_is_not_bisected() {
        let recheck = Disposition::RecheckCollection { reason: why() };
        assert_eq!(rejected(Rejection::NotFound), recheck);
    }

    #[test]
    fn an_outage_and_a_server_fault_keep_everything() {
        let unavailable = UpsertError::Unavailable { reason: why() };
        assert_eq!(disposition(Err(unavailable)), Disposition::Retry);
        let internal = UpsertError::Internal { reason: why() };
        assert_eq!(
            disposition(Err(internal)),
            Disposition::Suspect { reason: why() }
        );
        let denied = UpsertError::Denied { reason: why() };
        assert_eq!(
            disposition(Err(denied)),
            Disposition::Deny { reason: why() }
        );
    }

    #[test]
    fn limits_are_waited_for_and_what_never_fits_is_halved() {
        let throttle = |secs, quota| Disposition::Throttle {
            at_least: Duration::from_secs(secs),
            quota,
        };
        assert_eq!(exhausted(Some(7), false), throttle(7, false));
        assert_eq!(exhausted(Some(7), true), throttle(7, true));
        assert_eq!(exhausted(None, true), throttle(0, true));
        assert_eq!(
            exhausted(None, false),
            Disposition::Shrink { reason: why() }
        );
    }
}
