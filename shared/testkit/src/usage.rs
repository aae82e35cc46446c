//! What a process of this machine uses, from `/proc`. Never looks at a process that has been waited for.

use std::time::Duration;

/// `USER_HZ`: what Linux counts a process's time in, on every architecture Alioth is built for.
/// Source: proc_pid_stat(5), `sysconf(_SC_CLK_TCK)`.
const TICKS_PER_SECOND: u64 = 100;

/// A running process, by its id.
#[derive(Debug, Clone, Copy)]
pub struct ProcessUsage(pub u32);

impl ProcessUsage {
    /// Bytes of memory resident now.
    ///
    /// # Panics
    /// When there is no such process; so do the others.
    pub fn resident_bytes(self) -> u64 {
        self.status_kib("VmRSS:") * 1024
    }

    /// The most bytes that ever were.
    pub fn peak_resident_bytes(self) -> u64 {
        self.status_kib("VmHWM:") * 1024
    }

    /// User and system time so far, in steps of 10 ms.
    pub fn cpu_time(self) -> Duration {
        let stat = self.read("stat");
        // The command's name, in parentheses, may hold blanks.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// Names of its threads, of which Linux keeps 15 characters.
    pub fn threads(self) -> Vec<String> {
        let folder = format!("/proc/{}/task", self.0);
        let tasks = match std::fs::read_dir(&folder) {
            Ok(tasks) => tasks,
            Err(error) => panic!("cannot read {folder}: {error}"),
        };
        let names = tasks.filter_map(|task| {
            // A thread may end meanwhile.
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        });
        names.map(|name| name.trim().to_owned()).collect()
    }

    fn status_kib(self, field: &str) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let number = line.map(|line| line.trim().trim_end_matches(" kB").parse());
        match number {
            Some(Ok(kib)) => kib,
            other => panic!("no {field} of process {}: {other:?}", self.0),
        }
    }

    fn read(self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.0);
        match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => panic!("cannot read {path}: {error}"),
        }
    }
}

/// Bytes as mebibytes, to print.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let usage = ProcessUsage(std::process::id());
        let mut sum = 0_u64;
        while usage.cpu_time() < Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let resident = usage.resident_bytes();
        assert!(resident > 100_000, "{resident}");
        assert!(usage.peak_resident_bytes() >= resident);
    }

    #[test]
    fn threads_go_by_the_first_of_their_names() {
        let usage = ProcessUsage(std::process::id());
        let thread = std::thread::Builder::new().name("a-thread-of-this-test".to_owned());
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = thread.spawn(move || ended.recv()).unwrap();
        let name = "a-thread-of-thi".to_owned();
        // The name is set by the thread itself.
        while !usage.threads().contains(&name) {
            std::thread::yield_now();
        }
        drop(end);
        assert!(thread.join().unwrap().is_err(), "nothing was sent");
    }
}
