//! How live traffic was mirrored, in words: how far behind, what was left out and why, and where the target answered otherwise
//! than production.

use mynah_traffic::run::{Latency, MirrorFigures};
use mynah_traffic::units::format_bytes;

use crate::figures::{count, ms, percent, plural, share, shown};

/// Differences that are shown.
const SHOWN: usize = 10;

/// A line: what it is about, and what there is to say; the most frequent differences behind.
pub(crate) fn lines(figures: &MirrorFigures) -> Vec<(&'static str, String)> {
    let mut lines = facts(figures);
    for difference in figures.differences.iter().take(SHOWN) {
        let (recorded, got) = (difference.recorded, difference.got);
        let endpoint = shown(&difference.endpoint, 120);
        lines.push(("", format!("{} x {endpoint}: {recorded} → {got}", count(difference.count))));
    }
    if figures.differences.len() > SHOWN {
        lines.push(("", format!("and {} more, in run.json", figures.differences.len() - SHOWN)));
    }
    lines
}

/// The same without the differences.
pub(crate) fn facts(figures: &MirrorFigures) -> Vec<(&'static str, String)> {
    let of = |times: &Latency| {
        format!("p50 {} ms, p99 {} ms, max {} ms", ms(times.p50), ms(times.p99), ms(times.max))
    };
    let mut lines = vec![(
        "mirrored",
        format!(
            "{} of {} from {}, in {}, {}",
            count(figures.sent),
            plural(figures.exchanges, "exchange"),
            shown(&figures.source, 200),
            plural(figures.sessions, "session"),
            if figures.masked { "masked" } else { "NOT masked" },
        ),
    )];
    lines.push((
        "behind",
        format!(
            "sent after the request was captured: {}; after production had answered it: {}",
            of(&figures.lag_ms),
            of(&figures.own_lag_ms)
        ),
    ));
    let reasons: Vec<String> = figures
        .dropped
        .reasons()
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(why, number)| format!("{} {why}", count(number)))
        .collect();
    let reasons = if reasons.is_empty() { "nothing".to_owned() } else { reasons.join(", ") };
    let capture = &figures.capture;
    lines.push((
        "not sent",
        format!(
            "{reasons}; at most {} ({}) waited",
            count(figures.waited_exchanges),
            format_bytes(figures.waited_bytes)
        ),
    ));
    lines.push((
        "capture",
        format!(
            "saw {}, lost {} to the kernel and {} to mynah, {}, {} evicted",
            count(capture.seen),
            count(capture.dropped_by_kernel),
            count(capture.dropped_by_mynah),
            plural(capture.gaps, "gap"),
            plural(capture.evicted, "flow"),
        ),
    ));
    let differ = match share(figures.differ, figures.compared) {
        0.0 => String::new(),
        share => format!(" ({})", percent(share)),
    };
    lines.push((
        "answers",
        format!(
            "{} of {} have another status than production's{differ}",
            count(figures.differ),
            plural(figures.compared, "answer")
        ),
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_traffic::run::{Dropped, StatusDifference};

    #[test]
    fn every_reason_and_the_first_differences_are_told() {
        let difference = |n: u16| StatusDifference {
            endpoint: "GET /items/{id}".to_owned(),
            recorded: 200,
            got: 400 + n,
            count: 3,
        };
        let figures = MirrorFigures {
            source: "interface lo".to_owned(),
            exchanges: 100,
            sent: 60,
            compared: 60,
            differ: 36,
            dropped: Dropped { sampled_out: 30, too_late: 10, ..Dropped::default() },
            differences: (0..12).map(difference).collect(),
            ..MirrorFigures::default()
        };
        let text: Vec<String> =
            lines(&figures).iter().map(|(name, line)| format!("{name}: {line}")).collect();
        let text = text.join("\n");
        assert!(text.contains("mirrored: 60 of 100 exchanges from interface lo"), "{text}");
        assert!(text.contains("not sent: 30 sampled out, 10 too late;"), "{text}");
        assert!(text.contains("36 of 60 answers have another status than production's (60.00%)"), "{text}");
        assert!(text.contains("3 x GET /items/{id}: 200 → 400") && text.contains("and 2 more"), "{text}");
        assert!(!text.contains("filtered") && text.contains("NOT masked"), "{text}");
    }
}
