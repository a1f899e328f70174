//! Sessions that behave alike: a clustering of the distinct endpoint sequences that finds the number of clusters by
//! itself, a real session (medoid) to stand for each, and names from what they do.

mod distance;
mod kinds;
mod mixture;
mod name;
mod silhouette;
#[cfg(test)]
mod tests;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::explain::Clustering;
use crate::hash::Map;
use crate::{Options, ProfileCount};
use distance::{Features, Weights};
use mixture::{Walks, Wanted, Weighted};

pub(crate) use name::{Telling, names};

/// Distinct sequences that silhouettes are taken of; of more a sample is.
const SAMPLE: usize = 2_000;
/// Distinct sequences that the transitions are learnt from; of more a sample is taken. All are placed afterwards.
const LEARNT: usize = 8_000;
/// Parts that are begun with.
const MOST: usize = 16;
/// Starts of the search for parts.
const STARTS: u64 = 3;
/// Up to so many distinct sequences there is too little to judge a clustering by: what is nearly alike is joined.
const FEW: usize = 8;
/// Distance up to which few sessions are joined.
const ALIKE: f32 = 0.35;

/// One cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cluster {
    /// Positions of its sessions in the input, ascending.
    pub(crate) sessions: Vec<u32>,
    /// The session in its middle.
    pub(crate) medoid: u32,
    /// Mean silhouette of its (sampled) sessions, −1 to 1; `None` with one cluster only.
    pub(crate) silhouette: Option<f64>,
    /// It is what was left over from clusters too small to stand alone.
    pub(crate) is_tail: bool,
}

/// A distinct sequence and the sessions that have it.
struct Kind {
    sequence: Vec<u32>,
    sessions: Vec<u32>,
}

/// Clusters sessions, each given as its endpoints in order; `acts` says which endpoints change something. Largest cluster
/// first, the tail last.
pub(crate) fn cluster(
    sequences: &[Vec<u32>],
    acts: &[bool],
    options: &Options,
) -> (Vec<Cluster>, Clustering) {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut known: Map<&[u32], usize> = Map::default();
    for (session, sequence) in sequences.iter().enumerate() {
        let kind = *known.entry(sequence).or_insert_with(|| {
            kinds.push(Kind { sequence: sequence.clone(), sessions: Vec::new() });
            kinds.len() - 1
        });
        kinds[kind].sessions.push(session as u32);
    }
    if kinds.is_empty() {
        return (Vec::new(), Clustering::default());
    }
    let (sampled, _) = sample(&kinds, SAMPLE, options.seed);
    let features: Vec<Features> = kinds.iter().map(|kind| Features::of(&kind.sequence)).collect();
    let counts: Vec<f64> = kinds.iter().map(|kind| kind.sessions.len() as f64).collect();
    let number = kinds.len() as u64;
    let mut clustering = Clustering { sequences: number, learnt: number, doubtful: None };
    let parts = match options.profiles {
        ProfileCount::Fixed(wanted) => {
            let fitted = fitted(&kinds, &features, &counts, Some(wanted), options);
            clustering = fitted.clustering;
            fitted.parts
        }
        ProfileCount::Auto if sampled.len() <= FEW => few(&features, &counts, &sampled),
        ProfileCount::Auto => {
            let fitted = fitted(&kinds, &features, &counts, None, options);
            clustering = fitted.clustering;
            kinds::join(fitted.parts, fitted.prices, &features, &counts, acts)
        }
    };
    (finish(&kinds, &features, &counts, &sampled, &parts, options), clustering)
}

/// What [`mixture::find`] has found.
struct Fitted {
    parts: Vec<Vec<usize>>,
    /// How unlike any two parts are.
    prices: Vec<Vec<f64>>,
    clustering: Clustering,
}

/// The parts as the transitions show them, all sequences placed.
fn fitted(
    kinds: &[Kind],
    features: &[Features],
    counts: &[f64],
    wanted: Option<usize>,
    options: &Options,
) -> Fitted {
    let walks = Walks::of(kinds.iter().map(|kind| kind.sequence.as_slice()), counts.iter().sum());
    let (members, scale) = sample(kinds, LEARNT, options.seed);
    let learnt = Weighted {
        walks: &walks,
        weights: members.iter().zip(scale).map(|(&kind, scale)| counts[kind] * scale).collect(),
        members,
    };
    let all = Weighted { walks: &walks, members: (0..kinds.len()).collect(), weights: counts.to_vec() };
    let weights = Weights::of(features, counts, &learnt.members);
    let seeding = |members: &[usize], groups: usize, attempt: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed.wrapping_mul(1_000_003).wrapping_add(attempt));
        far_apart(&learnt, members, groups, &mut rng, &|a, b| weights.distance(&features[a], &features[b]))
    };
    let most = wanted.map_or(MOST, |wanted| (wanted + wanted / 2).max(MOST)).min(learnt.members.len());
    let found = mixture::find(&learnt, &all, &seeding, Wanted { parts: wanted, most, starts: STARTS });
    let mut groups = vec![Vec::new(); found.prices.len()];
    for (&member, &group) in all.members.iter().zip(&found.parts) {
        groups[group].push(member);
    }
    // What is likeliest for nobody is no part.
    let (mut parts, mut prices) = (Vec::new(), Vec::new());
    for (group, row) in groups.iter().zip(&found.prices).filter(|(group, _)| !group.is_empty()) {
        parts.push(group.clone());
        let row = row.iter().zip(&groups).filter(|(_, group)| !group.is_empty());
        prices.push(row.map(|(price, _)| *price).collect());
    }
    let clustering = Clustering {
        sequences: kinds.len() as u64,
        learnt: learnt.members.len() as u64,
        doubtful: Some(found.doubtful),
    };
    Fitted { parts, prices, clustering }
}

/// Draws so many of the members that each is likely to be far from those drawn before (Arthur and Vassilvitskii,
/// *k-means++*, SODA 2007), and gives each member's nearest.
fn far_apart(
    learnt: &Weighted<'_>,
    members: &[usize],
    groups: usize,
    rng: &mut ChaCha8Rng,
    distance: &dyn Fn(usize, usize) -> f32,
) -> Vec<usize> {
    let mut nearest = vec![f32::INFINITY; members.len()];
    let mut owner = vec![0; members.len()];
    for group in 0..groups.min(members.len()) {
        let pulls: Vec<f64> = members
            .iter()
            .zip(&nearest)
            .map(|(&member, &far)| {
                let far = if far.is_finite() { f64::from(far) } else { 1.0 };
                learnt.weights[member] * far * far
            })
            .collect();
        let total: f64 = pulls.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut left = rng.random::<f64>() * total;
        let drawn = pulls
            .iter()
            .position(|pull| {
                left -= pull;
                left < 0.0
            })
            .unwrap_or(0);
        let drawn = learnt.members[members[drawn]];
        for ((&member, near), owner) in members.iter().zip(&mut nearest).zip(&mut owner) {
            let to = distance(drawn, learnt.members[member]);
            if to < *near {
                (*near, *owner) = (to, group);
            }
        }
    }
    owner
}

/// The most frequent half and a random other half, ascending, and how many each stands for.
fn sample(kinds: &[Kind], most: usize, seed: u64) -> (Vec<usize>, Vec<f64>) {
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    let mut scale = vec![1.0; kinds.len().min(most)];
    if order.len() > most {
        order.sort_by_key(|&kind| (std::cmp::Reverse(kinds[kind].sessions.len()), kind));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let frequent = most / 2;
        if let Some(rest) = order.get_mut(frequent..) {
            rest.shuffle(&mut rng);
        }
        order.truncate(most);
        let each = (kinds.len() - frequent) as f64 / (most - frequent) as f64;
        let mut drawn: Vec<(usize, f64)> = order
            .iter()
            .enumerate()
            .map(|(place, &kind)| (kind, if place < frequent { 1.0 } else { each }))
            .collect();
        drawn.sort_unstable_by_key(|(kind, _)| *kind);
        (order, scale) = drawn.into_iter().unzip();
    }
    (order, scale)
}

/// Complete linkage: two groups are joined when all of theirs are alike.
fn few(features: &[Features], counts: &[f64], members: &[usize]) -> Vec<Vec<usize>> {
    let matrix = distance::matrix(features, counts, members);
    let mut groups: Vec<Vec<usize>> = (0..members.len()).map(|at| vec![at]).collect();
    loop {
        let mut nearest: Option<(f32, usize, usize)> = None;
        for a in 0..groups.len() {
            for b in a + 1..groups.len() {
                let far = groups[a]
                    .iter()
                    .flat_map(|&x| groups[b].iter().map(move |&y| (x, y)))
                    .map(|(x, y)| matrix.get(x, y))
                    .fold(0.0, f32::max);
                if far <= ALIKE && nearest.is_none_or(|(known, ..)| far < known) {
                    nearest = Some((far, a, b));
                }
            }
        }
        let Some((_, a, b)) = nearest else { break };
        let joined = groups.remove(b);
        groups[a].extend(joined);
    }
    groups.into_iter().map(|group| group.into_iter().map(|at| members[at]).collect()).collect()
}

fn finish(
    kinds: &[Kind],
    features: &[Features],
    counts: &[f64],
    sampled: &[usize],
    parts: &[Vec<usize>],
    options: &Options,
) -> Vec<Cluster> {
    let weights = Weights::of(features, counts, sampled);
    let middles: Vec<usize> = parts
        .iter()
        .map(|part| {
            let cost = |candidate: usize| -> f64 {
                part.iter()
                    .step_by(part.len().div_ceil(1_000).max(1))
                    .map(|&other| {
                        counts[other] * f64::from(weights.distance(&features[candidate], &features[other]))
                    })
                    .sum()
            };
            // Of many, those sampled evenly stand for all: a medoid need not be exact.
            let step = part.len().div_ceil(256).max(1);
            part.iter()
                .copied()
                .step_by(step)
                .map(|candidate| (cost(candidate), candidate))
                .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
                .map_or(0, |(_, candidate)| candidate)
        })
        .collect();
    let mut assignment: Vec<usize> = vec![0; kinds.len()];
    for (number, part) in parts.iter().enumerate() {
        for &kind in part {
            assignment[kind] = number;
        }
    }
    let silhouettes = silhouettes(features, counts, sampled, &assignment, parts.len());
    let mut clusters: Vec<Cluster> = middles
        .iter()
        .zip(silhouettes)
        .map(|(&middle, silhouette)| Cluster {
            medoid: kinds[middle].sessions.first().copied().unwrap_or(0),
            silhouette,
            ..Cluster::default()
        })
        .collect();
    for (kind, &number) in kinds.iter().zip(&assignment) {
        clusters[number].sessions.extend(&kind.sessions);
    }
    for cluster in &mut clusters {
        cluster.sessions.sort_unstable();
    }
    gather_tail(&mut clusters, options);
    clusters
        .sort_by_key(|cluster| (cluster.is_tail, std::cmp::Reverse(cluster.sessions.len()), cluster.medoid));
    clusters
}

fn silhouettes(
    features: &[Features],
    counts: &[f64],
    sampled: &[usize],
    assignment: &[usize],
    clusters: usize,
) -> Vec<Option<f64>> {
    if clusters < 2 {
        return vec![None; clusters];
    }
    let matrix = distance::matrix(features, counts, sampled);
    let weights: Vec<f64> = sampled.iter().map(|&kind| counts[kind]).collect();
    let own: Vec<usize> = sampled.iter().map(|&kind| assignment[kind]).collect();
    let each = silhouette::silhouettes(&matrix, &weights, &own);
    (0..clusters)
        .map(|cluster| {
            let (mut sum, mut total) = (0.0, 0.0);
            for ((value, weight), owner) in each.iter().zip(&weights).zip(&own) {
                if *owner == cluster {
                    sum += value * weight;
                    total += weight;
                }
            }
            (total > 0.0).then(|| sum / total)
        })
        .collect()
}

/// Clusters of less than one session in a hundred become one, where there are hundreds.
fn gather_tail(clusters: &mut Vec<Cluster>, options: &Options) {
    let total: usize = clusters.iter().map(|cluster| cluster.sessions.len()).sum();
    if total < 200 || matches!(options.profiles, ProfileCount::Fixed(_)) {
        return;
    }
    let (small, mut large): (Vec<Cluster>, Vec<Cluster>) =
        clusters.drain(..).partition(|cluster| cluster.sessions.len() * 100 < total);
    if let Some(biggest) = small.iter().max_by_key(|cluster| cluster.sessions.len()) {
        let mut tail = Cluster { medoid: biggest.medoid, is_tail: true, ..Cluster::default() };
        tail.sessions = small.iter().flat_map(|cluster| cluster.sessions.iter().copied()).collect();
        tail.sessions.sort_unstable();
        large.push(tail);
    }
    *clusters = large;
}

/// Weights in percent, to two decimals, that sum to 100 exactly.
pub(crate) fn percentages(sizes: &[usize]) -> Vec<f64> {
    let total: usize = sizes.iter().sum::<usize>().max(1);
    let mut cents: Vec<usize> = sizes.iter().map(|size| size * 10_000 / total).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(sizes[at] * 10_000 % total), at));
    let missing = 10_000_usize.saturating_sub(cents.iter().sum());
    for &at in order.iter().take(if sizes.is_empty() { 0 } else { missing }) {
        cents[at] += 1;
    }
    cents.into_iter().map(|cents| cents as f64 / 100.0).collect()
}
