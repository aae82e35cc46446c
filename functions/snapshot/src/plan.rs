//! What to save and from where: which collections and nodes a request means, and, in `schedule`, which replica of
//! which shard is read next. Pure: no clock, nobody is asked.

mod schedule;

use std::collections::BTreeSet;

use alioth_cluster::rest::{RestNode, Shard};
use alioth_jobs::Host;
use serde_json::Value;
use wildmatch::WildMatch;

pub use schedule::Missing;
pub(crate) use schedule::{Assignment, Schedule, TaskId, Verdict};

/// A request that cannot be served as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Unservable {
    /// As in `collections[2]`.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

/// The collections among `existing` that names and globs mean; no globs mean all. Sorted, each once.
///
/// # Errors
/// A name that there is none of. A glob may match nothing: what it stands for may not exist yet.
pub(crate) fn select(existing: &[String], wanted: &[String]) -> Result<Vec<String>, Unservable> {
    if wanted.is_empty() {
        return Ok(existing.to_vec());
    }
    let mut selected = BTreeSet::new();
    for (index, pattern) in wanted.iter().enumerate() {
        let glob = WildMatch::new(pattern);
        let matched: Vec<&String> = existing.iter().filter(|name| glob.matches(name)).collect();
        let is_glob = pattern.contains(['*', '?']);
        if matched.is_empty() && !is_glob {
            return Err(Unservable {
                field: format!("collections[{index}]"),
                reason: format!("there is no collection {pattern}"),
            });
        }
        selected.extend(matched.into_iter().cloned());
    }
    Ok(selected.into_iter().collect())
}

/// Whether a request means every collection there is, whatever they are called.
pub(crate) fn is_everything(wanted: &[String]) -> bool {
    let is_any = |pattern: &String| !pattern.is_empty() && pattern.chars().all(|c| c == '*');
    wanted.is_empty() || wanted.iter().any(is_any)
}

/// The nodes that hosts of a request mean; none mean all. In the order of `nodes`, each once.
///
/// # Errors
/// A host that is none of them, or means several.
pub(crate) fn select_nodes<'a>(
    nodes: &'a [RestNode],
    wanted: &[Host],
) -> Result<Vec<&'a RestNode>, Unservable> {
    let mut peers = BTreeSet::new();
    for (index, host) in wanted.iter().enumerate() {
        let is_meant = |node: &&RestNode| {
            node.host == host.host && host.port.is_none_or(|port| port == node.port)
        };
        let meant: Vec<&RestNode> = nodes.iter().filter(is_meant).collect();
        let reason = match meant.as_slice() {
            [node] => {
                peers.insert(node.peer);
                continue;
            }
            [] => format!("{} is no node of the configured cluster", host.host),
            _ => format!("{} is several nodes, name the port too", host.host),
        };
        return Err(Unservable {
            field: format!("hosts[{index}]"),
            reason,
        });
    }
    let is_meant = |node: &&RestNode| wanted.is_empty() || peers.contains(&node.peer);
    Ok(nodes.iter().filter(is_meant).collect())
}

/// Whether points are on their way from shard to shard: any set of snapshots would have some of
/// them twice or not at all.
pub(crate) fn is_resharding(shards: &[Shard]) -> bool {
    let mut replicas = shards.iter().flat_map(|shard| &shard.replicas);
    replicas.any(|replica| replica.state.is_resharding())
}

/// Whether two looks at a collection saw the same shards, wherever they lay.
pub(crate) fn same_shards(before: &[Shard], after: &[Shard]) -> bool {
    let ids = |shards: &[Shard]| -> Vec<u32> { shards.iter().map(|shard| shard.id).collect() };
    ids(before) == ids(after)
}

/// Whether two looks at a collection's `config` saw the same vectors, shards and replicas: one that was dropped and made
/// anew otherwise has other ones.
pub(crate) fn same_parameters(before: &Value, after: &Value) -> bool {
    before.get("params") == after.get("params")
}

#[cfg(test)]
mod tests;
