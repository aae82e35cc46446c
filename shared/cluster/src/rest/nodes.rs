//! The nodes that were reached, and calls that any of them may answer.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use semver::Version;

use super::{
    config::QdrantRestConfig,
    discovery,
    error::{Operation, RestError},
    http::Address,
    kinds::RestNode,
};

/// A Qdrant cluster, or its one node, over REST. Clones share connections.
#[derive(Clone)]
pub struct QdrantRest {
    inner: Arc<Inner>,
}

struct Inner {
    nodes: Vec<RestNode>,
    addresses: Vec<Address>,
    absent: Vec<u64>,
    version: Version,
    idle_timeout: Duration,
    snapshot_timeout: Duration,
}

impl fmt::Debug for QdrantRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QdrantRest")
            .field("nodes", &self.inner.nodes)
            .finish_non_exhaustive()
    }
}

impl QdrantRest {
    /// Asks every address of every configured name who it is. An address that does not answer is
    /// passed over: the cluster may well be whole without it.
    ///
    /// # Errors
    /// `Unreached` when none answers (transient); `NotOneCluster`; `Refused` when the key is not taken.
    pub async fn discover(config: &QdrantRestConfig) -> Result<Self, RestError> {
        let found = discovery::discover(config).await?;
        let mut nodes = Vec::new();
        let mut addresses = Vec::new();
        for (node, mut address) in found.nodes {
            address.host = format!("{}:{}", node.host, node.port);
            nodes.push(node);
            addresses.push(address);
        }
        let lowest = nodes.iter().map(|node| node.version.clone()).min();
        Ok(Self {
            inner: Arc::new(Inner {
                version: lowest.unwrap_or(Version::new(0, 0, 0)),
                nodes,
                addresses,
                absent: found.absent,
                idle_timeout: config.idle_timeout.0,
                snapshot_timeout: config.snapshot_timeout.0,
            }),
        })
    }

    /// The nodes, at least one, sorted by host and port.
    pub fn nodes(&self) -> &[RestNode] {
        &self.inner.nodes
    }

    /// Peers of the cluster that no configured address led to.
    pub fn absent_peers(&self) -> &[u64] {
        &self.inner.absent
    }

    /// The lowest version among the nodes.
    pub fn version(&self) -> &Version {
        &self.inner.version
    }

    /// The node of a peer.
    pub fn node(&self, peer: u64) -> Option<&RestNode> {
        self.inner.nodes.iter().find(|node| node.peer == peer)
    }

    pub(super) fn address(&self, peer: u64) -> Result<&Address, RestError> {
        let position = self.inner.nodes.iter().position(|node| node.peer == peer);
        position
            .and_then(|position| self.inner.addresses.get(position))
            .ok_or(RestError::UnknownPeer { peer })
    }

    /// Every node's peer and address.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (u64, &Address)> {
        let peers = self.inner.nodes.iter().map(|node| node.peer);
        peers.zip(&self.inner.addresses)
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        self.inner.idle_timeout
    }

    pub(super) fn snapshot_timeout(&self) -> Duration {
        self.inner.snapshot_timeout
    }

    /// Asks one node after the other until one answers.
    ///
    /// # Errors
    /// The last node's, or the first that would be the same everywhere. A node that says "there is one already" after
    /// another gave no answer may tell of what that one has done: the other's error is returned then.
    pub(super) async fn any<'a, T, F, Fut>(&'a self, ask: F) -> Result<T, RestError>
    where
        F: Fn(&'a Address) -> Fut,
        Fut: Future<Output = Result<T, RestError>>,
    {
        let mut last = None;
        for address in &self.inner.addresses {
            match (ask(address).await, last.take()) {
                (Err(error), _) if is_nodes_own(&error) => last = Some(error),
                (Err(error), Some(unanswered)) if is_there_already(&error) => {
                    return Err(unanswered);
                }
                (answer, _) => return answer,
            }
        }
        Err(last.unwrap_or(RestError::UnknownPeer { peer: 0 }))
    }
}

/// Whether what the call makes is there already.
/// Source: qdrant 1.18.3 `sharding_keys.rs`, `create_shard_key`: a bad request, not a conflict.
fn is_there_already(error: &RestError) -> bool {
    match error {
        RestError::Refused {
            operation: Operation::CreateShardKey(_),
            status: 400,
            reason,
            ..
        } => reason.contains("already exists"),
        _ => error.is_conflict(),
    }
}

/// Whether another node may answer differently.
fn is_nodes_own(error: &RestError) -> bool {
    match error {
        RestError::NoAnswer { .. } | RestError::Stalled { .. } => true,
        RestError::Refused { status, .. } => matches!(status, 502..=504),
        RestError::Resolve { .. }
        | RestError::Unreached { .. }
        | RestError::NotOneCluster { .. }
        | RestError::UnknownPeer { .. }
        | RestError::Client(_)
        | RestError::Truncated { .. }
        | RestError::Malformed { .. } => false,
    }
}
