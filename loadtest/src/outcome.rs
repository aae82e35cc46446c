//! What came of a load.

use serde::Serialize;

use crate::progress::Tally;

/// In numbers. Latencies are p50, p99 and p99.9.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// Probes included; `None` when nobody counted.
    pub(crate) applied_points: Option<u64>,
    pub(crate) lost_points: Option<u64>,
    pub(crate) load_seconds: f64,
    /// `None` when it was not, or nobody counted.
    pub(crate) drained_after_seconds: Option<f64>,
    pub(crate) accepted_points_a_second: f64,
    /// From the start to the last point applied.
    pub(crate) applied_points_a_second: Option<f64>,
    pub(crate) accept_ms: [f64; 3],
    pub(crate) end_to_end_ms: Option<[f64; 3]>,
    pub(crate) probes: u64,
    pub(crate) first_failure: Option<String>,
}

impl Outcome {
    /// Whether everything was accepted or refused as it should be, and nothing is lost.
    pub(crate) fn is_good(&self) -> bool {
        self.tally.accepted_writes > 0
            && self.tally.failed_writes == 0
            && self.tally.wrong_answers == 0
            && self.lost_points.is_none_or(|lost| lost == 0)
    }

    /// For people.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let of = |[p50, p99, p999]: [f64; 3]| {
            format!("p50 {p50:.1} ms, p99 {p99:.1} ms, p99.9 {p999:.1} ms")
        };
        let not_counted = || "not counted".to_owned();
        let tally = &self.tally;
        vec![
            (
                "accepted",
                format!(
                    "{} points in {} writes, {:.0} points/s",
                    tally.accepted_points, tally.accepted_writes, self.accepted_points_a_second
                ),
            ),
            (
                "applied",
                match (self.applied_points, self.applied_points_a_second) {
                    (Some(points), Some(rate)) => format!(
                        "{points} points ({} of them probes), {rate:.0} points/s from start to end",
                        self.probes
                    ),
                    _ => not_counted(),
                },
            ),
            (
                "lost",
                self.lost_points
                    .map_or_else(not_counted, |lost| lost.to_string()),
            ),
            (
                "refused",
                format!(
                    "{} bad writes, as expected; {} wrong answers; {} failed; told to wait {} times",
                    tally.refused_as_expected,
                    tally.wrong_answers,
                    tally.failed_writes,
                    tally.waits
                ),
            ),
            ("accept latency", of(self.accept_ms)),
            (
                "end to end",
                self.end_to_end_ms.map_or("not measured".to_owned(), of),
            ),
            (
                "drained",
                match self.drained_after_seconds {
                    Some(after) => format!(
                        "{:.1} s after the load's end",
                        (after - self.load_seconds).max(0.0)
                    ),
                    None => not_counted(),
                },
            ),
            (
                "first failure",
                self.first_failure.clone().unwrap_or("none".to_owned()),
            ),
        ]
    }
}
