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
use crate::scan::Scan;
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
    by_request: Map<(u32, u32, u32), u32>,
    keys: Vec<(u32, u32, u32)>,
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

impl Table {
    /// Builds the table from the records with these numbers.
    pub(crate) fn build(scan: &Scan, numbers: &[u32], options: &Options) -> Table {
        let mut requests: Map<(u32, u32, u32), u64> = Map::default();
        for &number in numbers {
            let record = &scan.records[number as usize];
            *requests.entry((record.method, record.host, record.path)).or_default() += 1;
        }
        let keys = scan.records.iter().map(|record| (record.method, record.host, record.path)).collect();
        let hosts: Set<u32> = requests.keys().map(|(_, host, _)| *host).collect();
        let several_hosts = hosts.len() > 1;
        let mut thresholds = Some(Thresholds::default());
        let mut table =
            Table { endpoints: Vec::new(), requests: Vec::new(), by_request: Map::default(), keys };
        while let Some(now) = thresholds {
            table.assign(scan, &requests, several_hosts, now, options);
            if table.endpoints.len() <= options.max_endpoints {
                return table;
            }
            thresholds = now.harder();
        }
        table.cut(options.max_endpoints);
        table
    }

    /// The endpoint of the record with this number; it must be one of those that the table was built from.
    pub(crate) fn of(&self, number: u32) -> u32 {
        self.keys.get(number as usize).and_then(|key| self.by_request.get(key)).copied().unwrap_or(0)
    }

    fn assign(
        &mut self,
        scan: &Scan,
        requests: &Map<(u32, u32, u32), u64>,
        several_hosts: bool,
        thresholds: Thresholds,
        options: &Options,
    ) {
        let own = |method: u32, host: u32, path: u32| {
            let (method, host, path) =
                (scan.methods.text(method), scan.hosts.text(host), scan.paths.text(path));
            options
                .templates
                .iter()
                .filter(|template| template.matches(method, host, path))
                .max_by_key(|template| template.template.literals())
        };
        let mut tries: Map<u32, Node> = Map::default();
        for (&(method, host, path), &count) in requests {
            if own(method, host, path).is_none() {
                tries.entry(host).or_default().add(segments(scan.paths.text(path)), count);
            }
        }
        for trie in tries.values_mut() {
            trie.fold(0, &thresholds);
        }
        let mut named: Vec<(Endpoint, (u32, u32, u32), u64)> = requests
            .iter()
            .map(|(&(method, host, path), &count)| {
                let endpoint = own(method, host, path).cloned().unwrap_or_else(|| Endpoint {
                    method: scan.methods.text(method).to_owned(),
                    host: several_hosts.then(|| scan.hosts.text(host).to_owned()),
                    template: tries.get(&host).map_or_else(
                        || Template::literal("/"),
                        |trie| trie.template(segments(scan.paths.text(path))),
                    ),
                });
                (endpoint, (method, host, path), count)
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
                    template: Template::new(vec![mynah_traffic::endpoint::Segment::Rest("rest".to_owned())]),
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
