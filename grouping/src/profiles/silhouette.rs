//! How well a clustering stands apart.

use super::distance::Matrix;

/// Each point's silhouette, −1 to 1; 0 in a cluster of one session.
/// [Rousseeuw 1987](https://doi.org/10.1016/0377-0427(87)90125-7), with a point of weight w counting as w points.
pub(super) fn silhouettes(matrix: &Matrix, weights: &[f64], assignment: &[usize]) -> Vec<f64> {
    let k = assignment.iter().max().map_or(0, |most| most + 1);
    let mut sizes = vec![0.0; k];
    for (&cluster, &weight) in assignment.iter().zip(weights) {
        sizes[cluster] += weight;
    }
    let mut sums = vec![0.0; k];
    (0..matrix.size())
        .map(|point| {
            let own = assignment[point];
            if sizes[own] <= 1.0 {
                return 0.0;
            }
            sums.fill(0.0);
            for ((&distance, &cluster), &weight) in matrix.row(point).iter().zip(assignment).zip(weights) {
                sums[cluster] += weight * f64::from(distance);
            }
            let inside = sums[own] / (sizes[own] - 1.0);
            let outside = (0..k)
                .filter(|&cluster| cluster != own && sizes[cluster] > 0.0)
                .map(|cluster| sums[cluster] / sizes[cluster])
                .fold(f64::INFINITY, f64::min);
            let larger = inside.max(outside);
            if outside.is_finite() && larger > 0.0 { (outside - inside) / larger } else { 0.0 }
        })
        .collect()
}
