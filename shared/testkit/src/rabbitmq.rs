//! A private RabbitMQ node per test process: nothing of the machine's own is shared, nothing is left behind.

use crate::{port::ReservedPort, process, wait_until};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
};

/// Where Debian keeps RabbitMQ's own scripts; those in `/usr/sbin` change to the user `rabbitmq`.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";
/// A start takes 3–6 s on two idle cores; CI may be many times slower, and several nodes may start at once.
const START_DEADLINE: Duration = Duration::from_secs(180);
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// The protocol header that opens AMQP 0-9-1.
const AMQP_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// The first octet of the server's answer to the header: a method frame, `connection.start`.
const METHOD_FRAME: u8 = 1;

/// What a node brings beyond AMQP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugins {
    /// AMQP alone: the quickest start.
    None,
    /// The management plugin and its HTTP API.
    Management,
}

/// A private RabbitMQ node, stopped and its data removed when dropped or when the process ends.
///
/// The user `guest` may do everything on vhost `/`. Tests that share a node keep apart by queue prefix.
#[derive(Debug)]
pub struct RabbitMq {
    name: String,
    amqp: ReservedPort,
    distribution: ReservedPort,
    epmd_port: ReservedPort,
    management: Option<ReservedPort>,
    /// The Erlang VM itself, not a script around it: killing it kills the broker.
    beam: Mutex<Option<Child>>,
    epmd: Mutex<Child>,
    dir: process::BoundDir,
}

impl RabbitMq {
    /// Starts a node and waits until it answers AMQP.
    ///
    /// # Panics
    /// When RabbitMQ is not installed or does not start, with the end of its log.
    pub async fn start() -> Self {
        Self::start_with(Plugins::None).await
    }

    /// Starts a node with plugins, as [`RabbitMq::start`].
    ///
    /// # Panics
    /// As [`RabbitMq::start`].
    pub async fn start_with(plugins: Plugins) -> Self {
        let node = match Self::lay_out(plugins) {
            Ok(node) => node,
            Err(error) => panic!("cannot prepare a RabbitMQ node: {error}"),
        };
        node.start_again().await;
        node
    }

    /// The node all tests of this process share; for tests that leave it running.
    ///
    /// # Panics
    /// As [`RabbitMq::start`].
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<RabbitMq> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// `amqp://guest:guest@127.0.0.1:<port>/%2f`.
    pub fn amqp_url(&self) -> String {
        self.amqp_url_through(self.amqp.address())
    }

    /// The same through another address, a [`FaultProxy`](crate::FaultProxy)'s.
    pub fn amqp_url_through(&self, address: SocketAddr) -> String {
        format!("amqp://guest:guest@{address}/%2f")
    }

    /// Where AMQP listens, across restarts.
    pub fn amqp_address(&self) -> SocketAddr {
        self.amqp.address()
    }

    /// The management API's base URL, when the node has the plugin.
    pub fn management_url(&self) -> Option<String> {
        self.management
            .as_ref()
            .map(|port| format!("http://{}", port.address()))
    }

    /// The node's log and data; the log is in `log/node.log`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// SIGKILL: what was not on disk is gone.
    ///
    /// # Panics
    /// When the node is not running.
    pub async fn kill(&self) {
        self.end("KILL").await;
    }

    /// Stops the node in good order; data and ports stay.
    ///
    /// # Panics
    /// When the node is not running or does not stop within a minute.
    pub async fn stop(&self) {
        self.end("TERM").await;
    }

    /// Freezes the node: connections stay open and nothing answers.
    ///
    /// # Panics
    /// When the node is not running.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Ends [`RabbitMq::freeze`].
    ///
    /// # Panics
    /// When the node is not running.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Starts the node again on the same data and ports, and waits until it answers AMQP.
    ///
    /// # Panics
    /// When it does not, with the end of its log.
    pub async fn start_again(&self) {
        let started = self.script("rabbitmq-server").and_then(|server| {
            let log = std::fs::File::create(self.dir.path().join("log/start.log"))?;
            let errors = log.try_clone()?;
            process::spawn_bound(&server, |command| {
                self.environment(command);
                // Makes the script `exec` the Erlang VM instead of standing in front of it.
                command
                    .env("RABBITMQ_ALLOW_INPUT", "1")
                    .arg("-noinput")
                    .stdout(log)
                    .stderr(errors);
            })
        });
        match started {
            Ok(beam) => *lock(&self.beam) = Some(beam),
            Err(error) => panic!("cannot start RabbitMQ (Debian package rabbitmq-server): {error}"),
        }
        wait_until(START_DEADLINE, || async {
            self.assert_running();
            answers_amqp(self.amqp.address()).await
        })
        .await;
    }

    /// Runs `rabbitmqctl` against this node and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it printed.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        let script = match self.script("rabbitmqctl") {
            Ok(script) => script,
            Err(error) => panic!("cannot run rabbitmqctl: {error}"),
        };
        let mut command = Command::new(script);
        self.environment(&mut command);
        command
            .args(["--node", &self.name, "--longnames", "--quiet"])
            .args(arguments)
            .stdin(Stdio::null());
        match tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output()
            .await
        {
            Ok(output) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).into_owned()
            }
            Ok(output) => panic!(
                "rabbitmqctl {arguments:?} failed ({}): {}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(error) => panic!("cannot run rabbitmqctl: {error}"),
        }
    }

    fn lay_out(plugins: Plugins) -> io::Result<Self> {
        let dir = process::BoundDir::new("alioth-rabbitmq-")?;
        std::fs::create_dir(dir.path().join("log"))?;
        std::fs::create_dir(dir.path().join("data"))?;
        let (amqp, distribution, epmd_port) = (
            ReservedPort::new(),
            ReservedPort::new(),
            ReservedPort::new(),
        );
        let (management, enabled) = match plugins {
            Plugins::None => (None, "[]."),
            Plugins::Management => (Some(ReservedPort::new()), "[rabbitmq_management]."),
        };
        std::fs::write(dir.path().join("enabled_plugins"), enabled)?;
        std::fs::write(
            dir.path().join("rabbitmq.conf"),
            configuration(&amqp, management.as_ref()),
        )?;
        std::fs::write(dir.path().join("empty"), "")?;
        // Left to itself the node would start a daemon that outlives it.
        let epmd = process::spawn_bound(&find("epmd")?, |command| {
            command.args([
                "-address",
                "127.0.0.1",
                "-port",
                &epmd_port.number().to_string(),
            ]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
        })?;
        let name = format!("alioth-test-{}@127.0.0.1", amqp.number());
        let (beam, epmd) = (Mutex::new(None), Mutex::new(epmd));
        Ok(Self {
            name,
            amqp,
            distribution,
            epmd_port,
            management,
            beam,
            epmd,
            dir,
        })
    }

    fn environment(&self, command: &mut Command) {
        let path = |name: &str| self.dir.path().join(name);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8");
        command.env("HOME", self.dir.path());
        command
            .env("ERL_EPMD_PORT", self.epmd_port.number().to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_USE_LONGNAME", "true");
        command.env("RABBITMQ_DIST_PORT", self.distribution.number().to_string());
        // The default range has room for eleven command-line tools on the whole machine.
        command
            .env("RABBITMQ_CTL_DIST_PORT_MIN", "20000")
            .env("RABBITMQ_CTL_DIST_PORT_MAX", "30000");
        command.env("RABBITMQ_CONF_ENV_FILE", path("empty"));
        command.env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"));
        command.env("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"));
        command.env("RABBITMQ_GENERATED_CONFIG_DIR", path("data"));
        command
            .env("RABBITMQ_MNESIA_BASE", path("data"))
            .env("RABBITMQ_LOG_BASE", path("log"));
        command.env("RABBITMQ_LOGS", path("log/node.log"));
        command.env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}",
        );
    }

    fn script(&self, name: &str) -> io::Result<PathBuf> {
        let script = Path::new(SCRIPTS).join(name);
        if script.exists() {
            Ok(script)
        } else {
            Err(io::Error::other(format!(
                "{} does not exist",
                script.display()
            )))
        }
    }

    async fn end(&self, signal: &str) {
        self.signal(signal);
        wait_until(STOP_DEADLINE, || async {
            let mut beam = lock(&self.beam);
            let ended = beam
                .as_mut()
                .is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                *beam = None;
            }
            ended
        })
        .await;
    }

    fn signal(&self, name: &str) {
        let beam = lock(&self.beam);
        let Some(child) = beam.as_ref() else {
            panic!("RabbitMQ is not running")
        };
        if let Err(error) = process::signal(child, name) {
            panic!("cannot signal RabbitMQ: {error}");
        }
    }

    fn assert_running(&self) {
        let ended = lock(&self.beam)
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten());
        let Some(status) = ended else { return };
        let tail = |name: &str| {
            let text = std::fs::read(self.dir.path().join("log").join(name)).unwrap_or_default();
            String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned()
        };
        panic!(
            "RabbitMQ ended while starting ({status}):\n{}\n{}",
            tail("start.log"),
            tail("node.log")
        );
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        if let Some(mut child) = lock(&self.beam).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let mut epmd = lock(&self.epmd);
        let _ = epmd.kill();
        let _ = epmd.wait();
    }
}

fn configuration(amqp: &ReservedPort, management: Option<&ReservedPort>) -> String {
    let mut lines = vec![
        format!("listeners.tcp.default = {}", amqp.address()),
        // Alarms block publishers; a small or full CI machine must not trip them by itself.
        "vm_memory_high_watermark.relative = 0.9".to_owned(),
        "disk_free_limit.absolute = 1MB".to_owned(),
        // The default of 512 MB is kept on disk by every node.
        "raft.wal_max_size_bytes = 64000000".to_owned(),
    ];
    if let Some(port) = management {
        lines.push("management.tcp.ip = 127.0.0.1".to_owned());
        lines.push(format!("management.tcp.port = {}", port.number()));
    }
    lines.join("\n") + "\n"
}

fn find(program: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.exists());
    found.ok_or_else(|| {
        io::Error::other(format!(
            "{program} is not installed (Debian package rabbitmq-server brings it)"
        ))
    })
}

async fn answers_amqp(address: SocketAddr) -> bool {
    let greet = async {
        let mut connection = TcpStream::connect(address).await?;
        connection.write_all(AMQP_HEADER).await?;
        connection.read_u8().await
    };
    // A frozen or half-started node accepts and says nothing.
    matches!(
        tokio::time::timeout(Duration::from_secs(1), greet).await,
        Ok(Ok(METHOD_FRAME))
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
