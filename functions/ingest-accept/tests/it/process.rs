//! The real process, on ports of its own.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    net::SocketAddr,
    process::Stdio,
};

use alioth_testkit::{ProcessUsage, ReservedPort};
use tokio::process::{Child, Command};

use crate::support::{DEADLINE, Http};

/// Whether `/metrics` is one of its routes.
pub(crate) const HAS_METRICS: bool = true;
/// Whether replies of any size arrive.
pub(crate) const CARRIES_LARGE_REPLIES: bool = true;

/// A running ingest-accept, killed when dropped.
pub(crate) struct Process {
    child: Child,
    http: ReservedPort,
    admin: ReservedPort,
    /// A file, for a pipe that nobody reads fills up and stops the process.
    output: File,
}

/// How a process ended.
pub(crate) struct Ended {
    /// `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output and error.
    pub(crate) output: String,
}

impl Process {
    /// Starts it with these settings and no others.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let (http, admin) = (ReservedPort::new(), ReservedPort::new());
        let output = tempfile::tempfile().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_ingest-accept"))
            .env_clear()
            .env("ALIOTH_HTTP_LISTEN", http.address().to_string())
            .env("ALIOTH_ADMIN_LISTEN", admin.address().to_string())
            .env("ALIOTH_LOG_LEVEL", "info")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output.try_clone().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            http,
            admin,
            output,
        }
    }

    /// A client of its port.
    pub(crate) fn http(&self) -> Http {
        Http::new(self.http.address())
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = self.id().to_string();
        let status = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Ended {
        let waited = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        let code = waited.unwrap().unwrap().code();
        let mut output = String::new();
        self.output.rewind().unwrap();
        self.output.read_to_string(&mut output).unwrap();
        Ended { code, output }
    }

    /// Whether it runs still.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it uses of the machine.
    pub(crate) fn usage(&self) -> ProcessUsage {
        ProcessUsage(self.id())
    }
}
