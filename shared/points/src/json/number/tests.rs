use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Parsed<Number> {
    let mut cursor = Cursor::new(text.as_bytes());
    let number = cursor.number()?;
    assert_eq!(cursor.at, text.len(), "{text}");
    Ok(number)
}

#[track_caller]
fn is(text: &str, expected: Number) {
    assert_eq!(number(text).expect("a number"), expected, "{text}");
}

#[test]
fn integers_are_what_fits_and_doubles_the_rest() {
    is("0", Number::Integer(0));
    is("-1", Number::Integer(-1));
    is("9223372036854775807", Number::Integer(i64::MAX));
    is("9223372036854775808", Number::Unsigned(1 << 63));
    is("18446744073709551615", Number::Unsigned(u64::MAX));
    is(
        "18446744073709551616",
        Number::Double(18_446_744_073_709_551_616.0),
    );
    is("-9223372036854775808", Number::Integer(i64::MIN));
    is(
        "-9223372036854775809",
        Number::Double(-9_223_372_036_854_775_809.0),
    );
    is("1.0", Number::Double(1.0));
    is("1e0", Number::Double(1.0));
    let Ok(Number::Double(zero)) = number("-0") else {
        panic!("no double")
    };
    assert!(zero == 0.0 && zero.is_sign_negative());
}

#[test]
fn digits_that_no_longer_fit_are_counted() {
    // 19 digits fit, some twenties do; what is left out raises the exponent.
    for (text, mantissa, exponent, inexact) in [
        ("1844674407370955161", 1_844_674_407_370_955_161, 0, false),
        ("18446744073709551615", u64::MAX, 0, false),
        ("18446744073709551616", 1_844_674_407_370_955_161, 1, true),
        ("18446744073709551615.5", u64::MAX, 0, true),
        (
            "0.18446744073709551616",
            1_844_674_407_370_955_161,
            -19,
            true,
        ),
        ("123e-7", 123, -7, false),
        ("1.23E+2", 123, 0, false),
    ] {
        let decimal = Cursor::new(text.as_bytes()).decimal().expect("a number");
        let found = (decimal.mantissa, decimal.exponent, decimal.inexact);
        assert_eq!(found, (mantissa, exponent, inexact), "{text}");
    }
}

#[test]
fn exponents_beyond_all_reason_are_zero_or_out_of_range() {
    is("1e-99999999999999999999", Number::Double(0.0));
    is("0e99999999999999999999", Number::Double(0.0));
    number("1e99999999999999999999").expect_err("out of range");
    number("-1e309").expect_err("out of range");
}

#[test]
fn text_that_is_no_number_is_refused() {
    for text in [
        "", "-", "+1", ".5", "1.", "01", "-01", "1e", "1e+", "1.e5", "x",
    ] {
        number(text).expect_err(text);
    }
}

proptest! {
    #[test]
    fn doubles_are_the_nearest(
        text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?",
    ) {
        let nearest: f64 = text.parse().expect("a number");
        match Cursor::new(text.as_bytes()).any_double() {
            Ok(value) => prop_assert_eq!(value.to_bits(), nearest.to_bits()),
            Err(_) => prop_assert!(nearest.is_infinite()),
        }
    }

    #[test]
    fn a_float_that_is_sure_is_right(
        text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?",
    ) {
        let decimal = Cursor::new(text.as_bytes()).decimal().expect("a number");
        if let Some(value) = decimal.near_float() {
            let double: f64 = text.parse().expect("a number");
            prop_assert_eq!(value.to_bits(), (double as f32).to_bits());
        }
    }
}
