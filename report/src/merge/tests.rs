use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use mynah_traffic::Nanos;
use mynah_traffic::run::{Intervals, Shard, new_histogram, record};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Second, endpoint and response time in nanoseconds of a request; a third of them are another shard's.
type Samples = Vec<(u32, u8, u64)>;

fn intervals(
    samples: impl Iterator<Item = (u32, u8, u64)>,
    tag: impl Fn(u8) -> String,
) -> BTreeMap<u32, Intervals> {
    let mut seconds: BTreeMap<u32, Intervals> = BTreeMap::new();
    for (second, endpoint, nanos) in samples {
        for (kind, nanos) in [("response", nanos), ("service", nanos / 2)] {
            let own = seconds.entry(second).or_default();
            let name = format!("{}.{kind}", tag(endpoint));
            record(own.entry(name).or_insert_with(new_histogram), Nanos(nanos));
        }
    }
    seconds
}

fn path(endpoint: u8) -> String {
    format!("/{endpoint}")
}

/// A shard's run, as replay leaves it.
fn shard(
    folder: &TempDir,
    number: u32,
    of: u32,
    samples: &[(u32, u8, u64)],
    change: impl FnOnce(&mut RunDocument),
) -> RunFolder {
    let run = RunFolder::create(folder.path().join(format!("shard{number}"))).unwrap();
    let mut log = run.intervals_writer(SystemTime::UNIX_EPOCH).unwrap();
    // Each numbers its endpoints its own way.
    let tag = |endpoint: u8| format!("e{}", u32::from(endpoint) + number);
    for (second, intervals) in intervals(samples.iter().copied(), tag) {
        log.write(second, &intervals).unwrap();
    }
    log.finish().unwrap();
    let mut tallies: BTreeMap<u8, Tally> = BTreeMap::new();
    let mut seconds: BTreeMap<u32, SecondFigures> = BTreeMap::new();
    for (second, endpoint, nanos) in samples {
        let tally = tallies.entry(*endpoint).or_default();
        tally.requests += 1;
        *tally.status.entry(200).or_default() += 1;
        record(&mut tally.response, Nanos(*nanos));
        seconds
            .entry(*second)
            .or_insert(SecondFigures { t: *second, ..SecondFigures::default() })
            .requests += 1;
    }
    let mut document = crate::tests::document();
    document.verdict = Verdict::Pass;
    document.reasons.clear();
    document.thresholds.clear();
    document.shard = Some(Shard { number, of, timetable: "0123".into() });
    document.requests = samples.len() as u64;
    document.endpoints = tallies
        .iter()
        .map(|(endpoint, tally)| EndpointFigures::of(tag(*endpoint), "GET", &path(*endpoint), tally, 10.0))
        .collect();
    document.tags = tallies
        .keys()
        .map(|endpoint| TagName { tag: tag(*endpoint), endpoint: format!("GET {}", path(*endpoint)) })
        .collect();
    document.seconds = seconds.into_values().collect();
    change(&mut document);
    run.write(&document).unwrap();
    run
}

fn gate(expr: &str, value: f64) -> mynah_traffic::run::ThresholdResult {
    mynah_traffic::run::ThresholdResult {
        expr: expr.into(),
        ok: true,
        value: Some(value),
        text: format!("{expr}: own"),
    }
}

fn merged(shards: &[RunFolder], folder: &TempDir) -> RunDocument {
    let out = RunFolder::create(folder.path().join("merged")).unwrap();
    let document = merge(shards, &out).unwrap();
    out.write(&document).unwrap();
    document
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn merging_gives_the_histograms_of_all_samples(
        samples in prop::collection::vec((0_u32..4, 0_u8..3, prop_oneof![1_u64..10_000_000, 1_u64..4_000_000_000_000]), 1..200),
        of in 1_u32..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let shards: Vec<RunFolder> = (1..=of)
            .map(|number| {
                let own: Samples = samples.iter().copied().skip(number as usize - 1).step_by(of as usize).collect();
                shard(&folder, number, of, &own, |_| {})
            })
            .collect();
        let document = merged(&shards, &folder);
        let tag: BTreeMap<String, String> =
            document.tags.iter().map(|tag| (tag.endpoint.clone(), tag.tag.clone())).collect();
        let expected = intervals(samples.iter().copied(), |endpoint| tag[&format!("GET /{endpoint}")].clone());
        let mut seen: BTreeMap<u32, Intervals> = BTreeMap::new();
        let log = RunFolder::open(folder.path().join("merged")).intervals().unwrap();
        log.each(|second, tag, histogram| {
            seen.entry(second).or_default().insert(tag.to_owned(), histogram);
        }).unwrap();
        prop_assert_eq!(&seen, &expected);
        let mut all: Histogram<u64> = new_histogram();
        for (_, _, nanos) in &samples {
            record(&mut all, Nanos(*nanos));
        }
        prop_assert_eq!(document.total.response_time_ms, Latency::of(&all));
        prop_assert_eq!(document.requests, samples.len() as u64);
        prop_assert_eq!(document.verdict, Verdict::Pass, "{:?}", document.reasons);
        for second in &document.seconds {
            let own: Histogram<u64> = expected[&second.t].iter().filter(|(tag, _)| tag.ends_with(".response")).fold(new_histogram(), |mut sum, (_, own)| { sum.add(own).unwrap(); sum });
            prop_assert!((second.p99 - own.value_at_quantile(0.99) as f64 / 1e3).abs() < 1e-9);
            prop_assert_eq!(second.requests, own.len());
        }
    }
}

const SAMPLES: &[(u32, u8, u64)] = &[(0, 0, 5_000_000), (1, 0, 6_000_000), (1, 1, 7_000_000)];

#[test]
fn what_does_not_belong_together_is_invalid_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let plain = |number, of| shard(&folder, number, of, SAMPLES, |_| {});
    let says = |shards: &[RunFolder], part: &str| {
        let document = merged(shards, &folder);
        assert_eq!(document.verdict, Verdict::Invalid);
        assert!(
            document.reasons.iter().any(|reason| reason.contains(part)),
            "{part}: {:?}",
            document.reasons
        );
    };
    says(&[plain(1, 3), plain(3, 3)], "1 of 3 shards is missing: 2");
    says(&[plain(1, 2), shard(&folder, 2, 2, SAMPLES, |run| run.seed = 8)], "its seed is 8, not 7");
    says(
        &[plain(1, 2), shard(&folder, 2, 2, SAMPLES, |run| run.scenario = "cart".into())],
        "its scenario is 'cart'",
    );
    let other = |run: &mut RunDocument| run.shard.as_mut().unwrap().timetable = "4567".into();
    says(&[plain(1, 2), shard(&folder, 2, 2, SAMPLES, other)], "its timetable is another one");
    says(&[plain(1, 2), plain(2, 3)], "shards of different runs: of 2, of 3");
    says(&[plain(1, 2), plain(1, 2), plain(2, 2)], "shard 1 is there twice");
    let late = |run: &mut RunDocument| run.started = "2026-11-20T09:15:03.500Z".into();
    says(&[plain(1, 2), shard(&folder, 2, 2, SAMPLES, late)], "began 3.5 s apart");
    let slow = |run: &mut RunDocument| {
        run.verdict = Verdict::Invalid;
        run.reasons = vec!["the generator was too slow".into()];
    };
    says(&[plain(1, 2), shard(&folder, 2, 2, SAMPLES, slow)], "shard 2: the generator was too slow");
    let none = shard(&folder, 1, 1, SAMPLES, |run| run.shard = None);
    let error = merge(&[none], &RunFolder::create(folder.path().join("x")).unwrap()).unwrap_err();
    assert!(error.to_string().contains("this is no shard of a run"), "{error}");
}

#[test]
fn lateness_by_different_measures_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let plain = |number| shard(&folder, number, 2, SAMPLES, |_| {});
    let other = shard(&folder, 2, 2, SAMPLES, |run| run.generator.late_after_ms = 250.5);
    let document = merged(&[plain(1), other], &folder);
    assert_eq!((document.verdict, document.generator.late_after_ms), (Verdict::Pass, 250.5));
    assert!(
        document.reasons.iter().any(|reason| reason.contains("(0 ms, 250.5 ms)")),
        "{:?}",
        document.reasons
    );
    assert!(merged(&[plain(1), plain(2)], &folder).reasons.is_empty());
}

#[test]
fn thresholds_are_evaluated_over_all_or_bounded() {
    let folder = tempfile::tempdir().unwrap();
    // The first shard's are quick, the second's slow.
    let quick: Samples = (0..100).map(|n| (n / 50, 0, 1_000_000)).collect();
    let slow: Samples = (0..100).map(|n| (n / 50, 0, 9_000_000)).collect();
    let run = |number: u32, samples: &[(u32, u8, u64)], lag: f64, rate: f64| {
        shard(&folder, number, 2, samples, |run| {
            run.arrivals.planned_s = 2.0;
            run.thresholds = vec![
                gate("p90 < 5ms", 1e6),
                gate("p40 < 5ms over any 1s", 1e6),
                gate("requests_per_s >= 100 over any 1s", 50.0),
                gate("send_lag.p99 < 3ms", lag),
                gate("mismatch_rate < 5% over any 1s", rate),
            ];
        })
    };
    let document = merged(&[run(1, &quick, 1e6, 0.01), run(2, &slow, 2e6, 0.06)], &folder);
    let results: Vec<(bool, f64)> =
        document.thresholds.iter().map(|gate| (gate.ok, gate.value.unwrap())).collect();
    // Half of all are slow; in each second a hundred, of which the quicker half are quick.
    assert_eq!(
        (results[0].0, results[1].0, results[2]),
        (false, true, (true, 100.0)),
        "{:?}",
        document.thresholds
    );
    assert!((9e6..9.1e6).contains(&results[0].1), "{results:?}");
    assert_eq!((results[3], results[4]), ((true, 2e6), (false, 0.06)));
    assert_eq!(document.verdict, Verdict::Fail);
    assert!(
        document.reasons.iter().any(|reason| reason.contains("6% seen at worst, by what the shards say")),
        "{:?}",
        document.reasons
    );
    assert!(document.reasons.iter().all(|reason| !reason.contains(": own")), "the shards' own are not told");
}

#[test]
fn counts_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let shards =
        [1, 2].map(|number| shard(&folder, number, 2, SAMPLES, |run| run.generator.threads = number));
    let document = merged(&shards, &folder);
    assert_eq!((document.requests, document.generator.threads, document.profiles[0].sessions), (6, 3, 120));
    assert_eq!(document.failure_rows.len(), crate::tests::document().failure_rows.len(), "one row a kind");
    assert_eq!(document.merged_from.len(), 2);
    assert_eq!(document.shard, None);
    let mix = document.fidelity.unwrap().endpoint_mix;
    assert!((mix - 0.0123).abs() < 1e-9, "{mix}");
}
