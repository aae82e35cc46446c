//! Apache Parquet by its row interface: enough for loading, without Arrow's weight.

use std::{fs::File, path::Path};

use anyhow::{Context, Result};
use parquet::{
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field, Row as ParquetRow, reader::RowIter},
};

use super::rows::{BadRow, Mapping, Row, Rows, point};

/// Opens a file, and tells its number of rows.
pub(crate) fn open(path: &Path, mapping: Mapping) -> Result<(Rows, Option<u64>)> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let total = u64::try_from(reader.metadata().file_metadata().num_rows()).ok();
    let rows = RowIter::from_file_into(Box::new(reader));
    let rows = (1..).zip(rows).map(move |(number, row)| {
        let row = row.with_context(|| format!("read row {number}"))?;
        Ok(convert(number, &row, &mapping))
    });
    Ok((Box::new(rows), total))
}

fn convert(number: u64, row: &ParquetRow, mapping: &Mapping) -> Result<Row, BadRow> {
    let columns = row
        .get_column_iter()
        .map(|(name, field)| (name.clone(), json(field)))
        .collect::<Vec<_>>();
    point(number, &columns, mapping)
}

/// JSON text of a value. Lists of numbers are written straight, without a tree of JSON values:
/// they are nearly all of a file of vectors.
fn json(field: &Field) -> String {
    let mut text = String::new();
    push_json(field, &mut text);
    text
}

fn push_json(field: &Field, text: &mut String) {
    use std::fmt::Write as _;
    match field {
        Field::ListInternal(list) => {
            text.push('[');
            for (index, element) in list.elements().iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                push_json(element, text);
            }
            text.push(']');
        }
        // Debug prints the shortest digits that read back as the same number, with an exponent where
        // that is shorter; not a number and the infinities have no JSON and stay visible as null.
        Field::Float(value) if value.is_finite() => {
            write!(text, "{value:?}").unwrap_or_default();
        }
        Field::Double(value) if value.is_finite() => {
            write!(text, "{value:?}").unwrap_or_default();
        }
        other => text.push_str(&other.to_json_value().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_films_are_read_whole() {
        let path = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../loadtest/data/movies.parquet"
        ));
        let mapping = Mapping::new("id", &["vector".to_owned()], "payload").unwrap();
        let (rows, total) = open(path, mapping).unwrap();
        assert_eq!(total, Some(3200));
        let rows = rows.collect::<Result<Vec<_>>>().unwrap();
        assert_eq!(rows.len(), 3200);
        let first: serde_json::Value =
            serde_json::from_str(&rows[0].as_ref().unwrap().json).unwrap();
        assert_eq!(first["id"], "c2e11305-aeb1-5eda-a58f-2c53c442d5db");
        assert_eq!(first["vector"].as_array().unwrap().len(), 384);
        assert_eq!(first["payload"]["title"], "The Land Girls");
    }

    #[test]
    fn numbers_keep_their_exactness() {
        assert_eq!(json(&Field::Float(0.1)), "0.1");
        assert_eq!(json(&Field::Double(1e300)), "1e300");
        assert_eq!(json(&Field::Long(i64::MIN)), "-9223372036854775808");
        assert_eq!(json(&Field::ULong(u64::MAX)), "18446744073709551615");
        assert_eq!(json(&Field::Float(f32::NAN)), "null");
        assert_eq!(json(&Field::Str("a\"b".to_owned())), r#""a\"b""#);
    }
}
