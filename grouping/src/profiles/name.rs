//! Names from behaviour: what a profile does that the others do not.

use mynah_traffic::Endpoint;
use mynah_traffic::endpoint::Segment;

use super::Cluster;
use crate::hash::{Map, Set};

/// Words that name what somebody came for.
const PURPOSES: [&str; 16] = [
    "checkout", "purchase", "payment", "book", "reserv", "search", "register", "signup", "upload",
    "download", "subscri", "comment", "review", "publish", "import", "export",
];

/// Words of what is done on the way.
const ROUTINE: [&str; 6] = ["login", "logout", "signin", "sign-in", "session", "token"];

/// What a profile does more often than others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Telling {
    pub(crate) endpoint: u32,
    /// Share of its sessions.
    pub(crate) inside: f64,
    /// Share of the other sessions.
    pub(crate) outside: f64,
    /// Where in a session it first comes, on average: 0 its beginning, 1 its end.
    position: f64,
}

/// A name for each cluster, unique, and what sets it apart.
pub(crate) fn names(
    clusters: &[Cluster],
    sequences: &[Vec<u32>],
    endpoints: &[Endpoint],
) -> Vec<(String, Vec<Telling>)> {
    // By cluster and endpoint: sessions that use it, and the sum of where in them they first do (0 to 1).
    let mut inside: Vec<Map<u32, (u64, f64)>> = Vec::new();
    let mut all: Map<u32, u64> = Map::default();
    for cluster in clusters {
        let mut users: Map<u32, (u64, f64)> = Map::default();
        for &session in &cluster.sessions {
            let mut used: Set<u32> = Set::default();
            let sequence = &sequences[session as usize];
            for (position, &endpoint) in sequence.iter().enumerate() {
                if used.insert(endpoint) {
                    let known = users.entry(endpoint).or_default();
                    known.0 += 1;
                    known.1 += position as f64 / sequence.len() as f64;
                    *all.entry(endpoint).or_default() += 1;
                }
            }
        }
        inside.push(users);
    }
    let total: usize = clusters.iter().map(|cluster| cluster.sessions.len()).sum();
    let mut taken: Set<String> = Set::default();
    let mut names = Vec::new();
    for (cluster, users) in clusters.iter().zip(&inside) {
        let size = cluster.sessions.len();
        let others = total.saturating_sub(size).max(1) as f64;
        let mut telling: Vec<Telling> = users
            .iter()
            .map(|(&endpoint, &(count, positions))| Telling {
                endpoint,
                position: positions / count.max(1) as f64,
                inside: count as f64 / size.max(1) as f64,
                outside: all.get(&endpoint).copied().unwrap_or(count).saturating_sub(count) as f64 / others,
            })
            .collect();
        let score = |one: &Telling| {
            let endpoint = endpoints.get(one.endpoint as usize);
            let acts = endpoint.is_some_and(|endpoint| !matches!(endpoint.method.as_str(), "GET" | "HEAD"));
            // What changes something says more about a user than what is looked at; logging in and out says little.
            let routine = endpoint.is_some_and(|endpoint| {
                let word = word(endpoint);
                ROUTINE.iter().any(|routine| word.contains(routine))
            });
            let purpose = endpoint.is_some_and(|endpoint| {
                let word = word(endpoint);
                PURPOSES.iter().any(|purpose| word.contains(purpose))
            });
            let weight = match (routine, purpose, acts) {
                (true, ..) => 0.5,
                (false, true, true) => 1.8,
                (false, true, false) => 1.4,
                (false, false, true) => 1.3,
                (false, false, false) => 1.0,
            };
            // Of a chain of deeds the later ones are what it was all for.
            (one.inside - one.outside) * (weight + 0.2 * one.position) + one.inside * 0.05
        };
        telling.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.endpoint.cmp(&b.endpoint)));
        telling.truncate(4);
        let first = telling.first().cloned();
        telling.retain(|one| clusters.len() == 1 || one.inside - one.outside >= 0.1);
        if telling.is_empty() {
            telling.extend(first);
        }
        let name = if cluster.is_tail { "other".to_owned() } else { choose(&telling, endpoints, &taken) };
        taken.insert(name.clone());
        names.push((name, telling));
    }
    names
}

fn choose(telling: &[Telling], endpoints: &[Endpoint], taken: &Set<String>) -> String {
    let words: Vec<String> =
        telling.iter().filter_map(|one| endpoints.get(one.endpoint as usize)).map(word).collect();
    let first = words.first().cloned().unwrap_or_else(|| "visit".to_owned());
    let mut candidates = vec![first.clone()];
    candidates
        .extend(words.iter().skip(1).filter(|word| **word != first).map(|word| format!("{first}-{word}")));
    let free = |name: &String| !taken.contains(name) && name != "other";
    if let Some(name) = candidates.into_iter().find(free) {
        return name;
    }
    let mut number = 2;
    while taken.contains(&format!("{first}-{number}")) {
        number += 1;
    }
    format!("{first}-{number}")
}

/// `AddToCart`, `add_to.cart` → `add-to-cart`.
fn slug(text: &str) -> String {
    let mut word = String::new();
    let mut lower_before = false;
    for c in text.chars() {
        if c.is_ascii_uppercase() && lower_before || !c.is_ascii_alphanumeric() {
            word.push('-');
        }
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        }
        lower_before = c.is_ascii_lowercase();
    }
    word.trim_matches('-').to_owned()
}

/// `POST /api/checkout` → `checkout`, `GET /items/{id}` → `browse-items`, `GET /` → `home`.
fn word(endpoint: &Endpoint) -> String {
    if let Some((_, operation)) = endpoint.template.operation() {
        return slug(operation);
    }
    let last = endpoint.template.segments().iter().rev().find_map(|segment| match segment {
        Segment::Literal(text) if text.bytes().any(|byte| byte.is_ascii_alphabetic()) => Some(text.as_str()),
        _ => None,
    });
    let Some(last) = last else { return "home".to_owned() };
    let stem = last.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or(last);
    let word = slug(stem);
    let open = matches!(endpoint.template.segments().last(), Some(Segment::Any(_) | Segment::Rest(_)));
    let looks = matches!(endpoint.method.as_str(), "GET" | "HEAD");
    match (looks && (open || word.ends_with('s')), endpoint.method.as_str()) {
        (true, _) => format!("browse-{word}"),
        (false, "DELETE") => format!("remove-{word}"),
        (false, _) => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (endpoint, wanted) in [
            ("POST /api/checkout", "checkout"),
            ("GET /items/{id}", "browse-items"),
            ("GET /listings", "browse-listings"),
            ("GET /search", "search"),
            ("GET /", "home"),
            ("DELETE /api/items/{id}", "remove-items"),
            ("GET /cart.php", "cart"),
            ("POST /graphql?operationName=AddToCart", "add-to-cart"),
        ] {
            assert_eq!(word(&endpoint.parse().unwrap()), wanted, "{endpoint}");
        }
    }
}
