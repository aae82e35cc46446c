//! What stands beside the points, and what it does to the messages.
use alioth_points::{Ordering, UpsertQuery, Write};
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::shard_key::Key;
use qdrant_client::qdrant::{ShardKey, ShardKeySelector, UpdateMode, UpsertPoints, WriteOrdering};

use crate::{decode, only_message, upserted};

#[test]
fn options_are_written_and_defaults_left_out() {
    let query = UpsertQuery {
        ordering: Some(Ordering::Strong),
        timeout_s: Some(3),
    };
    let body = br#"{"update_mode": "insert_only", "shard_key": "a", "update_filter": {}, "points": [{"id": 1}]}"#;
    let message = only_message(Write::parse_upsert("c", query, body).expect("a good body"));
    assert_eq!(message.ordering, Some(WriteOrdering { r#type: 2 }));
    assert_eq!(message.timeout, Some(3));
    assert_eq!(message.update_mode, Some(UpdateMode::InsertOnly.into()));
    assert_eq!(message.update_filter, Some(Default::default()));

    let query = UpsertQuery {
        ordering: Some(Ordering::Weak),
        timeout_s: None,
    };
    let body = br#"{"points": [{"id": 1}], "shard_key": null, "update_filter": null, "update_mode": "upsert"}"#;
    let message = only_message(Write::parse_upsert("c", query, body).expect("a good body"));
    let plain = UpsertPoints {
        collection_name: "c".to_owned(),
        points: message.points.clone(),
        ..Default::default()
    };
    assert_eq!(message, plain);
}

#[test]
fn shard_keys_of_every_form_are_read() {
    let selector = |key: &str| {
        upserted(&format!(
            r#"{{"points": [{{"id": 1}}], "shard_key": {key}}}"#
        ))
        .shard_key_selector
    };
    let keyword = |text: &str| ShardKey {
        key: Some(Key::Keyword(text.to_owned())),
    };
    let number = |number| ShardKey {
        key: Some(Key::Number(number)),
    };
    let keys = |shard_keys, fallback| {
        Some(ShardKeySelector {
            shard_keys,
            fallback,
        })
    };
    assert_eq!(selector(r#""a""#), keys(vec![keyword("a")], None));
    assert_eq!(
        selector("18446744073709551615"),
        keys(vec![number(u64::MAX)], None)
    );
    assert_eq!(
        selector(r#"["a", 7]"#),
        keys(vec![keyword("a"), number(7)], None)
    );
    assert_eq!(selector("[]"), keys(vec![], None));
    assert_eq!(
        selector(r#"{"fallback": 0, "x": 1, "target": ""}"#),
        keys(vec![keyword("")], Some(number(0)))
    );
}

#[test]
fn chunks_stay_under_the_limit_and_keep_the_order() {
    let points: Vec<String> = (0..50)
        .map(|id| format!(r#"{{"id": {id}, "vector": [{id}.5, 1], "payload": {{"k": "{id}"}}}}"#))
        .collect();
    let body = format!(r#"{{"points": [{}], "shard_key": "s"}}"#, points.join(","));
    let whole = upserted(&body);
    for limit in [0, 1, 60, 100, 101, 1000, 10_000] {
        let messages = crate::upsert(&body)
            .expect("a good body")
            .into_messages(limit);
        let mut joined = Vec::new();
        for message in &messages {
            let decoded = decode(message);
            assert!(
                message.len() <= limit || decoded.points.len() == 1,
                "limit {limit}, message of {}",
                message.len()
            );
            assert_eq!(decoded.shard_key_selector, whole.shard_key_selector);
            joined.extend(decoded.points);
        }
        assert_eq!(joined, whole.points, "limit {limit}");
    }
}

#[test]
fn a_write_whose_order_matters_keeps_only_the_last_of_an_id() {
    let ids = |options: &str| -> Vec<PointIdOptions> {
        let body = format!(
            r#"{{"points": [{{"id": 1}}, {{"id": 2}}, {{"id": 1, "payload": {{"a": 1}}}}]{options}}}"#
        );
        let messages = crate::upsert(&body).expect("a good body").into_messages(1);
        let points = messages.iter().flat_map(|message| decode(message).points);
        points
            .filter_map(|point| point.id.and_then(|id| id.point_id_options))
            .collect()
    };
    let (one, two) = (PointIdOptions::Num(1), PointIdOptions::Num(2));
    assert_eq!(ids(""), [one.clone(), two.clone(), one.clone()]);
    assert_eq!(
        ids(r#", "update_mode": "update_only""#),
        [one.clone(), two.clone(), one.clone()]
    );
    assert_eq!(
        ids(r#", "update_mode": "insert_only""#),
        [two.clone(), one.clone()]
    );
    assert_eq!(ids(r#", "update_filter": {}"#), [two, one]);
}
