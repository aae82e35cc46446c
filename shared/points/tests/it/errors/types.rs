//! JSON of another type than is wanted there, or a field given twice: 400, with its path.
use alioth_points::{Write, WriteError};

use super::{with_batch, with_point, wrong_type};

#[test]
fn bodies_and_ids_of_the_wrong_type_are_refused_with_their_path() {
    wrong_type("[]", "body", "expected an object, found a list");
    wrong_type("{}", "points", "missing");
    wrong_type(
        r#"{"points": {}}"#,
        "points",
        "expected a list of points, found an object",
    );
    wrong_type(
        r#"{"points": [1]}"#,
        "points[0]",
        "expected a point: an object, found a number",
    );
    wrong_type(
        r#"{"points": [{"id": 1}, {"vector": [1]}]}"#,
        "points[1].id",
        "missing",
    );
    wrong_type(
        r#"{"points": [{"id": null}]}"#,
        "points[0].id",
        "expected an unsigned integer or a UUID, found null",
    );
}

#[test]
fn vectors_and_payloads_of_the_wrong_type_are_refused_with_their_path() {
    wrong_type(
        &with_point(r#""vector": "a""#),
        "points[1].vector",
        "expected a vector",
    );
    wrong_type(
        &with_point(r#""vector": [1, "a"]"#),
        "points[1].vector[1]",
        "expected a number, found a string",
    );
    wrong_type(
        &with_point(r#""vector": [null]"#),
        "points[1].vector[0]",
        "expected a number, found null",
    );
    wrong_type(
        &with_point(r#""vector": [1, [2]]"#),
        "points[1].vector[1]",
        "expected a number, found a list",
    );
    wrong_type(
        &with_point(r#""vector": [[1], 2]"#),
        "points[1].vector[1]",
        "expected a list of numbers, found a number",
    );
    wrong_type(
        &with_point(r#""vector": [[1], ["a"]]"#),
        "points[1].vector[1][0]",
        "expected a number",
    );
    wrong_type(
        &with_point(r#""vector": {"a": {"b": 1}}"#),
        "points[1].vector.a.indices",
        "missing",
    );
    wrong_type(
        &with_point(r#""vector": {"a": {"indices": [1]}}"#),
        "points[1].vector.a.values",
        "missing",
    );
    wrong_type(
        &with_point(r#""vector": {"a": null}"#),
        "points[1].vector.a",
        "found null",
    );
    wrong_type(
        &with_point(r#""vector": {"a": {"model": "m"}}"#),
        "points[1].vector.a",
        "expected `text`, `image` or `object`",
    );
    wrong_type(
        &with_point(r#""vector": {"text": 1, "model": "m"}"#),
        "points[1].vector.text",
        "expected a string",
    );
    wrong_type(
        &with_point(r#""payload": [1]"#),
        "points[1].payload",
        "expected an object, found a list",
    );
}

#[test]
fn a_batchs_columns_of_the_wrong_type_are_refused_with_their_path() {
    wrong_type(&with_batch(""), "batch.ids", "missing");
    wrong_type(
        &with_batch(r#""ids": 1"#),
        "batch.ids",
        "expected a list of ids",
    );
    wrong_type(
        &with_batch(r#""ids": [1, true]"#),
        "batch.ids[1]",
        "found a boolean",
    );
    wrong_type(
        &with_batch(r#""ids": [1], "vectors": 1"#),
        "batch.vectors",
        "expected a list of vectors",
    );
    wrong_type(
        &with_batch(r#""ids": [1], "vectors": [[0.5, {}]]"#),
        "batch.vectors[0][1]",
        "found an object",
    );
    wrong_type(
        &with_batch(r#""ids": [1], "vectors": {"a": [[1, ""]]}"#),
        "batch.vectors.a[0][1]",
        "found a string",
    );
    wrong_type(
        &with_batch(r#""ids": [1], "vectors": {"a": {}}"#),
        "batch.vectors.a",
        "expected a list of vectors",
    );
    wrong_type(
        &with_batch(r#""ids": [1], "payloads": [{}, 5]"#),
        "batch.payloads[1]",
        "expected an object",
    );
}

#[test]
fn options_of_the_wrong_type_are_refused_with_their_path() {
    wrong_type(
        r#"{"points": [{"id": 1}], "shard_key": -1}"#,
        "shard_key",
        "expected a shard key",
    );
    wrong_type(
        r#"{"points": [{"id": 1}], "shard_key": ["a", {}]}"#,
        "shard_key[1]",
        "expected a shard key",
    );
    wrong_type(
        r#"{"points": [{"id": 1}], "shard_key": {"target": 1}}"#,
        "shard_key.fallback",
        "missing",
    );
    wrong_type(
        r#"{"points": [{"id": 1}], "update_mode": "other"}"#,
        "update_mode",
        "`insert_only`",
    );
    wrong_type(
        r#"{"points": [{"id": 1}], "update_mode": 1}"#,
        "update_mode",
        "found a number",
    );
}

#[test]
fn an_ingest_body_without_a_part_is_refused_by_its_name() {
    let error = Write::parse_ingest(br#"{"collection_name": 5}"#).expect_err("a number for a name");
    assert!(matches!(error, WriteError::Type { path, .. } if path == "collection_name"));
    for (body, missing) in [
        (r#"{"batch": {"ids": [1]}}"#, "collection_name"),
        (r#"{"collection_name": "c"}"#, "batch"),
    ] {
        let error = Write::parse_ingest(body.as_bytes()).expect_err("something missing");
        assert!(matches!(error, WriteError::Type { path, .. } if path == missing));
    }
}

#[test]
fn fields_given_twice_are_refused_by_name() {
    wrong_type(
        r#"{"points": [{"id": 1}], "points": []}"#,
        "points",
        "given twice",
    );
    wrong_type(
        r#"{"a": 1, "points": [{"id": 1}], "a": 2}"#,
        "a",
        "given twice",
    );
    wrong_type(
        r#"{"points": [{"id": 1, "id": 2}]}"#,
        "points[0].id",
        "given twice",
    );
    wrong_type(
        &with_point(r#""vector": [1], "vectors": [1]"#),
        "points[1].vectors",
        "given twice",
    );
    wrong_type(
        &with_point(r#""x": [1], "x": [1]"#),
        "points[1].x",
        "given twice",
    );
    wrong_type(
        &with_point(r#""vector": {"a": [1], "\u0061": [1]}"#),
        "points[1].vector.a",
        "given twice",
    );
    wrong_type(
        &with_point(r#""vector": {"a": {"indices": [], "indices": [], "values": []}}"#),
        "points[1].vector.a.indices",
        "twice",
    );
    wrong_type(
        &with_batch(r#""ids": [1], "ids": [1]"#),
        "batch.ids",
        "given twice",
    );
    wrong_type(
        &with_batch(r#""ids": [1], "vectors": {"a": [[1]], "a": [[1]]}"#),
        "batch.vectors.a",
        "given twice",
    );
    wrong_type(
        r#"{"points": [{"id": 1}], "shard_key": {"target": 1, "target": 1, "fallback": 2}}"#,
        "shard_key.target",
        "twice",
    );
    let error = Write::parse_ingest(br#"{"collection_name": "a", "collection_name": "b"}"#)
        .expect_err("twice");
    assert!(
        error
            .to_string()
            .starts_with("collection_name: the field is given twice"),
        "{error}"
    );
}

#[test]
fn fields_of_a_payload_given_twice_are_refused_by_name() {
    wrong_type(
        &with_point(r#""payload": {"b": {"c": 1, "d": 2, "c": 3}}"#),
        "points[1].payload.b.c",
        "given twice",
    );
    wrong_type(
        &with_point(r#""payload": {"b": 1, "\u0062": 2}"#),
        "points[1].payload.b",
        "given twice",
    );
    let many: Vec<String> = (0..40).map(|key| format!(r#""{}": 1"#, key % 39)).collect();
    wrong_type(
        &with_point(&format!(r#""payload": {{{}}}"#, many.join(","))),
        "points[1].payload.0",
        "given twice",
    );
}
