//! Bodies and messages nobody means well with: answered, never a panic, never growth.
use alioth_points::{UpsertMessage, UpsertQuery, Write, WriteError, merge};
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use qdrant_client::qdrant::UpsertPoints;

use crate::generate::{Layout, layout, points};
use crate::{decode, refused, upsert};

/// Whatever `body` is, what comes of it can be decoded and is JSON to others too.
fn survive(body: &[u8]) {
    let writes = [
        Write::parse_ingest(body),
        Write::parse_upsert("c", UpsertQuery::default(), body),
    ];
    for write in writes.into_iter().flatten() {
        serde_json::from_slice::<serde_json::Value>(body).expect("what is accepted is JSON");
        for message in write.into_messages(200) {
            decode(&message);
            UpsertMessage::scan(message).expect("own bytes");
        }
    }
}

/// A change of a body: at a place, bytes for bytes.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u8>)>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "[", "]", "{", "}", ",", ":", "\"", "\\", "-", ".", "e", "0", "1", "null", " ", "\\u",
            "\\ud800", "é", "[[", "]]"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, piece), 1..5)
}

fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, usize, Vec<u8>)]) -> Vec<u8> {
    for (at, removed, piece) in changes {
        let start = at.index(bytes.len() + 1);
        let end = (start + removed).min(bytes.len());
        bytes.splice(start..end, piece.iter().copied());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn random_bytes_are_no_body_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(&bytes);
    }

    #[test]
    fn text_like_json_is_no_panic(text in "[\\[\\]{}:,\"0-9.eE+\\-a-z \\\\]{0,120}") {
        survive(text.as_bytes());
        survive(format!(r#"{{"points": [{{"id": 1, "vector": [{text}"#).as_bytes());
        survive(format!(r#"{{"points": [{{"id": 1, "payload": {{"a": {text}}}}}]}}"#).as_bytes());
        survive(format!(r#"{{"points": [{{"id": 1}}], "update_filter": {{{text}}}}}"#).as_bytes());
    }

    #[test]
    fn random_bytes_are_no_message_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let decodes = UpsertPoints::decode(&*bytes).is_ok();
        let scanned = UpsertMessage::scan(bytes.into());
        prop_assert!(scanned.is_ok() || !decodes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn changed_bodies_are_no_panic(points in points(), layout in layout(), changes in changes()) {
        survive(&changed(layout.object(&[("points", layout.point_list(&points))]).into_bytes(), &changes));
        let body = layout.object(&[("collection_name", "\"c\"".to_owned()), ("batch", layout.batch(&points))]);
        survive(&changed(body.into_bytes(), &changes));
    }

    #[test]
    fn cut_bodies_are_refused(points in points(), cut in any::<prop::sample::Index>()) {
        let layout = Layout { blank: "", reversed: false };
        let body = layout.object(&[("points", layout.point_list(&points))]);
        let cut = &body.as_bytes()[..cut.index(body.len())];
        let error = Write::parse_upsert("c", UpsertQuery::default(), cut).expect_err("half a body");
        prop_assert!(matches!(error, WriteError::Syntax { .. }), "{error:?}");
    }

    #[test]
    fn changed_messages_are_no_panic(points in points(), changes in changes(), cut in any::<prop::sample::Index>()) {
        let layout = Layout { blank: "", reversed: false };
        let body = layout.object(&[("points", layout.point_list(&points))]);
        let message = upsert(&body).expect("a good body").into_messages(usize::MAX).swap_remove(0);
        let changed = Bytes::from(changed(message.to_vec(), &changes));
        let decodes = UpsertPoints::decode(changed.clone());
        let scanned = UpsertMessage::scan(changed);
        prop_assert!(scanned.is_ok() || decodes.is_err(), "refused, but it decodes");
        if let (Ok(scanned), Ok(decoded)) = (scanned, decodes) {
            prop_assert_eq!(scanned.points(), decoded.points.len());
            prop_assert_eq!(scanned.collection_name(), &decoded.collection_name);
            let half = scanned.slice(0..cut.index(scanned.points() + 1));
            decode(&half.to_bytes());
            let merged = merge(&[&half, &scanned]);
            prop_assert_eq!(decode(&Bytes::from(merged.pieces.concat())).points.len(), merged.points);
        }
    }
}

/// The deepest payload that is accepted, made of `open` and `close`, and one deeper.
fn deepest(open: &str, close: &str) -> (usize, WriteError) {
    let body = |depth: usize| {
        format!(
            r#"{{"points": [{{"id": 9, "payload": {{"k": {}1{}}}}}]}}"#,
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    let depth = (1..1000)
        .find(|&depth| upsert(&body(depth)).is_err())
        .expect("there is a limit");
    (depth - 1, refused(&body(depth)))
}

#[test]
fn payloads_nest_as_deep_as_qdrants_decoder_goes_and_no_deeper() {
    for (open, close, least) in [
        ("[", "]", 40),
        (r#"{"k":"#, "}", 30),
        (r#"[{"k":"#, "}]", 18),
    ] {
        let (depth, error) = deepest(open, close);
        assert!(depth >= least, "{depth} times {open}");
        // `upserted` decodes it with the limits a server has.
        let body = format!(
            r#"{{"points": [{{"id": 9, "payload": {{"k": {}1{}}}}}]}}"#,
            open.repeat(depth),
            close.repeat(depth)
        );
        crate::upserted(&body);
        let WriteError::Invalid {
            point,
            field,
            message,
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(point.and_then(|point| point.id).as_deref(), Some("9"));
        assert!(
            field.starts_with("payload.k") && message.contains("nested deeper"),
            "{field}: {message}"
        );
    }
}

#[test]
fn options_and_filters_nest_as_deep_as_qdrants_decoder_goes_and_no_deeper() {
    let options = |depth: usize| {
        format!(
            r#"{{"points": [{{"id": 1, "vector": {{"v": {{"text": "a", "model": "m", "options": {{"k": {}1{}}}}}}}}}]}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let filter = |depth: usize| {
        format!(
            r#"{{"points": [{{"id": 1}}], "update_filter": {}{}{}}}"#,
            r#"{"must":"#.repeat(depth),
            r#"{"key": "a", "is_null": true}"#,
            "}".repeat(depth)
        )
    };
    let nested = |depth: usize| {
        format!(
            r#"{{"points": [{{"id": 1}}], "update_filter": {{"must": {}{{}}{}}}}}"#,
            r#"{"nested":{"key":"a","filter":{"must":"#.repeat(depth),
            "}}}".repeat(depth)
        )
    };
    let bodies: [&dyn Fn(usize) -> String; 3] = [&options, &filter, &nested];
    for body in bodies {
        let depth = (1..1000)
            .find(|&depth| upsert(&body(depth)).is_err())
            .expect("there is a limit");
        assert!(depth > 20, "{depth}");
        crate::upserted(&body(depth - 1));
    }
}

#[test]
fn a_million_levels_are_refused_without_growth() {
    const LEVELS: usize = 1_000_000;
    for open in ["[", r#"{"a":"#, r#"[{"a":"#] {
        let deep = open.repeat(LEVELS);
        for body in [
            deep.clone(),
            format!(r#"{{"x": {deep}"#),
            format!(r#"{{"points": {deep}"#),
            format!(r#"{{"points": [{{"id": {deep}"#),
            format!(r#"{{"points": [{{"vector": {deep}"#),
            format!(r#"{{"points": [{{"vector": {{"v": {deep}"#),
            format!(r#"{{"points": [{{"payload": {{"v": {deep}"#),
            format!(r#"{{"batch": {{"vectors": {deep}"#),
            format!(r#"{{"batch": {{"payloads": [{{"a": {deep}"#),
            format!(r#"{{"shard_key": {deep}"#),
            format!(r#"{{"update_filter": {deep}"#),
            format!(r#"{{"update_filter": {{"must": {deep}"#),
        ] {
            refused(&body);
        }
    }
}

#[test]
fn many_keys_of_one_object_are_read_in_good_time() {
    let members: Vec<String> = (0..200_000).map(|key| format!(r#""{key:x}":1"#)).collect();
    let members = members.join(",");
    let point = crate::upserted(&format!(
        r#"{{"points": [{{"id": 1, "payload": {{{members}}}}}]}}"#
    ))
    .points
    .swap_remove(0);
    assert_eq!(point.payload.len(), 200_000);
    refused(&format!(
        r#"{{"points": [{{"id": 1, "payload": {{{members},"0":1}}}}]}}"#
    ));
    crate::upserted(&format!(
        r#"{{{members}, "points": [{{{members}, "id": 1}}]}}"#
    ));
    for body in [
        format!(r#"{{"update_filter": {{{members}}}}}"#),
        format!(r#"{{"points": [{{"vector": {{{members}}}}}]}}"#),
        format!(r#"{{"points": [{{"vector": {{"v": {{"model": "m", {members}}}}}}}]}}"#),
    ] {
        refused(&body);
    }
}
