//! Whether shards belong together and are all there.

use std::collections::BTreeSet;

use mynah_traffic::run::{RunDocument, Verdict};
use mynah_traffic::units::parse_time;

use super::Part;

/// Shards that begin further apart did not load the target together.
const APART_S: f64 = 1.0;

/// Why the merged run says nothing, as sentences; empty where it does.
pub(super) fn reasons(parts: &[Part], first: &Part) -> Vec<String> {
    let mut reasons = Vec::new();
    let numbers: Vec<u32> =
        parts.iter().filter_map(|part| Some(part.document.shard.as_ref()?.number)).collect();
    let counts: BTreeSet<u32> =
        parts.iter().filter_map(|part| Some(part.document.shard.as_ref()?.of)).collect();
    if let [of] = counts.iter().copied().collect::<Vec<_>>()[..] {
        let missing: Vec<u32> = (1..=of).filter(|number| !numbers.contains(number)).collect();
        if !missing.is_empty() {
            let listed: Vec<String> = missing.iter().map(u32::to_string).collect();
            reasons.push(format!(
                "{} of {of} shards {} missing: {}",
                missing.len(),
                if missing.len() == 1 { "is" } else { "are" },
                listed.join(", ")
            ));
        }
    } else {
        let listed: Vec<String> = counts.iter().map(u32::to_string).collect();
        reasons.push(format!("they are shards of different runs: of {}", listed.join(", of ")));
    }
    for pair in parts.windows(2) {
        if let [one, other] = pair
            && one.called() == other.called()
        {
            reasons.push(format!("{} is there twice: {} and {}", one.called(), one.name, other.name));
        }
    }
    for part in parts {
        let differ = difference(&first.document, &part.document);
        if let Some(what) = differ {
            reasons.push(format!("{} is of another run than {}: {what}", part.called(), first.called()));
        }
    }
    let began =
        |part: &Part| parse_time(&part.document.started).map_or(0.0, mynah_traffic::Nanos::as_secs_f64);
    let (earliest, latest) =
        (parts.iter().map(began).fold(f64::INFINITY, f64::min), parts.iter().map(began).fold(0.0, f64::max));
    if latest - earliest > APART_S {
        reasons.push(format!(
            "the shards began {:.1} s apart, so that the target did not have all of the load at any time as it was asked for; begin \
             them together (replay --start-at)",
            latest - earliest
        ));
    }
    for part in parts.iter().filter(|part| part.document.verdict == Verdict::Invalid) {
        let why = part.document.reasons.first().map_or("it is invalid", String::as_str);
        reasons.push(format!("{}: {why}", part.called()));
    }
    reasons
}

/// What two shards have not in common.
fn difference(one: &RunDocument, other: &RunDocument) -> Option<String> {
    let timetable = |run: &RunDocument| run.shard.as_ref().map(|shard| shard.timetable.clone());
    if one.scenario != other.scenario {
        Some(format!("its scenario is '{}', not '{}'", other.scenario, one.scenario))
    } else if one.seed != other.seed {
        Some(format!("its seed is {}, not {}", other.seed, one.seed))
    } else if one.arrivals.asked != other.arrivals.asked {
        Some(format!("it was asked for {}, not {}", other.arrivals.asked, one.arrivals.asked))
    } else if timetable(one) != timetable(other) {
        Some("its timetable is another one (the scenario's content, the length, pauses)".to_owned())
    } else {
        None
    }
}

/// What else the shards said, but for what became of their own thresholds, which are evaluated anew.
pub(super) fn remarks(parts: &[Part]) -> Vec<String> {
    let mut remarks = Vec::new();
    for part in parts.iter().filter(|part| part.document.verdict != Verdict::Invalid) {
        let run = &part.document;
        let own = run.reasons.iter().filter(|reason| run.thresholds.iter().all(|gate| gate.text != **reason));
        remarks.extend(own.map(|reason| format!("{}: {reason}", part.called())));
    }
    let late_after: Vec<f64> = parts.iter().map(|part| part.document.generator.late_after_ms).collect();
    if late_after.windows(2).any(|pair| pair[0].total_cmp(&pair[1]).is_ne()) {
        let listed: Vec<String> = late_after.iter().map(|after| format!("{after} ms")).collect();
        remarks.push(format!(
            "the shards count requests as late from different times on ({}), so that their late arrivals do not add up",
            listed.join(", ")
        ));
    }
    remarks
}
