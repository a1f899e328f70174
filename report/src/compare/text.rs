//! A comparison for the terminal, and in Markdown for a pull request.

use std::fmt::Write as _;

use super::differences::{self, Aspect, Difference, Share};
use super::{Change, Comparison, FAILURE_RATE, Row};
use crate::figures::{ms, percent, plural, shown};
use crate::grid::{Column, folded, number, table, words};
use crate::markdown::{code, escape, mark};
use crate::table::Style;

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
    let _ = writeln!(out, "{}", folded("", &capital(&comparison.method), style.width));
    let rows: Vec<&Row> = comparison.rows.iter().filter(|row| !is_quiet(row)).collect();
    // On a narrow terminal there is no room for what would tell.
    let terse = style.width.is_some_and(|width| width < ROOM_FOR_HINTS);
    let texts = rows
        .iter()
        .map(|row| {
            let mut cells = cells(row);
            if terse {
                row.verdict.as_str().clone_into(&mut cells[VERDICT]);
            }
            cells.to_vec()
        })
        .collect();
    let table = table(&COLUMNS, texts, style.width, |row, title, text| {
        let colour = match rows.get(row).filter(|_| title == "verdict").map(|row| row.verdict) {
            Some(Change::Slower) => "1;31",
            Some(Change::Faster) => "32",
            Some(Change::CantTell) => "33",
            Some(Change::Same) | None => return text.to_owned(),
        };
        style.paint(colour, text)
    });
    let _ = writeln!(out, "{table}");
    out.push_str(&folded("", &foot(comparison), style.width));
    // Where they are reasons, they are told as such.
    let sentences: Vec<String> = comparison.differences.iter().map(differences::sentence).collect();
    let quiet: Vec<&String> =
        sentences.iter().filter(|sentence| !comparison.reasons.contains(sentence)).collect();
    for sentence in quiet.iter().take(SHOWN) {
        let line = folded("differs     ", &shown(sentence, 600), style.width);
        out.push_str(&line.replacen("differs", &style.paint("33", "differs"), 1));
    }
    if quiet.len() > SHOWN {
        let more = quiet.len() - SHOWN;
        let _ = writeln!(out, "            and {more} more: --json has them all");
    }
    for note in comparison.notes.iter().take(NOTES) {
        out.push_str(&folded("note        ", &shown(note, 600), style.width));
    }
    if comparison.notes.len() > NOTES {
        let _ = writeln!(out, "            and {} more", comparison.notes.len() - NOTES);
    }
    for reason in comparison.reasons.iter().take(SHOWN) {
        let line = folded("  ! ", &shown(reason, 600), style.width);
        out.push_str(&line.replacen('!', &style.paint("31", "!"), 1));
    }
    if comparison.reasons.len() > SHOWN {
        let _ = writeln!(out, "    and {} more", comparison.reasons.len() - SHOWN);
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
    for reason in comparison.reasons.iter().take(SHOWN) {
        let _ = writeln!(out, "- {}", escape(reason));
    }
    if comparison.reasons.len() > SHOWN {
        let _ = writeln!(out, "- and {} more", comparison.reasons.len() - SHOWN);
    }
    if !comparison.reasons.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "| {} |", COLUMNS.map(|column| column.title).join(" | "));
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

const COLUMNS: [Column; 7] = [
    words("endpoint", 0),
    words("figure", 0),
    number("baseline", 2),
    number("candidate", 1),
    number("change", 0),
    number("interval", 3),
    words("verdict", 0),
];
/// Columns of a terminal that has room for what would tell, where this cannot.
const ROOM_FOR_HINTS: u16 = 150;
/// Notes that are printed; a run of other traffic has one an endpoint.
const NOTES: usize = 20;
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

const VERDICT: usize = 6;

/// A line for a slower row.
pub(crate) fn sentence(row: &Row) -> String {
    let cells = cells(row);
    let [endpoint, metric, baseline, candidate, change, interval, _] = &cells;
    let verb = if row.metric == FAILURE_RATE { "rose" } else { "got slower" };
    format!("{endpoint}: {metric} {verb} from {baseline} to {candidate}, by {change} ({interval})")
}

/// A row that says nothing: no failures on either side.
pub(crate) fn is_quiet(row: &Row) -> bool {
    row.metric == FAILURE_RATE && row.baseline == Some(0.0) && row.candidate == Some(0.0)
}

/// Endpoint, figure, baseline, candidate, change, interval, verdict: as people read them.
pub(crate) fn cells(row: &Row) -> [String; 7] {
    let shares = row.metric == FAILURE_RATE;
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

fn side(runs: &[String]) -> String {
    match runs {
        [one] => one.clone(),
        [first, .., last] => format!("{first} … {last} ({})", plural(runs.len() as u64, "run")),
        [] => "nothing".to_owned(),
    }
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
