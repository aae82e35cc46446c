//! What bodies become, rule by rule.
use std::collections::HashMap;

use alioth_points::{Ordering, UpsertQuery, Write};
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::shard_key::Key;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vector::Vector as Kinds;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::{
    DenseVector, Document, NamedVectors, PointStruct, ShardKey, ShardKeySelector, SparseVector,
    UpdateMode, UpsertPoints, Value, Vectors, WriteOrdering,
};

use crate::{decode, only_message, refused, upserted};

fn point(members: &str) -> PointStruct {
    upserted(&format!(r#"{{"points": [{{"id": 1{members}}}]}}"#))
        .points
        .swap_remove(0)
}

fn id_of(id: &str) -> PointIdOptions {
    let mut message = upserted(&format!(r#"{{"points": [{{"id": {id}}}]}}"#));
    message
        .points
        .swap_remove(0)
        .id
        .and_then(|id| id.point_id_options)
        .expect("an id")
}

fn vector_of(point: PointStruct) -> Kinds {
    match point.vectors.and_then(|vectors| vectors.vectors_options) {
        Some(VectorsOptions::Vector(vector)) => vector.vector.expect("a kind"),
        other => panic!("no vector: {other:?}"),
    }
}

fn named_of(point: PointStruct) -> HashMap<String, Kinds> {
    match point.vectors.and_then(|vectors| vectors.vectors_options) {
        Some(VectorsOptions::Vectors(NamedVectors { vectors })) => vectors
            .into_iter()
            .map(|(name, vector)| (name, vector.vector.expect("a kind")))
            .collect(),
        other => panic!("no named vectors: {other:?}"),
    }
}

fn dense(data: &[f32]) -> Kinds {
    Kinds::Dense(DenseVector {
        data: data.to_vec(),
    })
}

fn no_vectors() -> Option<Vectors> {
    Some(Vectors {
        vectors_options: Some(VectorsOptions::Vectors(NamedVectors::default())),
    })
}

fn payload_of(value: &str) -> Kind {
    let mut point = point(&format!(r#", "payload": {{"k": {value}}}"#));
    point
        .payload
        .remove("k")
        .and_then(|value| value.kind)
        .expect("a kind")
}

#[test]
fn ids_are_numbers_or_uuids_in_every_form() {
    assert_eq!(id_of("0"), PointIdOptions::Num(0));
    assert_eq!(id_of("18446744073709551615"), PointIdOptions::Num(u64::MAX));
    let uuid = PointIdOptions::Uuid("936da01f-9abd-4d9d-80c7-02af85c822a8".to_owned());
    for form in [
        "936da01f-9abd-4d9d-80c7-02af85c822a8",
        "936DA01F-9ABD-4d9d-80C7-02AF85C822A8",
        "936da01f9abd4d9d80c702af85c822a8",
        "urn:uuid:936da01f-9abd-4d9d-80c7-02af85c822a8",
        "URN:UUID:936DA01F-9abd-4d9d-80c7-02af85c822a8",
        "{936da01f-9abd-4d9d-80c7-02af85c822a8}",
        "\\u0039\\u00336da01f-9abd-4d9d-80c7-02af85c822a8",
    ] {
        assert_eq!(id_of(&format!("\"{form}\"")), uuid, "{form}");
    }
}

#[test]
fn a_point_without_vectors_has_none_of_them_named() {
    for vectors in [
        "",
        r#", "vector": null"#,
        r#", "vector": {}"#,
        r#", "vectors": {}"#,
    ] {
        assert_eq!(point(vectors).vectors, no_vectors(), "{vectors}");
    }
}

#[test]
fn vectors_of_each_kind_are_read() {
    assert_eq!(
        vector_of(point(r#", "vector": [0.5, -1, 2e1]"#)),
        dense(&[0.5, -1.0, 20.0])
    );
    assert_eq!(vector_of(point(r#", "vectors": [0.5]"#)), dense(&[0.5]));
    let Kinds::MultiDense(multi) = vector_of(point(r#", "vector": [[1, 2], [3.5, 4]]"#)) else {
        panic!("no matrix")
    };
    assert_eq!(
        multi.vectors,
        [
            DenseVector {
                data: vec![1.0, 2.0]
            },
            DenseVector {
                data: vec![3.5, 4.0]
            }
        ]
    );
    let named = named_of(point(
        r#", "vector": {"": [1], "title": [0.25, 1], "words": {"values": [0.5, 2], "other": {}, "indices": [7, 4294967295]}, "nothing": {"indices": [], "values": []}, "matrix": [[1]]}"#,
    ));
    assert_eq!(named[""], dense(&[1.0]));
    assert_eq!(named["title"], dense(&[0.25, 1.0]));
    assert_eq!(
        named["words"],
        Kinds::Sparse(SparseVector {
            values: vec![0.5, 2.0],
            indices: vec![7, u32::MAX]
        })
    );
    assert_eq!(named["nothing"], Kinds::Sparse(SparseVector::default()));
    assert!(matches!(named["matrix"], Kinds::MultiDense(_)));
}

#[test]
fn inference_objects_pass_through() {
    let text = r#"{"text": "hello", "model": "m", "options": {"k": 1.5}}"#;
    let document = Kinds::Document(Document {
        text: "hello".to_owned(),
        model: "m".to_owned(),
        options: HashMap::from([(
            "k".to_owned(),
            Value {
                kind: Some(Kind::DoubleValue(1.5)),
            },
        )]),
    });
    assert_eq!(
        vector_of(point(&format!(r#", "vector": {text}"#))),
        document
    );
    assert_eq!(
        named_of(point(&format!(r#", "vector": {{"title": {text}}}"#)))["title"],
        document
    );
    let Kinds::Image(image) = vector_of(point(r#", "vector": {"image": [1, "a"], "model": "m"}"#))
    else {
        panic!("no image")
    };
    assert!(matches!(
        image.image,
        Some(Value {
            kind: Some(Kind::ListValue(_))
        })
    ));
    assert_eq!((image.model.as_str(), image.options.len()), ("m", 0));
    let Kinds::Object(object) = named_of(point(
        r#", "vector": {"v": {"model": "m", "object": {"a": null}, "options": null}}"#,
    ))
    .remove("v")
    .expect("a vector") else {
        panic!("no object")
    };
    assert!(matches!(
        object.object,
        Some(Value {
            kind: Some(Kind::StructValue(_))
        })
    ));
}

#[test]
fn vectors_may_be_called_like_an_inference_objects_fields() {
    let named = named_of(point(
        r#", "vector": {"image": [1, 2], "text": [3], "model": [4], "options": [5], "object": [6]}"#,
    ));
    assert_eq!(named.len(), 5);
    assert_eq!(named["model"], dense(&[4.0]));
}

#[test]
fn payload_numbers_keep_their_kind_and_value() {
    assert_eq!(payload_of("0"), Kind::IntegerValue(0));
    assert_eq!(
        payload_of("-9223372036854775808"),
        Kind::IntegerValue(i64::MIN)
    );
    assert_eq!(
        payload_of("9223372036854775807"),
        Kind::IntegerValue(i64::MAX)
    );
    assert_eq!(payload_of("1.0"), Kind::DoubleValue(1.0));
    assert_eq!(payload_of("1e2"), Kind::DoubleValue(100.0));
    assert_eq!(payload_of("0.1"), Kind::DoubleValue(0.1));
    assert_eq!(payload_of("5e-324"), Kind::DoubleValue(f64::from_bits(1)));
    assert_eq!(payload_of("1e-400"), Kind::DoubleValue(0.0));
    assert_eq!(
        payload_of("1.7976931348623157e308"),
        Kind::DoubleValue(f64::MAX)
    );
    assert_eq!(
        payload_of("123456789012345678901234567890"),
        Kind::DoubleValue(123456789012345678901234567890.0)
    );
    let Kind::DoubleValue(zero) = payload_of("-0") else {
        panic!("no double")
    };
    assert!(zero == 0.0 && zero.is_sign_negative());
}

#[test]
fn an_unsigned_payload_number_goes_as_a_double_only_if_that_is_the_same() {
    assert_eq!(
        payload_of("9223372036854775808"),
        Kind::DoubleValue(9_223_372_036_854_775_808.0)
    );
    assert_eq!(
        payload_of("18446744073709549568"),
        Kind::DoubleValue(18_446_744_073_709_549_568.0)
    );
    for inexact in ["9223372036854775809", "18446744073709551615"] {
        let error = refused(&format!(
            r#"{{"points": [{{"id": 4, "payload": {{"a": {{"b": [{inexact}]}}}}}}]}}"#
        ));
        assert!(
            error
                .to_string()
                .starts_with("point 0 (id 4): payload.a.b[0]: "),
            "{error}"
        );
    }
}

#[test]
fn payloads_of_every_json_type_are_read() {
    let point = point(
        r#", "payload": {"": "", "n": null, "t": true, "f": false, "s": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀", "l": [1, [], {}], "o": {"o": {"k": "v"}}}"#,
    );
    assert_eq!(point.payload.len(), 7);
    assert_eq!(
        point.payload[""].kind,
        Some(Kind::StringValue(String::new()))
    );
    assert_eq!(point.payload["n"].kind, Some(Kind::NullValue(0)));
    assert_eq!(point.payload["f"].kind, Some(Kind::BoolValue(false)));
    assert_eq!(
        point.payload["s"].kind,
        Some(Kind::StringValue("a\"\\/\u{8}\u{c}\n\r\té😀é😀".to_owned()))
    );
    for none in ["", r#", "payload": null"#, r#", "payload": {}"#] {
        assert!(self::point(none).payload.is_empty());
    }
}

#[test]
fn unknown_fields_are_passed_over_as_qdrant_does() {
    let body = r#"{"wait": [1, {"a": "b"}], "points": [{"x": {"y": [[]]}, "id": 1, "z": null}], "more": -1.5e3}"#;
    assert_eq!(upserted(body).points.len(), 1);
}

#[test]
fn a_batch_is_read_in_any_order_of_its_columns() {
    let columns = [
        r#""ids": [1, "936da01f9abd4d9d80c702af85c822a8"]"#,
        r#""vectors": [[1, 2], [3, 4]]"#,
        r#""payloads": [{"a": 1}, null]"#,
    ];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let body = format!(
            r#"{{"batch": {{{}}}}}"#,
            order.map(|column| columns[column]).join(",")
        );
        let points = upserted(&body).points;
        assert_eq!(points.len(), 2);
        assert_eq!(points[0].payload["a"].kind, Some(Kind::IntegerValue(1)));
        assert!(points[1].payload.is_empty());
        assert_eq!(vector_of(points[1].clone()), dense(&[3.0, 4.0]));
    }
}

#[test]
fn a_batchs_vectors_may_be_rows_of_any_kind_or_columns_by_name() {
    let points = |vectors: &str| {
        upserted(&format!(
            r#"{{"batch": {{"ids": [1, 2], "vectors": {vectors}}}}}"#
        ))
        .points
    };
    assert_eq!(points("null")[1].vectors, no_vectors());
    assert_eq!(points("{}")[1].vectors, no_vectors());
    assert_eq!(points("[null, {}]")[0].vectors, no_vectors());
    assert!(matches!(
        vector_of(points("[[[1]], [[2]]]").swap_remove(1)),
        Kinds::MultiDense(_)
    ));
    assert!(matches!(
        vector_of(points(r#"[{"text": "a", "model": "m"}, [1]]"#).swap_remove(0)),
        Kinds::Document(_)
    ));
    assert_eq!(
        named_of(points(r#"[{"a": [1]}, {"b": [2], "a": [3]}]"#).swap_remove(1)).len(),
        2
    );
    let columns = points(r#"{"a": [[1], [2]], "b": [{"indices": [1], "values": [2]}, [[3]]]}"#);
    assert_eq!(named_of(columns[0].clone())["a"], dense(&[1.0]));
    assert!(matches!(
        named_of(columns[0].clone())["b"],
        Kinds::Sparse(_)
    ));
    assert!(matches!(
        named_of(columns[1].clone())["b"],
        Kinds::MultiDense(_)
    ));
    let none = upserted(r#"{"batch": {"ids": [1, 2]}}"#);
    assert_eq!(none.points[0].vectors, no_vectors());
}

#[test]
fn an_ingest_body_names_its_collection() {
    let body = br#"{"batch": {"vectors": [[0.5]], "ids": [7], "payloads": [{"a": "b"}]}, "x": 1, "collection_name": "movies"}"#;
    let write = Write::parse_ingest(body).expect("a good body");
    assert_eq!((write.collection_name(), write.points()), ("movies", 1));
    let message = only_message(write);
    assert_eq!(message.collection_name, "movies");
    assert_eq!(message.points.len(), 1);
    assert_eq!(
        (
            message.wait,
            message.ordering,
            message.timeout,
            message.update_mode
        ),
        (None, None, None, None)
    );
}

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

#[test]
fn white_space_is_allowed_wherever_json_allows_it() {
    let body = " \r\n\t{ \"points\" :\n[ { \"id\" : 1 , \"vector\" : [ 0.5 , -0.25\n,\t1 ] , \"payload\" : { \"a\" : [ 1 , 2 ] } } ] } \n";
    assert_eq!(
        vector_of(upserted(body).points.swap_remove(0)),
        dense(&[0.5, -0.25, 1.0])
    );
}

#[test]
fn long_vectors_of_mixed_writing_are_read_alike() {
    let numbers = [
        "0.123456789012345678",
        "-0.5",
        "1",
        "0.0",
        "-1.25e-3",
        "12.5",
        "0.00001234567890123456789",
        "3.4028234e38",
        "-0",
    ];
    let texts: Vec<&str> = numbers.iter().cycle().take(500).copied().collect();
    let values: Vec<f32> = texts
        .iter()
        .map(|text| text.parse::<f64>().expect("a number") as f32)
        .collect();
    for separator in [",", ", ", " ,", "\n,\n", ",  "] {
        let body = format!(
            r#"{{"points": [{{"id": 1, "vector": [{}]}}]}}{}"#,
            texts.join(separator),
            " ".repeat(64)
        );
        assert_eq!(
            vector_of(upserted(&body).points.swap_remove(0)),
            dense(&values)
        );
    }
}
