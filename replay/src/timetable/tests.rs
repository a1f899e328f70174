use proptest::prelude::*;

use super::*;
use crate::curve::Piece;

fn shares() -> Vec<Share> {
    [(60.0, 7), (39.0, 3), (1.0, 1), (5.0, 0), (0.0, 4)]
        .map(|(weight, sessions)| Share { weight, sessions })
        .to_vec()
}

fn all(seed: u64) -> Vec<Arrival> {
    Timetable::open(&shares(), 50.0, Nanos(20_000_000_000), seed).unwrap().collect()
}

#[test]
fn the_seed_decides() {
    assert_eq!(all(7), all(7));
    assert_ne!(all(7), all(8));
    let times = |seed| all(seed).iter().map(|arrival| arrival.at).collect::<Vec<_>>();
    assert_ne!(times(7), times(8));
}

#[test]
fn arrivals_are_in_order_and_as_many_as_asked() {
    let arrivals = all(1);
    assert!(arrivals.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].number + 1 == pair[1].number));
    // 1000 expected; the standard deviation is 32.
    assert!((800..1200).contains(&arrivals.len()), "{}", arrivals.len());
    assert!(arrivals.iter().all(|arrival| arrival.at < Nanos(20_000_000_000)));
}

#[test]
fn shares_are_met_in_short_runs() {
    for seed in 0..20 {
        for length in [40, 100, 400] {
            let mut seen = [0_u32; 5];
            for card in Cards::new(&shares(), seed).unwrap().take(length) {
                seen[card.profile as usize] += 1;
            }
            for (profile, share) in [(0, 0.6), (1, 0.39), (2, 0.01)] {
                let wanted = share * length as f64;
                assert!((f64::from(seen[profile]) - wanted).abs() <= 2.0, "{seen:?} of {length}");
            }
            assert_eq!(seen[3] + seen[4], 0);
        }
    }
}

#[test]
fn every_session_is_played_before_one_is_played_again() {
    let cards: Vec<Card> = Cards::new(&[Share { weight: 1.0, sessions: 7 }], 3).unwrap().take(21).collect();
    for round in cards.chunks(7) {
        let mut sessions: Vec<u32> = round.iter().map(|card| card.session).collect();
        sessions.sort_unstable();
        assert_eq!(sessions, (0..7).collect::<Vec<_>>());
    }
}

#[test]
fn nobody_to_play() {
    assert!(Cards::new(&[], 1).is_none());
    assert!(Cards::new(&[Share { weight: 0.0, sessions: 3 }], 1).is_none());
}

proptest! {
    #[test]
    fn stripes_together_are_the_whole(seed: u64, threads in 1_usize..9) {
        let whole: Vec<Arrival> =
            Timetable::open(&shares(), 20.0, Nanos(5_000_000_000), seed).unwrap().collect();
        let mut union = Vec::new();
        for k in 0..threads {
            let table = Timetable::open(&shares(), 20.0, Nanos(5_000_000_000), seed).unwrap();
            let stripe: Vec<Arrival> = table.stripe(k, threads).collect();
            prop_assert!(stripe.iter().all(|arrival| arrival.number % threads as u64 == k as u64));
            union.extend(stripe);
        }
        union.sort_by_key(|arrival| arrival.number);
        prop_assert_eq!(union, whole);
    }

    #[test]
    fn every_curve_is_followed_and_divided(pieces in pieces(), spread in spreads(), seed: u64, threads in 1_usize..6) {
        let length: f64 = pieces.iter().map(|piece| piece.length).sum();
        let curve = Arc::new(Curve::new(pieces, Nanos::from_secs_f64(length)));
        let table = || Timetable::along(&shares(), curve.clone(), spread.clone(), seed).unwrap();
        let whole: Vec<Arrival> = table().collect();
        let mut union: Vec<Arrival> = (0..threads).flat_map(|k| table().stripe(k, threads)).collect();
        union.sort_by_key(|arrival| arrival.number);
        prop_assert_eq!(&union, &whole);
        prop_assert!(whole.windows(2).all(|pair| pair[0].at <= pair[1].at));
        // What the curve asks for in each second and in all, and how far from it an honest timetable may be.
        let may = |asked: f64| match spread {
            Spread::Poisson => 5.0 * asked.sqrt() + 3.0,
            _ => 1.0 + 1e-3,
        };
        prop_assert!((whole.len() as f64 - curve.total()).abs() <= may(curve.total()), "{} of {}", whole.len(), curve.total());
        if !matches!(spread, Spread::Recorded(_)) {
            for second in 0..length.ceil() as u64 {
                let asked = curve.until(second as f64 + 1.0) - curve.until(second as f64);
                let got = whole.iter().filter(|arrival| arrival.at.0 / Nanos::PER_SECOND == second).count();
                prop_assert!((got as f64 - asked).abs() <= may(asked), "{got} of {asked} in second {second}");
            }
        }
    }
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let value = prop_oneof![Just(0.0), 0.0..300.0];
    let piece = (0.2..4.0, value.clone(), value).prop_map(|(length, from, to)| Piece { length, from, to });
    prop::collection::vec(piece, 1..5)
}

fn spreads() -> impl Strategy<Value = Spread> {
    // Evenly spread ones, so that they too come to as many as were asked for.
    let recorded = (0..10).map(|n| (f64::from(n) + 0.5) / 10.0).collect::<Vec<_>>();
    prop_oneof![Just(Spread::Poisson), Just(Spread::Uniform), Just(Spread::Recorded(recorded.into()))]
}

/// Two percent a second where they come evenly; where they come by chance, three standard deviations in all and a second, and
/// as spread as a Poisson process (chi squared), which other gaps would miss.
#[test]
fn a_thousand_a_second() {
    let pieces = [(10.0, 0.0, 1000.0), (10.0, 1000.0, 1000.0), (5.0, 2000.0, 2000.0), (10.0, 2000.0, 100.0)];
    let pieces = pieces.map(|(length, from, to)| Piece { length, from, to });
    let curve = Arc::new(Curve::new(pieces, Nanos(35 * Nanos::PER_SECOND)));
    let counts = |spread: Spread, seed| {
        let mut counts = vec![0.0; 35];
        for arrival in Timetable::along(&shares(), curve.clone(), spread, seed).unwrap() {
            counts[(arrival.at.0 / Nanos::PER_SECOND) as usize] += 1.0;
        }
        counts
    };
    let asked: Vec<f64> =
        (0..35).map(|n| curve.until(f64::from(n) + 1.0) - curve.until(f64::from(n))).collect();
    for (got, asked) in counts(Spread::Uniform, 1).iter().zip(&asked) {
        assert!((got - asked).abs() <= 0.02 * asked, "{got} of {asked}");
    }
    let (mut beyond, mut far, mut sum) = (0, 0, 0.0);
    for seed in 0..20 {
        let counts = counts(Spread::Poisson, seed);
        let total: f64 = counts.iter().sum();
        sum += total;
        far += u32::from((total - curve.total()).abs() > 3.0 * curve.total().sqrt());
        beyond += counts
            .iter()
            .zip(&asked)
            .filter(|(got, asked)| (*got - *asked).abs() > 3.0 * asked.sqrt())
            .count();
        let chi: f64 = counts.iter().zip(&asked).map(|(got, asked)| (got - asked).powi(2) / asked).sum();
        assert!((35.0 - chi).abs() < 4.0 * 70_f64.sqrt(), "seed {seed}: {chi}");
    }
    // 700 seconds; 0.27 % of them are expected beyond three standard deviations.
    assert!(beyond <= 8, "{beyond}");
    // One of 20 totals may be there; their sum, with a deviation of its own, may not.
    assert!(far <= 1, "{far}");
    assert!((sum - 20.0 * curve.total()).abs() < 3.0 * (20.0 * curve.total()).sqrt(), "{sum}");
}

#[test]
fn recorded_gaps_come_again() {
    let starts: Arc<[f64]> = [0.0, 0.1, 0.15, 0.9].into();
    let curve = Arc::new(Curve::level(4.0, Nanos(2 * Nanos::PER_SECOND)));
    let table = Timetable::along(&shares(), curve, Spread::Recorded(starts), 1).unwrap();
    let at: Vec<u64> = table.map(|arrival| (arrival.at.as_secs_f64() * 1000.0).round() as u64).collect();
    assert_eq!(at, [0, 100, 150, 900, 1000, 1100, 1150, 1900]);
}
