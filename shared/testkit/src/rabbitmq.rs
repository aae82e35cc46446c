//! A private RabbitMQ node per test process: nothing of the machine's own is shared, nothing is left behind.

mod layout;
mod tls;

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use self::layout::Layout;
pub use self::{
    layout::{Extra, TlsListener},
    tls::Authority,
};
use crate::{process, shared::Shared, usage::ProcessUsage, wait_until};

/// A start takes 3–6 s on two idle cores; CI may be many times slower, and several nodes may start at once.
const START_DEADLINE: Duration = Duration::from_secs(180);
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// The protocol header that opens AMQP 0-9-1.
const AMQP_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// The first octet of the server's answer to the header: a method frame, `connection.start`.
const METHOD_FRAME: u8 = 1;

/// A private RabbitMQ node, stopped and its data removed when dropped or when the process ends.
///
/// The user `guest` may do everything on vhost `/`. Tests that share a node keep apart by queue prefix.
#[derive(Debug)]
pub struct RabbitMq {
    layout: Layout,
    /// The Erlang VM itself, not a script around it: killing it kills the broker.
    beam: Mutex<Option<Child>>,
    epmd: Mutex<Child>,
}

impl RabbitMq {
    /// Starts a node and waits until it answers AMQP.
    ///
    /// # Panics
    /// When RabbitMQ is not installed or does not start, with the end of its log.
    pub async fn start() -> Self {
        Self::start_with(Extra::None).await
    }

    /// Starts a node with something beyond plain AMQP, as [`RabbitMq::start`].
    ///
    /// # Panics
    /// As [`RabbitMq::start`].
    pub async fn start_with(extra: Extra) -> Self {
        let prepared =
            Layout::new(extra).and_then(|layout| layout.start_epmd().map(|epmd| (layout, epmd)));
        let node = match prepared {
            Ok((layout, epmd)) => Self {
                layout,
                beam: Mutex::new(None),
                epmd: Mutex::new(epmd),
            },
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
        static SHARED: Shared<RabbitMq> = Shared::new();
        SHARED.get(Self::start()).await
    }

    /// `amqp://guest:guest@127.0.0.1:<port>/%2f`.
    pub fn amqp_url(&self) -> String {
        self.amqp_url_through(self.amqp_address())
    }

    /// The same through another address, a [`FaultProxy`](crate::FaultProxy)'s.
    pub fn amqp_url_through(&self, address: SocketAddr) -> String {
        format!("amqp://guest:guest@{address}/%2f")
    }

    /// Where AMQP listens, across restarts.
    pub fn amqp_address(&self) -> SocketAddr {
        self.layout.amqp.address()
    }

    /// The listener with TLS, when the node has one. Its certificate is good for `localhost` alone.
    pub fn tls(&self) -> Option<&TlsListener> {
        self.layout.tls.as_ref()
    }

    /// The management API's base URL, when the node has the plugin.
    pub fn management_url(&self) -> Option<String> {
        self.layout
            .management
            .as_ref()
            .map(|port| format!("http://{}", port.address()))
    }

    /// The node's log and data; the log is in `log/node.log`.
    pub fn dir(&self) -> &Path {
        self.layout.dir.path()
    }

    /// What the Erlang VM uses; `None` while it is not running.
    pub fn usage(&self) -> Option<ProcessUsage> {
        lock(&self.beam)
            .as_ref()
            .map(|child| ProcessUsage(child.id()))
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

    /// Freezes the node, and waits until it is frozen: connections stay open and nothing answers.
    ///
    /// # Panics
    /// When the node is not running or does not freeze within a minute.
    pub async fn freeze(&self) {
        self.signal("STOP");
        wait_until(STOP_DEADLINE, || async {
            let beam = lock(&self.beam);
            beam.as_ref().is_none_or(process::is_stopped)
        })
        .await;
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
        let started = layout::script("rabbitmq-server").and_then(|server| {
            let log = std::fs::File::create(self.dir().join("log/start.log"))?;
            let errors = log.try_clone()?;
            process::spawn_bound(&server, |command| {
                self.layout.environment(command);
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
            answers_amqp(self.amqp_address()).await
        })
        .await;
    }

    /// Runs `rabbitmqctl` against this node and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it printed.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        let script = match layout::script("rabbitmqctl") {
            Ok(script) => script,
            Err(error) => panic!("cannot run rabbitmqctl: {error}"),
        };
        let mut command = Command::new(script);
        self.layout.environment(&mut command);
        command
            .args(["--node", &self.layout.name, "--longnames", "--quiet"])
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
            let text = std::fs::read(self.dir().join("log").join(name)).unwrap_or_default();
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
