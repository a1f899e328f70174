//! Methods and paths folded into endpoints.

pub(crate) mod kind;
#[cfg(test)]
mod tests;
mod trie;

use std::collections::BTreeMap;

use mynah_traffic::{Endpoint, Template};

pub(crate) use trie::singular;
use trie::{Node, Thresholds};

use crate::hash::{Map, Set};
use crate::scan::{NO_OPERATION, Record, Scan};
use crate::{Error, Open, Options};

/// One endpoint with what was asked of it, for `mynah inspect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointCount {
    /// Method and template; it has a host where the recording has several.
    pub endpoint: Endpoint,
    /// The host as the requests name it.
    pub host: String,
    /// Requests.
    pub requests: u64,
    /// Responses by status; requests without a response are not among them.
    pub status: BTreeMap<u16, u64>,
}

/// Counts a recording's requests by endpoint (nothing is filtered out), most frequent first.
///
/// # Errors
/// When the recording cannot be read.
pub fn endpoints(open: &Open<'_>, options: &Options) -> Result<Vec<EndpointCount>, Error> {
    let scan = Scan::read(open, options)?;
    let with_request = |number: &usize| !scan.methods.text(scan.records[*number].method).is_empty();
    let all: Vec<u32> = (0..scan.records.len()).filter(with_request).map(|number| number as u32).collect();
    let table = Table::build(&scan, &all, options);
    let mut counts: BTreeMap<(u32, u32), (u64, BTreeMap<u16, u64>)> = BTreeMap::new();
    for &number in &all {
        let record = &scan.records[number as usize];
        let count = counts.entry((table.of(number), record.host)).or_default();
        count.0 += 1;
        if record.status != 0 {
            *count.1.entry(record.status).or_default() += 1;
        }
    }
    let mut found: Vec<EndpointCount> = counts
        .into_iter()
        .filter_map(|((endpoint, host), (requests, status))| {
            Some(EndpointCount {
                endpoint: table.endpoints.get(endpoint as usize)?.clone(),
                host: scan.hosts.text(host).to_owned(),
                requests,
                status,
            })
        })
        .collect();
    found.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.endpoint.cmp(&b.endpoint)));
    Ok(found)
}

/// The endpoints of a set of exchanges, and which exchange is of which.
pub(crate) struct Table {
    pub(crate) endpoints: Vec<Endpoint>,
    /// By endpoint.
    pub(crate) requests: Vec<u64>,
    by_request: Map<Key, u32>,
    keys: Vec<Key>,
    /// What the user's templates came to, and what had to be cut, for people.
    pub(crate) warnings: Vec<String>,
}

/// What requests have in common: method, host, path, operation.
type Key = (u32, u32, u32, u32);

/// What a path segment that is a value by its form is called in a template: `id`, `uuid`, `token`, …; `None` for words, and for what
/// may as well be one. For who sees requests one by one and cannot wait for the whole recording.
pub fn segment_name(segment: &str) -> Option<&'static str> {
    kind::kind(segment).filter(|kind| kind.is_certain()).map(kind::Kind::name)
}

/// Operations of one path, above which they are values and no names.
const OPERATIONS: usize = 200;

/// What the place is called under which endpoints count that are too many.
const REST: &str = "rest";

fn is_rest(endpoint: &Endpoint) -> bool {
    matches!(endpoint.template.segments(), [mynah_traffic::endpoint::Segment::Rest(name)] if name == REST)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

impl Table {
    /// Builds the table from the records with these numbers.
    pub(crate) fn build(scan: &Scan, numbers: &[u32], options: &Options) -> Table {
        let mut operations: Map<(u32, u32), Set<u32>> = Map::default();
        for record in &scan.records {
            operations.entry((record.host, record.path)).or_default().insert(record.operation);
        }
        let key = |record: &Record| {
            let known = operations.get(&(record.host, record.path)).map_or(0, Set::len);
            let operation = if known > OPERATIONS { NO_OPERATION } else { record.operation };
            (record.method, record.host, record.path, operation)
        };
        let mut requests: Map<Key, u64> = Map::default();
        for &number in numbers {
            *requests.entry(key(&scan.records[number as usize])).or_default() += 1;
        }
        let keys = scan.records.iter().map(key).collect();
        let hosts: Set<u32> = requests.keys().map(|(_, host, ..)| *host).collect();
        let several_hosts = hosts.len() > 1;
        let mut thresholds = Some(Thresholds::default());
        let mut table = Table {
            endpoints: Vec::new(),
            requests: Vec::new(),
            by_request: Map::default(),
            keys,
            warnings: Vec::new(),
        };
        while let Some(now) = thresholds {
            table.assign(scan, &requests, several_hosts, now, options);
            if table.endpoints.len() <= options.max_endpoints {
                table.warnings = table.unmatched(options);
                return table;
            }
            thresholds = now.harder();
        }
        table.warnings = table.unmatched(options);
        let found = table.endpoints.len();
        table.cut(options.max_endpoints);
        let rest: u64 = table
            .endpoints
            .iter()
            .zip(&table.requests)
            .filter(|(endpoint, _)| is_rest(endpoint))
            .map(|(_, n)| n)
            .sum();
        table.warnings.push(format!(
            "{found} endpoints are too many: the {} that are asked for most are kept, and {rest} requests count under /{{*{REST}}}; \
             templates of your own (--endpoint) fold them better",
            options.max_endpoints
        ));
        table
    }

    /// The user's templates that no request fits, each with the endpoint that is most like it.
    fn unmatched(&self, options: &Options) -> Vec<String> {
        let known: Vec<String> = self.endpoints.iter().map(ToString::to_string).collect();
        let unmatched = options.templates.iter().filter(|template| !self.endpoints.contains(template));
        unmatched
            .map(|template| {
                let text = template.to_string();
                let near = mynah_traffic::nearest(&text, known.iter().map(String::as_str));
                let near =
                    near.map_or_else(String::new, |near| format!("; the nearest endpoint is '{near}'"));
                format!("no request fits the endpoint '{text}'{near}")
            })
            .collect()
    }

    /// The endpoint of the record with this number; it must be one of those that the table was built from.
    pub(crate) fn of(&self, number: u32) -> u32 {
        self.keys.get(number as usize).and_then(|key| self.by_request.get(key)).copied().unwrap_or(0)
    }

    fn assign(
        &mut self,
        scan: &Scan,
        requests: &Map<Key, u64>,
        several_hosts: bool,
        thresholds: Thresholds,
        options: &Options,
    ) {
        let own = |&(method, host, path, operation): &Key| {
            let (method, host, path) =
                (scan.methods.text(method), scan.hosts.text(host), scan.paths.text(path));
            let done = scan.operations.text(operation).split_once('=');
            let template = options
                .templates
                .iter()
                .filter(|template| template.matches(method, host, path))
                .filter(|template| template.template.operation().is_none_or(|own| Some(own) == done))
                .max_by_key(|template| {
                    (template.template.literals(), template.template.operation().is_some())
                })?;
            Some(template.clone())
        };
        let mut tries: Map<u32, Node> = Map::default();
        for (key, &count) in requests {
            if own(key).is_none() {
                tries.entry(key.1).or_default().add(segments(scan.paths.text(key.2)), count);
            }
        }
        for trie in tries.values_mut() {
            trie.fold(0, &thresholds);
        }
        let mut named: Vec<(Endpoint, Key, u64)> = requests
            .iter()
            .map(|(key, &count)| {
                let &(method, host, path, operation) = key;
                let endpoint = own(key).unwrap_or_else(|| {
                    let template = tries.get(&host).map_or_else(
                        || Template::literal("/"),
                        |trie| trie.template(segments(scan.paths.text(path))),
                    );
                    Endpoint {
                        method: scan.methods.text(method).to_owned(),
                        host: several_hosts.then(|| scan.hosts.text(host).to_owned()),
                        template: match scan.operations.text(operation).split_once('=') {
                            Some((name, value)) => template.with_operation(name, value),
                            None => template,
                        },
                    }
                });
                (endpoint, *key, count)
            })
            .collect();
        named.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
        self.endpoints.clear();
        self.requests.clear();
        self.by_request.clear();
        for (endpoint, key, count) in named {
            if self.endpoints.last() != Some(&endpoint) {
                self.endpoints.push(endpoint);
                self.requests.push(0);
            }
            let number = self.endpoints.len() as u32 - 1;
            self.requests[number as usize] += count;
            self.by_request.insert(key, number);
        }
    }

    /// Keeps the endpoints that are asked for most; the others become one for each method and host.
    fn cut(&mut self, most: usize) {
        let mut order: Vec<usize> = (0..self.endpoints.len()).collect();
        order.sort_by_key(|&number| (std::cmp::Reverse(self.requests[number]), number));
        let methods: Set<(&str, Option<&str>)> = self
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.method.as_str(), endpoint.host.as_deref()))
            .collect();
        let keep = most.saturating_sub(methods.len()).max(1);
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut requests: Vec<u64> = Vec::new();
        let mut moved: Vec<u32> = vec![0; self.endpoints.len()];
        let mut rests: Map<Endpoint, u32> = Map::default();
        for (place, number) in order.into_iter().enumerate() {
            let old = &self.endpoints[number];
            let new = if place < keep {
                endpoints.push(old.clone());
                requests.push(0);
                endpoints.len() as u32 - 1
            } else {
                let rest = Endpoint {
                    template: Template::new(vec![mynah_traffic::endpoint::Segment::Rest(REST.to_owned())]),
                    ..old.clone()
                };
                *rests.entry(rest.clone()).or_insert_with(|| {
                    endpoints.push(rest);
                    requests.push(0);
                    endpoints.len() as u32 - 1
                })
            };
            requests[new as usize] += self.requests[number];
            moved[number] = new;
        }
        for number in self.by_request.values_mut() {
            *number = moved[*number as usize];
        }
        self.endpoints = endpoints;
        self.requests = requests;
    }
}
