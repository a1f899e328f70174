//! Which rate is tried next: growth, then bisection, then a longer look at what was found. Knows nothing of targets.

use mynah_traffic::capacity::{CapacityOutcome, Phase};

/// The factor by which the rate grows until a step fails, and shrinks until one holds.
const FACTOR: f64 = 2.0;
/// How often it is halved where the first rate was not asked for.
const HALVINGS: u32 = 10;
/// Rates that are held for longer before it is said that none is steady.
const HOLDS: u32 = 5;

/// What a step said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The target carried it.
    Holds,
    /// It did not.
    Fails,
    /// It did not by a little, in a step that was too short to be sure.
    Doubtful,
    /// The generator could not send it.
    Generator,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    /// Try this rate.
    Try(Phase, f64),
    /// All is known.
    Done(CapacityOutcome),
}

/// A search in progress.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    up_to: Option<f64>,
    precision: f64,
    /// How often it may be halved.
    halvings: u32,
    /// Not below this: nothing would begin.
    least: f64,
    /// The highest rate that held.
    low: Option<f64>,
    /// The lowest above it that did not, and whether that was the generator's doing.
    high: Option<(f64, bool)>,
    /// Rates that were held for longer, and did not hold.
    holds: u32,
    /// The generator failed at this rate once: that may have been a hiccup.
    again: bool,
    next: Next,
}

impl Search {
    /// Begins with `from`; where that was not `asked` for it is halved while it does not hold. `precision`: a share.
    pub(crate) fn new(from: f64, asked: bool, up_to: Option<f64>, precision: f64) -> Search {
        Search {
            up_to,
            precision: precision.max(0.001),
            halvings: if asked { 0 } else { HALVINGS },
            least: 0.0,
            low: None,
            high: None,
            holds: 0,
            again: false,
            next: Next::Try(Phase::Grow, up_to.map_or(from, |up_to| from.min(up_to))),
        }
    }

    /// Tries no rate below this, but the first where that was asked for.
    pub(crate) fn not_below(mut self, least: f64) -> Search {
        self.least = least;
        if let (Next::Try(_, rate), true) = (&mut self.next, self.halvings > 0) {
            *rate = rate.max(least);
        }
        self
    }

    pub(crate) fn next(&self) -> Next {
        self.next
    }

    /// Takes in what became of the rate that was to be tried.
    pub(crate) fn said(&mut self, said: Said) {
        let Next::Try(phase, rate) = self.next else { return };
        if said == Said::Generator && !self.again && !matches!(self.high, Some((_, true))) {
            self.again = true;
            return;
        }
        self.again = false;
        self.next = match (phase, said) {
            (Phase::Hold, Said::Holds) => Next::Done(match self.high {
                None => CapacityOutcome::UpTo,
                Some((_, true)) => CapacityOutcome::Generator,
                Some((_, false)) => CapacityOutcome::Found,
            }),
            (Phase::Hold, Said::Generator) => Next::Done(CapacityOutcome::Generator),
            // As long as any other step, that says more.
            (Phase::Grow, Said::Doubtful) => Next::Try(Phase::Narrow, rate),
            (Phase::Hold, Said::Fails | Said::Doubtful) => {
                self.high = Some((rate, false));
                self.holds += 1;
                if self.holds >= HOLDS {
                    Next::Done(CapacityOutcome::NothingHolds)
                } else {
                    // Further down each time: what fails for longer by a little needs one step, a cliff a few.
                    let down = 1.0 - self.precision * f64::from(1 << (self.holds - 1));
                    self.low = Some(rounded(rate * down.max(0.5)));
                    self.hold()
                }
            }
            (_, Said::Holds) => {
                self.low = Some(rate);
                self.towards(rate)
            }
            (_, said) => {
                self.high = Some((rate, said == Said::Generator));
                match self.low {
                    Some(low) => self.towards(low),
                    None if self.halvings > 0 && rate / FACTOR >= self.least => {
                        self.halvings -= 1;
                        Next::Try(Phase::Grow, rounded(rate / FACTOR))
                    }
                    None if said == Said::Generator => Next::Done(CapacityOutcome::Generator),
                    None => Next::Done(CapacityOutcome::NothingHolds),
                }
            }
        };
    }

    /// What follows where `low` held.
    fn towards(&self, low: f64) -> Next {
        let Some((high, _)) = self.high else {
            return match self.up_to {
                Some(up_to) if low >= up_to => self.hold(),
                Some(up_to) => Next::Try(Phase::Grow, (low * FACTOR).min(up_to)),
                None => Next::Try(Phase::Grow, low * FACTOR),
            };
        };
        let middle = rounded(f64::midpoint(low, high));
        if high <= low * (1.0 + self.precision) || middle <= low || middle >= high {
            self.hold()
        } else {
            Next::Try(Phase::Narrow, middle)
        }
    }

    fn hold(&self) -> Next {
        self.low.map_or(Next::Done(CapacityOutcome::NothingHolds), |low| Next::Try(Phase::Hold, low))
    }
}

/// To five digits: rates are for people, too.
pub(crate) fn rounded(rate: f64) -> f64 {
    if rate <= 0.0 || !rate.is_finite() {
        return rate;
    }
    let unit = 10_f64.powf(rate.log10().floor() - 4.0);
    let rounded = (rate / unit).round() * unit;
    // Without the digits that powers of ten leave behind.
    format!("{rounded:.6}").parse().unwrap_or(rounded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every rate that was tried, and how it ended.
    fn drive(
        mut search: Search,
        mut target: impl FnMut(Phase, f64) -> Said,
    ) -> (Vec<(Phase, f64, Said)>, CapacityOutcome) {
        let mut tried = Vec::new();
        loop {
            match search.next() {
                Next::Done(outcome) => return (tried, outcome),
                Next::Try(phase, rate) => {
                    let said = target(phase, rate);
                    tried.push((phase, rate, said));
                    search.said(said);
                }
            }
            assert!(tried.len() < 100, "it does not end: {tried:?}");
        }
    }

    fn wall(capacity: f64) -> impl FnMut(Phase, f64) -> Said {
        move |_, rate| if rate <= capacity { Said::Holds } else { Said::Fails }
    }

    #[test]
    fn grows_narrows_and_holds() {
        let (tried, outcome) = drive(Search::new(10.0, true, None, 0.02), wall(300.0));
        assert_eq!(outcome, CapacityOutcome::Found);
        let grown: Vec<f64> = tried.iter().filter(|step| step.0 == Phase::Grow).map(|step| step.1).collect();
        assert_eq!(grown, [10.0, 20.0, 40.0, 80.0, 160.0, 320.0]);
        let last = tried.last().unwrap();
        assert!(last.0 == Phase::Hold && (294.0..=300.0).contains(&last.1), "{tried:?}");
        assert!(tried.len() < 14, "{tried:?}");
    }

    #[test]
    fn the_first_rate_is_the_lowest_only_where_it_was_asked_for() {
        let (tried, outcome) = drive(Search::new(100.0, true, None, 0.02), wall(3.0));
        assert_eq!((tried.len(), outcome), (1, CapacityOutcome::NothingHolds));
        let (tried, outcome) = drive(Search::new(100.0, false, None, 0.02), wall(3.0));
        assert_eq!(outcome, CapacityOutcome::Found);
        assert!((2.94..=3.0).contains(&tried.last().unwrap().1), "{tried:?}");
        assert_eq!(drive(Search::new(100.0, false, None, 0.02), wall(0.0)).1, CapacityOutcome::NothingHolds);
    }

    #[test]
    fn a_doubtful_step_is_done_again_for_longer() {
        let mut doubts = 0;
        let target = |phase, rate| match (phase, rate) {
            (Phase::Grow, 80.0) => {
                doubts += 1;
                Said::Doubtful
            }
            (_, rate) if rate > 300.0 => Said::Fails,
            _ => Said::Holds,
        };
        let (tried, outcome) = drive(Search::new(10.0, true, None, 0.02), target);
        assert_eq!((doubts, outcome), (1, CapacityOutcome::Found));
        assert_eq!(tried[4], (Phase::Narrow, 80.0, Said::Holds));
        assert!(tried.last().unwrap().1 > 294.0, "{tried:?}");
        let (tried, outcome) = drive(Search::new(10.0, true, None, 0.02), |_, _| Said::Doubtful);
        assert_eq!((tried.len(), outcome), (2, CapacityOutcome::NothingHolds));
    }

    #[test]
    fn no_further_than_asked() {
        let (tried, outcome) = drive(Search::new(10.0, true, Some(35.0), 0.02), wall(1e9));
        let rates: Vec<f64> = tried.iter().map(|step| step.1).collect();
        assert_eq!((&rates[..], outcome), (&[10.0, 20.0, 35.0, 35.0][..], CapacityOutcome::UpTo));
        let (tried, _) = drive(Search::new(50.0, true, Some(35.0), 0.02), wall(1e9));
        assert_eq!(tried[0], (Phase::Grow, 35.0, Said::Holds));
    }

    #[test]
    fn what_does_not_hold_for_longer_is_stepped_down_from() {
        let target = |phase, rate| match phase {
            Phase::Hold if rate > 285.0 => Said::Fails,
            _ if rate > 300.0 => Said::Fails,
            _ => Said::Holds,
        };
        let (tried, outcome) = drive(Search::new(10.0, true, None, 0.02), target);
        let held: Vec<f64> = tried.iter().filter(|step| step.0 == Phase::Hold).map(|step| step.1).collect();
        assert_eq!(outcome, CapacityOutcome::Found);
        assert!(
            held.len() >= 2 && *held.last().unwrap() <= 285.0 && *held.last().unwrap() > 270.0,
            "{held:?}"
        );
        let never = |phase, _| if phase == Phase::Hold { Said::Fails } else { Said::Holds };
        let (tried, outcome) = drive(Search::new(10.0, true, Some(40.0), 0.02), never);
        assert_eq!((tried.len(), outcome), (3 + 5, CapacityOutcome::NothingHolds));
    }

    #[test]
    fn the_generators_limit_is_tried_again_and_then_told() {
        // A hiccup is not a limit.
        let mut hiccup = true;
        let target = |_, rate| match rate {
            rate if rate > 300.0 => Said::Fails,
            80.0 if std::mem::take(&mut hiccup) => Said::Generator,
            _ => Said::Holds,
        };
        assert_eq!(drive(Search::new(10.0, true, None, 0.02), target).1, CapacityOutcome::Found);
        // Its own limit lies below the target's.
        let (tried, outcome) = drive(Search::new(10.0, true, None, 0.02), |_, rate| {
            if rate > 200.0 { Said::Generator } else { Said::Holds }
        });
        assert_eq!(outcome, CapacityOutcome::Generator);
        assert!((196.0..=200.0).contains(&tried.last().unwrap().1), "{tried:?}");
        // It lies above, and only the leap went past it.
        let (_, outcome) = drive(Search::new(10.0, true, None, 0.02), |_, rate| match rate {
            rate if rate > 310.0 => Said::Generator,
            rate if rate > 200.0 => Said::Fails,
            _ => Said::Holds,
        });
        assert_eq!(outcome, CapacityOutcome::Found);
        let (tried, outcome) = drive(Search::new(10.0, true, None, 0.02), |_, _| Said::Generator);
        assert_eq!((tried.len(), outcome), (2, CapacityOutcome::Generator));
    }

    #[test]
    fn rates_are_short() {
        let short = [1234.567, 0.012_345_67, 300.0, 99_999.9].map(|rate| rounded(rate).to_string());
        assert_eq!(short, ["1234.6", "0.012346", "300", "100000"]);
    }

    proptest! {
        #[test]
        fn any_wall_is_found(capacity in 0.5_f64..1e6, from in 0.1_f64..1e3, precision in 0.005_f64..0.2) {
            let (tried, outcome) = drive(Search::new(from, false, None, precision), wall(capacity));
            if capacity >= from / 1024.0 {
                prop_assert_eq!(outcome, CapacityOutcome::Found);
                let found = tried.last().unwrap().1;
                prop_assert!(found <= capacity && found >= capacity / (1.0 + precision) * 0.999, "{} of {}", found, capacity);
            }
        }
    }
}
