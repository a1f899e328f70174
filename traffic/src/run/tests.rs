use std::time::{Duration, SystemTime};

use super::*;
use crate::Nanos;

#[test]
fn times_are_rounded_up_and_merging_is_exact() {
    let mut one = Tally::default();
    record(&mut one.response, Nanos(1));
    record(&mut one.response, Nanos(1_500_001));
    let mut two = Tally::default();
    record(&mut two.response, Nanos(3_600_000_000_000));
    two.requests = 1;
    one.merge(&two);
    assert_eq!(one.requests, 1);
    assert_eq!(one.response.len(), 3);
    assert_eq!(one.response.min(), 1);
    assert!(one.response.equivalent(one.response.max(), 3_600_000_000));
    let figures = Latency::of(&one.response);
    assert!((figures.p50 - 1.501).abs() < 0.002, "{figures:?}");
}

#[test]
fn the_interval_log_gives_back_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path().join("a/b")).unwrap();
    let mut writer = run.intervals_writer(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    let mut whole = new_histogram();
    for second in 0..3 {
        let mut histogram = new_histogram();
        for value in 1..100 {
            histogram.record(value * (second + 1)).unwrap();
            whole.record(value * (second + 1)).unwrap();
        }
        let intervals = Intervals::from([
            ("e1.response".to_owned(), histogram),
            ("e2.response".to_owned(), new_histogram()),
        ]);
        writer.write(second as u32, &intervals).unwrap();
    }
    writer.finish().unwrap();
    let totals = run.intervals().unwrap().totals().unwrap();
    assert_eq!(totals.keys().collect::<Vec<_>>(), ["e1.response"]);
    assert_eq!(totals["e1.response"], whole);
    let mut seconds = Vec::new();
    run.intervals().unwrap().each(|second, _, _| seconds.push(second)).unwrap();
    assert_eq!(seconds, [0, 1, 2]);
}
