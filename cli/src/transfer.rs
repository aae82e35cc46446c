//! How far bytes on their way are: a bar on a terminal, plain lines elsewhere, both on standard error.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::size;

/// Between two looks, where there is a bar.
const REDRAW: Duration = Duration::from_millis(100);
/// Between two lines, where there is none.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Bytes at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Moved so far.
    pub(crate) done: u64,
    /// To be moved altogether, or 0 while nobody knows; may be an estimate.
    pub(crate) total: u64,
}

/// Does `work` and shows how far it is, by what `counts` says.
pub(crate) async fn watch<T>(counts: impl Fn() -> Counts, work: impl Future<Output = T>) -> T {
    let is_terminal = std::io::stderr().is_terminal();
    let every = if is_terminal { REDRAW } else { LINE_EVERY };
    let bar = is_terminal.then(ProgressBar::no_length);
    let started = Instant::now();
    let mut look = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    let mut work = std::pin::pin!(work);
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            _ = look.tick() => match &bar {
                Some(bar) => draw(bar, counts()),
                None => crate::complain(&line(counts(), started.elapsed())),
            },
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    ended
}

fn draw(bar: &ProgressBar, counts: Counts) {
    let template = match counts.total {
        0 => "{spinner} {binary_bytes}, {binary_bytes_per_sec}",
        _ => "{bar:40} {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
    };
    // The bar computes rate and time left from its positions.
    if bar.length() != Some(counts.total)
        && let Ok(style) = ProgressStyle::with_template(template)
    {
        bar.set_style(style);
        bar.set_length(counts.total);
    }
    bar.set_position(match counts.total {
        0 => counts.done,
        total => counts.done.min(total),
    });
}

/// The same in words.
fn line(counts: Counts, elapsed: Duration) -> String {
    let Counts { done, total } = counts;
    let rate = done as f64 / elapsed.as_secs_f64().max(f64::EPSILON);
    let speed = format!("{}/s", size(rate as u64));
    if total == 0 {
        return format!("{}, {speed}", size(done));
    }
    let left = total.saturating_sub(done);
    let mut line = format!("{} of {}, {speed}", size(done), size(total));
    if rate >= 1.0 {
        line.push_str(&format!(", {:.0} s left", left as f64 / rate));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn lines_tell_bytes_rate_and_time_left() {
        let second = Duration::from_secs(2);
        let counts = |done, total| Counts { done, total };
        let told = line(counts(4 * MIB, 10 * MIB), second);
        assert_eq!(told, "4.00 MiB of 10.00 MiB, 2.00 MiB/s, 3 s left");
        assert_eq!(line(counts(4 * MIB, 0), second), "4.00 MiB, 2.00 MiB/s");
        assert_eq!(line(counts(0, MIB), second), "0 B of 1.00 MiB, 0 B/s");
        // More than was estimated.
        let told = line(counts(4 * MIB, 2 * MIB), second);
        assert_eq!(told, "4.00 MiB of 2.00 MiB, 2.00 MiB/s, 0 s left");
    }

    #[tokio::test]
    async fn what_is_watched_gives_its_result() {
        let counts = || Counts { done: 1, total: 2 };
        assert_eq!(watch(counts, async { 7 }).await, 7);
    }
}
