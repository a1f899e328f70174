//! Several runs one below the other, and where their figures go.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use mynah_traffic::run::RunDocument;

use crate::figures::{count, ms, percent, rate, share};
use crate::table::{RULED, Style};

/// The runs, oldest first, with what p95 has done since the one before, and since the first.
pub fn render(runs: &[(String, RunDocument)], style: Style) -> String {
    let mut runs: Vec<&(String, RunDocument)> = runs.iter().collect();
    // RFC 3339 in UTC sorts as text.
    runs.sort_by(|(_, a), (_, b)| a.started.cmp(&b.started));
    let mut table = Table::new();
    table.load_style(RULED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width.unwrap_or(200));
    let titles =
        ["run", "started", "verdict", "requests", "/s", "failed", "p50", "p95", "p99", "p95 since the last"];
    let cell = |place: usize, text: String| {
        Cell::new(text).set_alignment(if place < 3 { CellAlignment::Left } else { CellAlignment::Right })
    };
    table.set_header(titles.iter().enumerate().map(|(place, title)| cell(place, (*title).to_owned())));
    let mut before = None;
    for (name, run) in &runs {
        let latency = &run.total.response_time_ms;
        let cells = [
            name.clone(),
            run.started.get(..19).unwrap_or(&run.started).replace('T', " "),
            style.verdict(run.verdict),
            count(run.requests),
            rate(run.requests_per_s),
            percent(share(run.failures, run.requests)),
            ms(latency.p50),
            ms(latency.p95),
            ms(latency.p99),
            change(before, latency.p95),
        ];
        before = Some(latency.p95);
        table.add_row(cells.into_iter().enumerate().map(|(place, text)| cell(place, text)));
    }
    let mut out = format!("{table}\n");
    if let (Some((_, first)), Some((_, last))) = (runs.first(), runs.last()) {
        let p95 = |run: &RunDocument| run.total.response_time_ms.p95;
        let _ = writeln!(
            out,
            "Since the first p95 went from {} to {} ms ({}). Response times in ms. Whether that is more than chance: mynah compare",
            ms(p95(first)),
            ms(p95(last)),
            change(Some(p95(first)), p95(last)),
        );
    }
    out
}

fn change(before: Option<f64>, now: f64) -> String {
    match before {
        Some(before) if before > 0.0 => format!("{:+.1}%", (now / before - 1.0) * 100.0),
        _ => "-".to_owned(),
    }
}
