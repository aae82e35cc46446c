//! Writes of film-like points: as JSON bodies of either route, as the typed client takes them. Rendered once, so that
//! making the next one costs a copy and its ids: the load generator shares the machine with what it measures.

mod template;

use std::fmt::Write as _;

use qdrant_client::{
    Payload,
    qdrant::{NamedVectors, PointStruct, Vector, Vectors},
};
use serde_json::{Value, json};

pub use self::template::Template;

/// What vectors the points have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One unnamed dense vector of so many dimensions.
    Dense(usize),
    /// Named: `text`, sparse, some tens of 30,000 dimensions; `frames`, eight vectors of 64 dimensions.
    SparseAndMulti,
}

/// What else the points have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payloads {
    /// Title and year: some 40 bytes.
    Short,
    /// A film's: genres, cast, a plot; some 400 bytes.
    Film,
}

/// Which route's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /alioth/ingest`.
    Ingest,
    /// `PUT /collections/{name}/points`, a list of points.
    Upsert,
}

/// Dimensions of each vector in a multi-vector.
pub const FRAME_DIMENSIONS: usize = 64;
const FRAMES: usize = 8;
const SPARSE_DIMENSIONS: u32 = 30_000;
const SPARSE_VALUES: usize = 40;

/// Ids begin here: all have twelve digits, so that a body's length does not depend on them.
const FIRST_ID: u64 = 100_000_000_000;

/// The id of the so-manieth point.
pub fn id(number: u64) -> u64 {
    FIRST_ID + number
}

/// Points to write, without ids.
#[derive(Debug, Clone)]
pub struct Films {
    films: Vec<Film>,
}

#[derive(Debug, Clone)]
struct Film {
    vector: Embedding,
    payload: Value,
}

#[derive(Debug, Clone)]
enum Embedding {
    Dense(Vec<f32>),
    Named {
        indices: Vec<u32>,
        values: Vec<f32>,
        frames: Vec<Vec<f32>>,
    },
}

impl Films {
    /// So many random ones; the same for the same seed.
    pub fn new(count: usize, shape: Shape, payloads: Payloads, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let films = (0..count).map(|number| Film {
            vector: vector(&mut random, shape),
            payload: payload(&mut random, payloads, number),
        });
        Self {
            films: films.collect(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.films.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.films.is_empty()
    }

    /// As a route's body, its ids to be filled in. Numbers are written as Python writes them: 16 to 18 digits.
    pub fn template(&self, route: Route, collection: &str) -> Template {
        match route {
            Route::Ingest => self.ingest_template(collection),
            Route::Upsert => self.upsert_template(),
        }
    }

    /// With these ids and those after them, for the typed client.
    pub fn points(&self, first_id: u64) -> Vec<PointStruct> {
        let films = (first_id..).zip(&self.films);
        films.map(|(id, film)| film.point(id)).collect()
    }

    fn ingest_template(&self, collection: &str) -> Template {
        let mut template = Template::default();
        template.text(&format!(
            r#"{{"collection_name": {}, "batch": {{"ids": ["#,
            json!(collection)
        ));
        for index in 0..self.films.len() {
            template.text(if index > 0 { ", " } else { "" });
            template.id();
        }
        let join = |write: fn(&Film) -> String| {
            let written: Vec<_> = self.films.iter().map(write).collect();
            written.join(", ")
        };
        template.text(&format!(
            r#"], "vectors": [{}], "payloads": [{}]}}}}"#,
            join(|film| film.vector.json(", ")),
            join(|film| film.payload.to_string()),
        ));
        template
    }

    fn upsert_template(&self) -> Template {
        let mut template = Template::default();
        template.text(r#"{"points":["#);
        for (index, film) in self.films.iter().enumerate() {
            template.text(if index > 0 { r#",{"id":"# } else { r#"{"id":"# });
            template.id();
            template.text(&format!(
                r#","vector":{},"payload":{}}}"#,
                film.vector.json(","),
                film.payload
            ));
        }
        template.text("]}");
        template
    }
}

impl Film {
    fn point(&self, id: u64) -> PointStruct {
        let vectors: Vectors = match &self.vector {
            Embedding::Dense(vector) => vector.clone().into(),
            Embedding::Named {
                indices,
                values,
                frames,
            } => NamedVectors::default()
                .add_vector("text", Vector::new_sparse(indices.clone(), values.clone()))
                .add_vector("frames", Vector::new_multi(frames.clone()))
                .into(),
        };
        // Made as an object above.
        let payload = Payload::try_from(self.payload.clone()).unwrap_or_default();
        PointStruct::new(id, vectors, payload)
    }
}

impl Embedding {
    fn json(&self, separator: &str) -> String {
        match self {
            Self::Dense(vector) => numbers(vector, separator),
            Self::Named {
                indices,
                values,
                frames,
            } => {
                let frames: Vec<_> = frames
                    .iter()
                    .map(|frame| numbers(frame, separator))
                    .collect();
                format!(
                    r#"{{"text": {{"indices": {}, "values": {}}}, "frames": [{}]}}"#,
                    json!(indices),
                    numbers(values, separator),
                    frames.join(separator)
                )
            }
        }
    }
}

/// As Python writes the doubles its floats are.
fn numbers(values: &[f32], separator: &str) -> String {
    let mut text = String::from("[");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        // A string takes what is written.
        let _ = write!(text, "{}", f64::from(*value));
    }
    text.push(']');
    text
}

fn vector(random: &mut fastrand::Rng, shape: Shape) -> Embedding {
    let mut floats = |count| -> Vec<f32> { (0..count).map(|_| random.f32() - 0.5).collect() };
    match shape {
        Shape::Dense(dimensions) => Embedding::Dense(floats(dimensions)),
        Shape::SparseAndMulti => {
            let values = floats(SPARSE_VALUES);
            let frames = (0..FRAMES).map(|_| floats(FRAME_DIMENSIONS)).collect();
            // One in each of as many equal ranges: sorted, and none twice.
            let range = SPARSE_DIMENSIONS / SPARSE_VALUES as u32;
            let indices =
                (0..SPARSE_VALUES as u32).map(|place| place * range + random.u32(..range));
            Embedding::Named {
                indices: indices.collect(),
                values,
                frames,
            }
        }
    }
}

fn payload(random: &mut fastrand::Rng, payloads: Payloads, number: usize) -> Value {
    const WORDS: [&str; 16] = [
        "night", "river", "silent", "city", "father", "train", "winter", "letter", "stranger",
        "garden", "war", "promise", "mirror", "island", "road", "song",
    ];
    const GENRES: [&str; 8] = [
        "drama",
        "comedy",
        "thriller",
        "science fiction",
        "western",
        "horror",
        "romance",
        "noir",
    ];
    let year = 1920 + random.i64(..106);
    let title = format!("Film {number}");
    match payloads {
        Payloads::Short => json!({"title": title, "year": year}),
        Payloads::Film => {
            let mut words = |count: usize| -> Vec<&str> {
                (0..count)
                    .map(|_| WORDS[random.usize(..WORDS.len())])
                    .collect()
            };
            let (title, plot) = (words(3).join(" "), words(40).join(" "));
            let cast: Vec<_> = (0..4).map(|_| words(2).join(" ")).collect();
            json!({
                "title": title,
                "year": year,
                "genres": [GENRES[random.usize(..8)], GENRES[random.usize(..8)]],
                "rating": f64::from(random.u32(10..100)) / 10.0,
                "cast": cast,
                "plot": plot,
            })
        }
    }
}

#[cfg(test)]
mod tests;
