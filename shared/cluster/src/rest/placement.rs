//! Where the shards of a collection lie, from what several nodes say of it. Asks nobody.

use std::collections::{BTreeMap, btree_map::Entry};

use serde::Deserialize;
use serde_json::Value;

use super::kinds::{Replica, ReplicaState, Shard};

/// `result` of `GET /collections/{c}/cluster`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Placement {
    local_shards: Vec<Local>,
    remote_shards: Vec<Remote>,
    #[serde(default)]
    shard_transfers: Vec<Transfer>,
}

#[derive(Debug, Clone, Deserialize)]
struct Local {
    shard_id: u32,
    shard_key: Option<Value>,
    #[serde(default)]
    points_count: u64,
    state: ReplicaState,
}

#[derive(Debug, Clone, Deserialize)]
struct Remote {
    shard_id: u32,
    shard_key: Option<Value>,
    peer_id: u64,
    state: ReplicaState,
}

#[derive(Debug, Clone, Deserialize)]
struct Transfer {
    shard_id: u32,
    to_shard_id: Option<u32>,
}

#[derive(Debug, Default)]
struct Held {
    key: Option<Value>,
    /// Peer → state.
    replicas: BTreeMap<u64, ReplicaState>,
    transfers: bool,
}

/// Merges the views of nodes, each with its peer. What a node says of its own replica counts for
/// more than what others say; among those the first does.
pub(super) fn merge(views: Vec<(u64, Placement)>) -> Vec<Shard> {
    let mut shards: BTreeMap<u32, Held> = BTreeMap::new();
    for (peer, view) in views {
        for local in view.local_shards {
            let held = shards.entry(local.shard_id).or_default();
            held.key = held.key.take().or(local.shard_key);
            held.replicas.insert(peer, local.state);
        }
        for remote in view.remote_shards {
            let held = shards.entry(remote.shard_id).or_default();
            held.key = held.key.take().or(remote.shard_key);
            if let Entry::Vacant(place) = held.replicas.entry(remote.peer_id) {
                place.insert(remote.state);
            }
        }
        for transfer in view.shard_transfers {
            let concerned = [Some(transfer.shard_id), transfer.to_shard_id];
            for shard in concerned.into_iter().flatten() {
                shards.entry(shard).or_default().transfers = true;
            }
        }
    }
    let shards = shards.into_iter().map(|(id, held)| Shard {
        id,
        key: held.key,
        replicas: replicas(held.replicas),
        transfers: held.transfers,
    });
    shards.collect()
}

/// Points in the replicas that these nodes hold, each counted in every replica: what a transfer under way adds to.
pub(super) fn points(views: &[(u64, Placement)]) -> u64 {
    let local = views.iter().flat_map(|(_, view)| &view.local_shards);
    local.map(|local| local.points_count).sum()
}

fn replicas(states: BTreeMap<u64, ReplicaState>) -> Vec<Replica> {
    let states = states.into_iter();
    states
        .map(|(peer, state)| Replica { peer, state })
        .collect()
}

#[cfg(test)]
mod tests;
