//! The life of a node: data directory, two listeners, and the order in which they end.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Node, access::Keys, collections::Collections, error::NodeError, grpc, rest,
    snapshots::Snapshots,
};
use crate::start::{listen, local_address, lock_directory};

/// Well short of what supervisors allow a process that was told to end.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Where a node keeps its data and where it listens.
#[derive(Clone)]
pub struct NodeConfig {
    /// Created if absent; of one process at a time.
    pub data_dir: PathBuf,
    /// gRPC; port 0 takes a free one.
    pub grpc: SocketAddr,
    /// REST; port 0 takes a free one.
    pub rest: SocketAddr,
    /// The key that allows everything; with neither key, every request is allowed.
    pub api_key: Option<String>,
    /// The key that allows reading.
    pub read_only_api_key: Option<String>,
    /// How long open connections, and then an optimisation under way, are waited for at the
    /// end. Nothing answered is lost by cutting either off.
    pub stop_deadline: Duration,
}

impl NodeConfig {
    /// A node on free ports of the loopback interface, without keys.
    pub fn on_loopback(data_dir: impl Into<PathBuf>) -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            data_dir: data_dir.into(),
            grpc: free,
            rest: free,
            api_key: None,
            read_only_api_key: None,
            stop_deadline: STOP_DEADLINE,
        }
    }
}

/// A Qdrant-compatible node in this process.
pub struct EmbeddedNode;

impl EmbeddedNode {
    /// Starts a node; it serves once this returns, until the token is cancelled or
    /// [`NodeHandle::stop`] is called.
    ///
    /// # Errors
    /// When the data or the ports are not to be had; see [`NodeError`].
    pub async fn start(
        config: NodeConfig,
        token: CancellationToken,
    ) -> Result<NodeHandle, NodeError> {
        let lock = lock_directory(&config.data_dir)?;
        let grpc = listen(config.grpc).await?;
        let rest = listen(config.rest).await?;
        let grpc_addr = local_address(&grpc, config.grpc)?;
        let rest_addr = local_address(&rest, config.rest)?;

        let tracker = TaskTracker::new();
        let storage = CancellationToken::new();
        let snapshots =
            Snapshots::open(&config.data_dir).map_err(|source| NodeError::OpenDirectory {
                path: config.data_dir.clone(),
                source,
            })?;
        let collections = {
            let (storage, tracker) = (storage.clone(), tracker.clone());
            let runtime = tokio::runtime::Handle::current();
            let data_dir = config.data_dir.clone();
            let open = move || {
                let _runtime = runtime.enter();
                Collections::open(&data_dir, storage, tracker)
            };
            tokio::task::spawn_blocking(open)
                .await
                .map_err(panicked)??
        };
        let node = Arc::new(Node::new(collections, snapshots));
        let keys = Keys {
            full: config.api_key,
            read_only: config.read_only_api_key,
        };

        let token = token.child_token();
        let mut servers = JoinSet::new();
        servers.spawn(grpc::serve(
            grpc,
            Arc::clone(&node),
            keys.clone(),
            token.clone(),
        ));
        servers.spawn(rest::serve(rest, Arc::clone(&node), keys, token.clone()));
        let ending = Ending {
            token: token.clone(),
            storage,
            tracker,
            node,
            deadline: config.stop_deadline,
            _lock: lock,
        };
        tracing::info!(%grpc_addr, %rest_addr, "embedded node serves");
        Ok(NodeHandle {
            grpc_addr,
            rest_addr,
            token,
            ended: tokio::spawn(ending.run(servers)),
        })
    }
}

/// A running node. Dropping the handle does not stop it.
pub struct NodeHandle {
    grpc_addr: SocketAddr,
    rest_addr: SocketAddr,
    token: CancellationToken,
    ended: JoinHandle<Result<(), NodeError>>,
}

impl NodeHandle {
    /// Where gRPC is served.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr
    }

    /// Where REST is served.
    pub fn rest_addr(&self) -> SocketAddr {
        self.rest_addr
    }

    /// The address a gRPC client takes.
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc_addr)
    }

    /// The address a REST client takes.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.rest_addr)
    }

    /// Stops the node and waits until its data is flushed and its ports are free.
    ///
    /// # Errors
    /// When a listener had failed.
    pub async fn stop(self) -> Result<(), NodeError> {
        self.token.cancel();
        self.stopped().await
    }

    /// Waits until the node has stopped, by its token or because a listener failed.
    ///
    /// # Errors
    /// When a listener failed.
    pub async fn stopped(self) -> Result<(), NodeError> {
        flatten(self.ended.await)
    }
}

/// What is needed to end well.
struct Ending {
    token: CancellationToken,
    storage: CancellationToken,
    tracker: TaskTracker,
    node: Arc<Node>,
    deadline: Duration,
    _lock: File,
}

impl Ending {
    /// Waits for the token or a failed listener, then drains, flushes and closes.
    async fn run(self, mut servers: JoinSet<Result<(), NodeError>>) -> Result<(), NodeError> {
        let first = tokio::select! {
            () = self.token.cancelled() => Ok(()),
            Some(ended) = servers.join_next() => flatten(ended),
        };
        self.token.cancel();
        let drained = async { while servers.join_next().await.is_some() {} };
        if tokio::time::timeout(self.deadline, drained).await.is_err() {
            tracing::warn!("cut off connections at the deadline");
            servers.shutdown().await;
        }
        self.storage.cancel();
        self.tracker.close();
        match tokio::time::timeout(self.deadline, self.tracker.wait()).await {
            Ok(()) => self.node.collections.close(),
            Err(_) => tracing::warn!("left an optimisation behind; its updates are in the log"),
        }
        first
    }
}

fn flatten(ended: Result<Result<(), NodeError>, JoinError>) -> Result<(), NodeError> {
    ended.map_err(panicked)?
}

fn panicked(error: JoinError) -> NodeError {
    NodeError::Panicked { source: error }
}
