//! Random writes: as JSON text in every form, and as Qdrant's own types.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vector::Vector as Kinds;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::{
    DenseVector, Document, ListValue, MultiDenseVector, NamedVectors, PointId, PointStruct,
    SparseVector, Struct, Value, Vector, Vectors,
};
use serde_json::Value as Json;

/// A point's vectors.
#[derive(Debug, Clone)]
pub(crate) enum Points {
    None,
    One(Numbers),
    Named(BTreeMap<String, Numbers>),
}

/// One vector.
#[derive(Debug, Clone)]
pub(crate) enum Numbers {
    Dense(Vec<f32>),
    Multi(Vec<Vec<f32>>),
    Sparse(BTreeMap<u32, f32>),
    Document(String, BTreeMap<String, Json>),
}

/// A point.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// As JSON, and as it is on the wire.
    pub(crate) id: (String, PointIdOptions),
    pub(crate) vectors: Points,
    pub(crate) payload: Option<BTreeMap<String, Json>>,
}

/// How JSON is laid out: what stands between its parts, and in which order fields come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) blank: &'static str,
    pub(crate) reversed: bool,
}

pub(crate) fn layout() -> impl Strategy<Value = Layout> {
    (
        prop::sample::select(vec!["", " ", "  ", "\n\t", "\r\n "]),
        any::<bool>(),
    )
        .prop_map(|(blank, reversed)| Layout { blank, reversed })
}

fn id() -> impl Strategy<Value = (String, PointIdOptions)> {
    let number = prop_oneof![0..20_u64, any::<u64>()]
        .prop_map(|num| (num.to_string(), PointIdOptions::Num(num)));
    let uuid = (prop_oneof![0..5_u128, any::<u128>()], 0..5_u8).prop_map(|(value, form)| {
        let uuid = uuid::Uuid::from_u128(value);
        let text = match form {
            0 => uuid.hyphenated().to_string(),
            1 => uuid.simple().to_string(),
            2 => uuid.urn().to_string(),
            3 => uuid.braced().to_string(),
            _ => uuid.hyphenated().to_string().to_uppercase(),
        };
        (
            format!("\"{text}\""),
            PointIdOptions::Uuid(uuid.hyphenated().to_string()),
        )
    });
    prop_oneof![3 => number, 1 => uuid]
}

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        -1.0..1.0_f32,
        any::<f32>().prop_filter("finite", |value| value.is_finite()),
        Just(0.0)
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
        "[a-z \"\\\\\n]{50,150}"
    ]
}

pub(crate) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-200..200_i64).prop_map(Json::from),
        any::<f64>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 12, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map(text(), inner, 0..14)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let dense = || prop::collection::vec(number(), 1..40);
    let matrix = (1..9_usize, 1..6_usize).prop_flat_map(|(width, rows)| {
        prop::collection::vec(prop::collection::vec(number(), width), rows)
    });
    prop_oneof![
        4 => dense().prop_map(Numbers::Dense),
        1 => matrix.prop_map(Numbers::Multi),
        1 => prop::collection::btree_map(any::<u32>(), number(), 0..20).prop_map(Numbers::Sparse),
        1 => (text(), prop::collection::btree_map(text(), json(), 0..3)).prop_map(|(text, options)| Numbers::Document(text, options)),
    ]
}

fn vectors() -> impl Strategy<Value = Points> {
    let one = numbers().prop_filter("a sparse vector has a name", |numbers| {
        !matches!(numbers, Numbers::Sparse(_))
    });
    let name = prop_oneof![
        "[a-c]",
        text(),
        Just("image".to_owned()),
        Just("text".to_owned())
    ];
    prop_oneof![
        1 => Just(Points::None),
        3 => one.prop_map(Points::One),
        2 => prop::collection::btree_map(name, numbers(), 0..4).prop_map(Points::Named),
    ]
}

pub(crate) fn point() -> impl Strategy<Value = Point> {
    let payload = prop::option::of(prop::collection::btree_map(text(), json(), 0..5));
    (id(), vectors(), payload).prop_map(|(id, vectors, payload)| Point {
        id,
        vectors,
        payload,
    })
}

pub(crate) fn points() -> impl Strategy<Value = Vec<Point>> {
    prop::collection::vec(point(), 1..12)
}

impl Layout {
    fn joined(self, parts: &[String]) -> String {
        let Layout { blank, reversed } = self;
        let separator = format!("{blank},{blank}");
        if reversed {
            parts
                .iter()
                .rev()
                .cloned()
                .collect::<Vec<_>>()
                .join(&separator)
        } else {
            parts.join(&separator)
        }
    }

    pub(crate) fn object(self, members: &[(&str, String)]) -> String {
        let Layout { blank, .. } = self;
        let members: Vec<String> = members
            .iter()
            .map(|(key, value)| format!("{}{blank}:{blank}{value}", Json::from(*key)))
            .collect();
        format!("{{{blank}{}{blank}}}", self.joined(&members))
    }

    fn list(self, items: &[String]) -> String {
        let Layout { blank, .. } = self;
        format!(
            "[{blank}{}{blank}]",
            Layout {
                reversed: false,
                ..self
            }
            .joined(items)
        )
    }

    fn floats(self, numbers: &[f32]) -> String {
        let written = |(index, number): (usize, &f32)| {
            let mut text = String::new();
            let wide = f64::from(*number);
            match index % 4 {
                0 => text = Json::from(wide).to_string(),
                1 if wide.abs() > 1e-30 && wide.abs() < 1e30 => {
                    write!(text, "{wide}").expect("a string takes it")
                }
                2 => write!(text, "{wide:e}").expect("a string takes it"),
                _ => text = Json::from(wide).to_string(),
            }
            text
        };
        self.list(&numbers.iter().enumerate().map(written).collect::<Vec<_>>())
    }

    pub(crate) fn numbers(self, numbers: &Numbers) -> String {
        match numbers {
            Numbers::Dense(data) => self.floats(data),
            Numbers::Multi(rows) => {
                self.list(&rows.iter().map(|row| self.floats(row)).collect::<Vec<_>>())
            }
            Numbers::Sparse(entries) => {
                let indices: Vec<String> = entries.keys().map(u32::to_string).collect();
                let values: Vec<f32> = entries.values().copied().collect();
                self.object(&[
                    ("indices", self.list(&indices)),
                    ("values", self.floats(&values)),
                ])
            }
            Numbers::Document(text, options) => {
                let options = serde_json::to_string(options).expect("options are JSON");
                self.object(&[
                    ("text", Json::from(text.as_str()).to_string()),
                    ("model", "\"m\"".to_owned()),
                    ("options", options),
                ])
            }
        }
    }

    pub(crate) fn vectors(self, vectors: &Points) -> String {
        match vectors {
            Points::None => "null".to_owned(),
            Points::One(numbers) => self.numbers(numbers),
            Points::Named(named) => {
                let named: Vec<(&str, String)> = named
                    .iter()
                    .map(|(name, numbers)| (name.as_str(), self.numbers(numbers)))
                    .collect();
                self.object(&named)
            }
        }
    }

    pub(crate) fn payload(self, point: &Point) -> String {
        match (&point.payload, self.blank.is_empty()) {
            (None, _) => "null".to_owned(),
            (Some(payload), true) => serde_json::to_string(payload).expect("a payload is JSON"),
            (Some(payload), false) => {
                serde_json::to_string_pretty(payload).expect("a payload is JSON")
            }
        }
    }

    pub(crate) fn point_list(self, points: &[Point]) -> String {
        let point = |point: &Point| {
            self.object(&[
                ("id", point.id.0.clone()),
                ("vector", self.vectors(&point.vectors)),
                ("payload", self.payload(point)),
            ])
        };
        self.list(&points.iter().map(point).collect::<Vec<_>>())
    }

    pub(crate) fn batch(self, points: &[Point]) -> String {
        let ids: Vec<String> = points.iter().map(|point| point.id.0.clone()).collect();
        let vectors: Vec<String> = points
            .iter()
            .map(|point| self.vectors(&point.vectors))
            .collect();
        let payloads: Vec<String> = points.iter().map(|point| self.payload(point)).collect();
        self.object(&[
            ("ids", self.list(&ids)),
            ("vectors", self.list(&vectors)),
            ("payloads", self.list(&payloads)),
        ])
    }
}

/// A point in Qdrant's own types.
pub(crate) fn point_struct(point: &Point) -> PointStruct {
    let options = match &point.vectors {
        Points::None => VectorsOptions::Vectors(NamedVectors::default()),
        Points::One(numbers) => VectorsOptions::Vector(vector(numbers)),
        Points::Named(named) => VectorsOptions::Vectors(NamedVectors {
            vectors: named
                .iter()
                .map(|(name, numbers)| (name.clone(), vector(numbers)))
                .collect(),
        }),
    };
    PointStruct {
        id: Some(PointId {
            point_id_options: Some(point.id.1.clone()),
        }),
        vectors: Some(Vectors {
            vectors_options: Some(options),
        }),
        payload: point
            .payload
            .iter()
            .flatten()
            .map(|(key, value)| (key.clone(), self::value(value)))
            .collect(),
    }
}

fn vector(numbers: &Numbers) -> Vector {
    let dense = |data: &Vec<f32>| DenseVector { data: data.clone() };
    let kind = match numbers {
        Numbers::Dense(data) => Kinds::Dense(dense(data)),
        Numbers::Multi(rows) => Kinds::MultiDense(MultiDenseVector {
            vectors: rows.iter().map(dense).collect(),
        }),
        Numbers::Sparse(entries) => Kinds::Sparse(SparseVector {
            indices: entries.keys().copied().collect(),
            values: entries.values().copied().collect(),
        }),
        Numbers::Document(text, options) => Kinds::Document(Document {
            text: text.clone(),
            model: "m".to_owned(),
            options: options
                .iter()
                .map(|(key, value)| (key.clone(), self::value(value)))
                .collect(),
        }),
    };
    Vector {
        vector: Some(kind),
        ..Default::default()
    }
}

fn value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(flag) => Kind::BoolValue(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Kind::IntegerValue(integer),
            None => Kind::DoubleValue(number.as_f64().expect("a number is a double at least")),
        },
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(items) => Kind::ListValue(ListValue {
            values: items.iter().map(value).collect(),
        }),
        Json::Object(members) => Kind::StructValue(Struct {
            fields: members
                .iter()
                .map(|(key, member)| (key.clone(), value(member)))
                .collect(),
        }),
    };
    Value { kind: Some(kind) }
}
