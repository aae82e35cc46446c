//! What bodies cost that nobody means well with: time and memory, at a size and at half of it.
//!
//! `cargo bench -p alioth-points --bench hostile [-- MIB [NAME]]` prints a line a body. Time that is far more than
//! doubled from the half is superlinear; memory is the growth of the process's peak beyond the body itself.
#![expect(clippy::print_stdout, reason = "a benchmark, reporting on a terminal")]
use std::hint::black_box;
use std::io::{Read, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alioth_points::{UpsertQuery, Write};

const MESSAGE_LIMIT: usize = 256 * 1024;
const DEFAULT_MIB: usize = 32;
/// Says to the program that it is to measure one body.
const MEASURE: &str = "measure";

/// A body about as long as is asked for.
type Body = fn(usize) -> String;

/// `prefix`, as many of `item` as make `size` bytes, `suffix`.
fn filled(size: usize, prefix: &str, item: &str, suffix: &str) -> String {
    let count = size.saturating_sub(prefix.len() + suffix.len()) / item.len();
    let mut body = String::with_capacity(size + item.len());
    body.push_str(prefix);
    body.push_str(&item.repeat(count.max(1)));
    if suffix.starts_with([']', '}']) && body.ends_with(',') {
        body.pop();
    }
    body.push_str(suffix);
    body
}

/// Like [`filled`], each item made of its number.
fn numbered(size: usize, prefix: &str, item: fn(usize) -> String, suffix: &str) -> String {
    let mut body = prefix.to_owned();
    let mut index = 0;
    while body.len() + suffix.len() < size {
        body.push_str(&item(index));
        index += 1;
    }
    body.pop();
    body.push_str(suffix);
    body
}

/// `leaf` about `size` long in `depth` of `open`.
fn nested(
    size: usize,
    prefix: &str,
    open: &str,
    close: &str,
    depth: usize,
    suffix: &str,
) -> String {
    let prefix = format!("{prefix}{}", open.repeat(depth));
    filled(
        size,
        &prefix,
        "1,",
        &format!("{}{suffix}", close.repeat(depth)),
    )
}

const IN_PAYLOAD: &str = r#"{"points":[{"id":1,"payload":{"#;

const POINTS: &[(&str, Body)] = &[
    ("points of an id alone", |size| {
        filled(size, r#"{"points":["#, r#"{"id":1},"#, "]}")
    }),
    ("points of an id alone, insert_only", |size| {
        numbered(
            size,
            r#"{"update_mode":"insert_only","points":["#,
            |index| format!(r#"{{"id":{index}}},"#),
            "]}",
        )
    }),
    ("ids alone", |size| {
        filled(size, r#"{"batch":{"ids":["#, "1,", "]}}")
    }),
    ("ids and vectors of one number", |size| {
        let ids = filled(size / 3, "[", "1,", "]");
        let rows = filled(ids.len() * 2, "[", "[1],", "]");
        format!(r#"{{"batch":{{"ids":{ids},"vectors":{rows}}}}}"#)
    }),
    ("ids and eight columns of such vectors", |size| {
        let ids = filled(size / 17, "[", "1,", "]");
        let column = filled(ids.len() * 2, "[", "[1],", "]");
        let columns: Vec<String> = (0..8).map(|name| format!(r#""{name}":{column}"#)).collect();
        format!(
            r#"{{"batch":{{"ids":{ids},"vectors":{{{}}}}}}}"#,
            columns.join(",")
        )
    }),
    ("ids and columns without vectors", |size| {
        let ids = filled(size / 2, "[", "1,", "]");
        let prefix = format!(r#"{{"batch":{{"ids":{ids},"vectors":{{"#);
        numbered(size, &prefix, |name| format!(r#""{name:x}":[],"#), "}}}")
    }),
];

const VECTORS: &[(&str, Body)] = &[
    ("one vector", |size| {
        filled(size, r#"{"points":[{"id":1,"vector":["#, "1,", "]}]}")
    }),
    ("one vector of fractions", |size| {
        filled(
            size,
            r#"{"points":[{"id":1,"vector":["#,
            "0.123456,",
            "]}]}",
        )
    }),
    ("vectors of two sizes in turn", |size| {
        let two = r#"{"id":1,"vector":[1]},{"id":1,"vector":[1,1]},"#;
        filled(size, r#"{"points":["#, two, "]}")
    }),
    ("vectors under ever new names", |size| {
        let named = |name| format!(r#""{name:x}":[1],"#);
        numbered(size, r#"{"points":[{"id":1,"vector":{"#, named, "}}]}")
    }),
    ("a long vector, then inference objects", |size| {
        let long = filled(size / 2, "[", "1,", "]");
        let prefix = format!(r#"{{"points":[{{"id":1,"vector":{{"a":{long}}}}},"#);
        let item = r#"{"id":1,"vector":{"a":[1],"model":"m","text":""}},"#;
        filled(size, &prefix, item, "]}")
    }),
    ("long indices, then values again and again", |size| {
        let long = filled(size / 2, "[", "1,", "]");
        let prefix = format!(r#"{{"points":[{{"id":1,"vector":{{"a":{{"indices":{long},"#);
        filled(size, &prefix, r#""values":[1],"#, "}}}]}")
    }),
    ("a long number in a vector", |size| {
        filled(size, r#"{"points":[{"id":1,"vector":[0."#, "1", "]}]}")
    }),
    ("a long number out of range", |size| {
        filled(size, r#"{"points":[{"id":1,"vector":["#, "1", "]}]}")
    }),
    ("a vector under a long name", |size| {
        filled(
            size,
            r#"{"points":[{"id":1,"vector":{""#,
            "a",
            r#"":[1e39]}}]}"#,
        )
    }),
];

const PAYLOADS: &[(&str, Body)] = &[
    ("a list of digits", |size| {
        filled(size, &format!(r#"{IN_PAYLOAD}"a":["#), "1,", "]}}]}")
    }),
    ("a list of digits, 40 lists deep", |size| {
        nested(size, &format!(r#"{IN_PAYLOAD}"a":"#), "[", "]", 40, "}}]}")
    }),
    ("a list of empty objects", |size| {
        filled(size, &format!(r#"{IN_PAYLOAD}"a":["#), "{},", "]}}]}")
    }),
    ("many keys", |size| {
        numbered(size, IN_PAYLOAD, |key| format!(r#""{key:x}":1,"#), "}}]}")
    }),
    ("many keys with escapes", |size| {
        numbered(size, IN_PAYLOAD, |key| format!(r#""\n{key:x}":1,"#), "}}]}")
    }),
    ("one key again and again", |size| {
        filled(size, IN_PAYLOAD, r#""":1,"#, "}}]}")
    }),
    ("a long string", |size| {
        filled(size, &format!(r#"{IN_PAYLOAD}"a":""#), "a", "\"}}]}")
    }),
    ("a long string of escapes", |size| {
        filled(size, &format!(r#"{IN_PAYLOAD}"a":""#), r"\n", "\"}}]}")
    }),
    ("an unterminated string", |size| {
        filled(size, &format!(r#"{IN_PAYLOAD}"a":""#), "é", "")
    }),
    ("a long number", |size| {
        filled(size, &format!(r#"{IN_PAYLOAD}"a":0."#), "1", "}}]}")
    }),
    ("60 long keys in each other", |size| {
        let key = format!(r#"{{"{}":"#, "k".repeat(size / 60));
        format!(r#"{{"points":[{{"id":1,"payload":{}"#, key.repeat(60))
    }),
];

const OPTIONS: &[(&str, Body)] = &[
    ("a long list in a deep filter", |size| {
        let prefix = r#"{"points":[{"id":1}],"update_filter":"#;
        let open = r#"{"must":"#;
        let prefix = format!(
            r#"{prefix}{}{{"key":"a","match":{{"any":["#,
            open.repeat(40)
        );
        filled(size, &prefix, "1,", &format!("]}}}}{}}}", "}".repeat(40)))
    }),
    ("a deep filter as long as may be, many points", |size| {
        let open = r#"{"must":"#.repeat(40);
        let filter = format!(r#"{open}{{"key":"a","match":{{"any":["#);
        let filter = filled(64 << 10, &filter, "1,", &format!("]}}}}{}", "}".repeat(40)));
        let prefix = format!(r#"{{"update_filter":{filter},"points":["#);
        let point = |id| format!(r#"{{"id":{id},"vector":[0.5,0.5]}},"#);
        numbered(size, &prefix, point, "]}")
    }),
    ("a long list of shard keys", |size| {
        filled(size, r#"{"points":[{"id":1}],"shard_key":["#, "1,", "]}")
    }),
    ("a long field nobody knows", |size| {
        filled(size, r#"{"points":[{"id":1}],"x":["#, "[[],{}],", "]}")
    }),
];

/// A figure of the process, in bytes. Source: proc(5), `VmRSS` is what it has in memory, `VmHWM` the most it had.
fn memory(figure: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix(figure));
    let kib = line.and_then(|line| line.trim_matches([':', '\t', ' ']).strip_suffix(" kB"));
    1024 * kib
        .and_then(|kib| kib.parse::<u64>().ok())
        .expect("the figure is in KiB")
}

/// Reads a body of `len` bytes from the standard input, turns it into messages, and prints what that cost. In a
/// process of its own, since an allocator keeps what was used before.
fn measure(len: usize) {
    let mut body = Vec::with_capacity(len);
    std::io::stdin()
        .read_to_end(&mut body)
        .expect("the body comes in");
    let before = memory("VmRSS");
    let start = Instant::now();
    let outcome = match Write::parse_upsert("c", UpsertQuery::default(), &body) {
        Ok(write) => {
            let points = write.points();
            let messages = black_box(write.into_messages(MESSAGE_LIMIT));
            format!("{points} points, {} messages", messages.len())
        }
        Err(error) => error.to_string(),
    };
    let time = start.elapsed();
    let growth = memory("VmHWM").saturating_sub(before);
    println!("{} {growth} {outcome}", time.as_nanos());
}

/// What a body costs: time, bytes, and what became of it.
fn cost(body: &str) -> (Duration, u64, String) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(program)
        .args([MEASURE, &body.len().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be run again");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(body.as_bytes()).expect("the body goes out");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.trim().splitn(3, ' ');
    let mut number = || words.next().and_then(|word| word.parse().ok());
    match (number(), number()) {
        (Some(nanos), Some(growth)) => {
            let outcome = words.next().unwrap_or_default().to_owned();
            (Duration::from_nanos(nanos), growth, outcome)
        }
        _ => (Duration::ZERO, 0, format!("killed: {}", output.status)),
    }
}

fn main() {
    let arguments = || std::env::args().skip(1);
    // Of whatever else `cargo bench` hands on nothing is a number or a name.
    let number = arguments().find_map(|argument| argument.parse().ok());
    let wanted = arguments()
        .find(|argument| !argument.starts_with("--") && argument.parse::<usize>().is_err());
    if wanted.as_deref() == Some(MEASURE) {
        return measure(number.expect("a length"));
    }
    let mib: usize = number.unwrap_or(DEFAULT_MIB);
    let wanted = wanted.unwrap_or_default();
    let head = format!("body of {mib} MiB");
    println!(
        "{head:<46} {:>9} {:>9} {:>9}  outcome",
        "time", "× half", "memory"
    );
    let all = [POINTS, VECTORS, PAYLOADS, OPTIONS].concat();
    for (name, body) in all.into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let (half, ..) = cost(&body((mib << 20) / 2));
        let text = body(mib << 20);
        let (time, growth, outcome) = cost(&text);
        println!(
            "{name:<46} {:>6.0} ms {:>9.1} {:>8.1}×  {}",
            time.as_secs_f64() * 1e3,
            time.as_secs_f64() / half.as_secs_f64(),
            growth as f64 / text.len() as f64,
            outcome.chars().take(80).collect::<String>(),
        );
    }
}
