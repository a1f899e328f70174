//! Several inputs that count differently: their sessions do not become one profile, since those of a profile are all drawn alike.

use mynah_traffic::rooms;

use crate::Options;
use crate::profiles::Cluster;
use crate::scan::Scan;
use crate::script::Steps;

/// One of several inputs that are read as one; their order is that of the numbers of their connections
/// ([`rooms`]).
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// What profiles that are sessions of this input alone are called.
    pub name: String,
    /// How many times each of its sessions counts.
    pub weight: f64,
}

/// A few sessions of several inputs are a profile each, up to so many.
const FEW: usize = 20;

/// The clusters, split where that must be; the names that some of them have by their input; and the weight of each.
pub(crate) struct Weighed {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) names: Vec<Option<String>>,
    /// In thousandths of a session.
    pub(crate) sizes: Vec<usize>,
}

/// Brings the inputs' weights in.
pub(crate) fn weigh(clusters: Vec<Cluster>, scan: &Scan, steps: &Steps, options: &Options) -> Weighed {
    let source = |session: u32| {
        let record = steps.sessions.get(session as usize)?.first()?;
        let connection = scan.records.get(*record as usize)?.connection;
        let at = rooms::input(connection, options.sources.len() as u64) as usize;
        (at < options.sources.len()).then_some(at)
    };
    let weight = |session: u32| source(session).map_or(1.0, |at| options.sources[at].weight);
    let total: usize = steps.sessions.iter().map(Vec::len).sum();
    let sessions = steps.sessions.len();
    let apart =
        options.sources.len() > 1 && sessions <= FEW && total <= options.inline_steps * options.sources.len();
    let mut split: Vec<Cluster> = Vec::new();
    for cluster in clusters {
        // By weight; a few by themselves.
        let mut parts: Vec<(u64, Vec<u32>)> = Vec::new();
        for &session in &cluster.sessions {
            let key = if apart { u64::from(session) } else { weight(session).to_bits() };
            match parts.iter_mut().find(|(known, _)| *known == key) {
                Some((_, members)) => members.push(session),
                None => parts.push((key, vec![session])),
            }
        }
        if parts.len() == 1 {
            split.push(cluster);
            continue;
        }
        for (_, members) in parts {
            let own = members.contains(&cluster.medoid);
            let medoid = if own { cluster.medoid } else { members.first().copied().unwrap_or_default() };
            split.push(Cluster { sessions: members, medoid, silhouette: None, is_tail: cluster.is_tail });
        }
    }
    let size = |cluster: &Cluster| {
        let sum: f64 = cluster.sessions.iter().map(|&session| weight(session)).sum();
        (sum * 1000.0).round() as usize
    };
    split.sort_by_key(|cluster| (cluster.is_tail, std::cmp::Reverse(size(cluster)), cluster.medoid));
    let mut names: Vec<Option<String>> = Vec::new();
    for cluster in &split {
        let name = cluster.sessions.first().filter(|_| apart).and_then(|&session| source(session));
        let name = name.map(|at| options.sources[at].name.clone()).map(|stem| {
            let free = |name: &String| !names.iter().flatten().any(|known| known == name);
            let numbered = (2..).map(|number| format!("{stem}-{number}"));
            std::iter::once(stem.clone()).chain(numbered).find(free).unwrap_or_default()
        });
        names.push(name);
    }
    Weighed { sizes: split.iter().map(size).collect(), clusters: split, names }
}
