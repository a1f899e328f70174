use proptest::prelude::*;

use super::*;

fn seconds(seconds: f64) -> Nanos {
    Nanos::from_secs_f64(seconds)
}

fn up_and_down() -> Curve {
    let piece = |length, from, to| Piece { length, from, to };
    Curve::new(
        [piece(10.0, 0.0, 5.0), piece(5.0, 5.0, 5.0), piece(0.0, 9.0, 9.0), piece(10.0, 5.0, 0.0)],
        seconds(25.0),
    )
}

#[test]
fn values_areas_and_their_inverse() {
    let curve = up_and_down();
    assert_eq!((curve.at(0.0), curve.at(4.0), curve.at(12.0), curve.at(20.0)), (0.0, 2.0, 5.0, 2.5));
    assert_eq!((curve.at(25.0), curve.at(-1.0)), (0.0, 0.0));
    assert_eq!((curve.until(10.0), curve.until(15.0), curve.total(), curve.peak()), (25.0, 50.0, 75.0, 5.0));
    assert_eq!((curve.invert(25.0), curve.invert(50.0), curve.invert(75.0)), (Some(10.0), Some(15.0), None));
    assert_eq!(Curve::level(0.0, seconds(5.0)).invert(0.5), None);
    assert_eq!(Curve::new([], seconds(5.0)).invert(0.5), None);
}

#[test]
fn a_pause_is_jumped_over() {
    let piece = |value| Piece { length: 1.0, from: value, to: value };
    let curve = Curve::new([piece(2.0), piece(0.0), piece(2.0), piece(0.0)], seconds(4.0));
    let all: Vec<f64> = (0..).map_while(|k| curve.invert(f64::from(k) + 0.5)).collect();
    assert_eq!(all, [0.25, 0.75, 2.25, 2.75]);
    let again = Curve::new([piece(2.0), piece(0.0)], seconds(3.5));
    let all: Vec<f64> = (0..).map_while(|k| again.invert(f64::from(k) + 0.5)).collect();
    assert_eq!(all, [0.25, 0.75, 2.25, 2.75]);
    assert!((again.total() - 4.0).abs() < 1e-9);
}

#[test]
fn users_come_and_go() {
    let curve = up_and_down();
    assert_eq!(curve.most_users(), 5);
    assert_eq!(curve.presence(0, 0.0), Some((0.0, Some(25.0))));
    assert_eq!(curve.presence(4, 0.0), Some((8.0, Some(17.0))));
    assert_eq!(curve.presence(4, 17.0), None);
    assert_eq!(curve.presence(5, 0.0), None);
    let level = Curve::level(3.0, seconds(9.0));
    assert_eq!((level.presence(2, 0.0), level.presence(3, 0.0)), (Some((0.0, None)), None));
}

#[test]
fn whoever_comes_with_a_rise_of_nearly_nothing_comes_at_its_begin() {
    let piece = |length, from, to| Piece { length, from, to };
    let curve = Curve::new([piece(7.5, 0.0, 0.000_2), piece(1.0, 0.0, 0.0)], seconds(20.0));
    assert_eq!((curve.most_users(), curve.presence(0, 0.0)), (1, Some((0.0, Some(7.5)))));
    assert_eq!(curve.presence(0, 7.5), Some((8.5, Some(16.0))));
    assert_eq!((curve.users(0.01), curve.users(0.1)), (0, 1));
}

fn curves() -> impl Strategy<Value = Curve> {
    let value = prop_oneof![Just(0.0), (0_u32..60).prop_map(f64::from), 0.0..40.0];
    let piece = (prop_oneof![Just(0.0), 0.01..9.0], value.clone(), value)
        .prop_map(|(length, from, to)| Piece { length, from, to });
    (prop::collection::vec(piece, 1..8), 0.1..2.5).prop_map(|(pieces, share)| {
        let length: f64 = pieces.iter().map(|piece| piece.length).sum();
        Curve::new(pieces, seconds(length * share))
    })
}

proptest! {
    #[test]
    fn the_inverse_is_the_inverse(curve in curves(), share in 0.0..0.999) {
        let area = curve.total() * share;
        if let Some(at) = curve.invert(area) {
            prop_assert!((curve.until(at) - area).abs() < 1e-6 * (1.0 + curve.total()), "{at} {area} {curve:?}");
        } else {
            prop_assert!(curve.total() < 1e-6, "{area} {curve:?}");
        }
    }

    #[test]
    fn arrivals_go_forward(curve in curves()) {
        let mut last = 0.0;
        for at in (0..2000).map_while(|k| curve.invert(f64::from(k) * 0.37)) {
            prop_assert!(at + 1e-9 >= last, "{at} {last}");
            last = at;
        }
    }

    #[test]
    fn as_many_users_as_the_curve_says(curve in curves()) {
        let most = curve.most_users();
        let mut there = vec![Vec::new(); most as usize];
        for (user, spans) in there.iter_mut().enumerate() {
            let mut after = 0.0;
            while let Some((on, off)) = curve.presence(user as u32, after) {
                prop_assert!(on >= after && off.is_none_or(|off| off >= on), "{on} {off:?} {after}");
                spans.push((on, off.unwrap_or(f64::INFINITY)));
                let Some(off) = off else { break };
                after = off;
                prop_assert!(spans.len() < 100);
            }
            prop_assert!(!spans.is_empty(), "{user} of {most} is never there: {curve:?}");
        }
        let end = curve.duration().as_secs_f64();
        for at in (0..200).map(|n| end * (f64::from(n) + 0.5) / 200.0) {
            let now = there.iter().filter(|spans| spans.iter().any(|(on, off)| (*on..*off).contains(&at))).count();
            // Where it jumps just then, or is a hair from a whole number (long, where it hardly rises), either side will do.
            let near = [at - 1e-6, at, at + 1e-6].map(|at| curve.at(at));
            let near = near.map(|users| [users - 2.0 * HAIR, users + 2.0 * HAIR].map(|users| whole(users) as usize));
            prop_assert!(near.as_flattened().contains(&now), "{now} at {at}, wanted {near:?}: {curve:?}");
        }
    }
}
