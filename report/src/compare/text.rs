//! A comparison for the terminal, and in Markdown for a pull request.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::differences::{self, Aspect, Difference, Share};
use super::{Change, Comparison, Row};
use crate::figures::{ms, percent, plural};
use crate::markdown::{code, escape, mark};
use crate::table::{RULED, Style};

/// What is printed at the end of a comparison.
pub fn render(comparison: &Comparison, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}  {} against {}",
        style.verdict(comparison.verdict),
        side(&comparison.candidate),
        side(&comparison.baseline)
    );
    let _ = writeln!(out, "{}\n", capital(&comparison.method));
    let mut table = Table::new();
    table.load_style(RULED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width.unwrap_or(200));
    table.set_header(TITLES.iter().enumerate().map(|(place, title)| cell(place, (*title).to_owned())));
    for row in &comparison.rows {
        if is_quiet(row) {
            continue;
        }
        let mut cells = cells(row);
        if let Some(verdict) = cells.get_mut(VERDICT) {
            *verdict = match row.verdict {
                Change::Slower => style.paint("1;31", verdict),
                Change::Faster => style.paint("32", verdict),
                Change::Same => std::mem::take(verdict),
                Change::CantTell => style.paint("33", verdict),
            };
        }
        table.add_row(cells.into_iter().enumerate().map(|(place, text)| cell(place, text)));
    }
    let _ = writeln!(out, "{table}");
    let _ = writeln!(out, "{}", foot(comparison));
    for difference in comparison.differences.iter().take(SHOWN) {
        let _ = writeln!(out, "{}   {}", style.paint("33", "differs  "), differences::sentence(difference));
    }
    if comparison.differences.len() > SHOWN {
        let _ = writeln!(
            out,
            "            and {} more: --json has them all",
            comparison.differences.len() - SHOWN
        );
    }
    for note in &comparison.notes {
        let _ = writeln!(out, "note        {note}");
    }
    for reason in &comparison.reasons {
        let _ = writeln!(out, "  {} {reason}", style.paint("31", "!"));
    }
    out
}

/// The same as a pull request's comment.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "### {}: {} against {}\n",
        mark(comparison.verdict),
        code(&side(&comparison.candidate)),
        code(&side(&comparison.baseline))
    );
    for reason in &comparison.reasons {
        let _ = writeln!(out, "- {}", escape(reason));
    }
    if !comparison.reasons.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "| {} |", TITLES.join(" | "));
    let _ = writeln!(out, "|---|---|--:|--:|--:|--:|---|");
    for row in comparison.rows.iter().filter(|row| !is_quiet(row)) {
        let mut cells = cells(row);
        if let Some(name) = cells.first_mut() {
            *name = code(name);
        }
        if let (Change::Slower, Some(verdict)) = (row.verdict, cells.get_mut(VERDICT)) {
            *verdict = format!("**{verdict}**");
        }
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if !comparison.differences.is_empty() {
        let _ = writeln!(out, "\n**Answers that differ**\n");
        let _ = writeln!(out, "| endpoint | what | baseline | candidate |\n|---|---|--:|--:|");
        for difference in comparison.differences.iter().take(SHOWN) {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                code(&difference.endpoint),
                what(difference),
                share(difference.baseline),
                share(difference.candidate)
            );
        }
        if comparison.differences.len() > SHOWN {
            let _ = writeln!(out, "\nand {} more.", comparison.differences.len() - SHOWN);
        }
    }
    let _ = writeln!(out, "\n{}. {}", capital(&comparison.method), foot(comparison));
    for note in &comparison.notes {
        let _ = writeln!(out, "\n> {}", escape(note));
    }
    out
}

/// Differences that are told to people.
const SHOWN: usize = 30;

fn what(difference: &Difference) -> String {
    match (difference.aspect, difference.class) {
        (Aspect::Status, _) => format!("status {}", difference.what),
        (Aspect::Type, _) if difference.what.is_empty() => "no content type".to_owned(),
        (_, Some(class)) => format!("{} ({class}xx)", code(&difference.what)),
        (_, None) => code(&difference.what),
    }
}

fn share(share: Share) -> String {
    format!("{} of {} ({})", share.count, share.of, percent(share.count as f64 / share.of.max(1) as f64))
}

const TITLES: [&str; 7] = ["endpoint", "figure", "baseline", "candidate", "change", "interval", "verdict"];
const VERDICT: usize = 6;

/// A line for a slower row.
pub(crate) fn sentence(row: &Row) -> String {
    let cells = cells(row);
    let [endpoint, metric, baseline, candidate, change, interval, _] = &cells;
    let verb = if row.metric == "failure_rate" { "rose" } else { "got slower" };
    format!("{endpoint}: {metric} {verb} from {baseline} to {candidate}, by {change} ({interval})")
}

/// A row that says nothing: no failures on either side.
fn is_quiet(row: &Row) -> bool {
    row.metric == "failure_rate" && row.baseline == Some(0.0) && row.candidate == Some(0.0)
}

fn cells(row: &Row) -> [String; 7] {
    let shares = row.metric == "failure_rate";
    let value = |value: Option<f64>| match value {
        Some(value) if shares => percent(value),
        Some(value) => format!("{} ms", ms(value)),
        None => "-".to_owned(),
    };
    let unit = if shares { " points" } else { "%" };
    let signed = |share: f64| {
        // Nothing rounds to minus nothing.
        let points = (share * 1e3).round() / 10.0;
        format!("{:+.1}", if points == 0.0 { 0.0 } else { points })
    };
    let verdict = match row.verdict {
        Change::CantTell if !row.hint.is_empty() => format!("can't tell: {}", row.hint),
        other => other.as_str().to_owned(),
    };
    [
        row.endpoint.clone(),
        if shares { "failures".to_owned() } else { row.metric.clone() },
        value(row.baseline),
        value(row.candidate),
        row.change.map_or_else(|| "-".to_owned(), |change| signed(change) + unit),
        row.interval.map_or_else(
            || "-".to_owned(),
            |(low, high)| format!("{} to {}{unit}", signed(low), signed(high)),
        ),
        verdict,
    ]
}

fn foot(comparison: &Comparison) -> String {
    format!(
        "All intervals hold together with {}% confidence. Times are response times, from the intended start.",
        comparison.confidence * 100.0
    )
}

fn cell(place: usize, text: String) -> Cell {
    let left = place < 2 || place == VERDICT;
    Cell::new(text).set_alignment(if left { CellAlignment::Left } else { CellAlignment::Right })
}

fn side(runs: &[String]) -> String {
    match runs {
        [one] => one.clone(),
        [first, .., last] => format!("{first} … {last} ({})", plural(runs.len() as u64, "run")),
        [] => "nothing".to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
