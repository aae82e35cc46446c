use proptest::prelude::*;

use super::*;

/// Reads an object and whether it gives a key twice.
fn read(body: &str) -> Parsed<()> {
    let mut cursor = Cursor::new(body.as_bytes());
    let mut keys = Keys::default();
    let start = keys.enter();
    let mut more = cursor.open_object("an object")?;
    while more {
        keys.push(cursor.raw_key()?);
        cursor.skip()?;
        more = cursor.next_member()?;
    }
    keys.leave(&cursor, start)
}

fn object(keys: &[String]) -> String {
    let members: Vec<String> = keys.iter().map(|key| format!(r#""{key}":1"#)).collect();
    format!("{{{}}}", members.join(","))
}

/// The same key, a letter of it written as an escape.
fn escaped(key: &str) -> String {
    key.replacen('a', r"\u0061", 1)
}

proptest! {
    #[test]
    fn a_key_given_twice_is_found_however_many_there_are_and_however_written(
        keys in prop::collection::vec("[ab]{0,4}", 0..40),
        escapes in prop::collection::vec(any::<bool>(), 40),
    ) {
        let repeats = (1..keys.len()).any(|index| keys[..index].contains(&keys[index]));
        let written: Vec<String> = keys
            .iter()
            .zip(escapes)
            .map(|(key, escape)| if escape { escaped(key) } else { key.clone() })
            .collect();
        prop_assert_eq!(read(&object(&keys)).is_err(), repeats);
        prop_assert_eq!(read(&object(&written)).is_err(), repeats);
    }
}

#[test]
fn the_second_of_two_is_the_one_at_fault() {
    for count in [1, FEW - 1, FEW, 100] {
        for first in ["k0", r"\u006b0"] {
            let mut keys: Vec<String> = (1..count).map(|key| format!("k{key}")).collect();
            keys.insert(0, first.to_owned());
            keys.push("k0".to_owned());
            let body = object(&keys);
            let at = body.rfind(r#""k0""#).expect("it is there");
            let fault = read(&body).expect_err("twice");
            let error = fault.into_error(body.as_bytes(), |_| None).to_string();
            let expected = format!("k0: the field is given twice at line 1 column {}", at + 1);
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn keys_of_inner_objects_are_forgotten() {
    let mut cursor = Cursor::new(br#""a" : "b" : "a" :"#);
    let mut keys = Keys::default();
    let outer = keys.enter();
    keys.push(cursor.raw_key().expect("a key"));
    let inner = keys.enter();
    keys.push(cursor.raw_key().expect("a key"));
    keys.leave(&cursor, inner).expect("one key");
    keys.push(cursor.raw_key().expect("a key"));
    keys.leave(&cursor, outer).expect_err("`a` twice");
}
