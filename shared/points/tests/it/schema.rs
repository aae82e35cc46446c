//! Writes against collections.
use alioth_points::{CollectionSchema, PointRef, VectorKind, WriteError};

use crate::upsert;

fn schema(vectors: &[(&str, VectorKind)]) -> CollectionSchema {
    CollectionSchema {
        vectors: vectors
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect(),
    }
}

const DENSE: VectorKind = VectorKind::Dense { size: 2 };
const MULTI: VectorKind = VectorKind::MultiDense { size: 2 };
const SPARSE: VectorKind = VectorKind::Sparse;

fn check(body: &str, schema: &CollectionSchema) -> Result<(), WriteError> {
    upsert(body).expect("a good body").check(schema)
}

fn with_vector(vector: &str) -> String {
    format!(r#"{{"points": [{{"id": 4, "vector": {vector}}}]}}"#)
}

#[track_caller]
fn fits(vector: &str, vectors: &[(&str, VectorKind)]) {
    check(&with_vector(vector), &schema(vectors)).expect("it fits");
}

#[track_caller]
fn fails(vector: &str, vectors: &[(&str, VectorKind)], in_field: &str, says: &str) {
    match check(&with_vector(vector), &schema(vectors)) {
        Err(WriteError::Invalid {
            point,
            field,
            message,
        }) => {
            assert!(message.contains(says), "{message}");
            assert_eq!(field, in_field);
            assert_eq!(
                point,
                Some(PointRef {
                    index: 0,
                    id: Some("4".to_owned())
                })
            );
        }
        other => panic!("{other:?}"),
    }
}

const SPARSE_VECTOR: &str = r#"{"s": {"indices": [1], "values": [1]}}"#;

#[test]
fn vectors_of_the_kind_and_size_fit() {
    fits("[1, 2]", &[("", DENSE)]);
    fits(r#"{"": [1, 2]}"#, &[("", DENSE)]);
    fits("[[1, 2], [3, 4]]", &[("", MULTI)]);
    fits(SPARSE_VECTOR, &[("s", SPARSE)]);
    fits(
        r#"{"b": [1, 2]}"#,
        &[("a", DENSE), ("b", DENSE), ("c", SPARSE)],
    );
}

#[test]
fn a_point_may_leave_vectors_out() {
    fits("{}", &[("", DENSE)]);
    fits("null", &[("a", SPARSE)]);
}

#[test]
fn a_dense_vector_is_a_matrix_of_one_row() {
    fits("[1, 2]", &[("", MULTI)]);
    fails(
        "[1]",
        &[("", MULTI)],
        "vector",
        "expected 2 dimensions, found 1",
    );
}

#[test]
fn vectors_to_be_inferred_are_not_looked_into() {
    fits(r#"{"text": "a", "model": "m"}"#, &[("", DENSE)]);
    fits(r#"{"s": {"text": "a", "model": "m"}}"#, &[("s", SPARSE)]);
    fails(
        r#"{"t": {"text": "a", "model": "m"}}"#,
        &[("s", SPARSE)],
        "vector.t",
        "no vector of this name; it has `s`",
    );
}

#[test]
fn vectors_of_another_kind_or_size_do_not_fit() {
    fails(
        "[1, 2, 3]",
        &[("", DENSE)],
        "vector",
        "expected 2 dimensions, found 3",
    );
    fails(
        "[[1, 2]]",
        &[("", DENSE)],
        "vector",
        "expected one dense vector, found a list of them",
    );
    fails(
        "[[1]]",
        &[("", MULTI)],
        "vector",
        "expected 2 dimensions, found 1",
    );
    fails(
        r#"{"s": [1, 2]}"#,
        &[("s", SPARSE)],
        "vector.s",
        "expected a sparse vector",
    );
    fails(
        r#"{"s": [[1, 2]]}"#,
        &[("s", SPARSE)],
        "vector.s",
        "expected a sparse vector",
    );
    fails(
        SPARSE_VECTOR,
        &[("s", DENSE)],
        "vector.s",
        "expected a dense vector, found a sparse one",
    );
    fails(
        "[1, 2]",
        &[("a", DENSE), ("b", SPARSE)],
        "vector",
        "no unnamed vector; it has `a`, `b`",
    );
    fails(
        r#"{"c": [1, 2]}"#,
        &[("", DENSE)],
        "vector.c",
        "no vector of this name; it has an unnamed one",
    );
    fails("[1]", &[], "vector", "it has none");
}

#[test]
fn the_first_point_at_fault_is_told() {
    let two = schema(&[("a", DENSE), ("b", DENSE)]);
    let body = r#"{"points": [{"id": 1, "vector": {"a": [1, 2]}}, {"id": 2, "vector": {"b": [1], "a": [1, 2]}}, {"id": 3, "vector": {"a": [1]}}]}"#;
    let error = check(body, &two).expect_err("point 1 has b wrong");
    assert_eq!(
        error.to_string(),
        "point 1 (id 2): vector.b: expected 2 dimensions, found 1"
    );
    let body = r#"{"batch": {"ids": [1, 2, 3], "vectors": {"a": [[1, 2], [1, 2], [1]], "b": [[1, 2], [1, 2, 3], [1, 2]]}}}"#;
    let error = check(body, &two).expect_err("point 1 has b wrong");
    assert_eq!(
        error.to_string(),
        "point 1 (id 2): vectors.b: expected 2 dimensions, found 3"
    );
    let body = r#"{"batch": {"vectors": [[1, 2], [1, 2, 3]], "ids": [1, 2]}}"#;
    let error = check(body, &schema(&[("", DENSE)])).expect_err("point 1 is wrong");
    assert_eq!(
        error.to_string(),
        "point 1 (id 2): vectors: expected 2 dimensions, found 3"
    );
}

#[test]
fn what_was_tried_as_named_vectors_is_forgotten_when_it_is_inferred() {
    let body = r#"{"points": [{"id": 1, "vector": {"image": [1, 2, 3], "model": "m"}}, {"id": 2, "vector": [1, 2]}]}"#;
    check(body, &schema(&[("", DENSE)])).expect("nothing is named `image`");
}
