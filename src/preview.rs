//! `mynah replay --preview`: the load over time, drawn with block characters.

use std::fmt::Write as _;

use mynah_replay::{Options, Prepared, Preview};
use mynah_traffic::Nanos;
use mynah_traffic::units::format_duration;

use crate::exit::{Exit, Outcome};
use crate::{driving, output, terminal};

/// Lines that the drawing is high.
const HEIGHT: usize = 10;
/// Columns that it is wide where the terminal does not say, and at most.
const WIDTH: usize = 72;
const WIDEST: usize = 160;
/// Columns of the numbers at its side.
const SIDE: usize = 9;

/// Prints what a run with these options would do.
pub(crate) fn print(prepared: &Prepared, options: &Options) -> Outcome {
    let width = terminal::stdout_width().map_or(WIDTH + SIDE, usize::from).clamp(40, WIDEST) - SIDE - 2;
    let preview = mynah_replay::preview(prepared, options, width).map_err(driving::failure)?;
    output::print(&draw(&preview))?;
    Ok(Exit::Ok)
}

fn draw(preview: &Preview) -> String {
    let mut out = format!("{}, for {}\n\n", preview.asked, format_duration(preview.duration));
    let of = unit(preview);
    let top = preview.bars.iter().fold(preview.peak, |top, bar| top.max(*bar));
    for line in (0..HEIGHT).rev() {
        let label = match line {
            _ if line == HEIGHT - 1 => number(top),
            _ if line == HEIGHT / 2 - 1 => number(top / 2.0),
            _ => String::new(),
        };
        let bars: String =
            preview.bars.iter().map(|bar| block(bar / top.max(f64::MIN_POSITIVE), line)).collect();
        let _ = writeln!(out, "{label:>SIDE$} ┤{}", bars.trim_end());
    }
    let _ = writeln!(out, "{:>SIDE$} └{}", 0, "─".repeat(preview.bars.len()));
    out.push_str(&axis(preview.duration, preview.bars.len()));
    let _ = writeln!(out, "{:>SIDE$}  {of}\n", "");
    out.push_str(&totals(preview));
    out
}

/// The part of a bar of this height (of 1) that lies in a line from below, in eighths.
fn block(height: f64, line: usize) -> char {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let eighths = height * (HEIGHT * 8) as f64 - (line * 8) as f64;
    // What there is shows, however little.
    let eighths = if line == 0 && height > 0.0 { eighths.max(1.0) } else { eighths };
    EIGHTHS.get((eighths.round().clamp(0.0, 8.0)) as usize).copied().unwrap_or(' ')
}

/// Times below the drawing.
fn axis(duration: Nanos, width: usize) -> String {
    let mut line = " ".repeat(SIDE + 2);
    let parts = 4;
    for part in 0..=parts {
        let text = format_duration(Nanos((u128::from(duration.0) * part as u128 / parts as u128) as u64));
        let at = SIDE + 2 + width * part / parts;
        let shown = line.chars().count();
        // The last one ends where the drawing ends.
        let at = if part == parts { at.saturating_sub(text.chars().count()) } else { at };
        if part == 0 || at > shown {
            line.push_str(&" ".repeat(at.saturating_sub(shown)));
            line.push_str(&text);
        }
    }
    line + "\n"
}

fn unit(preview: &Preview) -> &'static str {
    match (preview.open, preview.of_requests) {
        (_, true) => "requests/s",
        (true, false) => "sessions/s",
        (false, false) => "users",
    }
}

fn totals(preview: &Preview) -> String {
    let begun = match (preview.sessions, preview.requests) {
        (Some(sessions), Some(requests)) if preview.of_requests => format!(
            "{} in all, those of about {}",
            terminal::plural(requests, "request"),
            terminal::plural(sessions, "session")
        ),
        (Some(sessions), Some(requests)) if preview.open => format!(
            "{} begin, {} in all when each is played to its end ({} requests/s on average)",
            terminal::plural(sessions, "session"),
            terminal::plural(requests, "request"),
            number(requests as f64 / preview.duration.as_secs_f64())
        ),
        (Some(sessions), Some(requests)) => format!(
            "at most {} and {}, if the target answered each at once",
            terminal::plural(sessions, "session"),
            terminal::plural(requests, "request")
        ),
        _ => "sessions make no pauses: as many as the target answers".to_owned(),
    };
    let peak = number(preview.peak);
    let peak =
        format!("{peak} {} {}", unit(preview), if preview.open { "at the peak" } else { "at the most" });
    format!("{peak}; {begun}\nnothing was sent\n")
}

/// Three figures, which are all that is seen.
fn number(value: f64) -> String {
    let decimals = if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_drawn() {
        let bars = (0..40).map(f64::from).collect();
        let preview = Preview {
            open: true,
            of_requests: false,
            asked: "stages 40s:40/s".to_owned(),
            duration: Nanos(40_000_000_000),
            peak: 40.0,
            sessions: Some(800),
            requests: Some(2400),
            bars,
        };
        let text = draw(&preview);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "stages 40s:40/s, for 40s");
        assert!(lines[2].starts_with("       40 ┤") && lines[7].starts_with("       20 ┤"), "{text}");
        assert!(lines[11].ends_with('█') && lines[11].contains("┤ ▂▄▆█"), "{text}");
        assert!(lines[13].ends_with("40s") && lines[13].contains("20s"), "{text}");
        assert!(
            text.contains("40 sessions/s at the peak; 800 sessions begin, 2400 requests in all"),
            "{text}"
        );
    }

    #[test]
    fn blocks() {
        assert_eq!((block(1.0, 9), block(0.5, 5), block(0.5, 4), block(0.0, 0)), ('█', ' ', '█', ' '));
        assert_eq!(block(1e-9, 0), '▁');
    }
}
