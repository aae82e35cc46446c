//! Payloads: every JSON type, numbers exactly.
use qdrant_client::qdrant::value::Kind;

use super::point;
use crate::refused;

fn payload_of(value: &str) -> Kind {
    let mut point = point(&format!(r#", "payload": {{"k": {value}}}"#));
    point
        .payload
        .remove("k")
        .and_then(|value| value.kind)
        .expect("a kind")
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
        assert!(super::point(none).payload.is_empty());
    }
}
