//! What is left out of a scenario, and why. Nothing is left out without being counted.

use std::fmt;

use mynah_message::{Head, Target};
use mynah_traffic::{Exchange, Flag};

use crate::Options;
use crate::hash::{Map, Set};
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
    /// A program that says it is one, or that asks for `/robots.txt`: a search engine's crawler, a preview, a scanner.
    Bot,
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
            LeftOut::HealthCheck => {
                "health checks (by path, by agent, or a client that asks for one thing like clockwork)"
            }
            LeftOut::Bot => "requests of crawlers and other bots",
            LeftOut::Static => "static assets",
            LeftOut::ThirdParty => "requests to third-party hosts",
        })
    }
}

impl LeftOut {
    /// A short name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            LeftOut::NoRequest => "no_request",
            LeftOut::Unreadable => "unreadable",
            LeftOut::BodyMissing => "body_missing",
            LeftOut::Connect => "connect",
            LeftOut::Upgrade => "upgrade",
            LeftOut::Preflight => "preflight",
            LeftOut::HealthCheck => "health_check",
            LeftOut::Bot => "bot",
            LeftOut::Static => "static",
            LeftOut::ThirdParty => "third_party",
        }
    }

    /// The flag that keeps them, where there is one.
    pub fn keep(self) -> Option<&'static str> {
        match self {
            LeftOut::HealthCheck => Some("--keep-health-checks"),
            LeftOut::Bot => Some("--keep-bots"),
            LeftOut::Static => Some("--keep-static"),
            LeftOut::ThirdParty => Some("--keep-third-party"),
            _ => None,
        }
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

/// What crawlers, previews and scanners call themselves, or have in common (`+http…`: where to read about them). Libraries
/// such as `okhttp` are not among them: an application's own clients use them.
const BOTS: [&str; 19] = [
    "+http",
    "googlebot",
    "google-inspectiontool",
    "bingbot",
    "slurp",
    "duckduckbot",
    "baiduspider",
    "yandexbot",
    "applebot",
    "ahrefsbot",
    "semrushbot",
    "bytespider",
    "facebookexternalhit",
    "crawler",
    "spider",
    "nuclei",
    "zgrab",
    "masscan",
    "nikto",
];
/// Requests for the same thing from which on a client that asks for nothing else may be a probe.
const PROBED: usize = 20;
/// Share of the pauses that are within a tenth of the middle one, for a client like clockwork.
const CLOCKWORK: f64 = 0.9;
/// Pauses of a probe, in nanoseconds: from a second to five minutes.
const PAUSES: std::ops::RangeInclusive<u64> = 1_000_000_000..=300_000_000_000;

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
    if !options.keep_bots && (path == "/robots.txt" || BOTS.iter().any(|bot| agent.contains(bot))) {
        return Some(LeftOut::Bot);
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

/// Marks what clients give away by what they do: no browser asks for `/robots.txt`, and nobody asks for one and the same
/// thing like clockwork. Clients are told apart by address and fingerprint.
pub(crate) fn by_behaviour(scan: &mut Scan, options: &Options) {
    let robots = scan.paths.find("/robots.txt");
    let mut crawlers: Set<u64> = Set::default();
    // Client → what it asked for when, until that is two things.
    let mut only: Map<u64, Option<(u32, Vec<u64>)>> = Map::default();
    for record in &scan.records {
        if Some(record.path) == robots && record.fingerprinted {
            crawlers.insert(record.client);
        }
        if replayable(record) {
            let known = only.entry(record.client).or_insert_with(|| Some((record.path, Vec::new())));
            match known {
                Some((path, starts)) if *path == record.path => starts.push(record.start.0),
                _ => *known = None,
            }
        }
    }
    let safe: Vec<bool> = (0..scan.methods.len())
        .map(|method| matches!(scan.methods.text(method as u32), "GET" | "HEAD"))
        .collect();
    only.retain(|_, asked| asked.as_mut().is_some_and(|(_, starts)| is_clockwork(starts)));
    // Where most of it is like clockwork it is what was to be recorded.
    let (mut all, mut regular) = (0_u64, 0_u64);
    for record in scan.records.iter().filter(|record| replayable(record)) {
        all += 1;
        regular += u64::from(only.contains_key(&record.client));
    }
    if regular * 2 > all {
        only.clear();
    }
    for record in &mut scan.records {
        if !replayable(record) {
            continue;
        }
        let anonymous = record.sent.is_empty() && record.authorization.is_none();
        let safe = safe.get(record.method as usize).copied().unwrap_or(false);
        if !options.keep_bots && crawlers.contains(&record.client) {
            record.left_out = Some(LeftOut::Bot);
        } else if !options.keep_health_checks && anonymous && safe && only.contains_key(&record.client) {
            record.left_out = Some(LeftOut::HealthCheck);
        }
    }
}

fn is_clockwork(starts: &mut [u64]) -> bool {
    if starts.len() < PROBED {
        return false;
    }
    starts.sort_unstable();
    let mut pauses: Vec<u64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    pauses.sort_unstable();
    let middle = pauses[pauses.len() / 2];
    let near = pauses.iter().filter(|pause| pause.abs_diff(middle) * 10 <= middle).count();
    PAUSES.contains(&middle) && near as f64 >= CLOCKWORK * pauses.len() as f64
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
            ("GET /a", "User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1)\r\n", html, Some(LeftOut::Bot)),
            ("GET /a", "User-Agent: okhttp/4.12.0\r\n", html, None),
            ("GET /robots.txt", "", html, Some(LeftOut::Bot)),
            ("POST /form", "Content-Length: 9\r\n", html, Some(LeftOut::BodyMissing)),
        ] {
            assert_eq!(left(&request(line, more), response), wanted, "{line}");
        }
    }

    #[test]
    fn what_clients_do_gives_them_away() {
        let mut traffic = Traffic::new();
        let agent = |name: &str| format!("User-Agent: {name}\r\n");
        for n in 0..30_u64 {
            traffic.now = 1_000_000 + n * 10_000 + n % 3 * 100;
            traffic.ask(1, "GET /status-page", &agent("probe"), "");
            traffic.now += n * 7_919 % 9_000;
            traffic.ask(1, "GET /news", &agent("reader"), "");
            traffic.now += 40;
            traffic.ask(1, "GET /news", &agent("fetcher"), "");
        }
        traffic.ask(1, "GET /robots.txt", &agent("fetcher"), "");
        let left = |options: &Options| {
            let scan = Scan::read(&traffic.open(), options).unwrap();
            let mut counts = std::collections::BTreeMap::new();
            for record in &scan.records {
                *counts.entry(record.left_out).or_insert(0) += 1;
            }
            counts
        };
        assert_eq!(
            left(&Options::default()).into_iter().collect::<Vec<_>>(),
            [(None, 30), (Some(LeftOut::HealthCheck), 30), (Some(LeftOut::Bot), 31)]
        );
        let keep = Options { keep_bots: true, keep_health_checks: true, ..Options::default() };
        assert_eq!(left(&keep).into_iter().collect::<Vec<_>>(), [(None, 91)]);
    }
}
