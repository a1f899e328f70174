//! How users behave, as a page: for each profile what sets it apart, and where its sessions go on to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use minijinja::{Value, context};
use serde::Serialize;

use crate::{Error, html};

/// One profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its share in percent, and how far that may be off.
    pub weight: f64,
    /// See `weight`.
    pub margin: f64,
    /// Its sessions.
    pub sessions: u64,
    /// Mean silhouette, −1 to 1.
    pub silhouette: Option<f64>,
    /// Endpoint, share of its sessions that use it, share of the others (0 to 1).
    pub telling: Vec<(String, f64, f64)>,
    /// The session in its middle.
    pub medoid: Vec<String>,
    /// Endpoint, requests, and where in sessions these stand (0 to 1).
    pub visits: Vec<(String, u64, f64)>,
    /// From, to (`None`: begin, end), times, median pause in seconds.
    pub transitions: Vec<(Option<String>, Option<String>, u64, f64)>,
}

/// The page.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render(title: &str, profiles: &[Profile]) -> Result<String, Error> {
    let mut environment = html::environment()?;
    environment.add_template("behaviour.html", include_str!("html/behaviour.html.j2"))?;
    let graphs: Vec<Value> = profiles.iter().map(|profile| Value::from_safe_string(graph(profile))).collect();
    Ok(environment.get_template("behaviour.html")?.render(context! {
        title,
        profiles => Value::from(minijinja::value::Serde(profiles)),
        graphs,
        shown => SHOWN,
    })?)
}

/// Endpoints in a graph; the rest is told.
const SHOWN: usize = 24;
/// Arrows that fewer of those who were there follow are left out, or nothing could be read.
const FAINTEST: f64 = 0.05;

const ROW: f64 = 30.0;
const TOP: f64 = 22.0;
const AXIS: f64 = 430.0;
const WIDTH: f64 = 900.0;
/// Where arrows downwards leave and arrive, and where those upwards do.
const SIDE: f64 = 6.0;

/// The endpoints from top to bottom in the order of sessions, and an arc for each way on: to the right what leads on, dashed what
/// leads back.
fn graph(profile: &Profile) -> String {
    let mut visits: Vec<_> = profile.visits.iter().take(SHOWN).collect();
    visits.sort_by(|a, b| a.2.total_cmp(&b.2).then_with(|| a.0.cmp(&b.0)));
    let row: BTreeMap<&str, usize> =
        visits.iter().enumerate().map(|(at, visit)| (visit.0.as_str(), at + 1)).collect();
    let last = visits.len() + 1;
    let y = |at: usize| TOP + at as f64 * ROW;
    let mut leaving: BTreeMap<Option<&str>, u64> = BTreeMap::new();
    for (from, _, times, _) in &profile.transitions {
        *leaving.entry(from.as_deref()).or_default() += times;
    }
    let requests: u64 = profile.visits.iter().map(|visit| visit.1).sum();
    let height = y(last) + TOP;
    let mut svg = format!(
        "<svg class=\"graph\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"transitions\">\
         <defs><marker id=\"tip\" viewBox=\"0 0 6 6\" refX=\"5\" refY=\"3\" markerWidth=\"7\" markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
         <path class=\"tip\" d=\"M0 0L6 3L0 6z\"/></marker></defs>"
    );
    for (from, to, times, pause) in &profile.transitions {
        let at = |end: &Option<String>, other: usize| match end {
            Some(endpoint) => row.get(endpoint.as_str()).copied(),
            None => Some(other),
        };
        let (Some(start), Some(end)) = (at(from, 0), at(to, last)) else { continue };
        let share = *times as f64 / leaving.get(&from.as_deref()).copied().unwrap_or(1).max(1) as f64;
        if share < FAINTEST {
            continue;
        }
        let title = format!(
            "{} → {}: {:.0}% of those there, {times} times{}",
            escape(from.as_deref().unwrap_or("begin")),
            escape(to.as_deref().unwrap_or("end")),
            share * 100.0,
            if *pause > 0.0 { format!(", median pause {pause:.2} s") } else { String::new() }
        );
        let width = 0.8 + 4.2 * share;
        let (path, label) = arc(start, end, &y);
        let class = if end > start { "a" } else { "b back" };
        let _ = write!(
            svg,
            "<path class=\"{class}\" style=\"stroke-width:{width:.1}\" marker-end=\"url(#tip)\" d=\"{path}\"><title>{title}</title></path>"
        );
        // Beside a loop there is no room.
        if share >= 0.1 && start != end {
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{:.0}\" y=\"{:.0}\">{:.0}%</text>",
                label.0,
                label.1 + 3.0,
                share * 100.0
            );
        }
    }
    let dot = |svg: &mut String, at: usize, text: &str, class: &str, size: f64| {
        let _ = write!(
            svg,
            "<circle class=\"{class}\" cx=\"{AXIS}\" cy=\"{:.0}\" r=\"{size:.1}\"/><text class=\"node\" x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>",
            y(at),
            AXIS - 14.0,
            y(at) + 4.0,
            escape(text)
        );
    };
    dot(&mut svg, 0, "begin", "end", 4.0);
    for (at, (endpoint, times, _)) in visits.iter().enumerate() {
        let share = *times as f64 / requests.max(1) as f64;
        dot(
            &mut svg,
            at + 1,
            &format!("{} · {:.0}%", shortened(endpoint), share * 100.0),
            "place",
            3.0 + 7.0 * share.sqrt(),
        );
    }
    dot(&mut svg, last, "end", "end", 4.0);
    svg.push_str("</svg>");
    svg
}

/// An arc between two rows, and where its label stands.
fn arc(start: usize, end: usize, y: &dyn Fn(usize) -> f64) -> (String, (f64, f64)) {
    let x = AXIS + SIDE;
    if start == end {
        let at = y(start);
        let path = format!(
            "M{x:.0} {:.0}C{:.0} {:.0} {:.0} {:.0} {x:.0} {:.0}",
            at - 4.0,
            x + 34.0,
            at - 16.0,
            x + 34.0,
            at + 16.0,
            at + 4.0
        );
        return (path, (x + 30.0, at));
    }
    let (from, to) = (y(start), y(end));
    let reach = start.abs_diff(end) as f64;
    // Further is wider, but all of it is in the picture.
    let bulge = (WIDTH - x - 60.0) * (1.0 - (-reach / 6.0).exp());
    let bulge = if end > start { bulge } else { bulge + 40.0 };
    let path = format!(
        "M{x:.0} {from:.0}C{:.0} {from:.0} {:.0} {to:.0} {x:.0} {to:.0}",
        x + bulge * 1.2,
        x + bulge * 1.2
    );
    (path, (x + bulge * 0.9 + 4.0, f64::midpoint(from, to)))
}

/// The end of a name that would not fit.
fn shortened(text: &str) -> String {
    const MOST: usize = 52;
    let count = text.chars().count();
    if count <= MOST {
        return text.to_owned();
    }
    format!("…{}", text.chars().skip(count - MOST + 1).collect::<String>())
}

/// Names come from traffic.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
