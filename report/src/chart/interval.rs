//! Where a change lies: a bar from the interval's lower to its upper end, the estimate on it, and the line of no change.

use std::fmt::Write as _;

const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 16.0;

/// A row's. `reach`: the share that is the picture's edge on either side; `bound`: what is no change.
pub(crate) fn interval(change: f64, (low, high): (f64, f64), bound: f64, reach: f64, class: &str) -> String {
    let x = |share: f64| WIDTH / 2.0 * (1.0 + (share / reach.max(1e-9)).clamp(-1.0, 1.0));
    let middle = HEIGHT / 2.0;
    let mut svg = format!("<svg class=\"interval\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\">");
    let _ = write!(
        svg,
        "<rect class=\"nothing\" x=\"{:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\"/><path class=\"zero\" d=\"M{} 0V{HEIGHT}\"/>\
         <path class=\"reach {class}\" d=\"M{:.1} {middle}H{:.1}\"/><circle class=\"{class}\" cx=\"{:.1}\" cy=\"{middle}\" r=\"3.5\"/></svg>",
        x(-bound),
        x(bound) - x(-bound),
        WIDTH / 2.0,
        x(low),
        x(high),
        x(change)
    );
    svg
}
