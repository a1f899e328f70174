//! Paths of one host as a tree, in which places are folded where many values stand.
//!
//! A place is folded into one `{name}` where its segments are values by their kind, or where so many different
//! words stand that they can only be values, and what lies below them agrees. A word that stands out among them, by how often it
//! is asked for or by what lies below it (`me` among user names), stays.

use std::collections::{BTreeMap, BTreeSet};

use mynah_traffic::endpoint::{Segment, Template};

use super::kind::{Kind, kind};

/// When words are folded. Lowered step by step when there are too many endpoints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    /// Different words at the root.
    pub(crate) root: usize,
    /// Different words elsewhere.
    pub(crate) words: usize,
    /// Different file names.
    pub(crate) files: usize,
    /// Different slugs or codes.
    pub(crate) doubtful: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { root: 100, words: 25, files: 50, doubtful: 3 }
    }
}

impl Thresholds {
    pub(crate) fn harder(self) -> Option<Thresholds> {
        (self.words > 3).then(|| Thresholds {
            root: (self.root / 2).max(8),
            words: (self.words / 2).max(3),
            files: (self.files / 2).max(3),
            doubtful: 2,
        })
    }
}

#[derive(Default, Debug)]
pub(crate) struct Node {
    /// Requests that end here.
    ends: u64,
    /// Requests that end here or below.
    through: u64,
    children: BTreeMap<String, Node>,
    /// What the folded children became.
    any: Option<Box<Any>>,
}

#[derive(Debug)]
struct Any {
    name: String,
    node: Node,
}

impl Node {
    pub(crate) fn add<'p>(&mut self, mut segments: impl Iterator<Item = &'p str>, requests: u64) {
        self.through += requests;
        match segments.next() {
            None => self.ends += requests,
            Some(segment) => {
                if !self.children.contains_key(segment) {
                    self.children.insert(segment.to_owned(), Node::default());
                }
                if let Some(child) = self.children.get_mut(segment) {
                    child.add(segments, requests);
                }
            }
        }
    }

    fn absorb(&mut self, other: Node) {
        self.ends += other.ends;
        self.through += other.through;
        for (segment, child) in other.children {
            self.children.entry(segment).or_default().absorb(child);
        }
    }

    /// Folds this node's children, then theirs.
    pub(crate) fn fold(&mut self, depth: usize, thresholds: &Thresholds) {
        let mut folded: Vec<String> = Vec::new();
        let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut doubtful: Vec<(String, Kind)> = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut files: Vec<String> = Vec::new();
        let mut certain: Vec<(String, Kind)> = Vec::new();
        for (segment, child) in &self.children {
            match kind(segment) {
                Some(kind) if kind.is_certain() => certain.push((segment.clone(), kind)),
                Some(kind) => doubtful.push((segment.clone(), kind)),
                None if segment.is_empty() => {}
                None if segment.contains('.') && child.children.is_empty() => files.push(segment.clone()),
                None => words.push(segment.clone()),
            }
        }
        // One small number under which everything lies is a version (`/api/2/…`), no value.
        let version = match certain.as_slice() {
            [(only, Kind::Number)] if only.len() <= 2 => {
                self.children.get(only).is_some_and(|child| child.ends == 0 && child.children.len() > 1)
            }
            _ => false,
        };
        if !version {
            for (segment, kind) in certain {
                *kinds.entry(kind.name()).or_default() += 1;
                folded.push(segment);
            }
        }
        let already = !folded.is_empty();
        if doubtful.len() >= thresholds.doubtful || already {
            for (segment, kind) in doubtful {
                *kinds.entry(kind.name()).or_default() += 1;
                folded.push(segment);
            }
        } else {
            words.extend(doubtful.into_iter().map(|(segment, _)| segment));
        }
        // A code that happens to have no digit stands among others that have.
        let (cast, words): (Vec<String>, Vec<String>) =
            words.into_iter().partition(|word| folded.iter().any(|value| same_cast(word, value)));
        folded.extend(cast);
        let enough = if depth == 0 { thresholds.root } else { thresholds.words };
        // Beside slugs that are known by their digits, words with several hyphens are slugs without digits.
        let slugs = kinds.get("slug").is_some_and(|slugs| *slugs >= thresholds.words as u64);
        let (titles, plain): (Vec<String>, Vec<String>) = words.into_iter().partition(|word| is_title(word));
        // A few plain words among many titles are no titles.
        let apart = slugs || titles.len() >= enough && plain.len() * 10 <= titles.len();
        let groups = if apart {
            let least = if slugs { 1 } else { enough };
            vec![(titles, least), (plain, enough)]
        } else {
            vec![(titles.into_iter().chain(plain).collect(), enough)]
        };
        for (group, _) in groups.into_iter().filter(|(group, least)| group.len() >= *least) {
            for segment in self.alike(&group) {
                let name = if is_title(&segment) { "slug" } else { "name" };
                *kinds.entry(name).or_default() += 1;
                folded.push(segment);
            }
        }
        if files.len() > thresholds.files {
            for segment in files {
                *kinds.entry("file").or_default() += 1;
                folded.push(segment);
            }
        }
        if !folded.is_empty() {
            let name = match kinds.len() {
                1 => kinds.keys().next().copied().unwrap_or("id"),
                _ => kinds.iter().max_by_key(|(_, count)| **count).map_or("id", |(name, _)| *name),
            };
            let mut node = Node::default();
            for segment in &folded {
                if let Some(child) = self.children.remove(segment) {
                    node.absorb(child);
                }
            }
            node.fold(depth + 1, thresholds);
            self.any = Some(Box::new(Any { name: name.to_owned(), node }));
        }
        for child in self.children.values_mut() {
            child.fold(depth + 1, thresholds);
        }
    }

    /// The words that do not stand out among their siblings.
    fn alike(&self, words: &[String]) -> Vec<String> {
        let mut visits: Vec<u64> =
            words.iter().filter_map(|word| self.children.get(word)).map(|child| child.through).collect();
        visits.sort_unstable();
        let median = visits.get(visits.len() / 2).copied().unwrap_or(0).max(1);
        // What lies below most of them: the names that at least a tenth share.
        let mut below: BTreeMap<&str, usize> = BTreeMap::new();
        for child in words.iter().filter_map(|word| self.children.get(word)) {
            for name in child.shape() {
                *below.entry(name).or_default() += 1;
            }
        }
        let common: BTreeSet<&str> =
            below.into_iter().filter(|(_, count)| count * 10 >= words.len()).map(|(name, _)| name).collect();
        let kept = words.iter().filter(|word| {
            self.children.get(*word).is_some_and(|child| {
                let foreign = child.shape().any(|name| !common.contains(name));
                let popular = child.through >= median * 10 && child.through * 20 >= self.through;
                !foreign && !popular
            })
        });
        kept.cloned().collect()
    }

    /// The words below, values left out.
    fn shape(&self) -> impl Iterator<Item = &str> {
        self.children.keys().map(String::as_str).filter(|segment| kind(segment).is_none())
    }

    /// The template that a path fits.
    pub(crate) fn template<'p>(&self, segments: impl Iterator<Item = &'p str>) -> Template {
        let mut built: Vec<Segment> = Vec::new();
        let mut at = Some(self);
        for segment in segments {
            let (step, next) = match at {
                Some(node) => match (node.children.get(segment), &node.any) {
                    (None, Some(any)) if !segment.is_empty() => {
                        (Segment::Any(name(&built, &any.name)), Some(&any.node))
                    }
                    (next, _) => (Segment::Literal(segment.to_owned()), next),
                },
                None => (Segment::Literal(segment.to_owned()), None),
            };
            // What could not be told from a place in the template's text becomes one.
            let step = match step {
                Segment::Literal(text) if is_unwritable(&text) => Segment::Any(name(&built, "value")),
                step => step,
            };
            built.push(step);
            at = next;
        }
        Template::new(built)
    }
}

/// Whether it may be a title in lower case, `garden-and-tools`.
fn is_title(word: &str) -> bool {
    word.split('-').filter(|part| !part.is_empty()).count() >= 2
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Whether a segment, written as a literal, would be read as something else.
fn is_unwritable(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}') || segment.contains(char::is_whitespace)
}

/// Whether a word is cast in the same mould as a value: `ORD-PFLJSJCY` as `ORD-7K2M9QX4`, `deadbeef` as `1eadbee7`.
fn same_cast(word: &str, value: &str) -> bool {
    let mould = |text: &str| -> Vec<u8> {
        text.bytes()
            .map(|byte| if byte.is_ascii_digit() || byte.is_ascii_uppercase() { b'X' } else { byte })
            .collect()
    };
    let lower = word.bytes().any(|byte| byte.is_ascii_lowercase());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    word.len() == value.len()
        && (word.len() >= 6 && !lower && mould(word) == mould(value)
            || word.len() >= 8 && hex(word) && hex(value)
            || word.len() >= 16 && lower && word.bytes().any(|byte| byte.is_ascii_uppercase()))
}

/// A name that no earlier place of the template has: `{id}`, then `{order_id}` by the word before it, then `{id3}`.
fn name(before: &[Segment], wanted: &str) -> String {
    let taken =
        |name: &str| before.iter().any(|segment| matches!(segment, Segment::Any(other) if other == name));
    if !taken(wanted) {
        return wanted.to_owned();
    }
    if let Some(Segment::Literal(word)) = before.last() {
        let own = format!("{}_{wanted}", singular(word));
        if !taken(&own) && !own.contains(['{', '}']) {
            return own;
        }
    }
    let mut number = 2;
    while taken(&format!("{wanted}{number}")) {
        number += 1;
    }
    format!("{wanted}{number}")
}

/// `orders` → `order`, roughly; other characters than letters and digits become `_`.
pub(crate) fn singular(word: &str) -> String {
    let word: String =
        word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let word = word.trim_matches('_');
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    for ending in ["sses", "xes", "ches", "shes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 1 && !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => word.to_owned(),
    }
}
