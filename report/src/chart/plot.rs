//! Axes, scales and ticks.

use std::fmt::Write as _;

pub(super) const WIDTH: f64 = 640.0;
pub(super) const LEFT: f64 = 62.0;
pub(super) const RIGHT: f64 = 14.0;
pub(super) const TOP: f64 = 12.0;
pub(super) const BOTTOM: f64 = 26.0;

/// How a value becomes a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// From 0 to so much.
    Linear(f64),
    /// Between two positive values.
    Log(f64, f64),
}

/// A chart in the making.
pub(super) struct Plot {
    pub(super) svg: String,
    height: f64,
    end: f64,
    scale: Scale,
}

impl Plot {
    /// With its frame: time along the bottom up to `end` seconds, `scale` up the side.
    pub(super) fn over_time(title: &str, height: f64, end: f64, scale: Scale) -> Plot {
        let mut plot = Plot::bare(title, height, end, scale);
        plot.ticks_y();
        let (step, unit, name) = time_step(end);
        let mut at = 0.0;
        while at <= end * 1.0001 {
            plot.tick_x(plot.x(at), &format!("{} {name}", number(at / unit)));
            at += step;
        }
        plot
    }

    /// Without ticks along the bottom.
    pub(super) fn bare(title: &str, height: f64, end: f64, scale: Scale) -> Plot {
        let mut svg = String::new();
        let _ = write!(svg, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">");
        Plot { svg, height, end: end.max(1e-9), scale }
    }

    pub(super) fn bottom(&self) -> f64 {
        self.height - BOTTOM
    }

    pub(super) fn x(&self, value: f64) -> f64 {
        LEFT + (value / self.end).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear(top) => value / top.max(1e-9),
            Scale::Log(low, high) => (value.max(low) / low).ln() / (high / low).ln().max(1e-9),
        };
        self.bottom() - share.clamp(0.0, 1.0) * (self.bottom() - TOP)
    }

    pub(super) fn tick_x(&mut self, x: f64, text: &str) {
        // A narrow screen has no room for what lies halfway.
        let class = if text == "50%" { " class=\"mid\"" } else { "" };
        let (x, y) = (x.min(WIDTH - 22.0), self.height - 8.0);
        let _ = write!(self.svg, "<text{class} x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>");
    }

    pub(super) fn ticks_y(&mut self) {
        for value in self.scale.ticks() {
            let y = self.y(value);
            let _ = write!(
                self.svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 3.5,
                number(value)
            );
        }
    }

    /// A curve through what there is; where there is nothing it is broken.
    pub(super) fn curve(&mut self, class: &str, title: &str, points: &[(f64, Option<f64>)]) {
        let mut path = String::new();
        let mut pen_up = true;
        let mut last = None;
        for (at, value) in points {
            let Some(value) = value else {
                // A lone point between two gaps is seen by the line's round end.
                pen_up = true;
                continue;
            };
            let (x, y) = (self.x(*at), self.y(*value));
            let lone = pen_up && last != Some(*at);
            let _ = write!(path, "{}{x:.1} {y:.1}", if pen_up { "M" } else { "L" });
            if lone {
                let _ = write!(path, "h.01");
            }
            pen_up = false;
            last = Some(*at);
        }
        if !path.is_empty() {
            let _ =
                write!(self.svg, "<path class=\"line {class}\" d=\"{path}\"><title>{title}</title></path>");
        }
    }

    /// What lies between two curves.
    pub(super) fn band(&mut self, class: &str, title: &str, points: &[(f64, Option<(f64, f64)>)]) {
        let mut path = String::new();
        for run in points.split(|(_, value)| value.is_none()) {
            let known: Vec<(f64, f64, f64)> =
                run.iter().filter_map(|(at, value)| value.map(|(low, high)| (*at, low, high))).collect();
            for (number, (at, _, high)) in known.iter().enumerate() {
                let _ = write!(
                    path,
                    "{}{:.1} {:.1}",
                    if number == 0 { "M" } else { "L" },
                    self.x(*at),
                    self.y(*high)
                );
            }
            for (at, low, _) in known.iter().rev() {
                let _ = write!(path, "L{:.1} {:.1}", self.x(*at), self.y(*low));
            }
            if !known.is_empty() {
                path.push('Z');
            }
        }
        if !path.is_empty() {
            let _ =
                write!(self.svg, "<path class=\"area {class}\" d=\"{path}\"><title>{title}</title></path>");
        }
    }

    /// A bound: dashed, with what it is.
    pub(super) fn bound(&mut self, value: f64, text: &str) {
        let y = self.y(value);
        let _ = write!(
            self.svg,
            "<path class=\"bound\" d=\"M{LEFT} {y:.1}H{}\"><title>{text}</title></path>\
             <text class=\"bound\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            WIDTH - RIGHT,
            WIDTH - RIGHT - 4.0,
            if y < TOP + 14.0 { y + 12.0 } else { y - 4.0 }
        );
    }

    /// What is told when a stretch is pointed at.
    pub(super) fn tip(&mut self, from: f64, to: f64, text: &str) {
        let (x, wide) = (self.x(from), self.x(to) - self.x(from));
        let _ = write!(
            self.svg,
            "<rect class=\"tip\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{wide:.1}\" height=\"{:.1}\"><title>{text}</title></rect>",
            self.bottom() - TOP
        );
    }

    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

impl Scale {
    /// From 0 to a round number at or above `high`.
    pub(super) fn up_to(high: f64) -> Scale {
        let step = step(high, 4.0);
        Scale::Linear((high / step).ceil().max(1.0) * step)
    }

    /// From a round number below to one above; at least a factor of ten, or noise would look like mountains.
    pub(super) fn log(low: f64, high: f64) -> Scale {
        let floor = round_down(low.max(1e-3));
        let mut ceiling = round_down(high.max(floor));
        if ceiling < high {
            ceiling = round_up(ceiling);
        }
        Scale::Log(floor, ceiling.max(floor * 10.0))
    }

    fn ticks(self) -> Vec<f64> {
        match self {
            Scale::Linear(top) => {
                let step = step(top, 4.0);
                (0..=8).map(|n| f64::from(n) * step).take_while(|value| *value <= top * 1.001).collect()
            }
            Scale::Log(low, high) => {
                let decades = (high / low).log10();
                let factors: &[f64] = if decades <= 1.7 {
                    &[1.0, 2.0, 5.0]
                } else if decades <= 3.0 {
                    &[1.0, 3.0]
                } else {
                    &[1.0]
                };
                let first = low.log10().floor() as i32;
                (first..=first + 12)
                    .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
                    .filter(|value| *value >= low * 0.999 && *value <= high * 1.001)
                    .collect()
            }
        }
    }
}

const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// The greatest of 1, 2, 5 × 10ⁿ that is not above.
fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    ROUND
        .into_iter()
        .rev()
        .map(|factor| factor * power)
        .find(|round| *round <= value * 1.001)
        .unwrap_or(power)
}

/// The next one above.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    ROUND.into_iter().map(|factor| factor * power).find(|round| *round > value * 1.001).unwrap_or(value * 2.0)
}

/// The next of 1, 2, 5 × 10ⁿ at or above `value / steps`.
pub(crate) fn step(value: f64, steps: f64) -> f64 {
    let raw = (value / steps).max(1e-6);
    let power = 10_f64.powf(raw.log10().floor());
    ROUND.into_iter().map(|factor| factor * power).find(|round| *round >= raw * 0.999).unwrap_or(raw)
}

/// Between two ticks, seconds of the unit, and its name.
fn time_step(end: f64) -> (f64, f64, &'static str) {
    let (unit, name) = match end {
        e if e <= 180.0 => (1.0, "s"),
        e if e <= 3.0 * 3600.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    };
    (step(end / unit, 8.0).max(1.0) * unit, unit, name)
}

/// A tick's text: `0.05`, `250`, `12k`.
pub(super) fn number(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{}k", number(value / 1000.0))
    } else {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_begin_and_end_at_round_numbers() {
        assert_eq!(Scale::up_to(93.0), Scale::Linear(100.0));
        assert_eq!(Scale::up_to(0.0), Scale::Linear(1e-6));
        assert_eq!(Scale::log(2.3, 480.0), Scale::Log(2.0, 500.0));
        assert_eq!(Scale::log(3.0, 3.0), Scale::Log(2.0, 20.0));
        let Scale::Log(low, high) = Scale::log(0.0, f64::from(u32::MAX)) else { panic!() };
        assert!(low > 0.0 && high >= f64::from(u32::MAX));
        assert_eq!(Scale::Log(1.0, 20.0).ticks(), [1.0, 2.0, 5.0, 10.0, 20.0]);
        assert_eq!([number(0.05), number(250.0), number(12_000.0)], ["0.05", "250", "12k"]);
        assert_eq!(time_step(14_400.0), (3600.0, 3600.0, "h"));
    }
}
