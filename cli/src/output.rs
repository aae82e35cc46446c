//! What commands print on standard output: tables for people, one JSON document for programs.

use anyhow::{Context, Result};
use indicatif::BinaryBytes;
use jiff::Timestamp;
use serde::Serialize;

/// How a command answers.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct OutputArgs {
    /// One JSON document instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

impl OutputArgs {
    /// Prints `answer` as JSON, or what `table` makes for people.
    pub(crate) fn print(
        self,
        answer: &impl Serialize,
        table: impl FnOnce() -> String,
    ) -> Result<()> {
        let text = match self.json {
            true => serde_json::to_string_pretty(answer).context("encode the answer")?,
            false => table(),
        };
        crate::say(text.trim_end());
        Ok(())
    }
}

/// A column's title, and on which side its cells stand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Text.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

/// A table with a line of titles; two blanks between columns, none at the end of a line.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let titles = columns.iter().map(|column| match column {
        Column::Left(title) | Column::Right(title) => (*title).to_owned(),
    });
    let titles: Vec<String> = titles.collect();
    let lines = || std::iter::once(&titles).chain(rows);
    let width = |index: usize| {
        let cells = lines().filter_map(|cells| cells.get(index));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for cells in lines() {
        let cells = cells.iter().zip(columns).zip(&widths);
        let cells = cells.map(|((cell, column), width)| match column {
            Column::Left(_) => format!("{cell:<width$}"),
            Column::Right(_) => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, one a line.
pub(crate) fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<width$}  {value}\n"));
    lines.collect()
}

/// `1.50 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// `2026-11-22 12:15:00Z`.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let columns = [
            Column::Left("NAME"),
            Column::Right("SIZE"),
            Column::Left("STATE"),
        ];
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["é", "7", "done"]), row(["movies", "1024", ""])];
        let expected = "NAME    SIZE  STATE\né          7  done\nmovies  1024\n";
        assert_eq!(table(&columns, &rows), expected);
        assert_eq!(table(&columns, &[]), "NAME  SIZE  STATE\n");
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let pairs = [("id", "7".to_owned()), ("error", String::new())];
        assert_eq!(fields(&pairs), "id     7\n");
        assert_eq!(size(1_572_864), "1.50 MiB");
    }
}
