//! Numbers of vectors are the doubles nearest to their text, rounded once more.
use proptest::prelude::*;
use qdrant_client::qdrant::vector::Vector as Kinds;
use qdrant_client::qdrant::vectors::VectorsOptions;

use crate::upserted;

/// Reads numbers in the middle of a body, where the short way is tried, and at its end, where it is not.
fn read(texts: &[String], separator: &str) -> Vec<Vec<f32>> {
    let numbers = texts.join(separator);
    let body = format!(
        r#"{{"points":[{{"id":1,"vector":[{numbers}],"payload":{{"a":"{:60}"}}}},{{"id":2,"vector":[{numbers}]}}]}}"#,
        ""
    );
    let vectors = upserted(&body)
        .points
        .into_iter()
        .map(|point| point.vectors.and_then(|vectors| vectors.vectors_options));
    vectors
        .map(|vectors| match vectors {
            Some(VectorsOptions::Vector(vector)) => match vector.vector {
                Some(Kinds::Dense(dense)) => dense.data,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect()
}

#[track_caller]
fn agree(texts: &[String]) {
    let expected: Vec<u32> = texts
        .iter()
        .map(|text| (text.parse::<f64>().expect("a number") as f32).to_bits())
        .collect();
    for separator in [",", ", "] {
        for read in read(texts, separator) {
            let bits: Vec<u32> = read.into_iter().map(f32::to_bits).collect();
            for ((text, expected), bits) in texts.iter().zip(&expected).zip(&bits) {
                assert_eq!(bits, expected, "{text}");
            }
            assert_eq!(bits.len(), expected.len());
        }
    }
}

/// A decimal as clients write them, and as they do not.
fn decimal() -> impl Strategy<Value = String> {
    let finite = any::<f32>().prop_filter("finite", |value| value.is_finite());
    prop_oneof![
        finite
            .clone()
            .prop_map(|value| format!("{}", f64::from(value)))
            .prop_filter("short", |text| text.len() < 400),
        finite.clone().prop_map(|value| format!("{value}")),
        finite.prop_map(|value| format!("{:e}", f64::from(value))),
        (-1.0..1.0_f64).prop_map(|value| format!("{value}")),
        (-1.0..1.0_f32).prop_map(|value| format!("{}", f64::from(value))),
        (-1.0..1.0_f64, 1..30_usize).prop_map(|(value, digits)| format!("{value:.digits$}")),
        (-1e-6..1e-6_f64, 1..30_usize).prop_map(|(value, digits)| format!("{value:.digits$}")),
        (-1e6..1e6_f64, 0..30_usize).prop_map(|(value, digits)| format!("{value:.digits$}")),
        "-?[0-9]\\.[0-9]{1,30}",
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?",
    ]
    .prop_filter("a float", |text| {
        text.parse::<f64>()
            .is_ok_and(|value| (value as f32).is_finite())
    })
}

/// The exact text of the middle between a float and the next.
fn middle(bits: u32) -> f64 {
    let (low, high) = (f32::from_bits(bits), f32::from_bits(bits + 1));
    (f64::from(low) + f64::from(high)) / 2.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_decimals_agree_with_the_standard_library(texts in prop::collection::vec(decimal(), 1..60)) {
        agree(&texts);
    }

    #[test]
    fn decimals_about_the_middle_of_two_floats_agree(bits in 0x3380_0000..0x4100_0000_u32, cut in 10..60_usize, tail in "[0-9]{0,6}") {
        let exact = format!("{:.60}", middle(bits));
        let trimmed = exact.trim_end_matches('0');
        let cut = &exact[..cut.min(trimmed.len())];
        let up = f64::from_bits(middle(bits).to_bits() + 1);
        let down = f64::from_bits(middle(bits).to_bits() - 1);
        let texts = [
            trimmed.to_owned(),
            format!("-{trimmed}"),
            format!("{trimmed}{tail}1"),
            format!("{cut}{tail}"),
            format!("{up}"),
            format!("{down}"),
            format!("{up:.30}"),
        ];
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.ends_with('.')).collect();
        agree(&texts);
    }
}

#[test]
fn hard_decimals_agree_with_the_standard_library() {
    let texts = [
        "0.0",
        "-0.0",
        "0.5",
        "1.0",
        "9.999999999999999999999999",
        "0.000000000000000000000000",
        "0.00000000000000001234",
        "0.000000000000000012345678",
        "0.0000000000000001",
        "0.9999999999999999",
        "0.99999999999999999999",
        "0.999999970197677612304687",
        "0.999999970197677612304688",
        "0.99999997019767761230468750",
        "0.99999997019767761230468751",
        "1.00000005960464477539062",
        "1.000000059604644775390625",
        "1.000000059604644775390626",
        "1.00000017881393432617187",
        "1.000000178813934326171875",
        "0.1000000014901161193847656",
        "0.100000001490116119384765625",
        "1e-45",
        "7e-46",
        "1.4e-45",
        "1.1754943508222875e-38",
        "1.1754942807573643e-38",
        "3.4028234663852886e38",
        "3.40282346638528859811704183484516925e38",
        "16777217",
        "16777217.0000001",
        "16777216.99999999999",
        "123456789012345678901234567890",
        "0.1e1",
        "1E5",
        "1e-7",
        "12345678.9",
        "8.5",
        "0.30000001192092896",
        "0.3000000119209289550781250000000000000000000000000000001",
        "5e-324",
        "1e-400",
        "0e999999999999",
        "0.0e-5",
    ]
    .map(str::to_owned);
    agree(&texts);
    for text in texts {
        agree(&vec![text; 20]);
    }
}
