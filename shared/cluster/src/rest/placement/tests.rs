use serde_json::json;

use super::*;

fn view(value: Value) -> Placement {
    serde_json::from_value(value).unwrap()
}

fn replica(peer: u64, state: ReplicaState) -> Replica {
    Replica { peer, state }
}

#[test]
fn what_a_node_says_of_its_own_replica_counts() {
    // Peer 1 has not heard yet that peer 2's replica of shard 0 is dead.
    let first = view(json!({
        "peer_id": 1, "shard_count": 2,
        "local_shards": [{"shard_id": 0, "points_count": 3, "state": "Active"}],
        "remote_shards": [
            {"shard_id": 0, "peer_id": 2, "state": "Active"},
            {"shard_id": 1, "peer_id": 3, "state": "Active"}
        ],
        "shard_transfers": []
    }));
    let second = view(json!({
        "peer_id": 2, "shard_count": 2,
        "local_shards": [{"shard_id": 0, "points_count": 3, "state": "Dead"}],
        "remote_shards": [{"shard_id": 1, "peer_id": 3, "state": "Partial"}],
        "shard_transfers": [{"shard_id": 0, "from": 1, "to": 2, "sync": true}]
    }));
    let both = [(1, first.clone()), (2, second.clone())];
    assert_eq!(points(&both), 6, "three in each replica of shard 0");
    for views in [
        vec![(1, first.clone()), (2, second.clone())],
        vec![(2, second), (1, first)],
    ] {
        let shards = merge(views);
        assert_eq!(
            shards[0].replicas,
            [
                replica(1, ReplicaState::Active),
                replica(2, ReplicaState::Dead)
            ]
        );
        assert!(shards[0].transfers && !shards[1].transfers);
        assert_eq!(shards.len(), 2);
    }
}

#[test]
fn keys_are_kept_and_a_state_of_a_later_version_is_none_to_rely_on() {
    let one = view(json!({
        "local_shards": [
            {"shard_id": 0, "shard_key": "nord", "points_count": 0, "state": "Active"},
            {"shard_id": 1, "shard_key": 7, "points_count": 0, "state": "Enlightened"}
        ],
        "remote_shards": []
    }));
    let shards = merge(vec![(0, one)]);
    assert_eq!(shards[0].key, Some(json!("nord")));
    assert_eq!(shards[1].key, Some(json!(7)));
    assert!(shards[0].replicas[0].state.is_active());
    assert!(!shards[1].replicas[0].state.is_active());
}

#[test]
fn both_shards_of_a_resharding_are_on_the_move() {
    let one = view(json!({
        "local_shards": [{"shard_id": 0, "points_count": 0, "state": "Active"}],
        "remote_shards": [{"shard_id": 1, "peer_id": 2, "state": "Resharding"}],
        "shard_transfers": [{"shard_id": 0, "to_shard_id": 1, "from": 1, "to": 2, "sync": false}]
    }));
    let shards = merge(vec![(1, one)]);
    assert!(shards[0].transfers && shards[1].transfers);
    assert!(shards[1].replicas[0].state.is_resharding());
}
