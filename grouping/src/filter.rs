//! What is left out of a scenario, and why. Nothing is left out without being counted.

use std::fmt;

use mynah_message::{Head, Target};
use mynah_traffic::{Exchange, Flag};

use crate::Options;
use crate::hash::Map;
use crate::scan::{Record, Scan};

/// Why an exchange is no step of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftOut {
    /// Only the response was seen.
    NoRequest,
    /// The request's head cannot be read.
    Unreadable,
    /// The request's body is not all there: cut off, or withheld by masking.
    BodyMissing,
    /// A tunnel.
    Connect,
    /// The connection left HTTP.
    Upgrade,
    /// A browser's question whether it may ask another origin; replay needs no permission.
    Preflight,
    /// A probe of a load balancer or orchestrator.
    HealthCheck,
    /// Style sheets, scripts, images, fonts, media.
    Static,
    /// Another site than the one that was visited.
    ThirdParty,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeftOut::NoRequest => "responses without a request",
            LeftOut::Unreadable => "requests whose head cannot be read",
            LeftOut::BodyMissing => "requests whose body is not complete",
            LeftOut::Connect => "CONNECT tunnels",
            LeftOut::Upgrade => "upgrades (WebSocket and the like)",
            LeftOut::Preflight => "CORS pre-flights",
            LeftOut::HealthCheck => "health checks",
            LeftOut::Static => "static assets (--keep-static keeps them)",
            LeftOut::ThirdParty => "requests to third-party hosts",
        })
    }
}

const STATIC_EXTENSIONS: [&str; 34] = [
    "css",
    "js",
    "mjs",
    "map",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "ico",
    "webp",
    "avif",
    "bmp",
    "cur",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "mp4",
    "webm",
    "ogg",
    "mp3",
    "wav",
    "m4a",
    "m4s",
    "ts",
    "mov",
    "swf",
    "wasm",
    "webmanifest",
    "less",
    "scss",
    "apng",
];
const PROBES: [&str; 9] = [
    "kube-probe",
    "elb-healthchecker",
    "googlehc",
    "prometheus/",
    "consul health",
    "haproxy health",
    "uptimerobot",
    "pingdom",
    "blackbox",
];
const HEALTH_PATHS: [&str; 9] = [
    "/healthz",
    "/readyz",
    "/livez",
    "/health",
    "/_health",
    "/healthcheck",
    "/health_check",
    "/-/healthy",
    "/-/ready",
];

/// Decides on one exchange by itself; which hosts are third parties shows only when all have been seen.
pub(crate) fn decide(exchange: &Exchange, head: &Head<'_>, options: &Options) -> Option<LeftOut> {
    let method = head.method().unwrap_or_default();
    if method.eq_ignore_ascii_case("CONNECT") {
        return Some(LeftOut::Connect);
    }
    if exchange.flags.has(Flag::Upgraded) || exchange.status() == Some(101) {
        return Some(LeftOut::Upgrade);
    }
    if method == "OPTIONS" && head.get("access-control-request-method").is_some() {
        return Some(LeftOut::Preflight);
    }
    let body = exchange.request.as_ref().map_or(0, |request| request.body.len() as u64);
    // A chunked body that was cut shows in the flags only, which are of the exchange: a response that was cut is fine.
    let cut = exchange.response.is_none()
        && [Flag::Truncated, Flag::Gap].iter().any(|&flag| exchange.flags.has(flag))
        && head.is_chunked();
    if !head.is_chunked() && head.content_length().is_some_and(|length| length > body) || cut {
        return Some(LeftOut::BodyMissing);
    }
    let path = head.target().map_or("", |target| Target::parse(target).path);
    let agent = head.get("user-agent").unwrap_or_default().to_ascii_lowercase();
    if !options.keep_health_checks
        && (PROBES.iter().any(|probe| agent.contains(probe))
            || matches!(method, "GET" | "HEAD") && HEALTH_PATHS.contains(&path))
    {
        return Some(LeftOut::HealthCheck);
    }
    (!options.keep_static && matches!(method, "GET" | "HEAD") && is_static(exchange, head, path))
        .then_some(LeftOut::Static)
}

fn is_static(exchange: &Exchange, head: &Head<'_>, path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    if let Some((_, extension)) = file.rsplit_once('.')
        && STATIC_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    {
        return true;
    }
    let Some(media) = exchange.response_head().and_then(|response| response.content_type()) else {
        return false;
    };
    // A script that is asked for with parameters may well be data (JSONP).
    let asked = head.target().is_some_and(|target| target.contains('?'));
    match media.media_type.as_str() {
        "text/css" => true,
        "text/javascript" | "application/javascript" | "application/x-javascript" => !asked,
        other => ["image/", "font/", "video/", "audio/"].iter().any(|kind| other.starts_with(kind)),
    }
}

/// The part of a host name that its owner registered, roughly: two labels, three where the second is short (`co.uk`).
fn site(host: &str) -> &str {
    let name = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or(host) };
    if name.starts_with('[') || name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return name;
    }
    let labels: Vec<&str> = name.rsplit('.').collect();
    let take = match labels.as_slice() {
        [top, second, _, ..] if top.len() == 2 && second.len() <= 3 => 3,
        _ => 2,
    };
    let length = labels.iter().take(take).map(|label| label.len() + 1).sum::<usize>().saturating_sub(1);
    name.get(name.len().saturating_sub(length)..).unwrap_or(name)
}

/// Marks what went to other sites than the one visited, source by source. Only where the source says which client it
/// was (a HAR): a network capture was already narrowed down to the hosts of interest by where it was taken.
pub(crate) fn third_parties(scan: &mut Scan) {
    // Documents say best which site was visited: most requests may well go to a content network.
    let mut score: Map<(u64, u32), u64> = Map::default();
    for record in &scan.records {
        if let Some(hint) = record.hint
            && replayable(record)
        {
            *score.entry((hint, record.host)).or_default() += if record.document { 20 } else { 1 };
        }
    }
    let mut best: Map<u64, (u64, u32)> = Map::default();
    for (&(hint, host), &points) in &score {
        let first = best.entry(hint).or_insert((points, host));
        if points > first.0 || points == first.0 && host < first.1 {
            *first = (points, host);
        }
    }
    let mains: Vec<String> = best.values().map(|&(_, host)| site(scan.hosts.text(host)).to_owned()).collect();
    let own: Vec<bool> = (0..scan.hosts.len())
        .map(|host| mains.iter().any(|main| main == site(scan.hosts.text(host as u32))))
        .collect();
    for record in &mut scan.records {
        if record.hint.is_some() && replayable(record) && !own.get(record.host as usize).unwrap_or(&true) {
            record.left_out = Some(LeftOut::ThirdParty);
        }
    }
}

/// Whether it could be sent again as far as its own content goes.
fn replayable(record: &Record) -> bool {
    matches!(record.left_out, None | Some(LeftOut::Static))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Traffic;

    #[test]
    fn sites() {
        assert_eq!(site("www.shop.example:8080"), "shop.example");
        assert_eq!(site("a.b.shop.co.uk"), "shop.co.uk");
        assert_eq!(site("10.0.0.1:80"), "10.0.0.1");
        assert_eq!(site("[::1]:80"), "[::1]:80");
        assert_eq!(site("localhost"), "localhost");
    }

    #[test]
    fn what_is_left_out_and_what_stays() {
        let left = |request: &str, response: &str| {
            let mut traffic = Traffic::new();
            traffic.raw(1, request, response);
            let exchange = traffic.exchanges.remove(0);
            let head = exchange.request_head().unwrap();
            decide(&exchange, &head, &Options::default())
        };
        let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
        let request = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
        for (line, more, response, wanted) in [
            ("GET /", "", html, None),
            ("GET /a.css?v=1", "", html, Some(LeftOut::Static)),
            ("GET /logo", "", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n", Some(LeftOut::Static)),
            ("GET /cb?c=x", "", "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n\r\n", None),
            ("POST /a.js", "", html, None),
            ("CONNECT a:443", "", html, Some(LeftOut::Connect)),
            ("GET /ws", "Upgrade: websocket\r\n", "HTTP/1.1 101 Switching\r\n\r\n", Some(LeftOut::Upgrade)),
            ("OPTIONS /api", "Access-Control-Request-Method: PUT\r\n", html, Some(LeftOut::Preflight)),
            ("OPTIONS /api", "", html, None),
            ("GET /healthz", "", html, Some(LeftOut::HealthCheck)),
            ("GET /ping", "User-Agent: kube-probe/1.29\r\n", html, Some(LeftOut::HealthCheck)),
            ("POST /form", "Content-Length: 9\r\n", html, Some(LeftOut::BodyMissing)),
        ] {
            assert_eq!(left(&request(line, more), response), wanted, "{line}");
        }
    }
}
