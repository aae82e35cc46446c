//! What has come of the load so far, a line every two seconds, and the wait until all is applied.
#![expect(clippy::print_stderr, reason = "a command, talking to whoever runs it")]

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alioth_loadtest::latencies::Latencies;
use serde::Serialize;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{
    outcome::Outcome,
    probe::Probes,
    qdrant::Qdrant,
    scenario::{Plan, Turn},
    target::Answer,
};

const BETWEEN: Duration = Duration::from_secs(2);

/// Counts everything. Shared by all users.
pub(crate) struct Progress {
    plan: Arc<Plan>,
    qdrant: Option<Qdrant>,
    began: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    tally: Tally,
    latencies: Latencies,
    /// Since the last line.
    recent: Latencies,
    applied: Option<u64>,
    /// Points of the probes: accepted like the load's.
    probes: u64,
    moments: Vec<Moment>,
    drained_at: Option<Duration>,
    failure: Option<String>,
}

/// Sums.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) accepted_writes: u64,
    pub(crate) accepted_points: u64,
    /// Bad writes that were refused, as they should be.
    pub(crate) refused_as_expected: u64,
    /// Good writes refused, or bad ones accepted.
    pub(crate) wrong_answers: u64,
    /// Times a writer was told to wait.
    pub(crate) waits: u64,
    pub(crate) failed_writes: u64,
}

/// How it stood at one time.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Moment {
    pub(crate) seconds: f64,
    pub(crate) accepted_points: u64,
    pub(crate) applied_points: Option<u64>,
    pub(crate) p99_ms: f64,
}

/// Says something to whoever runs it.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Lines being told.
pub(crate) struct Telling {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Begins to tell.
pub(crate) fn start(progress: Arc<Progress>) -> Telling {
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(async move {
        while tokio::time::timeout(BETWEEN, stopped.wait_for(|stopped| *stopped))
            .await
            .is_err()
        {
            progress.look().await;
            progress.tell();
        }
    });
    Telling { stop, task }
}

impl Telling {
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        // Its panic has been printed.
        self.task.await.ok();
    }
}

impl Progress {
    pub(crate) fn new(plan: Arc<Plan>, qdrant: Option<Qdrant>) -> Self {
        Self {
            plan,
            qdrant,
            began: Instant::now(),
            counts: Mutex::default(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Takes note of an answer; how long to wait when the write is to be sent again.
    pub(crate) fn answered(&self, turn: Turn, answer: &Answer, took: Duration) -> Option<Duration> {
        let mut counts = self.counts();
        let tally = &mut counts.tally;
        match (answer, turn.is_poison) {
            (Answer::Accepted, false) => {
                tally.accepted_writes += 1;
                tally.accepted_points += self.plan.batch as u64;
                counts.latencies.add(took);
                counts.recent.add(took);
            }
            (Answer::Refused, true) => tally.refused_as_expected += 1,
            (Answer::Accepted, true) | (Answer::Refused, false) => tally.wrong_answers += 1,
            (Answer::Later(wait), _) => {
                tally.waits += 1;
                return Some(*wait);
            }
            (Answer::Failed(reason), _) => {
                tally.failed_writes += 1;
                counts.failure.get_or_insert_with(|| reason.clone());
            }
        }
        None
    }

    /// Waits until as many points are applied as were accepted, or no more come for so many seconds.
    pub(crate) async fn drain(&self, probes: u64, patience: u64) {
        self.counts().probes = probes;
        let (mut best, mut since) = (None, Instant::now());
        while self.qdrant.is_some() {
            let applied = self.look().await;
            let expected = self.expected();
            if applied.is_some_and(|applied| applied >= expected) {
                self.counts().drained_at = Some(self.elapsed());
                return;
            }
            if applied > best {
                (best, since) = (applied, Instant::now());
            }
            if since.elapsed() > Duration::from_secs(patience) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn outcome(&self, load_ended: Duration, mut probes: Probes) -> Outcome {
        let mut counts = self.counts().clone();
        let ms = |took: [Duration; 3]| took.map(|took| took.as_secs_f64() * 1e3);
        let accepted = counts.tally.accepted_points + counts.probes;
        let until = counts.drained_at.unwrap_or(load_ended);
        Outcome {
            tally: counts.tally,
            applied_points: counts.applied,
            lost_points: counts
                .applied
                .map(|applied| accepted.saturating_sub(applied)),
            load_seconds: load_ended.as_secs_f64(),
            drained_after_seconds: counts.drained_at.map(|at| at.as_secs_f64()),
            accepted_points_a_second: accepted as f64 / load_ended.as_secs_f64(),
            applied_points_a_second: counts
                .applied
                .map(|applied| applied as f64 / until.as_secs_f64()),
            accept_ms: ms(counts.latencies.quantiles([0.5, 0.99, 0.999])),
            end_to_end_ms: (!probes.latencies.is_empty())
                .then(|| ms(probes.latencies.quantiles([0.5, 0.99, 0.999]))),
            probes: probes.sent,
            first_failure: counts.failure,
        }
    }

    pub(crate) fn moments(&self) -> Vec<Moment> {
        self.counts().moments.clone()
    }

    /// Asks Qdrant how much is applied.
    async fn look(&self) -> Option<u64> {
        let applied = self.qdrant.as_ref()?.applied().await;
        if let Ok(applied) = applied {
            self.counts().applied = Some(applied);
        }
        applied.ok()
    }

    fn expected(&self) -> u64 {
        let counts = self.counts();
        counts.tally.accepted_points + counts.probes
    }

    fn tell(&self) {
        let mut counts = self.counts();
        let [p99] = std::mem::take(&mut counts.recent).quantiles([0.99]);
        let moment = Moment {
            seconds: self.elapsed().as_secs_f64(),
            accepted_points: counts.tally.accepted_points,
            applied_points: counts.applied,
            p99_ms: p99.as_secs_f64() * 1e3,
        };
        let last = counts.moments.last().copied();
        let since = |pick: fn(&Moment) -> u64| {
            let (before, from) = last.map_or((0, 0.0), |last| (pick(&last), last.seconds));
            (pick(&moment).saturating_sub(before)) as f64 / (moment.seconds - from)
        };
        let applied = match moment.applied_points {
            Some(applied) => format!(
                ", applied {applied} ({:.0}/s)",
                since(|moment| moment.applied_points.unwrap_or(0))
            ),
            None => String::new(),
        };
        let tally = counts.tally;
        eprintln!(
            "{:>5.0} s: accepted {} points ({:.0}/s){applied}, p99 {:.1} ms, waits {}, wrong {}, failed {}",
            moment.seconds,
            moment.accepted_points,
            since(|moment| moment.accepted_points),
            moment.p99_ms,
            tally.waits,
            tally.wrong_answers,
            tally.failed_writes
        );
        counts.moments.push(moment);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
