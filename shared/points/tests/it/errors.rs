//! Every refusal: its class, its place, its words.
use alioth_points::{PointRef, UpsertQuery, Write, WriteError};

use crate::refused;

#[track_caller]
fn syntax(body: &str, at: usize, says: &str) {
    match refused(body) {
        WriteError::Syntax {
            offset, message, ..
        } => {
            assert!(message.contains(says), "{message}");
            assert_eq!(offset, at, "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn wrong_type(body: &str, at: &str, says: &str) {
    match refused(body) {
        WriteError::Type { path, message, .. } => {
            assert!(message.contains(says), "{message}");
            assert_eq!(path, at, "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn invalid(body: &str, at: Option<(usize, &str)>, in_field: &str, says: &str) {
    match refused(body) {
        WriteError::Invalid {
            point,
            field,
            message,
        } => {
            assert!(message.contains(says), "{message}");
            assert_eq!(field, in_field, "{message}");
            let expected = at.map(|(index, id)| PointRef {
                index,
                id: Some(id.to_owned()),
            });
            assert_eq!(point, expected, "{message}");
        }
        other => panic!("{other:?}"),
    }
}

fn with_point(members: &str) -> String {
    format!(r#"{{"points": [{{"id": 0}}, {{"id": 7, {members}}}]}}"#)
}

fn with_batch(members: &str) -> String {
    format!(r#"{{"batch": {{{members}}}}}"#)
}

#[test]
fn text_that_is_not_json_is_refused_with_its_place() {
    syntax("", 0, "found the end of the body");
    syntax("  ", 2, "found the end of the body");
    syntax(
        "{",
        1,
        "expected a field name in quotes, found the end of the body",
    );
    syntax(r#"{"points""#, 9, "expected `:`");
    syntax(
        r#"{"points": [{"id": 1}"#,
        21,
        "expected `,` or `]`, found the end of the body",
    );
    syntax(r#"{"points": [{"id": 1,}]}"#, 21, "expected a field name");
    syntax(
        r#"{"points": [{"id": 1},]}"#,
        22,
        "expected a value, found `]`",
    );
    syntax(r#"{"points": [{"id": 1}]} x"#, 24, "after the end");
    syntax(r#"{"points": [{"id": 01}]}"#, 19, "may not start with 0");
    syntax(
        r#"{"points": [{"id": +1}]}"#,
        19,
        "expected a value, found `+`",
    );
    syntax(r#"{'points': []}"#, 1, "found `'`");
    syntax("{\"a\": \"\u{1}\"}", 7, "control character 0x01");
    syntax(r#"{"a": "\x"}"#, 7, "invalid escape");
    syntax(r#"{"a": "\ud800"}"#, 7, "surrogate");
    syntax(r#"{"a": "\ud800\u0041"}"#, 7, "surrogate");
    syntax(r#"{"a": "\udc00"}"#, 7, "surrogate");
    syntax(r#"{"a": "\u12g4"}"#, 7, "invalid \\u escape");
    syntax(r#"{"a": "b"#, 8, "unterminated string");
    syntax(r#"{"a": "b\"#, 9, "unterminated string");
    syntax(r#"{"a": nul}"#, 6, "expected a value");
    syntax(r#"{"a": [1 2]}"#, 9, "expected `,` or `]`, found `2`");
    syntax(r#"{"a": {1: 2}}"#, 7, "expected a field name");
    syntax(r#"{"a": -}"#, 7, "expected a digit");
    syntax(r#"{"a": 1.}"#, 8, "expected a digit");
    syntax(r#"{"a": 1e}"#, 8, "expected a digit");
    syntax(r#"{"a": 1e+}"#, 9, "expected a digit");
}

#[test]
fn vectors_that_are_not_json_are_refused_with_their_place() {
    for (numbers, at, says) in [
        ("0.1, 0.2", 37, "expected `,` or `]`, found the end"),
        ("0.1, ]", 34, "expected a value, found `]`"),
        ("0.1 0.2]", 33, "expected `,` or `]`, found `0`"),
        ("NaN]", 29, "NaN is not JSON"),
        ("0.1, Infinity]", 34, "Infinity is not JSON"),
        ("-Infinity]", 30, "Infinity is not JSON"),
        ("1e400]", 29, "number out of range"),
        (".5]", 29, "expected a value, found `.`"),
        ("00.5]", 29, "may not start with 0"),
        ("0.5.5]", 32, "expected `,` or `]`, found `.`"),
        ("0x10]", 30, "expected `,` or `]`, found `x`"),
        ("0.1,,0.2]", 33, "expected a value, found `,`"),
        ("--0.1]", 30, "expected a digit"),
    ] {
        syntax(
            &format!(r#"{{"points":[{{"id":7,"vector":[{numbers}"#),
            at,
            says,
        );
        // Once more with text after it, so that the short way has enough to look at.
        if numbers.ends_with(']') {
            syntax(
                &format!(
                    r#"{{"points":[{{"id":7,"vector":[{numbers},"payload":{{"a":"{:60}"}}}}]}}"#,
                    ""
                ),
                at,
                says,
            );
        }
    }
}

#[test]
fn wrong_utf8_is_refused_with_its_place() {
    for bytes in [
        &b"\xff"[..],
        b"\xc3\x28",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xf5\x80\x80\x80",
    ] {
        let mut body = br#"{"points": [{"id": 1, "payload": {"a": "ok"#.to_vec();
        body.extend_from_slice(bytes);
        body.extend_from_slice(br#""}}]}"#);
        let error =
            Write::parse_upsert("c", UpsertQuery::default(), &body).expect_err("wrong UTF-8");
        assert!(
            matches!(error, WriteError::Syntax { offset: 42, .. }),
            "{error:?}"
        );
    }
    let error = Write::parse_ingest(b"\xef\xbb\xbf{}").expect_err("a byte order mark");
    assert_eq!(
        error.to_string(),
        "expected a value, found byte 0xef at line 1 column 1"
    );
}

#[test]
fn lines_and_columns_are_counted_in_bytes_from_one() {
    let error = refused("{\n  \"points\": [\n    {\"id\": \"é\", x}\n  ]\n}");
    assert!(matches!(error, WriteError::Invalid { .. }), "{error:?}");
    let error = refused("{\n  \"points\": [\n    {\"é\": 1, x}\n  ]\n}");
    assert!(
        matches!(
            error,
            WriteError::Syntax {
                line: 3,
                column: 15,
                offset: 30,
                ..
            }
        ),
        "{error:?}"
    );
    let error = refused("{\n\"points\": 5}");
    assert!(
        matches!(
            error,
            WriteError::Type {
                line: 2,
                column: 11,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn values_of_the_wrong_type_are_refused_with_their_path() {
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
fn ids_that_are_none_are_refused_by_point() {
    for id in [
        "-1",
        "1.5",
        "1e3",
        "-0",
        "18446744073709551616",
        r#""x""#,
        r#""936da01f-9abd-4d9d-80c7-02af85c822a""#,
        r#""123""#,
    ] {
        let body = format!(r#"{{"points": [{{"id": 5}}, {{"id": {id}}}]}}"#);
        let WriteError::Invalid {
            point,
            field,
            message,
        } = refused(&body)
        else {
            panic!("{id}")
        };
        assert_eq!(
            (point, field.as_str()),
            (Some(PointRef { index: 1, id: None }), "id")
        );
        assert!(
            message.contains("is not an unsigned integer or a UUID"),
            "{message}"
        );
        let body = with_batch(&format!(r#""ids": [5, {id}]"#));
        let WriteError::Invalid { point, field, .. } = refused(&body) else {
            panic!("{id}")
        };
        assert_eq!(
            (point, field.as_str()),
            (Some(PointRef { index: 1, id: None }), "id")
        );
    }
}

#[test]
fn vectors_that_cannot_be_are_refused_by_point_and_field() {
    let at = Some((1, "7"));
    invalid(
        &with_point(r#""vector": []"#),
        at,
        "vector",
        "may not be empty",
    );
    invalid(
        &with_point(r#""vector": {"title": []}"#),
        at,
        "vector.title",
        "may not be empty",
    );
    invalid(
        &with_point(r#""vector": [[]]"#),
        at,
        "vector[0]",
        "may not be empty",
    );
    invalid(
        &with_point(r#""vector": [[1, 2], [3, 4], [5]]"#),
        at,
        "vector[2]",
        "expected 2 dimensions as in the rows before, found 1",
    );
    invalid(
        &with_point(r#""vector": [0.5, 1e39]"#),
        at,
        "vector[1]",
        "out of the range of a 32-bit float",
    );
    invalid(
        &with_point(r#""vector": {"title": [1, 2, 3, -1e300]}"#),
        at,
        "vector.title[3]",
        "-1e300 is out of the range",
    );
    invalid(
        &with_point(r#""vector": {"m": [[1], [1e39]]}"#),
        at,
        "vector.m[1][0]",
        "out of the range",
    );
    let sparse = |indices: &str, values: &str| {
        with_point(&format!(
            r#""vector": {{"s": {{"indices": {indices}, "values": {values}}}}}"#
        ))
    };
    invalid(
        &sparse("[1, 2]", "[1]"),
        at,
        "vector.s.indices",
        "found 2 and 1",
    );
    invalid(
        &sparse("[3, 1, 3]", "[1, 2, 3]"),
        at,
        "vector.s.indices",
        "3 is given twice",
    );
    invalid(
        &sparse("[1, 4294967296]", "[1, 2]"),
        at,
        "vector.s.indices[1]",
        "4294967296 is not an unsigned 32-bit integer",
    );
    invalid(
        &sparse("[-1]", "[1]"),
        at,
        "vector.s.indices[0]",
        "-1 is not",
    );
    invalid(
        &sparse("[0.5]", "[1]"),
        at,
        "vector.s.indices[0]",
        "0.5 is not",
    );
    invalid(
        &sparse("[1]", "[1e39]"),
        at,
        "vector.s.values[0]",
        "out of the range",
    );
}

#[test]
fn a_points_id_is_told_wherever_it_stands() {
    invalid(
        r#"{"points": [{"vector": [], "payload": {}, "id": 7}]}"#,
        Some((0, "7")),
        "vector",
        "may not be empty",
    );
    let body =
        with_batch(r#""vectors": [[1], []], "ids": [3, "936DA01F9ABD4d9d80C702AF85C822A8"]"#);
    invalid(
        &body,
        Some((1, "936da01f-9abd-4d9d-80c7-02af85c822a8")),
        "vectors",
        "may not be empty",
    );
    let WriteError::Invalid { point, .. } = refused(r#"{"points": [{"vector": []"#) else {
        panic!("accepted")
    };
    assert_eq!(point, Some(PointRef { index: 0, id: None }));
    let error = refused(r#"{"points": [{"vector": [], "id": 7}]}"#);
    assert_eq!(
        error.to_string(),
        "point 0 (id 7): vector: a vector may not be empty"
    );
}

#[test]
fn a_batchs_columns_of_other_lengths_are_refused() {
    invalid(
        &with_batch(r#""ids": [1, 2], "vectors": [[1]]"#),
        None,
        "batch.vectors",
        "expected as many as ids, 2, found 1",
    );
    invalid(
        &with_batch(r#""vectors": [], "ids": [1]"#),
        None,
        "batch.vectors",
        "expected as many as ids, 1, found 0",
    );
    invalid(
        &with_batch(r#""ids": [1], "vectors": {"a": [[1]], "b": []}"#),
        None,
        "batch.vectors.b",
        "found 0",
    );
    invalid(
        &with_batch(r#""payloads": [null, {}], "ids": [1]"#),
        None,
        "batch.payloads",
        "expected as many as ids, 1, found 2",
    );
    invalid(
        &with_batch(r#""ids": [1, 2], "vectors": [[1], []]"#),
        Some((1, "2")),
        "vectors",
        "may not be empty",
    );
    invalid(
        &with_batch(r#""ids": [1], "vectors": {"a": [[[1], [1, 2]]]}"#),
        Some((0, "1")),
        "vectors.a[1]",
        "expected 1 dimensions",
    );
}

#[test]
fn a_write_of_nothing_or_of_both_forms_is_refused() {
    invalid(r#"{"points": []}"#, None, "points", "at least one point");
    invalid(
        &with_batch(r#""ids": [], "vectors": []"#),
        None,
        "batch.ids",
        "at least one point",
    );
    invalid(
        r#"{"points": [{"id": 1}], "batch": {"ids": [1]}}"#,
        None,
        "batch",
        "may not be given together",
    );
    invalid(
        r#"{"batch": {"ids": [1]}, "points": [{"id": 1}]}"#,
        None,
        "batch",
        "may not be given together",
    );
}

#[test]
fn collection_names_qdrant_would_refuse_are_refused() {
    let long = "x".repeat(256);
    for name in ["", "a/b", "a\0", &long] {
        let error =
            Write::parse_upsert(name, UpsertQuery::default(), br#"{"points": [{"id": 1}]}"#)
                .expect_err("a bad name");
        assert!(
            matches!(error, WriteError::Invalid { point: None, field, .. } if field == "collection_name")
        );
    }
    let name = "ü".repeat(255);
    Write::parse_upsert(&name, UpsertQuery::default(), br#"{"points": [{"id": 1}]}"#)
        .expect("a good name");
    assert!(!refused("{}").is_transient());
}
