//! On what and when something was measured, and the folder results of that go into.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// The machine, as far as it matters to a reader of its figures.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Cores and the processor's model, as a folder's name.
    pub name: String,
    /// As the kernel names it.
    pub processor: String,
    /// Logical cores.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// Runnable processes on average over the last 1, 5 and 15 minutes, before anything was measured.
    pub load_average: String,
}

impl Machine {
    /// Looks at the machine; what cannot be read is empty. `name` replaces the folder's name.
    pub fn look(name: Option<String>) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map(|(_, value)| value.trim().to_owned())
        };
        let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or_default();
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let memory_kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let load = read("/proc/loadavg");
        Self {
            name: name.unwrap_or_else(|| slug(&format!("{cores}-cores {processor}"))),
            processor,
            cores,
            memory_bytes: memory_kib * 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }

    /// Makes `<results>/<date>-<machine>/`, the date being today's in UTC.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn results_folder(&self, results: &Path) -> io::Result<PathBuf> {
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
        let folder = results.join(format!("{date}-{}", self.name));
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Lower-case letters and digits, all else as single hyphens between them.
fn slug(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_the_day_and_the_machine() {
        let place = tempfile::tempdir().unwrap();
        let folder = Machine::look(Some("here".to_owned()))
            .results_folder(place.path())
            .unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(folder.is_dir() && name.ends_with("-here") && name.starts_with("20"));
        assert_eq!(
            slug("2-cores AMD EPYC (TM) @2.5GHz"),
            "2-cores-amd-epyc-tm-2-5ghz"
        );
    }
}
