//! A bar on a terminal; plain lines elsewhere, so that logs stay readable.

use std::{
    io::IsTerminal as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use indicatif::{ProgressBar, ProgressStyle};

/// Plain lines are printed each time this many hundredths of the total are done.
const LINE_EVERY_PERCENT: u64 = 10;
/// Or each time this many points are, where the total is not known.
const LINE_EVERY_POINTS: u64 = 10_000;

/// Shows how far a load is. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    shown: Shown,
    done: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Shown {
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// A bar where standard error is a terminal, lines where it is not.
    pub(crate) fn for_terminal() -> Self {
        if std::io::stderr().is_terminal() {
            Self::new(Shown::Bar(ProgressBar::no_length()))
        } else {
            Self::new(Shown::Lines)
        }
    }

    fn new(shown: Shown) -> Self {
        Self {
            shown,
            done: Arc::default(),
            total: Arc::default(),
        }
    }

    /// Tells the total, where it is known.
    pub(crate) fn start(&self, total: Option<u64>) {
        self.total.store(total.unwrap_or(0), Ordering::Relaxed);
        let Shown::Bar(bar) = &self.shown else {
            return;
        };
        let template = match total {
            Some(_) => "{bar:40} {human_pos}/{human_len} points, {per_sec}, {eta} left",
            None => "{spinner} {human_pos} points, {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if let Some(total) = total {
            bar.set_length(total);
        }
    }

    /// Counts points that have got their answer.
    pub(crate) fn advance(&self, accepted: u64, rejected: u64) {
        let points = accepted + rejected;
        let before = self.done.fetch_add(points, Ordering::Relaxed);
        match &self.shown {
            Shown::Bar(bar) => bar.inc(points),
            Shown::Lines => self.line(before, before + points),
        }
    }

    fn line(&self, before: u64, after: u64) {
        let total = self.total.load(Ordering::Relaxed);
        let step = match total {
            0 => LINE_EVERY_POINTS,
            total => (total * LINE_EVERY_PERCENT / 100).max(1),
        };
        if before / step == after / step {
            return;
        }
        match total {
            0 => crate::complain(&format!("{after} points")),
            total => crate::complain(&format!("{after} of {total} points")),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
