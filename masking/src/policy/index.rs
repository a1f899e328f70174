//! The user's rules, ready to be asked: by place, by name, by kind, by expression. The first in the file that fits acts.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use mynah_message::{Locator, json};
use regex::bytes::{Regex, RegexSet};

use super::glob::Glob;
use super::path::{self, PathPattern};
use super::place::{Place, Where};
use super::rule::{Action, OwnRule};
use crate::detect::Detectors;
use crate::kind::Kind;

/// The rules that hold, each by its number in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    places: Vec<(Place, u8)>,
    json: Vec<(PathPattern, u8)>,
    variables: Vec<(PathPattern, u8)>,
    pub(crate) names: Vec<(Glob, u8)>,
    kinds: HashMap<Kind, u8>,
    detectors: HashMap<Kind, u8>,
    expressions: Vec<(Arc<Regex>, u8)>,
    /// All expressions at once: most texts match none of them.
    any: Option<RegexSet>,
    body: Option<u8>,
    /// The detectors that look for something.
    pub(crate) switched: Detectors,
}

impl Index {
    pub(crate) fn of(rules: &[OwnRule], holds: impl Fn(&OwnRule) -> bool) -> Index {
        let mut index = Index::default();
        let mut asked = Detectors::NONE;
        for (number, rule) in (0_u8..).zip(rules).filter(|(_, rule)| holds(rule)) {
            for place in &rule.places {
                match place {
                    Where::Place(Place::Json(pattern)) => index.json.push((pattern.clone(), number)),
                    Where::Place(place) => index.places.push((place.clone(), number)),
                    Where::Variable(pattern) => index.variables.push((pattern.clone(), number)),
                    Where::Name(name) => index.names.push((name.clone(), number)),
                    Where::Kind(kind) => {
                        index.kinds.entry(*kind).or_insert(number);
                    }
                    Where::Detector(detector) => {
                        if asked.has(*detector) {
                            continue;
                        }
                        asked = asked.with(*detector);
                        if rule.action == Action::Keep {
                            index.switched = index.switched.without(*detector);
                        } else {
                            index.switched = index.switched.with(*detector);
                            index.detectors.entry(detector.kind()).or_insert(number);
                        }
                    }
                    Where::Matches(expression) => index.expressions.push((Arc::clone(expression), number)),
                    Where::Body => {
                        index.body.get_or_insert(number);
                    }
                }
            }
        }
        if index.expressions.len() > 1 {
            let patterns = index.expressions.iter().map(|(expression, _)| expression.as_str());
            index.any = RegexSet::new(patterns).ok();
        }
        index
    }

    /// The expressions that match in a text, in their order: found together, where they fit in one automaton.
    fn matching<'i>(&'i self, text: &[u8]) -> Box<dyn Iterator<Item = &'i (Arc<Regex>, u8)> + 'i> {
        match &self.any {
            Some(any) => {
                let found: Vec<usize> = any.matches(text).into_iter().collect();
                Box::new(found.into_iter().filter_map(|at| self.expressions.get(at)))
            }
            None => Box::new(self.expressions.iter()),
        }
    }

    /// The rule for a value with that concrete locator.
    pub(crate) fn place(&self, locator: &Locator) -> Option<u8> {
        let json = || match locator {
            Locator::Json { path } => {
                self.json.iter().find(|(p, _)| p.covers(path.as_str())).map(|(_, number)| *number)
            }
            _ => None,
        };
        let place = self.places.iter().find(|(place, _)| place.covers(locator)).map(|(_, number)| *number);
        place.or_else(json)
    }

    /// Whether any rule is about places in heads and bodies that have locators.
    pub(crate) fn has_places(&self) -> bool {
        !self.places.is_empty() || !self.json.is_empty()
    }

    /// The rule for the whole body.
    pub(crate) fn body(&self) -> Option<u8> {
        self.body
    }

    /// The values of a JSON body that rules are about: where each begins, and the rule. In order.
    pub(crate) fn json(&self, body: &[u8], depth: usize) -> Vec<(usize, u8)> {
        let variables =
            if !self.variables.is_empty() && path::is_graphql(body) { &*self.variables } else { &[] };
        let mut found = Vec::new();
        if self.json.is_empty() && variables.is_empty() {
            return found;
        }
        let _ = json::scan(body, depth, &mut |value| {
            let plain = self.json.iter().find(|(p, _)| p.covers(value.path)).map(|(_, number)| *number);
            let variable =
                variables.iter().find(|(p, _)| p.covers_variable(value.path)).map(|(_, number)| *number);
            if let Some(number) = [plain, variable].into_iter().flatten().min() {
                found.push((value.span.start, number));
            }
            ControlFlow::Continue(())
        });
        found
    }

    /// The variables of a GraphQL request that came as a JSON text by themselves, in a query.
    pub(crate) fn variables(&self, text: &[u8]) -> Vec<(json::Kind, Range<usize>, u8)> {
        let mut found = Vec::new();
        if self.variables.is_empty() {
            return found;
        }
        let _ = json::scan(text, 64, &mut |value| {
            let path = format!("$.variables{}", value.path.trim_start_matches('$'));
            if let Some((_, number)) = self.variables.iter().find(|(p, _)| p.covers_variable(&path)) {
                found.push((value.kind, value.span, *number));
            }
            ControlFlow::Continue(())
        });
        found
    }

    /// The rule for what a name says to be of that kind.
    pub(crate) fn kind(&self, kind: Kind) -> Option<u8> {
        self.kinds.get(&kind).copied()
    }

    /// The rule for what gives itself away as that kind.
    pub(crate) fn detector(&self, kind: Kind) -> Option<u8> {
        [self.detectors.get(&kind), self.kinds.get(&kind)].into_iter().flatten().min().copied()
    }

    pub(crate) fn has_expressions(&self) -> bool {
        !self.expressions.is_empty()
    }

    /// What expressions match in a text, the first rule's first.
    pub(crate) fn matches(&self, text: &[u8]) -> Vec<(Range<usize>, u8)> {
        let mut found = Vec::new();
        for (expression, number) in self.matching(text) {
            for captures in expression.captures_iter(text) {
                let Some(matched) = captures.get(1).or_else(|| captures.get(0)) else { continue };
                if !matched.is_empty() {
                    found.push((matched.range(), *number));
                }
            }
        }
        found
    }

    /// The rule of an expression that matches all of a value.
    pub(crate) fn whole_match(&self, value: &[u8]) -> Option<u8> {
        if self.expressions.is_empty() {
            return None;
        }
        let whole = |(expression, number): &(Arc<Regex>, u8)| {
            let captures = expression.captures(value)?;
            let matched = captures.get(1).or_else(|| captures.get(0))?;
            (matched.range() == (0..value.len())).then_some(*number)
        };
        self.matching(value).find_map(whole)
    }
}
