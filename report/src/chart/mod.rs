//! The page's charts as inline SVG: no script, no network, sharp in print. Colours are CSS classes, so that one picture does for
//! light, dark and paper; what a thing is can be told by its dashes and its `<title>` too.
//!
//! | module | chart |
//! |---|---|
//! | `plot` | axes, scales, ticks: what all share |
//! | `over_time` | rates, users, percentiles and the heat map, by second |
//! | `quantiles` | the distribution by percentile |
//! | `interval` | where a change lies |

mod interval;
mod over_time;
mod plot;
mod quantiles;

pub(crate) use interval::interval;
pub(crate) use over_time::{heat, percentiles, rates, users};
pub(crate) use plot::step;
pub(crate) use quantiles::{Curves, Named, distribution};

/// Text in SVG and in attributes: names come from traffic.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
