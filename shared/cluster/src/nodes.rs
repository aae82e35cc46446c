//! The nodes of one cluster: calls are spread over them, and a node without a connection is passed over.

use std::{
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use prometheus::IntGauge;
use tokio::time::Instant;
use tonic::{
    Status,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use crate::{
    answer::is_transport,
    config::{QdrantConfig, parse_url},
};

/// How long a node without a connection is tried only after the others.
const AWAY: Duration = Duration::from_secs(5);

/// A node that vanished without a word is noticed within 15 s, whatever the call's own deadline.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// An address that cannot be used. Never transient.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error("{0}")]
    Url(&'static str),
    #[error("set up TLS")]
    Tls(#[source] tonic::transport::Error),
}

pub(crate) struct Nodes {
    nodes: Vec<Node>,
    next: AtomicUsize,
    away: IntGauge,
}

struct Node {
    channel: Channel,
    /// Set while the node's last call found no connection.
    away_since: Mutex<Option<Instant>>,
}

impl Nodes {
    /// Dials nothing.
    pub(crate) fn new(config: &QdrantConfig, away: IntGauge) -> Result<Self, (usize, NodeError)> {
        let mut nodes = Vec::with_capacity(config.url.len());
        for (index, url) in config.url.iter().enumerate() {
            let channel = channel(url, config.connect_timeout.0).map_err(|error| (index, error))?;
            nodes.push(Node {
                channel,
                away_since: Mutex::new(None),
            });
        }
        Ok(Self {
            nodes,
            // Many consumers start at once: each begins at a node of its own choice.
            next: AtomicUsize::new(fastrand::usize(..)),
            away,
        })
    }

    /// Calls one node after the other until one answers, whatever it answers, or time is up.
    pub(crate) async fn call<T, F, Fut>(&self, limit: Duration, call: F) -> Result<T, Status>
    where
        F: Fn(Channel) -> Fut,
        Fut: Future<Output = Result<T, Status>>,
    {
        let deadline = Instant::now() + limit;
        let mut unreached = Status::unavailable("no node is configured");
        for node in self.in_order() {
            match tokio::time::timeout_at(deadline, call(node.channel.clone())).await {
                Err(_) => {
                    self.mark(node, false);
                    return Err(Status::deadline_exceeded(format!(
                        "no answer within {limit:?}"
                    )));
                }
                Ok(Err(status)) if is_transport(&status) => {
                    self.mark(node, false);
                    unreached = status;
                }
                Ok(answer) => {
                    self.mark(node, true);
                    return answer;
                }
            }
        }
        Err(unreached)
    }

    /// Round robin, with the nodes that are away last.
    fn in_order(&self) -> impl Iterator<Item = &Node> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.nodes.len();
        let mut order: Vec<&Node> = (0..count)
            .map(|step| &self.nodes[first.wrapping_add(step) % count])
            .collect();
        order.sort_by_key(|node| node.is_away());
        order.into_iter()
    }

    fn mark(&self, node: &Node, reached: bool) {
        let since = (!reached).then(Instant::now);
        let before = std::mem::replace(&mut *node.lock(), since);
        match (before, since) {
            (None, Some(_)) => self.away.inc(),
            (Some(_), None) => self.away.dec(),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}

impl Node {
    fn is_away(&self) -> bool {
        self.lock().is_some_and(|since| since.elapsed() < AWAY)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.away_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn channel(url: &str, connect_timeout: Duration) -> Result<Channel, NodeError> {
    let uri = parse_url(url).map_err(NodeError::Url)?;
    let tls = uri.scheme_str() == Some("https");
    let mut endpoint = Endpoint::from(uri)
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    if tls {
        endpoint = endpoint
            .tls_config(ClientTlsConfig::new().with_native_roots())
            .map_err(NodeError::Tls)?;
    }
    Ok(endpoint.connect_lazy())
}
