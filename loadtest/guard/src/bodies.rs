//! Bodies that are the same on every machine and in every run.

use std::fmt::Write as _;

pub(crate) const DIMENSIONS: usize = 100;

/// How numbers are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Digits {
    /// As Python, JavaScript and Rust write the doubles their f32 became: 16 to 18 digits.
    Full,
    /// Rounded to six.
    Few,
}

/// Numbers without a pattern: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Within ±0.5.
    fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32 - 0.5
    }

    fn vector(&mut self, dimensions: usize, digits: Digits) -> String {
        let mut text = String::from("[");
        for index in 0..dimensions {
            text.push_str(if index > 0 { ", " } else { "" });
            // A string takes what is written.
            let _ = match digits {
                Digits::Full => write!(text, "{}", f64::from(self.float())),
                Digits::Few => write!(text, "{:.6}", self.float()),
            };
        }
        text.push(']');
        text
    }
}

/// The Python Alioth's.
pub(crate) fn ingest(points: usize, digits: Digits) -> Vec<u8> {
    let mut numbers = Numbers(1);
    let join = |parts: Vec<String>| parts.join(", ");
    let ids = join((0..points).map(|id| (1_000_000 + id).to_string()).collect());
    let vectors = (0..points).map(|_| numbers.vector(DIMENSIONS, digits));
    let vectors = join(vectors.collect());
    let payloads = join((0..points).map(payload).collect());
    format!(
        r#"{{"collection_name": "movies", "batch": {{"ids": [{ids}], "vectors": [{vectors}], "payloads": [{payloads}]}}}}"#
    )
    .into_bytes()
}

/// Of Qdrant's clients.
pub(crate) fn upsert(points: usize, first_id: usize) -> Vec<u8> {
    let mut numbers = Numbers(2);
    points_of(points, first_id, || {
        numbers.vector(DIMENSIONS, Digits::Full)
    })
}

/// The same with named vectors, one sparse, one of several rows.
pub(crate) fn named(points: usize) -> Vec<u8> {
    let mut numbers = Numbers(3);
    points_of(points, 0, || {
        let indices: Vec<String> = (0..30)
            .map(|place| (place * 1_000 + numbers.next() % 1_000).to_string())
            .collect();
        let rows: Vec<String> = (0..4).map(|_| numbers.vector(16, Digits::Full)).collect();
        format!(
            r#"{{"text": {{"indices": [{}], "values": {}}}, "frames": [{}]}}"#,
            indices.join(", "),
            numbers.vector(30, Digits::Full),
            rows.join(", ")
        )
    })
}

fn points_of(count: usize, first_id: usize, mut vector: impl FnMut() -> String) -> Vec<u8> {
    let points: Vec<String> = (first_id..first_id + count)
        .map(|id| {
            format!(
                r#"{{"id": {}, "vector": {}, "payload": {}}}"#,
                1_000_000 + id,
                vector(),
                payload(id)
            )
        })
        .collect();
    format!(r#"{{"points": [{}]}}"#, points.join(", ")).into_bytes()
}

fn payload(id: usize) -> String {
    format!(
        r#"{{"title": "Film {id}", "year": {}, "rating": {:.1}, "tags": ["a", "b"]}}"#,
        1950 + id % 70,
        (id % 100) as f64 / 10.0
    )
}
