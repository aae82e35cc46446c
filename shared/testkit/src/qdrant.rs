//! A Qdrant of the test's own: the embedded node (with the feature `embedded`), or the real server when `QDRANT_BIN`
//! names one.
//!
//! Either keeps its ports and its data over [`Qdrant::stop`] and [`Qdrant::start_again`], and goes with the test.

#[cfg(feature = "embedded")]
mod node;

#[cfg(feature = "embedded")]
use self::node::NodeThread;
use crate::{
    port::ReservedPort,
    process::{BoundDir, signal, spawn_bound},
    usage::ProcessUsage,
    wait::wait_until,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::net::TcpStream;

/// Covers a debug build of the server on a machine busy with compiling.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// What a real server says goes into this file of its directory.
pub(crate) const SERVER_LOG: &str = "qdrant.log";

/// Where a real server keeps snapshots, below its directory.
pub(crate) const SERVER_SNAPSHOTS: &str = "snapshots";

/// The keys a Qdrant asks for.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Allows everything.
    pub full: Option<String>,
    /// Allows reading.
    pub read_only: Option<String>,
}

/// A private Qdrant on 127.0.0.1.
pub struct Qdrant {
    // Ended before its directory goes: fields are dropped in this order.
    server: Option<Server>,
    binary: Option<PathBuf>,
    keys: Keys,
    grpc: ReservedPort,
    rest: ReservedPort,
    directory: BoundDir,
}

enum Server {
    #[cfg(feature = "embedded")]
    Node(NodeThread),
    Process(Child),
}

impl Qdrant {
    /// Starts one without keys; it serves once this returns.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        Self::start_with_keys(Keys::default()).await
    }

    /// Starts one that asks for keys.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with_keys(keys: Keys) -> Self {
        let directory = match BoundDir::new("alioth-qdrant-") {
            Ok(directory) => directory,
            Err(error) => panic!("cannot make a directory for Qdrant: {error}"),
        };
        let mut qdrant = Self {
            server: None,
            binary: std::env::var_os("QDRANT_BIN").map(PathBuf::from),
            keys,
            grpc: ReservedPort::new(),
            rest: ReservedPort::new(),
            directory,
        };
        qdrant.start_again().await;
        qdrant
    }

    /// Whether this is the embedded node, and not a real server.
    pub fn is_embedded(&self) -> bool {
        self.binary.is_none()
    }

    /// Where gRPC is served, as Qdrant's clients take it.
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc.address())
    }

    /// Where REST is served.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.rest.address())
    }

    /// A client with the full key, if there is one.
    pub fn client(&self) -> qdrant_client::Qdrant {
        self.client_with_key(self.keys.full.as_deref())
    }

    /// A client with this key or none.
    ///
    /// # Panics
    /// Never: the address is valid.
    pub fn client_with_key(&self, key: Option<&str>) -> qdrant_client::Qdrant {
        let mut config =
            qdrant_client::Qdrant::from_url(&self.grpc_url()).skip_compatibility_check();
        config.set_timeout(Duration::from_secs(60));
        if let Some(key) = key {
            config.set_api_key(key);
        }
        match config.build() {
            Ok(client) => client,
            Err(error) => panic!("cannot build a Qdrant client: {error}"),
        }
    }

    /// Stops it gracefully and waits for its end; its ports stay ours and refuse connections.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn stop(&mut self) {
        match self.server.take() {
            None => (),
            #[cfg(feature = "embedded")]
            Some(Server::Node(node)) => {
                if let Err(error) = tokio::task::spawn_blocking(|| node.stop()).await {
                    panic!("the embedded node did not stop well: {error}");
                }
            }
            Some(Server::Process(mut child)) => {
                if let Err(error) = signal(&child, "TERM") {
                    panic!("cannot stop Qdrant: {error}");
                }
                wait_until(START_DEADLINE, || {
                    let ended = child.try_wait();
                    async move { matches!(ended, Ok(Some(_))) }
                })
                .await;
            }
        }
    }

    /// Starts it again on the same ports with the same data.
    ///
    /// # Panics
    /// When it runs already, or does not start.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "Qdrant runs already");
        self.server = Some(match &self.binary {
            Some(binary) => Server::Process(self.spawn(binary)),
            #[cfg(feature = "embedded")]
            None => Server::Node(self.start_node()),
            #[cfg(not(feature = "embedded"))]
            None => panic!("QDRANT_BIN names no server, and the embedded node is not built in"),
        });
        let client = self.client();
        let rest = self.rest.address();
        wait_until(START_DEADLINE, || async {
            client.health_check().await.is_ok() && accepts(rest).await
        })
        .await;
    }

    /// What the server's process uses; `None` of the embedded node, which is in this process.
    pub fn usage(&self) -> Option<ProcessUsage> {
        match &self.server {
            Some(Server::Process(child)) => Some(ProcessUsage(child.id())),
            #[cfg(feature = "embedded")]
            Some(Server::Node(_)) => None,
            None => None,
        }
    }

    fn spawn(&self, binary: &Path) -> Child {
        spawn_server(
            binary,
            self.directory.path(),
            &self.rest,
            &self.grpc,
            |command| {
                let keys = [
                    ("QDRANT__SERVICE__API_KEY", &self.keys.full),
                    ("QDRANT__SERVICE__READ_ONLY_API_KEY", &self.keys.read_only),
                ];
                for (name, key) in keys {
                    if let Some(key) = key {
                        command.env(name, key);
                    }
                }
            },
        )
    }
}

/// Starts a real server on these ports, its data and its output below `directory`.
pub(crate) fn spawn_server(
    binary: &Path,
    directory: &Path,
    rest: &ReservedPort,
    grpc: &ReservedPort,
    more: impl FnOnce(&mut Command),
) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join(SERVER_LOG));
    let started = log.and_then(|log| {
        let errors = log.try_clone()?;
        spawn_bound(binary, |command| {
            command
                .current_dir(directory)
                .env("QDRANT__SERVICE__HOST", "127.0.0.1")
                .env("QDRANT__SERVICE__HTTP_PORT", rest.number().to_string())
                .env("QDRANT__SERVICE__GRPC_PORT", grpc.number().to_string())
                .env("QDRANT__STORAGE__STORAGE_PATH", directory.join("storage"))
                .env(
                    "QDRANT__STORAGE__SNAPSHOTS_PATH",
                    directory.join(SERVER_SNAPSHOTS),
                )
                .env("QDRANT__TELEMETRY_DISABLED", "true")
                .env("QDRANT__LOG_LEVEL", "WARN")
                .stdout(log)
                .stderr(errors);
            more(command);
        })
    });
    match started {
        Ok(child) => child,
        Err(error) => panic!("cannot start QDRANT_BIN: {error}"),
    }
}

impl Drop for Qdrant {
    fn drop(&mut self) {
        match self.server.take() {
            None => (),
            #[cfg(feature = "embedded")]
            Some(Server::Node(node)) => node.stop(),
            Some(Server::Process(mut child)) => {
                // Nothing of it is wanted any more; the kernel would end it with us anyway.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// A collection name no other test of this machine uses.
pub fn unique_collection(of: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{of}-{}-{number}", std::process::id())
}

async fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_ok()
}
