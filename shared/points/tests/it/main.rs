//! Integration tests.
use alioth_points::*;
#[test]
fn temporary() {
    let numbers: Vec<String> = (0..40).map(|i| format!("{}0.0{}84756103157997{}", if i % 2 == 0 {"-"} else {""}, i % 10, 10+i)).collect();
    let body = format!(r#"{{"points":[{{"id":1,"vector":[{}],"payload":{{"a":1}}}}]}}      "#, numbers.join(","));
    let write = Write::parse_upsert("c", UpsertQuery::default(), body.as_bytes());
    eprintln!("{}", body.len());
    if let Err(WriteError::Syntax{offset,..}) = &write { eprintln!("{}", &body[offset-60..offset+20]); }
    write.expect("good");
}
