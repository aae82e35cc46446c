//! The built functions as processes of their own.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use alioth_testkit::{ProcessUsage, ReservedPort};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::wire::{self, Connection};

/// For anything that must happen at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);

/// Between two looks at a process whose start is measured.
const LOOK: Duration = Duration::from_millis(1);

/// Where the binaries are.
#[derive(Debug, Clone)]
pub(crate) struct Binaries(pub(crate) PathBuf);

/// A running function, killed when dropped.
pub(crate) struct Function {
    child: Child,
    pub(crate) started: Instant,
    log: tempfile::TempPath,
}

/// One that serves until it is stopped.
pub(crate) struct Service {
    pub(crate) process: Function,
    admin: ReservedPort,
}

impl Binaries {
    pub(crate) fn path(&self, function: &str) -> PathBuf {
        self.0.join(function)
    }

    /// Starts a service with these variables and no others, its admin port apart.
    pub(crate) fn start_service(
        &self,
        function: &str,
        mut variables: Vec<(String, String)>,
    ) -> Service {
        let admin = ReservedPort::new();
        variables.push((
            "ALIOTH_ADMIN_LISTEN".to_owned(),
            admin.address().to_string(),
        ));
        Service {
            process: self.start(function, variables),
            admin,
        }
    }

    /// Starts one with these variables and no others.
    pub(crate) fn start<K, V>(
        &self,
        function: &str,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Function
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let log = tempfile::NamedTempFile::new().expect("a file for the log");
        let (log, path) = log.into_parts();
        let errors = log.try_clone().expect("a second handle");
        let mut command = Command::new(self.path(function));
        command
            .env_clear()
            .env("ALIOTH_LOG_LEVEL", "info")
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {}: {error}", self.path(function).display())
        });
        Function {
            child,
            started,
            log: path,
        }
    }
}

impl Function {
    pub(crate) fn usage(&self) -> ProcessUsage {
        ProcessUsage(self.child.id().expect("it has not been waited for"))
    }

    /// Waits, looking every millisecond; panics with the function's log, at once where it has ended.
    pub(crate) async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let looks = async {
            while !condition().await {
                assert!(!self.has_ended(), "it ended before {what}: {}", self.log());
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(DEADLINE, looks).await.is_err() {
            panic!(
                "not within {DEADLINE:?} that {what}; it logged:\n{}",
                self.log()
            );
        }
    }

    /// Whether it is a process that only waits to be asked for its status.
    fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.usage().0));
        // Field 3 of proc_pid_stat(5), behind the name in parentheses.
        stat.is_ok_and(|stat| {
            stat.rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('Z'))
        })
    }

    pub(crate) fn log(&self) -> String {
        tail(&self.log)
    }

    /// SIGTERM, and its end, which must be a good one.
    pub(crate) async fn stop(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill")
            .args(["-s", "TERM", &id])
            .status()
            .await;
        assert!(sent.expect("kill").success());
        let ended = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        let status = ended.expect("its end in time").expect("its status");
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Its own end, with exit code 0, and the most memory it had. Looked at every 20 ms: what it grew by in its last
    /// moment is missed.
    pub(crate) async fn ended(mut self) -> (Duration, u64) {
        let (mut peak, id) = (0, self.usage().0);
        let ended = async {
            loop {
                tokio::select! {
                    status = self.child.wait() => break status.expect("its status"),
                    () = tokio::time::sleep(Duration::from_millis(20)) => {
                        peak = peak.max(peak_of(id));
                    }
                }
            }
        };
        let status = tokio::time::timeout(DEADLINE * 4, ended)
            .await
            .expect("its end in time");
        let took = self.started.elapsed();
        assert!(status.success(), "{status}: {}", self.log());
        (took, peak)
    }
}

impl Service {
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    pub(crate) async fn until_ready(&self) {
        self.process
            .until("it is ready", async || {
                wire::get(self.admin(), "/readyz")
                    .await
                    .is_some_and(|answer| answer.status == 200)
            })
            .await;
    }

    /// The sum of a metric's series whose labels contain `label`; 0 before there are any.
    pub(crate) async fn metric(&self, name: &str, label: &str) -> f64 {
        match wire::get(self.admin(), "/metrics").await {
            Some(answer) => sum(&answer.body, name, label),
            None => 0.0,
        }
    }

    /// A connection to its admin port, for many looks at its metrics.
    pub(crate) async fn gauge(&self) -> Gauge {
        let connection = Connection::open(self.admin()).await;
        Gauge(connection.expect("its admin port listens"))
    }
}

/// Reads the metrics of one function over and over.
pub(crate) struct Gauge(Connection);

impl Gauge {
    pub(crate) async fn read(&mut self, name: &str) -> f64 {
        let answer = self.0.send(&wire::head("GET", "/metrics", 0)).await;
        sum(&answer.expect("metrics").body, name, "")
    }
}

/// As [`ProcessUsage`] has it; 0 of a process that has just ended.
fn peak_of(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn sum(text: &str, name: &str, label: &str) -> f64 {
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(label))
    });
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn tail(path: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = File::open(path) {
        // What is not text is not worth showing.
        let _ = file.read_to_string(&mut text);
    }
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
