//! The endpoints that a run counts by, each with its number.

use std::collections::HashMap;

use mynah_traffic::scenario::Scenario;
use mynah_traffic::{Endpoint, Template};

/// Endpoints by number and by text.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointTable {
    all: Vec<Endpoint>,
    by_text: HashMap<String, u32>,
}

impl EndpointTable {
    /// The scenario's own, in its order.
    pub(crate) fn of(scenario: &Scenario) -> EndpointTable {
        let mut table = EndpointTable::default();
        for entry in &scenario.endpoints {
            table.number(&entry.endpoint);
        }
        table
    }

    pub(crate) fn all(&self) -> &[Endpoint] {
        &self.all
    }

    /// The number of the endpoint with this text, which is added where it is new.
    pub(crate) fn number(&mut self, endpoint: &Endpoint) -> u32 {
        let text = endpoint.to_string();
        if let Some(&number) = self.by_text.get(&text) {
            return number;
        }
        let number = self.all.len() as u32;
        self.all.push(endpoint.clone());
        self.by_text.insert(text, number);
        number
    }

    /// What a person calls so, whatever its path.
    pub(crate) fn named(&mut self, method: &str, name: &str) -> u32 {
        self.number(&Endpoint { method: method.to_owned(), host: None, template: Template::named(name) })
    }

    /// The endpoint that a person calls so: as tables have it, or without its host where only one is called so.
    pub(crate) fn called(&self, name: &str) -> Option<u32> {
        let full = |endpoint: &Endpoint| {
            format!("{} {}{}", endpoint.method, endpoint.host.as_deref().unwrap_or(""), endpoint.template)
        };
        let exact = self.all.iter().position(|endpoint| full(endpoint) == name);
        let short = || {
            let mut alike = self.all.iter().enumerate().filter(|(_, endpoint)| endpoint.short() == name);
            alike.next().map(|(at, _)| at).filter(|_| alike.next().is_none())
        };
        exact.or_else(short).map(|at| at as u32)
    }

    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// The endpoint of a request that names none: of those that fit the one with the most fixed segments, the earlier of
    /// equals; else its own method and path.
    pub(crate) fn number_of(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        operation: Option<(&str, &str)>,
    ) -> u32 {
        let mut best: Option<(usize, u32)> = None;
        for (number, endpoint) in self.all.iter().enumerate() {
            let mut literals = endpoint.template.literals();
            if let Some(own) = endpoint.template.operation() {
                if operation != Some(own) {
                    continue;
                }
                literals += 1;
            }
            if endpoint.matches(method, host, path) && best.is_none_or(|(most, _)| literals > most) {
                best = Some((literals, number as u32));
            }
        }
        if let Some((_, number)) = best {
            return number;
        }
        self.number(&Endpoint { method: method.to_owned(), host: None, template: Template::literal(path) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_literal_endpoint_wins_and_new_ones_are_added() {
        let mut table = EndpointTable::default();
        for text in ["GET /items/{id}", "GET /items/new", "GET a.test/items/{id}"] {
            table.number(&text.parse().unwrap());
        }
        assert_eq!(table.number_of("GET", "", "/items/7", None), 0);
        assert_eq!(table.number_of("GET", "", "/items/new", None), 1);
        assert_eq!(table.number_of("POST", "", "/items/7", None), 3);
        assert_eq!(table.number_of("POST", "", "/items/7", None), 3);
        assert_eq!(table.find("POST /items/7"), Some(3));
        table.number(&"GET /items/{id}?action=show".parse().unwrap());
        assert_eq!(table.number_of("GET", "", "/items/7", Some(("action", "show"))), 4);
        assert_eq!(table.number_of("GET", "", "/items/7", Some(("action", "hide"))), 0);
    }
}
