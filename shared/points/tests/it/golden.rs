//! The bytes on the queue: what other producers and other versions rely on. `golden/messages.txt` holds bodies and the
//! messages they become; a change of these is a change of the contract.
use alioth_points::{Ordering, UpsertQuery, Write};

const GOLDEN: &str = include_str!("golden/messages.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file as it would have to be, from its own bodies.
fn regenerated() -> String {
    let query = UpsertQuery {
        ordering: Some(Ordering::Medium),
        timeout_s: Some(300),
    };
    let mut text = String::new();
    for line in GOLDEN.lines() {
        let written = match line.split_once(' ') {
            Some(("ingest", body)) => Write::parse_ingest(body.as_bytes()),
            Some(("upsert", body)) => {
                Write::parse_upsert("c", UpsertQuery::default(), body.as_bytes())
            }
            Some(("upsert-with-query", body)) => Write::parse_upsert("c", query, body.as_bytes()),
            Some(("message", _)) => continue,
            _ => {
                text.push_str(line);
                text.push('\n');
                continue;
            }
        };
        text.push_str(line);
        text.push('\n');
        for message in written.expect("a good body").into_messages(200) {
            text.push_str(&format!("message {}\n", hex(&message)));
        }
    }
    text
}

#[test]
fn messages_are_the_bytes_they_were() {
    assert_eq!(
        regenerated(),
        GOLDEN,
        "what the file would have to be is on the left"
    );
}
