//! Newline-delimited JSON: one object a line, values kept as they are written.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result};
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::rows::{BadRow, Mapping, Rows, point};

/// Opens a file of lines; blank ones are passed over.
pub(crate) fn open(path: &Path, mapping: Mapping) -> Result<Rows> {
    let reader = BufReader::new(File::open(path)?);
    let rows = (1..).zip(reader.lines()).filter_map(move |(number, line)| {
        let line = match line.with_context(|| format!("read line {number}")) {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        if line.trim().is_empty() {
            return None;
        }
        Some(Ok(match serde_json::from_str::<Columns>(&line) {
            Ok(columns) => point(number, &columns.0, &mapping),
            Err(error) => Err(BadRow {
                number,
                reason: format!("not a JSON object: {error}"),
            }),
        }))
    });
    Ok(Box::new(rows))
}

/// The members of an object in their order, each with the text of its value.
struct Columns(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Columns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Columns;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, value.get().to_owned()));
                }
                Ok(Columns(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_and_a_bad_line_is_only_a_bad_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("points.ndjson");
        let text =
            "{\"id\":18446744073709551615,\"vector\":[0.1],\"payload\":{\"n\":1.10}}\n\nnonsense\n";
        std::fs::write(&path, text).unwrap();
        let mapping = Mapping::new("id", &["vector".to_owned()], "payload").unwrap();
        let rows = open(&path, mapping)
            .unwrap()
            .collect::<Result<Vec<_>>>()
            .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            rows[0].as_ref().unwrap().json,
            r#"{"id":18446744073709551615,"vector":[0.1],"payload":{"n":1.10}}"#
        );
        assert_eq!(rows[1].as_ref().unwrap_err().number, 3);
    }
}
