//! k-medoids by FasterPAM, on weighted points, and silhouettes.
//!
//! Erich Schubert, Peter J. Rousseeuw: *Fast and eager k-medoids clustering*, Information Systems 101 (2021),
//! <https://arxiv.org/abs/2008.05171>. Written anew from the paper. The start is PAM's BUILD, so that nothing is random.

use super::distance::Matrix;

/// Rounds of swaps, in case that rounding errors make them go in circles.
const ROUNDS: usize = 50;

/// The cluster of each point, from 0 to k−1.
pub(super) fn pam(matrix: &Matrix, weights: &[f64], k: usize) -> Vec<usize> {
    let size = matrix.size();
    let mut medoids = build(matrix, weights, k.min(size));
    let k = medoids.len();
    if k < 2 {
        return vec![0; size];
    }
    // Nearest and second nearest medoid of each point, as positions in `medoids`.
    let mut near = nearest(matrix, &medoids);
    let mut since_swap = 0;
    for candidate in (0..size).cycle().take(ROUNDS * size) {
        if since_swap >= size {
            break;
        }
        since_swap += 1;
        if medoids.contains(&candidate) {
            continue;
        }
        // What is lost when a medoid goes without replacement, and what the candidate changes for each of them.
        let mut change = vec![0.0_f64; k];
        let mut shared = 0.0_f64;
        for ((&to, near), &weight) in matrix.row(candidate).iter().zip(&near).zip(weights) {
            let (to, first, second) = (f64::from(to), f64::from(near.first), f64::from(near.second));
            change[near.medoid] += weight * (second - first);
            if to < first {
                shared += weight * (to - first);
                change[near.medoid] += weight * (first - second);
            } else if to < second {
                change[near.medoid] += weight * (to - second);
            }
        }
        let best = (0..k).min_by(|&a, &b| change[a].total_cmp(&change[b])).unwrap_or(0);
        if change[best] + shared < -1e-9 {
            medoids[best] = candidate;
            near = nearest(matrix, &medoids);
            since_swap = 0;
        }
    }
    near.into_iter().map(|near| near.medoid).collect()
}

struct Near {
    medoid: usize,
    first: f32,
    second: f32,
}

fn nearest(matrix: &Matrix, medoids: &[usize]) -> Vec<Near> {
    (0..matrix.size())
        .map(|point| {
            let mut near = Near { medoid: 0, first: f32::INFINITY, second: f32::INFINITY };
            for (position, &medoid) in medoids.iter().enumerate() {
                let distance = matrix.get(point, medoid);
                if distance < near.first {
                    near.second = near.first;
                    near.first = distance;
                    near.medoid = position;
                } else if distance < near.second {
                    near.second = distance;
                }
            }
            near
        })
        .collect()
}

/// PAM's BUILD: the point in the middle, then each time the one that helps most.
fn build(matrix: &Matrix, weights: &[f64], k: usize) -> Vec<usize> {
    let size = matrix.size();
    let mut medoids: Vec<usize> = Vec::with_capacity(k);
    let mut closest = vec![f32::INFINITY; size];
    while medoids.len() < k {
        let gain = |candidate: usize| -> f64 {
            matrix
                .row(candidate)
                .iter()
                .zip(&closest)
                .zip(weights)
                .map(|((&to, &now), &weight)| {
                    if medoids.is_empty() {
                        -weight * f64::from(to)
                    } else {
                        weight * f64::from((now - to).max(0.0))
                    }
                })
                .sum()
        };
        let best = (0..size)
            .filter(|candidate| !medoids.contains(candidate))
            .map(|candidate| (gain(candidate), candidate))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let Some((_, best)) = best else { break };
        medoids.push(best);
        for (now, &to) in closest.iter_mut().zip(matrix.row(best)) {
            *now = now.min(to);
        }
    }
    medoids
}

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

/// The mean over the sessions.
pub(super) fn mean(values: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / total.max(1.0)
}
