//! Rows of a file as points in Qdrant's REST JSON. Numbers keep their text; nothing is sent here.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, value::RawValue};

use super::{ndjson, parquet_file};

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Apache Parquet.
    Parquet,
    /// One JSON object a line.
    Ndjson,
}

/// Which columns or fields make a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Column of the id.
    pub(crate) id: String,
    /// Vector name → column; the name `""` is the collection's unnamed vector.
    pub(crate) vectors: Vec<(String, String)>,
    /// Column of the payload; where it is absent, every column that is neither id nor vector.
    pub(crate) payload: String,
}

impl Mapping {
    /// Reads the `--vector` flags: `COLUMN`, or `NAME=COLUMN` once or more.
    pub(crate) fn new(id: &str, vectors: &[String], payload: &str) -> Result<Self> {
        let named = vectors
            .iter()
            .map(|flag| match flag.split_once('=') {
                Some((name, column)) => (name.to_owned(), column.to_owned()),
                None => (String::new(), flag.clone()),
            })
            .collect::<Vec<_>>();
        if named.len() > 1 && named.iter().any(|(name, _)| name.is_empty()) {
            bail!("with several --vector flags, each must be NAME=COLUMN");
        }
        Ok(Self {
            id: id.to_owned(),
            vectors: named,
            payload: payload.to_owned(),
        })
    }

    fn is_mapped(&self, column: &str) -> bool {
        column == self.id || self.vectors.iter().any(|(_, c)| c == column)
    }
}

/// One point to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// 1-based place in the file.
    pub(crate) number: u64,
    /// `{"id":…,"vector":…,"payload":…}`.
    pub(crate) json: String,
}

/// A row that is no point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// 1-based place in the file.
    pub(crate) number: u64,
    /// Why.
    pub(crate) reason: String,
}

/// Rows in file order; an `Err` outside is a file that cannot be read on.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Result<Row, BadRow>>> + Send>;

/// Opens a file. The second value is its number of rows, where the format tells.
pub(crate) fn open(
    path: &Path,
    format: Option<Format>,
    mapping: Mapping,
) -> Result<(Rows, Option<u64>)> {
    let format = match format.or_else(|| by_extension(path)) {
        Some(format) => format,
        None => bail!(
            "cannot tell the format of {} by its name: give --format parquet or --format ndjson",
            path.display()
        ),
    };
    match format {
        Format::Parquet => parquet_file::open(path, mapping),
        Format::Ndjson => ndjson::open(path, mapping).map(|rows| (rows, None)),
    }
    .with_context(|| format!("open {}", path.display()))
}

fn by_extension(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "parquet" | "pq" => Some(Format::Parquet),
        "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
        _ => None,
    }
}

/// Puts a point together from JSON texts by column.
pub(crate) fn point(
    number: u64,
    columns: &[(String, String)],
    mapping: &Mapping,
) -> Result<Row, BadRow> {
    let bad = |reason: String| BadRow { number, reason };
    let find = |column: &str| {
        columns
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, json)| json.as_str())
    };
    let required = |column: &str| match find(column) {
        Some("null") | None => Err(bad(format!("`{column}` is missing"))),
        Some(json) => Ok(json),
    };

    let mut json = format!("{{\"id\":{}", required(&mapping.id)?);
    match mapping.vectors.as_slice() {
        [(name, column)] if name.is_empty() => {
            json.push_str(",\"vector\":");
            json.push_str(required(column)?);
        }
        vectors => {
            json.push_str(",\"vector\":{");
            let mut separator = "";
            for (name, column) in vectors {
                // A point need not have every named vector.
                if let Some(vector) = find(column).filter(|vector| *vector != "null") {
                    json.push_str(separator);
                    json.push_str(&Value::from(name.as_str()).to_string());
                    json.push(':');
                    json.push_str(vector);
                    separator = ",";
                }
            }
            json.push('}');
        }
    }
    json.push_str(",\"payload\":");
    match find(&mapping.payload) {
        Some(payload) => json.push_str(&object(payload).map_err(bad)?),
        None => push_rest(&mut json, columns, mapping),
    }
    json.push('}');
    Ok(Row { number, json })
}

fn push_rest(json: &mut String, columns: &[(String, String)], mapping: &Mapping) {
    json.push('{');
    let mut separator = "";
    for (name, value) in columns.iter().filter(|(name, _)| !mapping.is_mapped(name)) {
        json.push_str(separator);
        json.push_str(&Value::from(name.as_str()).to_string());
        json.push(':');
        json.push_str(value);
        separator = ",";
    }
    json.push('}');
}

/// A payload column holds an object, null, or a string with the JSON of one in it.
fn object(payload: &str) -> Result<String, String> {
    let wrong = || "the payload is no JSON object".to_owned();
    let text = match payload.as_bytes().first() {
        Some(b'{') => return Ok(payload.to_owned()),
        Some(b'n') => return Ok("null".to_owned()),
        Some(b'"') => serde_json::from_str::<String>(payload).map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    let raw: &RawValue = serde_json::from_str(&text).map_err(|_| wrong())?;
    if raw.get().starts_with('{') {
        Ok(raw.get().to_owned())
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, json)| ((*name).to_owned(), (*json).to_owned()))
            .collect()
    }

    fn json(pairs: &[(&str, &str)], vectors: &[&str]) -> Result<String, String> {
        let vectors = vectors.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let mapping = Mapping::new("id", &vectors, "payload").unwrap();
        point(7, &columns(pairs), &mapping)
            .map(|row| row.json)
            .map_err(|bad| bad.reason)
    }

    #[test]
    fn the_payload_column_may_hold_an_object_or_its_text() {
        let expected = Ok(r#"{"id":1,"vector":[1.5],"payload":{"a":1e2}}"#.to_owned());
        let with = |payload| {
            json(
                &[("id", "1"), ("vector", "[1.5]"), ("payload", payload)],
                &["vector"],
            )
        };
        assert_eq!(with(r#"{"a":1e2}"#), expected);
        assert_eq!(with(r#""{\"a\":1e2}""#), expected);
        assert_eq!(with("[1]"), Err("the payload is no JSON object".to_owned()));
        assert_eq!(
            with(r#""[1]""#),
            Err("the payload is no JSON object".to_owned())
        );
    }

    #[test]
    fn without_a_payload_column_the_other_columns_are_the_payload() {
        let row = json(
            &[
                ("title", "\"Up\""),
                ("id", "1"),
                ("v", "[1]"),
                ("year", "2009"),
            ],
            &["v"],
        );
        assert_eq!(
            row.unwrap(),
            r#"{"id":1,"vector":[1],"payload":{"title":"Up","year":2009}}"#
        );
    }

    #[test]
    fn named_vectors_may_be_absent_and_the_only_unnamed_one_may_not() {
        let row = json(&[("id", "1"), ("a", "null"), ("b", "[2]")], &["x=a", "y=b"]);
        assert_eq!(row.unwrap(), r#"{"id":1,"vector":{"y":[2]},"payload":{}}"#);
        assert_eq!(
            json(&[("id", "1")], &["v"]),
            Err("`v` is missing".to_owned())
        );
        assert!(Mapping::new("id", &["a".to_owned(), "x=b".to_owned()], "p").is_err());
    }
}
