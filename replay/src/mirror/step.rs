//! From a captured request to a step that the engine plays.

use std::collections::HashMap;

use mynah_message::{Head, Limits, Locator, Message, Target as RequestTarget, View};
use mynah_traffic::Endpoint;
use mynah_traffic::scenario::{EndpointEntry, Injection, Scenario, Source, Span};

use super::session::Handed;
use super::{Item, MirrorOptions};
use crate::engine::Setup;
use crate::prepared::{NotHttp, Plan, StepPlan};
use crate::template::{Names, compile};
use crate::{Error, Options, Target};

/// The name of what all mirrored sessions are counted as.
const PROFILE: &str = "mirrored";

/// The scenario that a mirror plays: correlations and endpoints of the user's, and one step for each place that requests go to, so
/// that these are known.
pub(super) fn scenario(given: Option<&Scenario>, options: &MirrorOptions) -> Result<Scenario, Error> {
    let mapped = options.send.map.iter().map(|(host, _)| format!("GET http://{host}/"));
    let places = options.send.target.iter().map(|_| "GET /".to_owned()).chain(mapped);
    let steps: Vec<String> = places.map(|place| format!("[[profile.step]]\nrequest = {place:?}\n")).collect();
    let steps = steps.concat();
    let text =
        format!("version = 1\nname = \"mirror\"\n[[profile]]\nname = \"{PROFILE}\"\nweight = 1\n{steps}");
    let mut scenario = Scenario::parse(&text, "mirror")?;
    let mut endpoints = options.endpoints.clone();
    for threshold in &options.send.thresholds {
        // What a threshold is about is an endpoint of the user's own, so that it is counted from the start.
        endpoints.extend(threshold.endpoint.as_ref().and_then(|text| text.parse::<Endpoint>().ok()));
    }
    if let Some(given) = given {
        scenario.name.clone_from(&given.name);
        scenario.recorded.clone_from(&given.recorded);
        scenario.correlations.clone_from(&given.correlations);
        endpoints.extend(given.endpoints.iter().map(|entry| entry.endpoint.clone()));
        let sites = given.correlations.iter().flat_map(|one| one.from.iter().chain(&one.to));
        endpoints.extend(sites.map(|site| site.endpoint.clone()));
    }
    for endpoint in endpoints {
        if !scenario.endpoints.iter().any(|known| known.endpoint == endpoint) {
            scenario.endpoints.push(EndpointEntry { endpoint, requests: None });
        }
    }
    Ok(scenario)
}

/// Which place a request goes to, by its host: the number of the plan's origin.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Whether there is a place for hosts that are not mapped; it is the first one.
    any: bool,
    mapped: Vec<String>,
}

impl Hosts {
    pub(super) fn of(options: &Options) -> Hosts {
        let mapped = options.map.iter().map(|(host, _)| host.to_ascii_lowercase()).collect();
        Hosts { any: options.target.is_some(), mapped }
    }

    /// `None`: nowhere.
    pub(super) fn origin(&self, host: &str) -> Option<u32> {
        let mapped = self.mapped.iter().position(|known| known == host);
        match mapped {
            Some(at) => Some((at + usize::from(self.any)) as u32),
            None => self.any.then_some(0),
        }
    }
}

/// Which values go where, by number of the endpoint.
#[derive(Debug, Default)]
pub(super) struct Injecting(HashMap<u32, Vec<Place>>);

#[derive(Debug)]
struct Place {
    correlation: u32,
    at: Locator,
    format: Option<String>,
}

impl Injecting {
    pub(super) fn of(plan: &Plan) -> Injecting {
        let mut places: HashMap<u32, Vec<Place>> = HashMap::new();
        let enabled = plan.scenario.correlations.iter().filter(|one| one.enabled);
        for (correlation, number) in enabled.zip(0..) {
            for site in &correlation.to {
                let Some(endpoint) = plan.endpoints.find(&site.endpoint.to_string()) else { continue };
                places.entry(endpoint).or_default().push(Place {
                    correlation: number,
                    at: site.at.clone(),
                    format: correlation.format.clone(),
                });
            }
        }
        Injecting(places)
    }

    /// The places of a request at which stands what production handed out in this session: there the target's own goes.
    fn find(&self, item: &Item, plan: &Plan, handed: &[Handed]) -> Vec<Injection> {
        let Some(places) = self.0.get(&item.endpoint).filter(|_| !handed.is_empty()) else {
            return Vec::new();
        };
        let view = View::open(&item.request, &Limits::default()).or_else(|_| View::open_head(&item.request));
        let Ok(view) = view else { return Vec::new() };
        let mut found: Vec<Injection> = Vec::new();
        for place in places {
            let Some(name) = plan.correlations.get(place.correlation as usize) else { continue };
            let Some(handed) = handed.iter().find(|handed| handed.correlation == place.correlation) else {
                continue;
            };
            for leaf in view.find(&place.at) {
                let Some(index) = leaf.text().and_then(|text| handed.find(bare(text, place))) else {
                    continue;
                };
                if found.iter().any(|known| known.at == leaf.locator) {
                    continue;
                }
                found.push(Injection {
                    at: leaf.locator.clone(),
                    source: Source::Correlation { name: name.clone(), index },
                    format: place.format.clone(),
                    required: false,
                });
            }
        }
        found
    }
}

/// The value without the text around it.
fn bare<'t>(text: &'t str, place: &Place) -> &'t str {
    let Some((before, after)) = place.format.as_deref().and_then(|format| format.split_once("{}")) else {
        return text;
    };
    text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or(text)
}

/// The step that sends an item, in a session to which production has handed out these values.
pub(super) fn step(item: &Item, setup: &Setup, injecting: &Injecting, handed: &[Handed]) -> StepPlan {
    let plan = &setup.plan;
    let injections = injecting.find(item, plan, handed);
    let names = Names { correlations: &plan.correlations, ..Names::default() };
    let place = setup.place_of.get(item.origin as usize).and_then(|at| setup.places.get(*at));
    let request = match place {
        Some(place) => retarget(&item.request, &item.host, &place.target),
        None => item.request.clone(),
    };
    let path = Head::parse(&request.head)
        .ok()
        .and_then(|head| head.target().map(|target| RequestTarget::parse(target).path.to_owned()));
    StepPlan {
        endpoint: item.endpoint,
        site: item.endpoint,
        origin: item.origin,
        connection: 0,
        waits_for: None,
        think: Span::default(),
        template: compile(&request, &injections, &names, &mut |_| {}).map_err(NotHttp::Unsendable),
        expect: item.expect.clone(),
        asks: None,
        shapes: 0,
        path: path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned()),
        cookie_path: None,
        inline: false,
        body_bytes: u32::try_from(request.body.len()).unwrap_or(u32::MAX),
    }
}

/// Puts the target in the place of the server's own URL in `Origin` and `Referer`. Whether that is http or https is not asked: what
/// was plain where it was captured may have been TLS for the client.
fn retarget(request: &Message, host: &str, target: &Target) -> Message {
    let Ok(head) = Head::parse(&request.head) else { return request.clone() };
    let mut out = Vec::new();
    let mut done = 0;
    for field in head.fields().filter(|field| field.is("origin") || field.is("referer")) {
        let Some(value) = request.head.get(field.value_span.clone()) else { continue };
        let Some(site) = site_len(value, host) else { continue };
        let begin = field.value_span.start;
        out.extend_from_slice(request.head.get(done..begin).unwrap_or(&[]));
        out.extend_from_slice(target.origin().as_bytes());
        if field.is("referer") {
            out.extend_from_slice(target.base_path.as_bytes());
        }
        done = begin + site;
    }
    if done == 0 {
        return request.clone();
    }
    out.extend_from_slice(request.head.get(done..).unwrap_or(&[]));
    Message { head: out.into(), body: request.body.clone(), trailers: request.trailers.clone() }
}

/// How long scheme and host at the beginning of a URL are, where the host is this one.
fn site_len(url: &[u8], host: &str) -> Option<usize> {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme.as_bytes()))
    })?;
    let end = scheme.len() + host.len();
    let own = url.get(scheme.len()..end)?.eq_ignore_ascii_case(host.as_bytes());
    (own && !host.is_empty() && matches!(url.get(end), None | Some(b'/' | b'?' | b'#'))).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_urls_become_the_targets() {
        let target: Target = "https://staging.test/base".parse().unwrap();
        let head = |origin: &str, referer: &str| Message {
            head: format!("POST /a HTTP/1.1\r\nOrigin: {origin}\r\nX: y\r\nReferer: {referer}\r\n\r\n")
                .into(),
            ..Message::default()
        };
        let sent = retarget(&head("https://Shop.test", "http://shop.test/a?b"), "shop.test", &target);
        assert_eq!(sent.head, head("https://staging.test", "https://staging.test/base/a?b").head);
        for other in ["https://shop.test.evil", "https://other.test", "null", "http://"] {
            let kept = head(other, "/a");
            assert_eq!(retarget(&kept, "shop.test", &target).head, kept.head, "{other}");
        }
    }

    #[test]
    fn hosts_go_where_they_are_mapped() {
        let target = |text: &str| text.parse::<Target>().unwrap();
        let mut options = Options {
            target: Some(target("http://a.test")),
            map: vec![("api.test".to_owned(), target("http://b.test"))],
            ..Options::default()
        };
        let hosts = Hosts::of(&options);
        assert_eq!((hosts.origin("api.test"), hosts.origin("x.test")), (Some(1), Some(0)));
        options.target = None;
        let hosts = Hosts::of(&options);
        assert_eq!((hosts.origin("api.test"), hosts.origin("x.test")), (Some(0), None));
    }
}
