//! What one step says: whether the target carried the rate, and whether the generator did.

use mynah_traffic::capacity::{CapacityStep, Phase, StepVerdict};
use mynah_traffic::run::{Measured, RunDocument, Verdict};

/// The target falls behind when it ends so much less than it was asked for …
const BEHIND: f64 = 0.005;
/// … by more requests than so many standard deviations of those under way, …
const DEVIATIONS: f64 = 3.0;
/// … while its response times grow by so much from the first third of a step to the last.
const GROWTH: f64 = 1.2;
/// Sessions that begin are at least this share of those in the timetable.
const BEGUN: f64 = 0.99;
/// Where the generator has too many sessions under way, that is the target's doing when it is so far behind.
const FAR_BEHIND: f64 = 0.1;

/// Its share of requests that were due and did not end, less those from before that did.
pub(super) fn behind(measured: &Measured) -> f64 {
    let due = measured.due.max(1) as f64;
    1.0 - measured.ended as f64 / due
}

/// Why the target falls behind; `None` where it keeps up.
///
/// A queue that grows shows in a step of ten seconds long before a threshold on times does: at one per cent above what the target
/// can do, requests wait a tenth of a second at its end. So it is looked at what was asked for and what was done. Both from the
/// same timetable, chance in the arrivals does not count; but a queue grows and shrinks by chance, too, and slow answers are under
/// way without a queue. Hence three conditions: the share of what is missing, that it is more than chance, and that answers take
/// longer and longer.
pub(super) fn falls_behind(measured: &Measured) -> Option<String> {
    let seconds = measured.until_s - measured.from_s;
    let [first, second, last] = measured.thirds_ms;
    let missing = measured.due as f64 - measured.ended as f64;
    let under_way = measured.ended as f64 / seconds.max(1e-9) * (first + second + last) / 3e3;
    let more_than_chance = missing > DEVIATIONS * under_way.max(1.0).sqrt() + 2.0;
    let behind = behind(measured) > BEHIND && more_than_chance && last > GROWTH * first;
    let rate = |count: u64| count as f64 / seconds.max(1e-9);
    behind.then(|| {
        format!(
            "it fell behind: of {} requests/s that were due it answered {} ({:.1}% fewer), and mean response times grew from {} to \
             {} ms within the step",
            number(rate(measured.due)),
            number(rate(measured.ended)),
            self::behind(measured) * 100.0,
            number(first),
            number(last),
        )
    })
}

/// Three or four digits: what a sentence needs.
pub(super) fn number(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// The step that a run is.
pub(super) fn step(number: u32, phase: Phase, sessions_per_s: f64, document: &RunDocument, run: String) -> CapacityStep {
    let measured = document.measured.clone().unwrap_or_default();
    let seconds = measured.until_s - measured.from_s;
    let (verdict, reasons) = judge(document, &measured);
    let per_second = |count: u64| (count as f64 / seconds.max(1e-9) * 1e3).round() / 1e3;
    let times = &document.total.response_time_ms;
    CapacityStep {
        number,
        phase,
        sessions_per_s,
        asked_per_s: per_second(measured.due),
        requests_per_s: per_second(measured.ended),
        seconds,
        requests: document.requests,
        failures: document.failures,
        p50_ms: times.p50,
        p95_ms: times.p95,
        p99_ms: times.p99,
        max_ms: times.max,
        behind: (behind(&measured) * 1e5).round() / 1e5,
        verdict,
        reasons,
        limits: document.generator.limits.clone(),
        run,
    }
}

fn judge(document: &RunDocument, measured: &Measured) -> (StepVerdict, Vec<String>) {
    let fell = falls_behind(measured);
    if document.verdict == Verdict::Invalid {
        // Sessions pile up where the target does not end them: that is no limit of the generator's own.
        let piled = document.generator.limits == ["users"] && behind(measured) > FAR_BEHIND;
        return match fell.filter(|_| piled) {
            Some(why) => (StepVerdict::Fails, vec![why]),
            None => (StepVerdict::Invalid, document.reasons.clone()),
        };
    }
    let arrivals = &document.arrivals;
    let ended_early = document.verdict == Verdict::Fail;
    if !ended_early && (arrivals.started as f64) < BEGUN * arrivals.scheduled as f64 {
        let why = format!("of {} sessions in the timetable {} were begun", arrivals.scheduled, arrivals.started);
        return (StepVerdict::Invalid, vec![why]);
    }
    let mut why = if ended_early { document.reasons.clone() } else { Vec::new() };
    why.extend(fell);
    if why.is_empty() { (StepVerdict::Holds, why) } else { (StepVerdict::Fails, why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(due: u64, ended: u64, thirds_ms: [f64; 3]) -> Measured {
        Measured { from_s: 2.0, until_s: 12.0, due, ended, thirds_ms }
    }

    #[test]
    fn a_queue_that_grows_is_seen_before_it_is_long() {
        // One per cent above 3000 requests a second: 300 wait at the end, a tenth of a second.
        let why = falls_behind(&measured(30_300, 30_000, [17.0, 50.0, 83.0])).unwrap();
        assert_eq!(
            why,
            "it fell behind: of 3030 requests/s that were due it answered 3000 (1.0% fewer), and mean response times grew from \
             17.0 to 83.0 ms within the step"
        );
        // The same at fifty a second is five requests, which may be chance.
        assert_eq!(falls_behind(&measured(505, 500, [20.0, 60.0, 100.0])), None);
        assert!(falls_behind(&measured(550, 500, [200.0, 500.0, 900.0])).is_some());
    }

    #[test]
    fn what_is_slow_or_chance_is_not_behind() {
        // Answers take two seconds each, whatever the load: some more are under way at the end than at the beginning.
        assert_eq!(falls_behind(&measured(1000, 990, [2000.0, 2010.0, 1990.0])), None);
        // Behind by chance, but times do not grow.
        assert_eq!(falls_behind(&measured(30_000, 29_700, [5.0, 6.0, 5.0])), None);
        // Times grow, and all is answered.
        assert_eq!(falls_behind(&measured(30_000, 29_990, [5.0, 6.0, 9.0])), None);
        assert_eq!(falls_behind(&measured(0, 0, [0.0; 3])), None);
    }
}
