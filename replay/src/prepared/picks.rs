//! Steps that are drawn, by their weights.

/// Which step comes next.
#[derive(Debug)]
pub(crate) struct Picks {
    /// By step of the profile: the sum of the weights up to it.
    sums: Vec<f64>,
    /// Steps that a session has; `None`: it goes on.
    pub(crate) per_session: Option<u32>,
}

impl Picks {
    pub(crate) fn new(weights: impl Iterator<Item = f64>, per_session: Option<u32>) -> Picks {
        let mut sum = 0.0;
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Picks { sums: sums.collect(), per_session }
    }

    /// The step at this place, 0 to 1. One that weighs nothing is never drawn.
    pub(crate) fn at(&self, place: f64) -> u32 {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let last = self.sums.partition_point(|sum| *sum < all);
        self.sums.partition_point(|sum| *sum <= place * all).min(last) as u32
    }

    /// Each step's part of the whole.
    pub(crate) fn shares(&self) -> impl Iterator<Item = f64> {
        let all = self.sums.last().copied().unwrap_or(1.0);
        let before = std::iter::once(0.0).chain(self.sums.iter().copied());
        self.sums.iter().zip(before).map(move |(sum, before)| (sum - before) / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_by_their_weights() {
        let picks = Picks::new([0.0, 3.0, 1.0, 0.0].into_iter(), None);
        assert_eq!([0.0, 0.5, 0.74, 0.76, 0.999_999, 1.0].map(|place| picks.at(place)), [1, 1, 1, 2, 2, 2]);
        assert_eq!(picks.shares().collect::<Vec<_>>(), [0.0, 0.75, 0.25, 0.0]);
    }
}
