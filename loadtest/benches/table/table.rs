//! The table: figures beside their references, budgets, and whether they hold.

use std::fmt::Write as _;

use alioth_loadtest::{latencies::median, machine::Machine};
use serde::Serialize;
use serde_json::json;

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Budget {
    /// The figure itself, at most.
    AtMost(f64),
    /// So many times its reference, at least.
    Times(f64),
    /// Over its reference by so much, at most.
    Above(f64),
    /// So many times its reference, at most.
    AtMostTimes(f64),
    /// A condition, told in words.
    Holds(bool, &'static str),
    /// No budget of its own: told beside others.
    None,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) unit: &'static str,
    /// What was measured and its reference, as often as that was.
    pub(crate) rounds: Vec<(f64, Option<f64>)>,
    /// What the reference is.
    pub(crate) beside: String,
    pub(crate) budget: Budget,
    pub(crate) note: String,
}

/// Whether a budget holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Miss,
    None,
}

/// All lines, and what the machine did beside.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// Cores that processes of others used while a group of rows was measured.
    pub(crate) foreign: Vec<(String, f64)>,
}

#[derive(Serialize)]
struct Line<'a> {
    figure: &'a str,
    value: f64,
    unit: &'a str,
    beside: &'a str,
    reference: Option<f64>,
    ratio: Option<f64>,
    budget: String,
    verdict: &'a str,
    rounds: &'a [(f64, Option<f64>)],
    note: &'a str,
}

impl Row {
    fn value(&self) -> f64 {
        median(self.rounds.iter().map(|(value, _)| *value))
    }

    fn reference(&self) -> Option<f64> {
        let references: Vec<_> = self
            .rounds
            .iter()
            .filter_map(|(_, beside)| *beside)
            .collect();
        (!references.is_empty()).then(|| median(references))
    }

    /// Of the rounds' own ratios: the machine is not the same in every round.
    fn ratio(&self) -> Option<f64> {
        let ratios = self
            .rounds
            .iter()
            .filter_map(|(value, beside)| Some(value / (*beside)?));
        let ratios: Vec<_> = ratios.collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }

    fn above(&self) -> Option<f64> {
        let above = self
            .rounds
            .iter()
            .filter_map(|(value, beside)| Some(value - (*beside)?));
        let above: Vec<_> = above.collect();
        (!above.is_empty()).then(|| median(above))
    }

    fn verdict(&self) -> Verdict {
        let holds = match self.budget {
            Budget::None => return Verdict::None,
            Budget::AtMost(most) => Some(self.value() <= most),
            Budget::Times(least) => self.ratio().map(|ratio| ratio >= least),
            Budget::Above(most) => self.above().map(|above| above <= most),
            Budget::AtMostTimes(most) => self.ratio().map(|ratio| ratio <= most),
            Budget::Holds(holds, _) => Some(holds),
        };
        match holds {
            Some(true) => Verdict::Pass,
            // What could not be compared is not passed.
            Some(false) | None => Verdict::Miss,
        }
    }

    fn budget(&self) -> String {
        match self.budget {
            Budget::AtMost(most) => format!("≤ {} {}", number(most), self.unit),
            Budget::Times(least) => format!("≥ {least} ×"),
            Budget::Above(most) => format!("≤ +{} {}", number(most), self.unit),
            Budget::AtMostTimes(most) => format!("≤ {most} ×"),
            Budget::Holds(_, words) => words.to_owned(),
            Budget::None => "—".to_owned(),
        }
    }
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Miss => "MISS",
            Self::None => "—",
        }
    }
}

impl Table {
    /// Adds a line, and says that it is there.
    pub(crate) fn add(&mut self, row: Row) {
        println!(
            "  {}: {} {} {}",
            row.figure,
            number(row.value()),
            row.unit,
            row.verdict().as_str()
        );
        self.rows.push(row);
    }

    /// Figures whose budgets do not hold.
    pub(crate) fn misses(&self) -> Vec<&str> {
        let missed = self
            .rows
            .iter()
            .filter(|row| row.verdict() == Verdict::Miss);
        missed.map(|row| row.figure.as_str()).collect()
    }

    /// In Markdown, which is also fit for a terminal.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from(
            "| figure | measured | beside (same run) | × | budget | |\n|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let reference = match row.reference() {
                Some(reference) => format!("{} {}: {}", number(reference), row.unit, row.beside),
                None => row.beside.clone(),
            };
            let ratio = row
                .ratio()
                .map_or("—".to_owned(), |ratio| format!("{ratio:.2}"));
            let note = match row.note.as_str() {
                "" => String::new(),
                note => format!("; {note}"),
            };
            // A string takes what is written.
            let _ = writeln!(
                text,
                "| {}{note} | {} {} | {reference} | {ratio} | {} | {} |",
                row.figure,
                number(row.value()),
                row.unit,
                row.budget(),
                row.verdict().as_str(),
            );
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self, machine: &Machine, about: serde_json::Value) -> serde_json::Value {
        let lines = self.rows.iter().map(|row| Line {
            figure: &row.figure,
            value: row.value(),
            unit: row.unit,
            beside: &row.beside,
            reference: row.reference(),
            ratio: row.ratio(),
            budget: row.budget(),
            verdict: row.verdict().as_str(),
            rounds: &row.rounds,
            note: &row.note,
        });
        let foreign: serde_json::Map<_, _> = self
            .foreign
            .iter()
            .map(|(group, cores)| (group.clone(), json!(cores)))
            .collect();
        json!({
            "machine": machine,
            "about": about,
            "cores_used_by_others": foreign,
            "rows": lines.collect::<Vec<_>>(),
        })
    }
}

/// With as many digits as mean something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (place, digit) in digits.chars().enumerate() {
                let left = digits.len() - place;
                if place > 0 && left % 3 == 0 && !grouped.ends_with('-') {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
        middle if middle >= 100.0 => format!("{value:.0}"),
        small if small >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
