use super::*;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// A run of a server whose times are lognormal about `ms`, moved by the run's own offset.
fn run(random: &mut ChaCha8Rng, seconds: u32, ms: f64, offset: f64, endpoints: usize) -> Sample {
    let mut sample = Sample { name: "run".into(), duration_s: f64::from(seconds), ..Sample::default() };
    let level = ms * (offset * normal(random)).exp();
    for second in 0..seconds {
        for endpoint in 0..endpoints {
            let times = (0..60)
                .map(|_| ((level * (0.15 * normal(random)).exp() * 1e3) as u64, 1))
                .collect::<Vec<_>>();
            sample.add(&format!("GET /{endpoint}"), second, times);
        }
    }
    for series in sample.endpoints.values_mut() {
        series.requests = series.answers();
    }
    sample.all.requests = sample.all.answers();
    sample
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

fn side(random: &mut ChaCha8Rng, runs: usize, ms: f64) -> Vec<Sample> {
    (0..runs).map(|_| run(random, 10, ms, 0.02, 3)).collect()
}

#[test]
fn equal_sides_raise_few_false_alarms_and_a_tenth_is_found() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut alarms, mut found) = (0, 0);
    for _ in 0..100 {
        let bounds = Bounds::default();
        let (a, b) = (side(&mut random, 5, 20.0), side(&mut random, 5, 20.0));
        alarms += u32::from(compare(&a, &b, &bounds, 1).verdict == Verdict::Fail);
        let slower = side(&mut random, 5, 22.5);
        found += u32::from(compare(&a, &slower, &bounds, 1).verdict == Verdict::Fail);
    }
    assert!(alarms <= 5, "{alarms} of 100 false");
    assert!(found >= 70, "{found} of 100 found");
}

#[test]
fn one_run_a_side_says_what_it_cannot_see() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (a, b) = (run(&mut random, 20, 20.0, 0.0, 1), run(&mut random, 20, 21.6, 0.0, 1));
    let comparison = compare(std::slice::from_ref(&a), &[b], &Bounds::default(), 1);
    assert_eq!(comparison.verdict, Verdict::Pass);
    assert_eq!(comparison.rows[0].verdict, Change::CantTell);
    assert!(
        comparison.method.contains("5%") && comparison.rows[0].hint.contains("five runs"),
        "{comparison:?}"
    );
    let twice = run(&mut random, 20, 40.0, 0.0, 1);
    let comparison = compare(&[a], &[twice], &Bounds::default(), 1);
    assert_eq!(comparison.verdict, Verdict::Fail);
    assert!(comparison.reasons[0].starts_with("all: p95 got slower from"), "{:?}", comparison.reasons);
}

#[test]
fn turns_of_one_run_see_through_a_drift() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut sides = [Sample::default(), Sample::default()];
    for (at, sample) in sides.iter_mut().enumerate() {
        sample.interleaved =
            Some(mynah_traffic::run::Interleaved { side: if at == 0 { 'a' } else { 'b' }, block_s: 5 });
        for pair in 0..6_u32 {
            for second in 0..5 {
                let t = pair * 10 + at as u32 * 5 + second;
                // Everything gets half as slow again over the minute; one side is a tenth slower.
                let level = 10.0 * (1.0 + f64::from(t) / 120.0) * if at == 1 { 1.1 } else { 1.0 };
                let times = (0..100).map(|_| ((level * 1e3 * (0.05 * normal(&mut random)).exp()) as u64, 1));
                sample.add("GET /", t, times.collect());
            }
        }
        sample.all.requests = 3000;
        sample.endpoints.get_mut("GET /").unwrap().requests = 3000;
    }
    let [a, b] = sides;
    let comparison = compare(&[a], &[b], &Bounds::default(), 1);
    let row = &comparison.rows[0];
    assert_eq!(row.verdict, Change::Slower, "{row:?}");
    let (low, high) = row.interval.unwrap();
    assert!(low < 0.1 && 0.1 < high && high - low < 0.08, "{row:?}");
}

#[test]
fn what_only_one_side_has_is_told_and_failures_count() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let mut a = run(&mut random, 10, 20.0, 0.0, 2);
    let mut b = run(&mut random, 10, 20.0, 0.0, 1);
    (a.all.failures, b.all.failures) = (0, 60);
    b.invalid = Some("send lag".into());
    let comparison = compare(&[a], &[b], &Bounds::default(), 1);
    assert_eq!(comparison.notes, ["GET /1: the candidate has no requests to it"]);
    let row = comparison.rows.iter().find(|row| row.metric == "failure_rate").unwrap();
    assert_eq!(row.verdict, Change::Slower);
    assert_eq!(comparison.verdict, Verdict::Invalid);
    assert!(
        comparison.reasons.iter().any(|r| r.contains("failures rose from 0%")),
        "{:?}",
        comparison.reasons
    );
    let text = render(&comparison, crate::table::Style::default());
    assert!(text.starts_with("INVALID  run against run") && text.contains("to"), "{text}");
    assert!(markdown(&comparison).contains("| `all` | failures | 0% |"), "{}", markdown(&comparison));
}

#[test]
fn few_answers_cannot_tell() {
    let mut sample = Sample::default();
    sample.add("GET /", 0, vec![(1000, 3)]);
    sample.endpoints.get_mut("GET /").unwrap().requests = 3;
    let comparison = compare(&[sample.clone()], &[sample], &Bounds::default(), 1);
    assert!(comparison.rows.iter().all(|row| row.verdict != Change::Slower));
    assert!(comparison.rows[0].hint.contains("p95 wants 200"), "{:?}", comparison.rows[0]);
    assert_eq!(compare(&[], &[], &Bounds::default(), 1).verdict, Verdict::Pass);
}

#[test]
fn what_all_endpoints_lose_is_seen_in_their_mean_first() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut side = |ms: f64| (0..5).map(|_| run(&mut random, 2, ms, 0.0, 12)).collect::<Vec<_>>();
    let (mut by_mean, mut by_one) = (0, 0);
    for _ in 0..20 {
        let comparison = compare(&side(20.0), &side(21.1), &Bounds::default(), 1);
        let slower = |name: &str| {
            comparison.rows.iter().any(|row| row.endpoint == name && row.verdict == Change::Slower)
        };
        assert_eq!(comparison.rows[0].endpoint, MEAN);
        by_mean += u32::from(slower(MEAN));
        by_one += u32::from((0..12).any(|endpoint| slower(&format!("GET /{endpoint}"))));
    }
    assert!(by_mean >= 16 && by_one < by_mean, "{by_mean} and {by_one} of 20");
    // Of one endpoint the mean is its own row.
    let one = compare(
        &[
            run(&mut random, 2, 20.0, 0.0, 1),
            run(&mut random, 2, 20.0, 0.0, 1),
            run(&mut random, 2, 20.0, 0.0, 1),
        ],
        &[
            run(&mut random, 2, 20.0, 0.0, 1),
            run(&mut random, 2, 20.0, 0.0, 1),
            run(&mut random, 2, 20.0, 0.0, 1),
        ],
        &Bounds::default(),
        1,
    );
    assert_eq!(one.rows[0].endpoint, ALL);
}

#[test]
fn the_mean_is_over_endpoints_that_are_in_every_turn() {
    let interleaved = |side| Some(mynah_traffic::run::Interleaved { side, block_s: 1 });
    let mut sides = [Sample::default(), Sample::default()];
    for (sample, side) in sides.iter_mut().zip(['a', 'b']) {
        sample.interleaved = interleaved(side);
        for second in 0..12 {
            let own = second % 2 == u32::from(side == 'b');
            let ms = if side == 'b' { 24 } else { 20 };
            for (name, times) in [("GET /1", 1), ("GET /2", 3)].into_iter().filter(|_| own) {
                sample.add(name, second, vec![(ms * times * 1000, 100)]);
            }
        }
        // Once, in the first turn; and a late answer behind the last one.
        sample.add("GET /rare", 0, vec![(900_000, 100)]);
        sample.add("GET /1", 12, vec![(1, 1)]);
        for series in sample.endpoints.values_mut() {
            series.requests = series.answers();
        }
    }
    let [a, b] = sides;
    let comparison = compare(&[a], &[b], &Bounds::default(), 1);
    let mean = &comparison.rows[0];
    assert_eq!((mean.endpoint.as_str(), mean.verdict), (MEAN, Change::Slower), "{mean:?}");
    assert!((mean.change.unwrap() - 0.2).abs() < 1e-6, "{mean:?}");
    assert!((mean.baseline.unwrap() - 20.0 * 3.0_f64.sqrt()).abs() < 0.1, "{mean:?}");
}
