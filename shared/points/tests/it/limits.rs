//! Bodies that would take far more memory than they are long: refused, and told so.
use alioth_points::WriteError;

use crate::refused;

fn message_of(error: WriteError) -> (String, String) {
    match error {
        WriteError::Invalid { field, message, .. } => (field, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn vectors_have_so_many_names_and_no_more() {
    let body = |names: usize| {
        let named: Vec<String> = (0..names).map(|name| format!(r#""{name}":[1]"#)).collect();
        format!(
            r#"{{"points": [{{"id": 1, "vector": {{{}}}}}]}}"#,
            named.join(",")
        )
    };
    crate::upserted(&body(4096));
    let (field, message) = message_of(refused(&body(4097)));
    assert_eq!(field, "vector");
    assert!(
        message.contains("more than 4096 different names"),
        "{message}"
    );
}

#[test]
fn writes_of_next_to_nothing_are_refused_before_they_fill_the_memory() {
    let ids = |count: usize| vec!["1"; count].join(",");
    crate::upserted(&format!(r#"{{"batch": {{"ids": [{}]}}}}"#, ids(50_000)));
    for body in [
        format!(r#"{{"batch": {{"ids": [{}]}}}}"#, ids(200_000)),
        format!(
            r#"{{"points": [{}]}}"#,
            vec![r#"{"id":1}"#; 500_000].join(",")
        ),
        format!(
            r#"{{"batch": {{"vectors": {{"a": [{0}], "b": [{0}]}}, "ids": [1]}}}}"#,
            vec!["[1]"; 500_000].join(",")
        ),
    ] {
        let (_, message) = message_of(refused(&body));
        assert!(message.contains("send fewer points at once"), "{message}");
    }
}

#[test]
fn columns_take_no_memory_for_vectors_that_are_not_there() {
    let ids = vec!["1"; 70_000].join(",");
    let columns: Vec<String> = (0..4000).map(|name| format!(r#""{name}":[]"#)).collect();
    let body = format!(
        r#"{{"batch": {{"ids": [{ids}], "vectors": {{{}}}}}}}"#,
        columns.join(",")
    );
    let (field, message) = message_of(refused(&body));
    assert_eq!(field, "batch.vectors.0");
    assert!(
        message.contains("as many as ids, 70000, found 0"),
        "{message}"
    );
}

#[test]
fn options_are_short_since_every_message_has_them() {
    let ids = vec!["1"; 40_000].join(",");
    for (option, name) in [
        (
            format!(r#""update_filter": {{"must": {{"has_id": [{ids}]}}}}"#),
            "update_filter",
        ),
        (format!(r#""shard_key": [{ids}]"#), "shard_key"),
    ] {
        let body = format!(r#"{{"points": [{{"id": 1}}], {option}}}"#);
        let (field, message) = message_of(refused(&body));
        assert_eq!(field, name);
        assert!(message.contains("more than 65536"), "{message}");
    }
}

#[test]
fn an_error_does_not_repeat_megabytes_of_the_body() {
    let long = "a".repeat(1 << 20);
    for body in [
        format!(r#"{{"points": [{{"id": 1, "vector": {{"{long}": [1e39]}}}}]}}"#),
        format!(r#"{{"points": [{{"id": 1, "payload": {{"{long}": [18446744073709551615]}}}}]}}"#),
        format!(
            r#"{{"points": [{{"id": 1, "vector": [1{}]}}]}}"#,
            "0".repeat(200)
        ),
        format!(r#"{{"points": [{{"id": 1}}], "{long}": 1, "{long}": 2}}"#),
    ] {
        let text = refused(&body).to_string();
        assert!(text.len() < 1000, "{}", text.len());
    }
}
