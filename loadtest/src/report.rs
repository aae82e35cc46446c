//! The results: JSON, and goose's report with our own figures and charts put at its head. goose draws its charts with a
//! script from elsewhere; ours are in the page.
#![expect(clippy::print_stdout, reason = "a command's results")]

use std::{fmt::Write as _, fs, path::Path};

use alioth_loadtest::machine::Machine;
use anyhow::Context as _;
use serde_json::{Value, json};

use crate::{
    Arguments,
    outcome::Outcome,
    progress::{Moment, Progress},
};

/// Writes `<name>.json`, adds to the HTML, and prints the targets of this scenario beside each other.
pub(crate) fn write(
    folder: &Path,
    name: &str,
    html: &Path,
    arguments: &Arguments,
    machine: &Machine,
    outcome: &Outcome,
    progress: &Progress,
) -> anyhow::Result<()> {
    let moments = progress.moments();
    let results = json!({
        "scenario": arguments.scenario.to_string(),
        "target": arguments.target.to_string(),
        "ended": jiff::Timestamp::now().to_string(),
        "machine": machine,
        "outcome": outcome,
        "moments": moments,
    });
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, serde_json::to_string_pretty(&results)? + "\n")
        .with_context(|| format!("write {}", path.display()))?;
    let page = fs::read_to_string(html).unwrap_or_else(|_| "<html><body></body></html>".to_owned());
    let section = section(name, outcome, &moments);
    let page = match page.split_once("<body>") {
        Some((head, body)) => format!("{head}<body>{section}{body}"),
        None => format!("{section}{page}"),
    };
    fs::write(html, page).with_context(|| format!("write {}", html.display()))?;

    for (what, said) in outcome.lines() {
        println!("{what:<15} {said}");
    }
    println!("results         {}, {}", path.display(), html.display());
    println!("\n{}", comparison(folder, &arguments.scenario.to_string())?);
    Ok(())
}

/// A table of every target this scenario ran on, from what stands in the folder.
fn comparison(folder: &Path, scenario: &str) -> anyhow::Result<String> {
    let mut table = format!(
        "{:<12} {:>14} {:>14} {:>8} {:>30} {:>30}\n",
        scenario,
        "accepted/s",
        "applied/s",
        "lost",
        "accept p50/p99/p99.9 ms",
        "end to end p50/p99/p99.9 ms"
    );
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let read: Option<Value> = (path
            .extension()
            .is_some_and(|extension| extension == "json"))
        .then(|| fs::read(&path).ok())
        .flatten()
        .and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(results) = read
            && results["scenario"] == scenario
        {
            rows.push(results);
        }
    }
    rows.sort_by_key(|results| results["target"].to_string());
    for results in rows {
        let outcome = &results["outcome"];
        let number = |value: &Value| {
            value
                .as_f64()
                .map_or("—".to_owned(), |value| format!("{value:.0}"))
        };
        let three = |value: &Value| match value.as_array() {
            Some(values) => values
                .iter()
                .map(|value| format!("{:.1}", value.as_f64().unwrap_or(f64::NAN)))
                .collect::<Vec<_>>()
                .join(" / "),
            None => "—".to_owned(),
        };
        writeln!(
            table,
            "{:<12} {:>14} {:>14} {:>8} {:>30} {:>30}",
            results["target"].as_str().unwrap_or_default(),
            number(&outcome["accepted_points_a_second"]),
            number(&outcome["applied_points_a_second"]),
            number(&outcome["lost_points"]),
            three(&outcome["accept_ms"]),
            three(&outcome["end_to_end_ms"]),
        )?;
    }
    Ok(table)
}

fn section(name: &str, outcome: &Outcome, moments: &[Moment]) -> String {
    let mut html =
        format!("<section style=\"padding:1em;font-family:sans-serif\"><h1>{name}</h1><table>");
    for (what, said) in outcome.lines() {
        let said = said.replace('&', "&amp;").replace('<', "&lt;");
        let _ = write!(
            html,
            "<tr><th align=\"left\">{what}</th><td>{said}</td></tr>"
        );
    }
    html.push_str("</table>");
    let rate = |pick: fn(&Moment) -> Option<u64>| -> Vec<(f64, f64)> {
        let pairs = moments.windows(2).filter_map(|pair| {
            let (from, to) = (pick(&pair[0])?, pick(&pair[1])?);
            let span = pair[1].seconds - pair[0].seconds;
            Some((pair[1].seconds, to.saturating_sub(from) as f64 / span))
        });
        pairs.collect()
    };
    let backlog = moments.iter().filter_map(|moment| {
        let applied = moment.applied_points?;
        Some((
            moment.seconds,
            moment.accepted_points.saturating_sub(applied) as f64,
        ))
    });
    let p99 = moments.iter().map(|moment| (moment.seconds, moment.p99_ms));
    html.push_str(&chart(
        "accepted points/s",
        &rate(|moment| Some(moment.accepted_points)),
    ));
    html.push_str(&chart(
        "applied points/s",
        &rate(|moment| moment.applied_points),
    ));
    html.push_str(&chart(
        "accepted and not yet applied, points",
        &backlog.collect::<Vec<_>>(),
    ));
    html.push_str(&chart("accept p99, ms", &p99.collect::<Vec<_>>()));
    html + "</section>"
}

/// One line over time.
fn chart(title: &str, points: &[(f64, f64)]) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 160.0;
    let most = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).fold(0.0, f64::max);
    let (end, top) = (most(|point| point.0), most(|point| point.1));
    if points.len() < 2 || end <= 0.0 {
        return format!("<h3>{title}</h3><p>too short a run for a chart</p>");
    }
    let path: Vec<String> = points
        .iter()
        .map(|(x, y)| {
            format!(
                "{:.1},{:.1}",
                x / end * WIDTH,
                HEIGHT - y / top.max(f64::MIN_POSITIVE) * HEIGHT
            )
        })
        .collect();
    format!(
        "<h3>{title}: up to {top:.0}, over {end:.0} s</h3><svg viewBox=\"0 -4 {WIDTH} {}\" width=\"{WIDTH}\" \
         style=\"border:1px solid #ccc\"><polyline fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\" \
         points=\"{}\"/></svg>",
        HEIGHT + 8.0,
        path.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_goes_from_the_first_to_the_highest_point() {
        let drawn = chart("rate", &[(0.0, 0.0), (1.0, 10.0), (2.0, 5.0)]);
        assert!(drawn.contains("0.0,160.0 320.0,0.0 640.0,80.0"), "{drawn}");
        assert!(chart("rate", &[]).contains("too short"));
    }
}
