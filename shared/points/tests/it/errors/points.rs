//! Points that cannot be written: 422, with the point and its field.
use alioth_points::{PointRef, WriteError};

use super::{invalid, with_batch, with_point};
use crate::refused;

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
}

#[test]
fn sparse_vectors_that_cannot_be_are_refused_by_point_and_field() {
    let at = Some((1, "7"));
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
