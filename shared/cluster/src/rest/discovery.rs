//! From configured addresses to the nodes of one cluster: every name becomes all its addresses,
//! each is asked who it is, and what does not belong together is refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use reqwest::Url;
use semver::Version;
use serde::Deserialize;

use super::{
    config::QdrantRestConfig,
    error::{Operation, RestError},
    http::{Address, Call},
    kinds::RestNode,
};

/// An address that answered, with what it said.
#[derive(Debug, Clone)]
pub(super) struct Seen<A> {
    /// How to call it.
    pub(super) address: A,
    /// The configured name, when it has this address alone.
    pub(super) name: Option<String>,
    pub(super) socket: SocketAddr,
    pub(super) version: Version,
    /// `None` when the node is not distributed.
    pub(super) cluster: Option<View>,
}

/// A node's view of its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) peer: u64,
    /// Every peer's id and the URI the others know it by, itself included.
    pub(super) peers: BTreeMap<u64, String>,
}

/// The nodes of one cluster.
#[derive(Debug)]
pub(super) struct Found<A> {
    /// At least one, sorted by host, port and peer.
    pub(super) nodes: Vec<(RestNode, A)>,
    /// Peers of the cluster that no address led to.
    pub(super) absent: Vec<u64>,
}

/// Asks every address of every configured name.
///
/// # Errors
/// When none answers, or those that do are no one cluster. One that does not is passed over.
pub(super) async fn discover(config: &QdrantRestConfig) -> Result<Found<Address>, RestError> {
    let mut seen = Vec::new();
    let mut failed = None;
    let mut addresses = 0;
    for url in &config.url {
        match resolve(url).await {
            Ok((base, sockets)) => {
                addresses += sockets.len();
                for socket in &sockets {
                    match look(&base, *socket, sockets.len() == 1, config).await {
                        Ok(answer) => seen.push(answer),
                        Err(error) if error.is_denied() => return Err(error),
                        Err(error) => failed = Some(passed_over(error)),
                    }
                }
            }
            Err(error) => {
                addresses += 1;
                failed = Some(passed_over(error));
            }
        }
    }
    match (seen.is_empty(), failed) {
        (true, Some(source)) => Err(RestError::Unreached {
            addresses,
            source: Box::new(source),
        }),
        (true, None) => Err(RestError::NotOneCluster {
            reason: "no address is configured".to_owned(),
        }),
        (false, _) => assemble(seen).map_err(|reason| RestError::NotOneCluster { reason }),
    }
}

fn passed_over(error: RestError) -> RestError {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    tracing::warn!(%error, cause, "an address of qdrant is passed over");
    error
}

async fn resolve(url: &str) -> Result<(Url, Vec<SocketAddr>), RestError> {
    let unusable = |reason: &str| RestError::NotOneCluster {
        reason: reason.to_owned(),
    };
    // `QdrantRestConfig`'s problems report both earlier.
    let base = Url::parse(url.trim()).map_err(|_| unusable("an address is no URL"))?;
    let (Some(host), Some(port)) = (base.host_str(), base.port_or_known_default()) else {
        return Err(unusable("an address has no host"));
    };
    // A URL puts brackets around IPv6, the resolver wants none.
    let host = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, port)).await;
    let sockets: BTreeSet<SocketAddr> = found
        .map_err(|source| RestError::Resolve {
            host: host.to_owned(),
            source,
        })?
        .collect();
    Ok((base.clone(), sockets.into_iter().collect()))
}

async fn look(
    base: &Url,
    socket: SocketAddr,
    is_alone: bool,
    config: &QdrantRestConfig,
) -> Result<Seen<Address>, RestError> {
    #[derive(Deserialize)]
    struct Root {
        version: Version,
    }
    #[derive(Deserialize)]
    #[serde(tag = "status", rename_all = "snake_case")]
    enum Cluster {
        Disabled,
        Enabled {
            peer_id: u64,
            peers: BTreeMap<String, Peer>,
        },
    }
    #[derive(Deserialize)]
    struct Peer {
        uri: String,
    }
    let address = Address::new(base, socket, config)?;
    let root: Root = address
        .json(config.timeout.0, Call::get(Operation::Version, &[""]))
        .await?;
    let cluster = Call::get(Operation::Cluster, &["cluster"]);
    let cluster = match address.result(cluster).await? {
        Cluster::Disabled => None,
        Cluster::Enabled { peer_id, peers } => {
            let peers = peers
                .into_iter()
                .filter_map(|(id, peer)| Some((id.parse().ok()?, peer.uri)));
            Some(View {
                peer: peer_id,
                peers: peers.collect(),
            })
        }
    };
    Ok(Seen {
        name: is_alone.then(|| base.host_str().unwrap_or_default().to_owned()),
        address,
        socket,
        version: root.version,
        cluster,
    })
}

/// Makes one cluster of what was seen, or says why it is none.
fn assemble<A>(seen: Vec<Seen<A>>) -> Result<Found<A>, String> {
    let mut nodes: BTreeMap<u64, (RestNode, A)> = BTreeMap::new();
    let mut alone: Option<String> = None;
    let mut peers: Option<BTreeSet<u64>> = None;
    for seen in seen {
        let host = host(&seen);
        let peer = match &seen.cluster {
            Some(view) => {
                let theirs: BTreeSet<u64> = view.peers.keys().copied().collect();
                match &mut peers {
                    // A peer that has just joined or left is not known to all.
                    Some(known) if known.is_disjoint(&theirs) => {
                        return Err(format!("{} is in another cluster", seen.socket));
                    }
                    Some(known) => known.extend(theirs),
                    None => peers = Some(theirs),
                }
                view.peer
            }
            None => {
                // `localhost` and the like: one node under two addresses of one name.
                let name = seen.name.clone().unwrap_or_default();
                match &alone {
                    Some(first) if seen.name.is_some() || *first != name => {
                        return Err(format!("{} belongs to no cluster", seen.socket));
                    }
                    Some(_) => continue,
                    None => alone = Some(name),
                }
                0
            }
        };
        let node = RestNode {
            peer,
            host,
            port: seen.socket.port(),
            version: seen.version,
        };
        nodes.entry(peer).or_insert((node, seen.address));
    }
    if alone.is_some() && peers.is_some() {
        return Err("some are part of a cluster and one is not".to_owned());
    }
    let absent = peers.unwrap_or_default();
    let absent = absent.into_iter().filter(|peer| !nodes.contains_key(peer));
    let absent = absent.collect();
    let mut nodes: Vec<(RestNode, A)> = nodes.into_values().collect();
    nodes.sort_by(|(a, _), (b, _)| (&a.host, a.port, a.peer).cmp(&(&b.host, b.port, b.peer)));
    Ok(Found { nodes, absent })
}

/// The configured name; behind a name for many (a headless Service) the one the other nodes know,
/// which in Kubernetes stays when the address changes; else the address.
fn host<A>(seen: &Seen<A>) -> String {
    if let Some(name) = &seen.name {
        return name.clone();
    }
    let own = seen
        .cluster
        .as_ref()
        .and_then(|view| Url::parse(view.peers.get(&view.peer)?).ok())
        .and_then(|uri| Some(uri.host_str()?.to_owned()));
    own.unwrap_or_else(|| seen.socket.ip().to_string())
}

#[cfg(test)]
mod tests;
