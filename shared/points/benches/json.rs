//! What it costs to turn a request into messages, and messages into one upsert.
//!
//! `cargo bench -p alioth-points` runs every case under criterion and then prints the ratios that matter:
//! our whole way, JSON to checked protobuf messages, next to parsers that only read the JSON.
#![expect(clippy::print_stdout, reason = "a benchmark, reporting on a terminal")]
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use alioth_points::{UpsertMessage, UpsertQuery, Write, merge};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};

const POINTS: usize = 100;
const DIMENSIONS: usize = 100;
const MESSAGE_LIMIT: usize = 256 * 1024;

/// How the numbers of a body are written.
#[derive(Clone, Copy)]
enum Digits {
    /// As Python, JavaScript and Rust write the doubles their f32 became: 16 to 18 digits.
    Full,
    /// Rounded by whoever sent them: 6 to 8 digits.
    Few,
    /// The shortest that are the same f32, as Rust and Go write them: 7 to 11 digits.
    Shortest,
    /// Up to ±50 and beyond, 4 digits after the point.
    Large,
    /// 0 to 255, as image descriptors have them.
    Whole,
}

/// A unit vector's element: mostly within ±0.3.
fn element(random: &mut fastrand::Rng) -> f32 {
    let sum: f32 = (0..6).map(|_| random.f32()).sum();
    (sum - 3.0) * 0.14
}

fn vector(random: &mut fastrand::Rng, digits: Digits, separator: &str) -> String {
    let mut text = String::from("[");
    for index in 0..DIMENSIONS {
        if index > 0 {
            text.push_str(separator);
        }
        let value = element(random);
        let written = match digits {
            Digits::Full => serde_json::to_string(&f64::from(value)).expect("a number is JSON"),
            Digits::Few => format!("{value:.*}", 6 + index % 3),
            Digits::Shortest => value.to_string(),
            Digits::Large => format!("{:.4}", value * 100.0),
            Digits::Whole => ((value.abs() * 700.0) as u8).to_string(),
        };
        text.push_str(&written);
    }
    text.push(']');
    text
}

/// The body of Qdrant's Python client.
fn upsert_body(digits: Digits) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let mut body = String::from(r#"{"points":["#);
    for index in 0..POINTS {
        if index > 0 {
            body.push(',');
        }
        let vector = vector(&mut random, digits, ",");
        let (year, city) = (1950 + index % 70, random.u32(..));
        write!(
            body,
            r#"{{"id":{},"vector":{vector},"payload":{{"city":"Berlin {city}","year":{year},"rating":{:.1},"tags":["a","b"]}}}}"#,
            1_000_000 + index,
            random.f64() * 10.0,
        )
        .expect("a string takes what is written");
    }
    body.push_str("]}");
    body
}

/// The body of the Python Alioth, as `json.dumps` writes it.
fn ingest_body(digits: Digits) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let ids: Vec<String> = (0..POINTS)
        .map(|index| (1_000_000 + index).to_string())
        .collect();
    let vectors: Vec<String> = (0..POINTS)
        .map(|_| vector(&mut random, digits, ", "))
        .collect();
    let payloads: Vec<String> = (0..POINTS)
        .map(|index| {
            format!(
                r#"{{"city": "Berlin {index}", "year": {}}}"#,
                1950 + index % 70
            )
        })
        .collect();
    format!(
        r#"{{"collection_name": "movies", "batch": {{"ids": [{}], "vectors": [{}], "payloads": [{}]}}}}"#,
        ids.join(", "),
        vectors.join(", "),
        payloads.join(", ")
    )
}

fn upsert(body: &[u8]) -> Vec<Bytes> {
    let write =
        Write::parse_upsert("movies", UpsertQuery::default(), body).expect("the body is good");
    write.into_messages(MESSAGE_LIMIT)
}

fn ingest(body: &[u8]) -> Vec<Bytes> {
    Write::parse_ingest(body)
        .expect("the body is good")
        .into_messages(MESSAGE_LIMIT)
}

/// Ten messages of different ids.
fn messages() -> Vec<Bytes> {
    let body = upsert_body(Digits::Full);
    (0..10)
        .map(|index| {
            let body = body.replace(r#""id":10"#, &format!(r#""id":1{index}"#));
            upsert(body.as_bytes()).swap_remove(0)
        })
        .collect()
}

fn scan_and_merge(messages: &[Bytes]) -> usize {
    let scanned: Vec<UpsertMessage> = messages
        .iter()
        .map(|body| UpsertMessage::scan(body.clone()).expect("the message is good"))
        .collect();
    let scanned: Vec<&UpsertMessage> = scanned.iter().collect();
    merge(&scanned).points
}

fn parse_benches(criterion: &mut Criterion) {
    for (name, body, ours) in cases() {
        let body = body.as_bytes();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("alioth: JSON to messages", |bencher| {
            bencher.iter(|| ours(black_box(body)))
        });
        group.bench_function("serde_json Value", |bencher| {
            bencher.iter(|| {
                serde_json::from_slice::<serde_json::Value>(black_box(body))
                    .expect("the body is JSON")
            });
        });
        group.bench_function("simd-json tape", |bencher| {
            bencher.iter_batched_ref(
                || body.to_vec(),
                |body| black_box(simd_json::to_tape(body).expect("the body is JSON").0.len()),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("sonic-rs Value", |bencher| {
            bencher.iter(|| {
                sonic_rs::from_slice::<sonic_rs::Value>(black_box(body)).expect("the body is JSON")
            });
        });
        group.finish();
    }
}

fn merge_benches(criterion: &mut Criterion) {
    let messages = messages();
    let mut group = criterion.benchmark_group("consume");
    group.throughput(Throughput::Elements((messages.len() * POINTS) as u64));
    group.bench_function("scan and merge 10 messages of 100 points", |bencher| {
        bencher.iter(|| scan_and_merge(black_box(&messages)));
    });
    group.finish();
}

type Case = (&'static str, String, fn(&[u8]) -> Vec<Bytes>);

fn cases() -> [Case; 4] {
    [
        ("upsert, 16-18 digits", upsert_body(Digits::Full), upsert),
        ("upsert, 6-8 digits", upsert_body(Digits::Few), upsert),
        ("ingest, 16-18 digits", ingest_body(Digits::Full), ingest),
        ("ingest, 6-8 digits", ingest_body(Digits::Few), ingest),
    ]
}

/// Numbers written in other ways: for the ratios alone.
fn further_cases() -> [Case; 3] {
    [
        (
            "upsert, shortest f32",
            upsert_body(Digits::Shortest),
            upsert,
        ),
        ("upsert, over ten", upsert_body(Digits::Large), upsert),
        ("upsert, 0 to 255", upsert_body(Digits::Whole), upsert),
    ]
}

/// The shortest of many runs: what the work costs when nothing comes between.
fn shortest(mut run: impl FnMut() -> Duration) -> Duration {
    (0..2000).map(|_| run()).min().unwrap_or_default()
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn print_ratios() {
    println!(
        "\n{:<22} {:>9} {:>9} {:>11} {:>11} {:>11} {:>14} {:>15}",
        "body",
        "alioth",
        "a point",
        "serde_json",
        "simd-json",
        "sonic-rs",
        "× serde_json",
        "× fastest raw"
    );
    for (name, body, ours) in cases().into_iter().chain(further_cases()) {
        let body = body.as_bytes();
        let alioth = shortest(|| timed(|| ours(black_box(body))));
        let serde = shortest(|| {
            timed(|| {
                serde_json::from_slice::<serde_json::Value>(black_box(body))
                    .expect("the body is JSON")
            })
        });
        let simd = shortest(|| {
            let mut body = body.to_vec();
            timed(|| {
                simd_json::to_tape(&mut body)
                    .expect("the body is JSON")
                    .0
                    .len()
            })
        });
        let sonic = shortest(|| {
            timed(|| {
                sonic_rs::from_slice::<sonic_rs::Value>(black_box(body)).expect("the body is JSON")
            })
        });
        let rate = |time: Duration| body.len() as f64 / time.as_secs_f64() / 1e6;
        println!(
            "{name:<22} {:>4.0} MB/s {:>6.2} µs {:>6.0} MB/s {:>6.0} MB/s {:>6.0} MB/s {:>14.1} {:>15.2}",
            rate(alioth),
            alioth.as_secs_f64() * 1e6 / POINTS as f64,
            rate(serde),
            rate(simd),
            rate(sonic),
            serde.as_secs_f64() / alioth.as_secs_f64(),
            simd.min(sonic).as_secs_f64() / alioth.as_secs_f64(),
        );
    }
    let messages = messages();
    let merged = shortest(|| timed(|| scan_and_merge(black_box(&messages))));
    println!(
        "scan and merge: {:.0} ns a point",
        merged.as_secs_f64() * 1e9 / (messages.len() * POINTS) as f64
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse_benches(&mut criterion);
    merge_benches(&mut criterion);
    criterion.final_summary();
    if !std::env::args().any(|argument| argument == "--profile-time") {
        print_ratios();
    }
}
