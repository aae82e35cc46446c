#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a script"
)]

mod bodies;

use std::{collections::BTreeMap, hint::black_box, process::ExitCode};

use alioth_points::{CollectionSchema, UpsertMessage, UpsertQuery, VectorKind, Write, merge};
use bytes::Bytes;

/// `ALIOTH_ACCEPT_MESSAGE_LIMIT` by default.
const MESSAGE_LIMIT: usize = 256 * 1024;

/// What is done over and over, with what it works on.
type Work = Box<dyn Fn()>;

/// A name, and what prepares the work.
type Case = (&'static str, fn() -> Work);

const CASES: [Case; 8] = [
    ("accept-ingest-100x100d", accept_ingest),
    ("accept-ingest-100x100d-short-numbers", accept_short_numbers),
    ("accept-upsert-100x100d", accept_upsert),
    ("accept-upsert-1x100d", accept_one),
    ("accept-upsert-100-sparse-and-multi", accept_named),
    ("accept-upsert-2000x100d-in-chunks", accept_chunks),
    ("consume-merge-10x100", consume_large),
    ("consume-merge-256x1", consume_small),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (name, times) = (arguments.next(), arguments.next());
    let Some(name) = name else {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let case = CASES.iter().find(|(case, _)| *case == name);
    let times = times.and_then(|times| times.parse::<u32>().ok());
    let (Some((_, make)), Some(times)) = (case, times) else {
        eprintln!("usage: alioth-guard [CASE TIMES]");
        return ExitCode::FAILURE;
    };
    let work = make();
    for _ in 0..times {
        work();
    }
    ExitCode::SUCCESS
}

fn accept_ingest() -> Work {
    let body = bodies::ingest(100, bodies::Digits::Full);
    Box::new(move || accepted(Write::parse_ingest(black_box(&body))))
}

fn accept_short_numbers() -> Work {
    let body = bodies::ingest(100, bodies::Digits::Few);
    Box::new(move || accepted(Write::parse_ingest(black_box(&body))))
}

fn accept_upsert() -> Work {
    upserts(bodies::upsert(100, 0))
}

fn accept_one() -> Work {
    upserts(bodies::upsert(1, 0))
}

fn accept_named() -> Work {
    upserts(bodies::named(100))
}

fn accept_chunks() -> Work {
    upserts(bodies::upsert(2_000, 0))
}

fn consume_large() -> Work {
    merges((0..10).map(|index| bodies::upsert(100, index * 100)))
}

fn consume_small() -> Work {
    merges((0..256).map(|index| bodies::upsert(1, index)))
}

fn upserts(body: Vec<u8>) -> Work {
    Box::new(move || {
        accepted(Write::parse_upsert(
            "movies",
            UpsertQuery::default(),
            black_box(&body),
        ));
    })
}

/// As ingest-accept goes on with it.
fn accepted(write: Result<Write, alioth_points::WriteError>) {
    match write {
        Ok(write) if write.check(&schema()).is_ok() => {
            black_box(write.into_messages(MESSAGE_LIMIT));
        }
        other => panic!("the body is good: {other:?}"),
    }
}

/// As ingest-consume does with deliveries.
fn merges(bodies: impl Iterator<Item = Vec<u8>>) -> Work {
    let messages: Vec<Bytes> = bodies
        .flat_map(
            |body| match Write::parse_upsert("movies", UpsertQuery::default(), &body) {
                Ok(write) => write.into_messages(MESSAGE_LIMIT),
                Err(error) => panic!("the body is good: {error}"),
            },
        )
        .collect();
    Box::new(move || {
        let scanned: Vec<UpsertMessage> = messages
            .iter()
            .map(|body| match UpsertMessage::scan(black_box(body).clone()) {
                Ok(message) => message,
                Err(error) => panic!("the message is good: {error}"),
            })
            .collect();
        let scanned: Vec<&UpsertMessage> = scanned.iter().collect();
        black_box(merge(&scanned));
    })
}

fn schema() -> CollectionSchema {
    let dense = VectorKind::Dense {
        size: bodies::DIMENSIONS as u64,
    };
    CollectionSchema {
        vectors: BTreeMap::from([
            (String::new(), dense),
            ("text".to_owned(), VectorKind::Sparse),
            ("frames".to_owned(), VectorKind::MultiDense { size: 16 }),
        ]),
    }
}
