//! Text that is not JSON: 400, with line, column and offset.
use alioth_points::{UpsertQuery, Write, WriteError};

use super::syntax;
use crate::refused;

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
