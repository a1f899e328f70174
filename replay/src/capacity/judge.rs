//! What one step says: whether the target carried the rate, and whether the generator did.

use mynah_traffic::capacity::{CapacityStep, Phase, StepVerdict};
use mynah_traffic::run::{Measured, RunDocument, Verdict};

/// The target falls behind when the requests that wait grow by this share of what it is asked for meanwhile …
const BEHIND: f64 = 0.005;
/// … and by more than so many times the square root of that, which is what chance makes of a queue that is only just kept up with, …
const CHANCE: f64 = 0.3;
/// … and by more than so many standard deviations of how many are under way at a time, …
const DEVIATIONS: f64 = 3.0;
/// … while its response times grow by so much from the first third of a step to the last.
const GROWTH: f64 = 1.2;
/// Sessions that begin are at least this share of those in the timetable.
const BEGUN: f64 = 0.99;
/// Where the generator has too many sessions under way, that is the target's doing when it is so far behind.
const FAR_BEHIND: f64 = 0.1;

/// Requests that were asked for from the first third to the last.
fn meanwhile(measured: &Measured) -> f64 {
    (measured.due as f64 * 2.0 / 3.0).max(1.0)
}

/// By how much the requests that wait grew, as a share of what was asked for meanwhile.
pub(super) fn behind(measured: &Measured) -> f64 {
    let [first, _, last] = measured.waiting;
    (last as f64 - first as f64) / meanwhile(measured)
}

/// Why the target falls behind; `None` where it keeps up.
///
/// A queue that grows shows in a step of ten seconds long before a threshold on times does: at one per cent above what the target
/// can do, requests wait a tenth of a second at its end. So what was due by a moment is held against what had ended by then; both
/// come from one timetable, so that chance in the arrivals does not count. Queues also grow and shrink by chance, the more so the
/// nearer a target is to what it can do, but one that keeps up comes to the end of its queue now and then: it is the fewest waiting
/// in the first and in the last third that are compared. Slow answers are under way without any queue: these must not be more by
/// chance, and answers must take longer and longer.
pub(super) fn falls_behind(measured: &Measured) -> Option<String> {
    let [least, _, least_last] = measured.waiting;
    let [first, _, last] = measured.thirds_ms;
    let chance = (DEVIATIONS * (least as f64).max(1.0).sqrt()).max(CHANCE * meanwhile(measured).sqrt());
    let more_than_chance = least_last.saturating_sub(least) as f64 > chance;
    (behind(measured) > BEHIND && more_than_chance && last > GROWTH * first).then(|| {
        format!(
            "it fell behind: in the last third of the step never fewer than {least_last} requests were waiting ({least} in the first), \
             and mean response times grew from {} to {} ms",
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
pub(super) fn step(
    number: u32,
    phase: Phase,
    sessions_per_s: f64,
    document: &RunDocument,
    run: String,
) -> CapacityStep {
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
        let why =
            format!("of {} sessions in the timetable {} were begun", arrivals.scheduled, arrivals.started);
        return (StepVerdict::Invalid, vec![why]);
    }
    let mut why = if ended_early { document.reasons.clone() } else { Vec::new() };
    why.extend(fell);
    if why.is_empty() { (StepVerdict::Holds, why) } else { (StepVerdict::Fails, why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(due: u64, waiting: [u64; 3], thirds_ms: [f64; 3]) -> Measured {
        Measured { from_s: 2.0, until_s: 12.0, due, ended: due - waiting[2], waiting, thirds_ms }
    }

    #[test]
    fn a_queue_that_grows_is_seen_before_it_is_long() {
        // One per cent above 3000 requests a second: 300 wait at the end, a tenth of a second.
        let step = measured(30_300, [1, 101, 202], [17.0, 50.0, 83.0]);
        assert_eq!(
            falls_behind(&step).unwrap(),
            "it fell behind: in the last third of the step never fewer than 202 requests were waiting (1 in the first), and mean \
             response times grew from 17.0 to 83.0 ms"
        );
        assert!((behind(&step) - 0.01).abs() < 0.001);
        // The same at fifty a second is three requests, which may be chance.
        assert_eq!(falls_behind(&measured(505, [0, 1, 3], [20.0, 60.0, 100.0])), None);
        assert!(falls_behind(&measured(550, [0, 15, 32], [200.0, 500.0, 900.0])).is_some());
        // Two seconds at 490 requests a second of 500: for some tenths of a second the queue does not come to its end.
        assert_eq!(falls_behind(&measured(980, [0, 0, 4], [4.6, 12.0, 24.4])), None);
    }

    #[test]
    fn what_is_slow_or_chance_is_not_behind() {
        // Answers take two seconds each, whatever the load: some more are under way in the end than in the beginning.
        assert_eq!(falls_behind(&measured(1000, [180, 185, 195], [2000.0, 2100.0, 2450.0])), None);
        // Behind, but times do not grow: sessions are long, and ever more are under way.
        assert_eq!(falls_behind(&measured(30_000, [100, 200, 400], [5.0, 6.0, 5.0])), None);
        // Times grow, and the queue comes to its end.
        assert_eq!(falls_behind(&measured(30_000, [0, 0, 2], [5.0, 6.0, 9.0])), None);
        assert_eq!(falls_behind(&measured(0, [0; 3], [0.0; 3])), None);
    }
}
