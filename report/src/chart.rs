//! Curves as inline SVG: no script, no network, sharp in print.

use std::fmt::Write as _;

/// One curve: its name, its CSS class, and a value each second.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// The next of 1, 2, 5 × 10ⁿ at or above `value / steps`.
pub(crate) fn step(value: f64, steps: f64) -> f64 {
    let raw = (value / steps).max(1e-9);
    let power = 10_f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|candidate| *candidate >= raw * 0.999)
        .unwrap_or(raw)
}

fn tick(value: f64) -> String {
    if value >= 1000.0 {
        format!("{}k", value / 1000.0)
    } else {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Draws the curves over seconds; empty for fewer than two points.
pub(crate) fn draw(title: &str, series: &[Series]) -> String {
    let all = || series.iter().flat_map(|one| one.points.iter());
    let end = all().map(|point| point.0).fold(0.0, f64::max);
    if all().count() < 2 || end <= 0.0 {
        return String::new();
    }
    let high = all().map(|point| point.1).fold(0.0, f64::max).max(1e-3);
    let y_step = step(high, 4.0);
    let top = (high / y_step).ceil() * y_step;
    let x = |t: f64| LEFT + t / end * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);

    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
    let mut line = 0.0;
    while line <= top * 1.001 {
        let at = y(line);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 3.5,
            tick(line),
        );
        line += y_step;
    }
    let x_step = step(end, 8.0).max(1.0);
    let mut second = 0.0;
    while second <= end {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{} s</text>",
            x(second),
            HEIGHT - 6.0,
            tick(second)
        );
        second += x_step;
    }
    for one in series {
        let mut path = String::new();
        for (number, (t, value)) in one.points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if number == 0 { "M" } else { "L" }, x(*t), y(*value));
        }
        let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"><title>{}</title></path>", one.class, one.name);
    }
    svg.push_str("</svg>");
    svg
}
