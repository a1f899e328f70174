//! What mirrored requests are counted by, found as they come: the user's own endpoints, else paths folded segment by segment.
//! There are never more than a stated number of them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use mynah_traffic::endpoint::Segment;
use mynah_traffic::{Endpoint, Template};

/// What a path segment that is a value is called in a template; `None` for words.
pub type Fold = Arc<dyn Fn(&str) -> Option<&'static str> + Send + Sync>;

/// Different words at one place of a path, above which further ones are taken for values.
const WORDS: u16 = 40;
/// Places of paths of which words are counted.
const PLACES: usize = 10_000;
/// Segments that are told apart; what lies deeper counts as one.
const DEPTH: usize = 12;
/// Characters of a word; a longer one is a value.
const LONGEST: usize = 80;

/// Endpoints with their numbers.
pub(super) struct Endpoints {
    all: Vec<Endpoint>,
    /// Of these, the first so many are the user's own.
    own: usize,
    /// By text: those that were folded.
    folded: HashMap<String, u32>,
    /// By place (method and path before it): how many words stand there, and each word that counts as one.
    places: HashMap<u64, u16>,
    words: HashSet<u64>,
    hash: RandomState,
    fold: Fold,
    limit: usize,
    other: Option<u32>,
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints").field("all", &self.all.len()).finish_non_exhaustive()
    }
}

impl Endpoints {
    /// `own`: known from the start, in the order of their numbers. At most `limit` are added to them, and one for all others.
    pub(super) fn new(own: Vec<Endpoint>, fold: Fold, limit: usize) -> Endpoints {
        Endpoints {
            own: own.len(),
            all: own,
            folded: HashMap::new(),
            places: HashMap::new(),
            words: HashSet::new(),
            hash: RandomState::new(),
            fold,
            limit,
            other: None,
        }
    }

    pub(super) fn all(&self) -> &[Endpoint] {
        &self.all
    }

    /// The number of a request's endpoint: of the user's own that fit, the one with the most fixed segments; else the folded path's.
    pub(super) fn number(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        operation: Option<(&str, &str)>,
    ) -> u32 {
        let mut best: Option<(usize, u32)> = None;
        for (endpoint, number) in self.all.iter().take(self.own).zip(0..) {
            let own = endpoint.template.operation();
            if own.is_some() && own != operation || !endpoint.matches(method, host, path) {
                continue;
            }
            let fixed = endpoint.template.literals() + usize::from(own.is_some());
            if best.is_none_or(|(most, _)| fixed > most) {
                best = Some((fixed, number));
            }
        }
        if let Some((_, number)) = best {
            return number;
        }
        let template = self.template(method, path);
        let template = match operation {
            Some((name, value)) => template.with_operation(name, value),
            None => template,
        };
        let endpoint = Endpoint { method: method.to_owned(), host: None, template };
        let text = endpoint.to_string();
        if let Some(&number) = self.folded.get(&text) {
            return number;
        }
        if self.folded.len() >= self.limit {
            return self.other();
        }
        let number = self.add(endpoint);
        self.folded.insert(text, number);
        number
    }

    fn add(&mut self, endpoint: Endpoint) -> u32 {
        self.all.push(endpoint);
        self.all.len() as u32 - 1
    }

    fn other(&mut self) -> u32 {
        if let Some(other) = self.other {
            return other;
        }
        let template = Template::new(vec![Segment::Rest("other".to_owned())]);
        let number = self.add(Endpoint { method: "ANY".to_owned(), host: None, template });
        *self.other.insert(number)
    }

    fn template(&mut self, method: &str, path: &str) -> Template {
        let mut segments = Vec::new();
        let mut place = self.hash.hash_one(method);
        for (depth, text) in path.strip_prefix('/').unwrap_or(path).split('/').enumerate() {
            if depth == DEPTH {
                segments.push(Segment::Rest("rest".to_owned()));
                break;
            }
            let segment = match (self.fold)(text) {
                Some(name) => Segment::Any(name.to_owned()),
                None if text.len() > LONGEST || !self.is_word(place, text) => Segment::Any("name".to_owned()),
                None => Segment::Literal(text.to_owned()),
            };
            place = self.hash.hash_one((place, &segment));
            segments.push(segment);
        }
        Template::new(segments)
    }

    /// Whether it is one of the words that stand at a place, which there are not too many of.
    fn is_word(&mut self, place: u64, text: &str) -> bool {
        if text.is_empty() {
            return true;
        }
        let word = self.hash.hash_one((place, text));
        if self.words.contains(&word) {
            return true;
        }
        if self.places.len() >= PLACES && !self.places.contains_key(&place) {
            return false;
        }
        let count = self.places.entry(place).or_default();
        if *count >= WORDS {
            return false;
        }
        *count += 1;
        self.words.insert(word);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(own: &[&str], limit: usize) -> Endpoints {
        let digits = |text: &str| (text.parse::<u64>().is_ok()).then_some("id");
        let own = own.iter().map(|text| text.parse().unwrap()).collect();
        Endpoints::new(own, Arc::new(digits), limit)
    }

    fn name(table: &mut Endpoints, method: &str, path: &str) -> String {
        let number = table.number(method, "shop.test", path, None);
        table.all()[number as usize].to_string()
    }

    #[test]
    fn own_endpoints_win_and_values_are_folded() {
        let mut table = table(&["GET /u/{name}", "GET /u/me", "POST /q?operationName=Buy"], 10);
        assert_eq!(name(&mut table, "GET", "/u/ann"), "GET /u/{name}");
        assert_eq!(name(&mut table, "GET", "/u/me"), "GET /u/me");
        assert_eq!(name(&mut table, "GET", "/items/17/parts/4"), "GET /items/{id}/parts/{id}");
        assert_eq!(name(&mut table, "GET", "/items/18/parts/5"), "GET /items/{id}/parts/{id}");
        assert_eq!(name(&mut table, "GET", "/"), "GET /");
        assert_eq!(name(&mut table, "POST", "/q"), "POST /q");
        assert_eq!(table.number("POST", "", "/q", Some(("operationName", "Buy"))), 2);
        let sell = table.number("POST", "", "/q", Some(("operationName", "Sell")));
        assert_eq!(table.all()[sell as usize].to_string(), "POST /q?operationName=Sell");
    }

    #[test]
    fn too_many_words_are_values_and_too_many_endpoints_are_one() {
        let mut table = table(&[], 60);
        for n in 0..1000 {
            let text = name(&mut table, "GET", &format!("/u/user-{n}-x/cart"));
            let folded = n >= usize::from(WORDS);
            assert_eq!(text == "GET /u/{name}/cart", folded, "{text}");
        }
        // Whoever invents methods and depths fills no memory.
        for n in 0..1000 {
            name(&mut table, &format!("M{n}"), &"/a/b".repeat(n % 50));
        }
        assert_eq!(table.all().len(), 61);
        assert_eq!(name(&mut table, "NEW", "/"), "ANY /{*other}");
        assert_eq!(name(&mut table, "GET", "/u/user-1-x/cart"), "GET /u/user-1-x/cart");
    }
}
