//! Who used the processors: a process, this process with all it started, everybody else.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// Cores used since a moment: by others, by all.
pub(crate) struct Foreign {
    began: Instant,
    all: Duration,
    ours: Duration,
}

impl Foreign {
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
            all: all(),
            ours: ours(),
        }
    }

    /// By everybody, us included.
    pub(crate) fn all_cores(&self) -> f64 {
        all().saturating_sub(self.all).as_secs_f64() / self.began.elapsed().as_secs_f64()
    }

    pub(crate) fn cores(&self) -> f64 {
        let all = all().saturating_sub(self.all);
        let ours = ours().saturating_sub(self.ours);
        all.saturating_sub(ours).as_secs_f64() / self.began.elapsed().as_secs_f64()
    }
}

/// Of every processor: user, nice, system, interrupts and what the hypervisor took. Not idle, not waiting for disks.
fn all() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    let busy = [0, 1, 2, 5, 6, 7];
    ticks(busy.iter().filter_map(|index| fields.get(*index)).sum())
}

/// Of this process and its descendants, those that ended and were waited for included.
fn ours() -> Duration {
    let mut times = HashMap::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let id: Option<u32> = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let (Some(id), Some((parent, time))) = (id, parent_and_time(&stat)) {
            times.insert(id, (parent, time));
        }
    }
    let me = std::process::id();
    let is_mine = |mut id: u32| {
        while id > 1 {
            if id == me {
                return true;
            }
            id = times.get(&id).map_or(0, |(parent, _)| *parent);
        }
        false
    };
    let mine = times.iter().filter(|(id, _)| is_mine(**id));
    ticks(mine.map(|(_, (_, time))| time).sum())
}

/// Fields 4 and 14 to 17 of proc_pid_stat(5).
fn parent_and_time(stat: &str) -> Option<(u32, u64)> {
    let after_name = stat.rsplit_once(") ")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let time = fields
        .get(11..15)?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok());
    Some((fields.get(1)?.parse().ok()?, time.sum()))
}

/// `USER_HZ` is 100 on every architecture Alioth is built for.
fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 10)
}
