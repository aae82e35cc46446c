use super::*;
use alioth_cluster::rest::{Replica, ReplicaState};
use alioth_snapshot_store::ObjectKey;

fn collection(config: Value, shards: &[(u32, Option<&str>)]) -> Collection {
    let saved = |(number, key): &(u32, Option<&str>)| Saved {
        shard: *number,
        shard_key: key.map(|key| json!(key)),
        key: ObjectKey::at_root("shard").unwrap(),
        bytes: 1,
        sha256: String::new(),
        source_peer: 0,
        source_host: String::new(),
    };
    Collection {
        name: "movies".to_owned(),
        config,
        payload_schema: Value::Null,
        shard_keys: Vec::new(),
        aliases: Vec::new(),
        points_before: 0,
        points_after: 0,
        shards: shards.iter().map(saved).collect(),
    }
}

fn custom(shards: &[(u32, &str)]) -> Collection {
    let keyed: Vec<_> = shards
        .iter()
        .map(|(number, key)| (*number, Some(*key)))
        .collect();
    collection(json!({"params": {"sharding_method": "custom"}}), &keyed)
}

fn placed(id: u32, key: Option<&str>) -> Placed {
    Placed {
        id,
        key: key.map(|key| json!(key)),
        replicas: vec![Replica {
            peer: 1,
            state: ReplicaState::Active,
        }],
        transfers: false,
    }
}

#[test]
fn keys_are_made_in_the_order_of_their_shards() {
    let saved = custom(&[(3, "b"), (1, "a"), (2, "a")]);
    let keys = recreate(&saved).unwrap();
    let bodies: Vec<Value> = keys.iter().map(KeyShards::body).collect();
    let expected = [
        json!({"shard_key": "a", "shards_number": 2}),
        json!({"shard_key": "b", "shards_number": 1}),
    ];
    assert_eq!(bodies, expected);
}

#[test]
fn a_key_with_one_shard_may_get_another_number() {
    let saved = custom(&[(4, "a"), (9, "b")]);
    let keys = recreate(&saved).unwrap();
    let places = [placed(1, Some("a")), placed(2, Some("b"))];
    let pairs = pair(&saved.shards, &keys, &places).unwrap();
    let numbers: Vec<(u32, u32)> = pairs.iter().map(|(s, p)| (s.shard, p.id)).collect();
    assert_eq!(numbers, [(4, 1), (9, 2)]);
}

#[test]
fn a_key_whose_shards_would_be_numbered_anew_is_refused() {
    let reason = recreate(&custom(&[(1, "a"), (5, "b"), (6, "b")])).unwrap_err();
    assert_eq!(
        reason,
        "the shards [5, 6] of key \"b\" would be numbered [2, 3]"
    );
    let mut incomplete = custom(&[(1, "a")]);
    incomplete.shard_keys = vec![json!("a"), json!("b")];
    let reason = recreate(&incomplete).unwrap_err();
    assert_eq!(reason, "key \"b\" has no shard in the snapshot");
}

#[test]
fn numbers_that_came_out_differently_after_all_are_told() {
    let saved = custom(&[(1, "a"), (2, "a")]);
    let keys = recreate(&saved).unwrap();
    let places = [placed(2, Some("a")), placed(3, Some("a"))];
    let reason = pair(&saved.shards, &keys, &places).unwrap_err();
    assert_eq!(
        reason,
        "the shards of key \"a\" are numbered [2, 3], saved as [1, 2]"
    );
}

#[test]
fn without_keys_every_number_has_to_be_there() {
    let config = json!({"params": {"shard_number": 2}});
    let whole = collection(config.clone(), &[(1, None), (0, None)]);
    assert_eq!(check_numbers(&whole), Ok(()));
    let reason = check_numbers(&collection(config, &[(1, None)])).unwrap_err();
    assert_eq!(reason, "has shards [1] of 2");
    let places = [placed(0, None), placed(1, None)];
    let pairs = pair(&whole.shards, &[], &places).unwrap();
    assert!(pairs.iter().all(|(saved, placed)| saved.shard == placed.id));
    assert!(pair(&whole.shards, &[], &places[..1]).is_err());
}
