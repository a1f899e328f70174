//! What a search for capacity came to: a line a step, a table with the curve, and a page.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use minijinja::{Value, context};
use mynah_traffic::capacity::{CapacityDocument, CapacityOutcome, CapacityStep, Phase, StepVerdict};

use crate::figures::{ms, percent, rate, share};
use crate::table::{RULED, Style};
use crate::{Error, chart, html};

/// One step as it ends.
pub fn line(step: &CapacityStep) -> String {
    let mut text = format!(
        "{:>2} {:<6} {:>9} sessions/s  {:>8} requests/s  p50 {:>6} ms  p99 {:>6} ms  {:>6} failed  {}",
        step.number,
        step.phase,
        step.sessions_per_s,
        rate(step.requests_per_s),
        ms(step.p50_ms),
        ms(step.p99_ms),
        percent(share(step.failures, step.requests)),
        step.verdict.as_str(),
    );
    if let Some(why) = step.reasons.first() {
        let _ = write!(text, ": {why}");
    }
    text
}

/// The curve as a table, lowest rate first, and what was found.
pub fn render(document: &CapacityDocument, style: Style) -> String {
    let mut out = String::new();
    let (code, word) = badge(document.outcome);
    let _ = writeln!(
        out,
        "{}  {} -> {}\n{}\n",
        style.paint(code, &word.to_uppercase()),
        style.paint("1", &document.scenario),
        document.target,
        document.summary,
    );
    for remark in &document.remarks {
        let _ = writeln!(out, "  {} {remark}", style.paint("33", "!"));
    }
    if document.steps.is_empty() {
        return out;
    }
    let mut table = Table::new();
    table.load_style(RULED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(style.width.unwrap_or(200));
    let titles = [
        "sessions/s",
        "asked/s",
        "ended/s",
        "behind",
        "failed",
        "p50",
        "p95",
        "p99",
        "p99, each bar twice the one before",
        "step",
        "",
    ];
    let cell = |place: usize, text: String| {
        Cell::new(text).set_alignment(if place < 8 { CellAlignment::Right } else { CellAlignment::Left })
    };
    table.set_header(titles.iter().enumerate().map(|(place, title)| cell(place, (*title).to_owned())));
    let lowest = document.steps.iter().map(|step| step.p99_ms).fold(f64::INFINITY, f64::min);
    for step in sorted(document) {
        let (code, word) = match step.verdict {
            StepVerdict::Holds => ("32", "holds"),
            StepVerdict::Fails => ("31", "fails"),
            StepVerdict::Invalid => ("35", "invalid"),
        };
        let answer = if Some(step.number) == document.answer { " <- the answer" } else { "" };
        let cells = [
            format!("{}", step.sessions_per_s),
            rate(step.asked_per_s),
            rate(step.requests_per_s),
            percent(step.behind.max(0.0)),
            percent(share(step.failures, step.requests)),
            ms(step.p50_ms),
            ms(step.p95_ms),
            ms(step.p99_ms),
            bar(step.p99_ms, lowest),
            format!("{} {}", step.number, step.phase),
            format!("{}{answer}", style.paint(code, word)),
        ];
        table.add_row(cells.into_iter().enumerate().map(|(place, text)| cell(place, text)));
    }
    let _ = writeln!(out, "{table}");
    let _ = writeln!(
        out,
        "Response times in ms, from the intended start. A step fails by a threshold ({}) or when the target falls behind: ever \
         more requests are due and not answered.",
        document.thresholds.join(", ")
    );
    out
}

fn badge(outcome: CapacityOutcome) -> (&'static str, &'static str) {
    match outcome {
        CapacityOutcome::Found => ("1;32", "found"),
        CapacityOutcome::UpTo => ("1;32", "holds"),
        CapacityOutcome::NothingHolds => ("1;31", "nothing holds"),
        CapacityOutcome::Generator => ("1;35", "invalid"),
        CapacityOutcome::Interrupted => ("1;33", "interrupted"),
    }
}

/// The steps, lowest rate first; of two at one rate the longer one last.
fn sorted(document: &CapacityDocument) -> Vec<&CapacityStep> {
    let mut steps: Vec<&CapacityStep> = document.steps.iter().collect();
    steps.sort_by(|a, b| a.sessions_per_s.total_cmp(&b.sessions_per_s).then(a.number.cmp(&b.number)));
    steps
}

/// A block for each doubling above the lowest: times past the knee are thousands of times those before it.
fn bar(value: f64, lowest: f64) -> String {
    const MOST: f64 = 24.0;
    if value <= 0.0 || lowest <= 0.0 || !lowest.is_finite() {
        return String::new();
    }
    let blocks = ((value / lowest).log2().max(0.0) + 1.0).min(MOST);
    "█".repeat(blocks.round() as usize)
}

/// `capacity.html`: one self-contained page.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn html(document: &CapacityDocument) -> Result<String, Error> {
    let mut environment = html::environment()?;
    environment.add_template("capacity.html", include_str!("html/capacity.html.j2"))?;
    let (_, word) = badge(document.outcome);
    let class = match document.outcome {
        CapacityOutcome::Found | CapacityOutcome::UpTo => "pass",
        CapacityOutcome::NothingHolds => "fail",
        CapacityOutcome::Generator | CapacityOutcome::Interrupted => "invalid",
    };
    let rows: Vec<CapacityStep> = sorted(document).into_iter().cloned().collect();
    Ok(environment.get_template("capacity.html")?.render(context! {
        search => Value::from(minijinja::value::Serde(document)),
        rows => Value::from(minijinja::value::Serde(&rows)),
        answer => Value::from(minijinja::value::Serde(&document.step(document.answer))),
        knee => Value::from(minijinja::value::Serde(&document.step(document.knee))),
        word,
        class,
        curve => Value::from_safe_string(curve(document)),
    })?)
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;

/// Response times over the rate that was asked for, times on a logarithmic scale: what lies before the knee and what lies behind it
/// are powers of ten apart.
fn curve(document: &CapacityDocument) -> String {
    // By what was really asked for: of steps at one rate the longer one had somewhat more or less.
    let mut steps: Vec<&CapacityStep> = document.steps.iter().filter(|step| step.p50_ms > 0.0).collect();
    steps.sort_by(|a, b| a.asked_per_s.total_cmp(&b.asked_per_s));
    let high = steps.iter().map(|step| step.asked_per_s).fold(0.0, f64::max);
    if steps.len() < 2 || high <= 0.0 {
        return String::new();
    }
    let low_ms = steps.iter().map(|step| step.p50_ms).fold(f64::INFINITY, f64::min);
    let high_ms = steps.iter().map(|step| step.p99_ms).fold(low_ms, f64::max);
    let (floor, top) =
        (low_ms.log10().floor(), (high_ms * 1.0001).log10().ceil().max(low_ms.log10().floor() + 1.0));
    let x = |rate: f64| LEFT + rate / high * (WIDTH - LEFT - RIGHT);
    let y =
        |ms: f64| HEIGHT - BOTTOM - (ms.max(1e-6).log10() - floor) / (top - floor) * (HEIGHT - TOP - BOTTOM);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"response time over rate\">");
    for power in floor as i32..=top as i32 {
        let value = 10_f64.powi(power);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{value} ms</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y(value) + 3.5,
            at = y(value),
        );
    }
    let apart = chart::step(high, 6.0);
    let mut value = 0.0;
    while value <= high {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{value} requests/s</text>",
            x(value).min(WIDTH - RIGHT - 30.0),
            HEIGHT - BOTTOM + 18.0,
        );
        value += apart;
    }
    if let Some(answer) = document.step(document.answer) {
        let at = x(answer.asked_per_s);
        let _ = write!(
            svg,
            "<line class=\"answer\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>",
            HEIGHT - BOTTOM
        );
    }
    for (class, of) in [("c", (|step| step.p99_ms) as fn(&CapacityStep) -> f64), ("a", |step| step.p50_ms)] {
        let mut path = String::new();
        for (number, step) in steps.iter().enumerate() {
            let _ = write!(
                path,
                "{}{:.1} {:.1}",
                if number == 0 { "M" } else { "L" },
                x(step.asked_per_s),
                y(of(step))
            );
        }
        let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
    }
    for step in &steps {
        for value in [step.p99_ms, step.p50_ms] {
            let _ = write!(
                svg,
                "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{}\"><title>step {} ({}), {} sessions/s: {} requests/s, p50 {} ms, \
                 p99 {} ms, {}</title></circle>",
                step.verdict.as_str(),
                x(step.asked_per_s),
                y(value),
                if step.phase == Phase::Hold { 5 } else { 3 },
                step.number,
                step.phase,
                step.sessions_per_s,
                rate(step.requests_per_s),
                ms(step.p50_ms),
                ms(step.p99_ms),
                step.verdict.as_str(),
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(
        number: u32,
        phase: Phase,
        sessions_per_s: f64,
        p99_ms: f64,
        verdict: StepVerdict,
    ) -> CapacityStep {
        CapacityStep {
            number,
            phase,
            sessions_per_s,
            asked_per_s: sessions_per_s * 10.0,
            requests_per_s: sessions_per_s * 9.9,
            seconds: 10.0,
            requests: 1000,
            failures: 0,
            p50_ms: p99_ms / 3.0,
            p95_ms: p99_ms / 2.0,
            p99_ms,
            max_ms: p99_ms,
            behind: 0.001,
            verdict,
            reasons: if verdict == StepVerdict::Holds {
                vec![]
            } else {
                vec!["p99 < 20ms: failed, <b>".into()]
            },
            limits: vec![],
            run: format!("steps/{number:02}"),
        }
    }

    fn document() -> CapacityDocument {
        CapacityDocument {
            schema: 1,
            outcome: CapacityOutcome::Found,
            summary: "holds 198 requests/s (20 sessions/s)".into(),
            remarks: vec!["a remark".into()],
            answer: Some(3),
            knee: Some(2),
            started: "2026-11-21T16:00:00.000Z".into(),
            scenario: "shop".into(),
            target: "http://127.0.0.1:1".into(),
            seed: 1,
            thresholds: vec!["p99 < 20ms".into()],
            precision: 0.02,
            step_s: 10.0,
            hold_s: 30.0,
            warm_up_s: 2.0,
            steps: vec![
                step(1, Phase::Grow, 20.0, 5.0, StepVerdict::Holds),
                step(2, Phase::Grow, 40.0, 700.0, StepVerdict::Fails),
                step(3, Phase::Hold, 20.0, 6.0, StepVerdict::Holds),
            ],
        }
    }

    #[test]
    fn the_table_goes_from_low_to_high() {
        let text = render(&document(), Style::default());
        assert!(text.starts_with("FOUND  shop -> http://127.0.0.1:1\nholds 198 requests/s"), "{text}");
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(place("1 grow") < place("3 hold") && place("3 hold") < place("2 grow"), "{text}");
        assert!(text.contains("holds <- the answer") && text.contains("! a remark"), "{text}");
        assert_eq!(
            (bar(5.0, 5.0), bar(40.0, 5.0), bar(0.0, 5.0)),
            ("█".into(), "████".into(), String::new())
        );
        assert!(line(&document().steps[1]).ends_with("fails: p99 < 20ms: failed, <b>"));
    }

    #[test]
    fn the_page_holds_the_curve_and_nothing_unescaped() {
        let page = html(&document()).unwrap();
        assert!(
            page.contains("<svg")
                && page.contains("steps&#x2f;03/report.html")
                && page.contains("class=\"badge pass\""),
            "{page}"
        );
        assert!(!page.contains("failed, <b>") && page.contains("failed, &lt;b&gt;"), "{page}");
        assert_eq!(page.matches("<circle").count(), 6);
        // Nothing was measured: no curve, and no panic.
        let empty = CapacityDocument { steps: vec![], answer: None, knee: None, ..document() };
        assert!(!html(&empty).unwrap().contains("<svg"));
        assert!(render(&empty, Style::default()).contains("holds"));
    }
}
