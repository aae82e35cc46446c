//! The binary as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use alioth_testkit::{ProcessUsage, ReservedPort, wait_until};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{DEADLINE, world::Queues};

/// An ingest-consume that runs; killed when dropped.
pub(crate) struct Process {
    child: Child,
    admin: ReservedPort,
    directory: TempDir,
}

impl Process {
    /// Starts the binary on this queue and Qdrant.
    pub(crate) fn start(queues: &Queues, qdrant_url: &str, more: &[(&str, &str)]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_ingest-consume"));
        Self::spawn(command, queues, qdrant_url, more)
    }

    /// The same, with this file as its `/etc/hosts`.
    pub(crate) fn start_with_hosts(hosts: &Path, queues: &Queues, qdrant_url: &str) -> Self {
        let mount = "mount --bind -- \"$1\" /etc/hosts && exec \"$2\"";
        let mut command = Command::new("/usr/bin/unshare");
        command
            .args(["--map-root-user", "--mount", "/bin/sh", "-c", mount, "sh"])
            .arg(hosts)
            .arg(env!("CARGO_BIN_EXE_ingest-consume"));
        Self::spawn(command, queues, qdrant_url, &[("PATH", "/usr/bin:/bin")])
    }

    /// The same, with no more memory of its own than this; what it asks for beyond it, it does not get, and aborts.
    pub(crate) fn start_with_memory(
        bytes: u64,
        queues: &Queues,
        qdrant_url: &str,
        more: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new("/usr/bin/prlimit");
        command
            .args([&format!("--data={bytes}"), "--"])
            .arg(env!("CARGO_BIN_EXE_ingest-consume"));
        Self::spawn(command, queues, qdrant_url, more)
    }

    fn spawn(
        mut command: Command,
        queues: &Queues,
        qdrant_url: &str,
        more: &[(&str, &str)],
    ) -> Self {
        let admin = ReservedPort::new();
        let directory = tempfile::tempdir().expect("a directory");
        let log = std::fs::File::create(directory.path().join("log")).expect("a file");
        let child = command
            .env_clear()
            .env("ALIOTH_AMQP_URL", queues.amqp.url.expose())
            .env("ALIOTH_AMQP_QUEUE_PREFIX", &queues.amqp.queue_prefix)
            .env("ALIOTH_QDRANT_URL", qdrant_url)
            .env("ALIOTH_ADMIN_LISTEN", admin.address().to_string())
            .env("ALIOTH_RETRY_MIN", "20ms")
            .env("ALIOTH_RETRY_MAX", "500ms")
            .envs(more.iter().copied())
            .stdout(Stdio::from(log))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary");
        Self {
            child,
            admin,
            directory,
        }
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        let path: PathBuf = self.directory.path().join("log");
        std::fs::read_to_string(path).expect("its log")
    }

    /// Status and body of a route of the admin endpoint; `None` when nothing listens.
    pub(crate) async fn get(&self, route: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.admin.address()).await.ok()?;
        let request = format!("GET {route} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await.ok()?;
        let status = response.split(' ').nth(1)?.parse().ok()?;
        Some((status, response))
    }

    pub(crate) async fn status(&self, route: &str) -> Option<u16> {
        self.get(route).await.map(|(status, _)| status)
    }

    pub(crate) async fn wait_ready(&self) {
        wait_until(DEADLINE, || async {
            self.status("/readyz").await == Some(200)
        })
        .await;
    }

    /// The sum of a metric's samples.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let Some((_, body)) = self.get("/metrics").await else {
            return 0.0;
        };
        let lines = body.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Waits until it holds nothing: repeats of what was applied are settled as well.
    pub(crate) async fn wait_settled(&self) {
        let held = || self.metric("alioth_consume_held_messages");
        wait_until(DEADLINE, || async { held().await == 0.0 }).await;
    }

    /// What it uses of the machine.
    pub(crate) fn usage(&self) -> ProcessUsage {
        ProcessUsage(self.child.id().expect("it runs"))
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .await;
        assert!(sent.expect("kill").success());
    }

    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        ended.expect("its end in time").expect("its status")
    }
}
