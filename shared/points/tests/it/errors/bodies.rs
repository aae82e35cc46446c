//! Bodies that cannot be written as a whole: 422, with the field.
use alioth_points::{UpsertQuery, Write, WriteError};

use super::{invalid, with_batch};
use crate::refused;

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
