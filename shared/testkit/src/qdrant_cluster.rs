//! A distributed Qdrant of the test's own: real servers on this machine, each with ports and data of its own.
//!
//! There is no embedded stand-in for it: `QDRANT_BIN` has to name the server.

use crate::{
    port::ReservedPort,
    process::{BoundDir, signal},
    qdrant::{SERVER_LOG, SERVER_SNAPSHOTS, spawn_server},
    wait::{wait_for, wait_until},
};
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Child,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Covers a debug build of five servers on two busy cores, each joining after the one before it.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// A private Qdrant cluster on 127.0.0.1; its nodes are numbered from 0.
#[derive(Debug)]
pub struct QdrantCluster {
    binary: PathBuf,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    // Ended before its directory goes: fields are dropped in this order.
    server: Mutex<Option<Child>>,
    rest: ReservedPort,
    grpc: ReservedPort,
    p2p: ReservedPort,
    directory: BoundDir,
}

impl QdrantCluster {
    /// Starts so many nodes, and waits until each knows all others.
    ///
    /// # Panics
    /// When `QDRANT_BIN` names no server, or a node does not start, with the end of its log.
    pub async fn start(size: usize) -> Self {
        let Some(binary) = std::env::var_os("QDRANT_BIN") else {
            panic!(
                "QDRANT_BIN does not name a Qdrant server: run `make test-cluster QDRANT_BIN=/path/to/qdrant`"
            );
        };
        let cluster = Self {
            binary: PathBuf::from(binary),
            nodes: (0..size).map(|_| Node::lay_out()).collect(),
        };
        for node in 0..size {
            cluster.spawn(node);
            // One after the other: a node that joins while there is no leader gives up.
            wait_until(START_DEADLINE, || async {
                cluster.assert_running(node);
                cluster.knows(node).await == Some(node + 1)
            })
            .await;
        }
        for node in 0..size {
            cluster.wait_joined(node).await;
        }
        cluster
    }

    /// Where each node serves REST.
    pub fn rest_urls(&self) -> Vec<String> {
        let ports = self.nodes.iter().map(|node| &node.rest);
        ports
            .map(|port| format!("http://{}", port.address()))
            .collect()
    }

    /// Where a node serves REST.
    pub fn rest_address(&self, node: usize) -> SocketAddr {
        self.nodes[node].rest.address()
    }

    /// Where a node serves gRPC.
    pub fn grpc_url(&self, node: usize) -> String {
        format!("http://{}", self.nodes[node].grpc.address())
    }

    /// A client of a node.
    ///
    /// # Panics
    /// Never: the address is valid.
    pub fn client(&self, node: usize) -> qdrant_client::Qdrant {
        let mut config =
            qdrant_client::Qdrant::from_url(&self.grpc_url(node)).skip_compatibility_check();
        config.set_timeout(Duration::from_secs(60));
        match config.build() {
            Ok(client) => client,
            Err(error) => panic!("cannot build a Qdrant client: {error}"),
        }
    }

    /// A node's id in the cluster.
    ///
    /// # Panics
    /// When the node does not tell.
    pub async fn peer(&self, node: usize) -> u64 {
        wait_for(START_DEADLINE, || async {
            self.cluster_info(node).await?["peer_id"].as_u64()
        })
        .await
    }

    /// The folder a node keeps snapshots in.
    pub fn snapshots(&self, node: usize) -> PathBuf {
        self.nodes[node].directory.path().join(SERVER_SNAPSHOTS)
    }

    /// SIGKILL: connections are reset, and refused from now on.
    ///
    /// # Panics
    /// When the node is not running.
    pub fn kill(&self, node: usize) {
        let mut server = self.nodes[node].server();
        let Some(mut child) = server.take() else {
            panic!("node {node} is not running")
        };
        if let Err(error) = child.kill().and_then(|()| child.wait()) {
            panic!("cannot kill node {node}: {error}");
        }
    }

    /// Freezes a node: connections stay open and nothing answers.
    ///
    /// # Panics
    /// When the node is not running.
    pub fn freeze(&self, node: usize) {
        self.signal(node, "STOP");
    }

    /// Ends [`QdrantCluster::freeze`].
    ///
    /// # Panics
    /// When the node is not running.
    pub fn thaw(&self, node: usize) {
        self.signal(node, "CONT");
    }

    /// Starts a killed node again on the same ports and data, and waits until it has joined.
    ///
    /// # Panics
    /// When it runs already, or does not start.
    pub async fn start_again(&self, node: usize) {
        assert!(
            self.nodes[node].server().is_none(),
            "node {node} runs already"
        );
        self.spawn(node);
        self.wait_joined(node).await;
    }

    fn spawn(&self, number: usize) {
        let node = &self.nodes[number];
        let uri = |port: &ReservedPort| format!("http://{}", port.address());
        let directory = node.directory.path();
        let child = spawn_server(&self.binary, directory, &node.rest, &node.grpc, |command| {
            command
                .env("QDRANT__CLUSTER__ENABLED", "true")
                .env("QDRANT__CLUSTER__P2P__PORT", node.p2p.number().to_string())
                // A follower that missed this is Dead sooner, and tests wait less.
                .env("QDRANT__CLUSTER__CONSENSUS__TICK_PERIOD_MS", "100")
                .args(["--uri", &uri(&node.p2p)]);
            if number > 0 {
                command.args(["--bootstrap", &uri(&self.nodes[0].p2p)]);
            }
        });
        *node.server() = Some(child);
    }

    async fn wait_joined(&self, node: usize) {
        wait_until(START_DEADLINE, || async {
            self.assert_running(node);
            self.knows(node).await == Some(self.nodes.len())
                && get(self.nodes[node].rest.address(), "/readyz")
                    .await
                    .is_some()
        })
        .await;
    }

    /// How many peers a node knows, itself included, once consensus works there.
    async fn knows(&self, node: usize) -> Option<usize> {
        let info = self.cluster_info(node).await?;
        info["raft_info"]["leader"].as_u64()?;
        Some(info["peers"].as_object()?.len())
    }

    async fn cluster_info(&self, node: usize) -> Option<Value> {
        let body = get(self.nodes[node].rest.address(), "/cluster").await?;
        let mut answer: Value = serde_json::from_str(&body).ok()?;
        Some(answer["result"].take())
    }

    fn signal(&self, node: usize, name: &str) {
        let server = self.nodes[node].server();
        let Some(child) = server.as_ref() else {
            panic!("node {node} is not running")
        };
        if let Err(error) = signal(child, name) {
            panic!("cannot signal node {node}: {error}");
        }
    }

    fn assert_running(&self, number: usize) {
        let node = &self.nodes[number];
        let ended = node
            .server()
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten());
        let Some(status) = ended else { return };
        let log = std::fs::read(node.directory.path().join(SERVER_LOG)).unwrap_or_default();
        let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned();
        panic!("Qdrant node {number} ended while starting ({status}):\n{tail}");
    }
}

impl Node {
    fn lay_out() -> Self {
        let directory = match BoundDir::new("alioth-qdrant-cluster-") {
            Ok(directory) => directory,
            Err(error) => panic!("cannot make a directory for Qdrant: {error}"),
        };
        Self {
            server: Mutex::new(None),
            rest: ReservedPort::new(),
            grpc: ReservedPort::new(),
            p2p: ReservedPort::new(),
            directory,
        }
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.server().take() {
            // Nothing of it is wanted any more; the kernel would end it with us anyway.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The body of a 200 answer.
async fn get(address: SocketAddr, path: &str) -> Option<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await.ok()?;
        let (head, body) = response.split_once("\r\n\r\n")?;
        (head.split(' ').nth(1)? == "200").then(|| body.to_owned())
    };
    // A frozen node accepts and says nothing.
    tokio::time::timeout(Duration::from_secs(2), exchange)
        .await
        .ok()?
}
