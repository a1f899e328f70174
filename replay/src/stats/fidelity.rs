//! How like the recording a run was.

/// Jensen–Shannon distance (the square root of the divergence, base 2; 0–1) between two lists of counts over the same things.
/// `None` where one of them is empty. [Lin 1991](https://doi.org/10.1109/18.61115).
pub(super) fn distance(one: &[u64], other: &[u64]) -> Option<f64> {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (all_one, all_other) = (total(one), total(other));
    if all_one == 0.0 || all_other == 0.0 {
        return None;
    }
    let part = |p: f64, middle: f64| if p > 0.0 { p * (p / middle).log2() } else { 0.0 };
    let mut divergence = 0.0;
    for (a, b) in one.iter().zip(other) {
        let (p, q) = (*a as f64 / all_one, *b as f64 / all_other);
        let middle = f64::midpoint(p, q);
        divergence += f64::midpoint(part(p, middle), part(q, middle));
    }
    // Rounding can take it a hair outside.
    Some(divergence.clamp(0.0, 1.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_mixes_are_near_and_disjoint_ones_far() {
        assert_eq!(distance(&[10, 30], &[1, 3]), Some(0.0));
        assert_eq!(distance(&[1, 0], &[0, 5]), Some(1.0));
        assert_eq!(distance(&[0, 0], &[0, 5]), None);
        let half = distance(&[1, 1], &[1, 0]).unwrap();
        // Divergence of (½,½) and (1,0): 0.311278.
        assert!((half - 0.311_278_f64.sqrt()).abs() < 1e-4, "{half}");
    }
}
