use proptest::prelude::*;

use super::*;

/// Text of a number and what may follow it, long enough for a window.
fn padded(number: &str, after: &str) -> String {
    format!("{number}{after}{:48}", "")
}

/// What each reader makes of a number that ends with its text.
fn read(shape: Shape, number: &str) -> Option<f32> {
    let text = padded(number, ",");
    shape.read(
        Window::of(text.as_bytes()).expect("long enough"),
        number.len(),
    )
}

/// The contract: the nearest double, rounded once more.
fn expected(number: &str) -> f32 {
    number.parse::<f64>().expect("a number") as f32
}

const SHAPES: [Shape; 3] = [Shape::Fraction, Shape::ShortFraction, Shape::Plain];

/// A reader may leave a number to others, but never reads another one.
#[track_caller]
fn never_wrong(number: &str) {
    for shape in SHAPES {
        if let Some(value) = read(shape, number) {
            assert_eq!(
                value.to_bits(),
                expected(number).to_bits(),
                "{shape:?} of {number}"
            );
        }
    }
}

#[track_caller]
fn reads(shape: Shape, number: &str) {
    let value = read(shape, number).map(f32::to_bits);
    assert_eq!(
        value,
        Some(expected(number).to_bits()),
        "{shape:?} of {number}"
    );
}

/// Every text between the middles of a float and its neighbours is that float; at a middle, to its last digit, and
/// a digit to either side of it all is decided by that digit.
fn about_the_middle(bits: u32, digits: usize) -> [String; 3] {
    let (low, high) = (f32::from_bits(bits), f32::from_bits(bits + 1));
    let middle = (f64::from(low) + f64::from(high)) / 2.0;
    let exact = format!("{middle:.60}");
    let exact = exact.trim_end_matches('0');
    let cut = &exact[..exact.len().min(digits + 2)];
    [exact.to_owned(), format!("{exact}1"), cut.to_owned()]
}

proptest! {
    #[test]
    fn short_fractions_are_all_read_and_exactly(number in "-?[0-9]\\.[0-9]{1,8}") {
        reads(Shape::ShortFraction, &number);
        never_wrong(&number);
    }

    #[test]
    fn numbers_of_few_digits_are_all_read_wherever_their_point_is(
        number in "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,3})?",
    ) {
        reads(Shape::Plain, &number);
        never_wrong(&number);
    }

    #[test]
    fn whatever_is_read_of_any_length_is_right(
        number in "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,26})?",
    ) {
        never_wrong(&number);
    }

    #[test]
    fn whatever_is_read_about_the_middle_of_two_floats_is_right(
        bits in 0x2000_0000..0x4f00_0000_u32,
        digits in 6..26_usize,
    ) {
        for number in about_the_middle(bits, digits) {
            if !number.ends_with('.') {
                never_wrong(&number);
                never_wrong(&format!("-{number}"));
            }
        }
    }

    #[test]
    fn what_is_no_number_is_never_read(number in "[-+0-9.eE_ x]{1,20}") {
        if serde_json::from_str::<serde_json::Number>(&number).is_err() {
            for shape in SHAPES {
                prop_assert_eq!(read(shape, &number), None, "{:?} of {}", shape, &number);
            }
        }
    }

    #[test]
    fn a_guess_finds_the_first_comma_of_eight_bytes(text in "[ -~]{48}", from in 0..32_usize) {
        let window = Window::of(text.as_bytes()).expect("long enough");
        let comma = text[from..from + Window::GUESSED].find(',');
        prop_assert_eq!(window.guess_end(from), comma.map(|at| from + at));
        let end = text[..31].find([',', ']']);
        prop_assert_eq!(window.find_end(), end);
    }

    #[test]
    fn what_is_guessed_of_any_bytes_is_a_comma_or_known_to_be_none(
        bytes in prop::collection::vec(any::<u8>(), 48),
        from in 0..32_usize,
    ) {
        let window = Window::of(&bytes).expect("long enough");
        if let Some(end) = window.guess_end(from) {
            prop_assert_eq!(window.has_gap::<1>(end), bytes[end] == b',');
            prop_assert_eq!(window.has_gap::<2>(end), bytes[end..end + 2] == *b", ");
        }
    }
}

#[test]
fn all_numbers_of_a_digit_and_four_are_read_by_every_reader() {
    for number in 0..100_000_u32 {
        let text = format!("{}.{:04}", number / 10_000, number % 10_000);
        for shape in SHAPES {
            reads(shape, &text);
        }
    }
}

#[test]
fn other_texts_are_left_alone() {
    for number in [
        "", "-", ".", "-.", "1.", "-1.", ".5", "-.5", "00", "01", "-01", "00.5", "01.5", "-00.5",
        "--1", "+1", "1-", "1.2.3", "1..2", "1,2", "1 ", " 1", "1e5", "1.5e3", "0x1", "1_0", "NaN",
        "1.é", "é",
    ] {
        for shape in SHAPES {
            assert_eq!(read(shape, number), None, "{shape:?} of {number}");
        }
    }
}

#[test]
fn a_byte_that_is_no_digit_is_seen_wherever_it_stands() {
    let number = b"-1.2345678";
    for place in 0..number.len() {
        for byte in 0..=u8::MAX {
            let mut text = *number;
            text[place] = byte;
            let is_number = serde_json::from_slice::<serde_json::Number>(&text).is_ok();
            let window = [&text[..], &[b','; 40]].concat();
            let window = Window::of(&window).expect("long enough");
            for shape in SHAPES {
                let read = shape.read(window, text.len()).is_some();
                assert!(is_number || !read, "{shape:?} of {}", text.escape_ascii());
            }
        }
    }
}

#[test]
fn rounding_goes_by_the_double_and_not_by_the_text() {
    // Below the middle of two floats by less than a double can tell: the nearest double is that middle.
    let number = "1.00000017881393432617187499";
    assert_eq!(number.parse::<f32>().map(f32::to_bits), Ok(0x3f80_0001));
    assert_eq!(expected(number).to_bits(), 0x3f80_0002);
    never_wrong(number);
    let mut cursor = Cursor::new(number.as_bytes());
    assert_eq!(cursor.element().expect("a number").to_bits(), 0x3f80_0002);
}

/// Reads a list, in the middle of a text that goes on.
fn elements(numbers: &[&str], separator: &str, expected: usize) -> (Vec<f32>, Rhythm) {
    let text = padded(&numbers.join(separator), "]");
    let mut cursor = Cursor::new(text.as_bytes());
    let mut out = Vec::new();
    let count = cursor
        .elements(&mut out, expected)
        .expect("a list of numbers");
    assert_eq!(text[..cursor.at].chars().last(), Some(']'));
    let values: Vec<f32> = out
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    assert_eq!(values.len(), count);
    (values, cursor.rhythm)
}

#[test]
fn lists_of_any_length_are_read_whatever_was_expected() {
    for count in [1, 2, 7, 8, 9, 100, MOST_AT_ONCE, MOST_AT_ONCE + 1, 3000] {
        let numbers: Vec<String> = (0..count).map(|index| format!("-0.{index:06}")).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let right: Vec<f32> = numbers
            .iter()
            .map(|number| self::expected(number))
            .collect();
        for guess in [0, 1, count - 1, count, count + 1, 1 << 40] {
            for separator in [",", ", "] {
                assert_eq!(
                    elements(&numbers, separator, guess).0,
                    right,
                    "{count} by {guess}"
                );
            }
        }
    }
}

#[test]
fn the_shape_of_a_list_is_learned_and_changed() {
    let shape = |numbers: &[&str]| elements(&numbers.repeat(20), ",", 0).1.shape;
    assert_eq!(
        shape(&["0.1234567890123456", "-0.12345678901234567"]),
        Shape::Fraction
    );
    assert_eq!(shape(&["0.123456", "-0.12345678"]), Shape::ShortFraction);
    assert_eq!(shape(&["0.1234567890", "-0.123456789"]), Shape::Fraction);
    assert_eq!(shape(&["255", "0", "17"]), Shape::Plain);
    assert_eq!(shape(&["-12.75", "0.5"]), Shape::Plain);
}

#[test]
fn room_is_made_for_no_more_than_a_few_numbers_at_a_time() {
    let mut out = Vec::new();
    let text = padded("0.5", "]");
    let count = Cursor::new(text.as_bytes()).elements(&mut out, usize::MAX / 8);
    assert_eq!(count.expect("a list"), 1);
    assert!(out.capacity() <= 4 * MOST_AT_ONCE, "{}", out.capacity());
}
