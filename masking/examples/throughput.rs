//! How fast masking is by processor time, one core: learn, mask, audit, each by itself and together.
//!
//! Makes its own traffic (seeded, so that two runs see the same bytes): requests of signed-in users against a JSON API, some of
//! them for HTML pages. Or reads the exchanges of an unmasked recording. Counts heads and decoded bodies, and says what share of
//! the bodies' bytes had been there before: every response is another one unless `--repeat` says how many of them show one
//! of a hundred catalogue pages that are the same for all visitors.
//! `--stream 0` leaves out the same read once, which is no part of what is taken together. `--heads 1` takes the bodies away, so
//! that what is measured is heads.
//! Usage: `throughput [--megabytes N] [--gzip PERCENT] [--html PERCENT] [--repeat PERCENT] [--seed N] [--stream 0|1]
//! [--heads 0|1] [--recording FILE]`

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use mynah_masking::{Key, Learner, Policy, Stream};
use mynah_message::{Coding, Limits, Message, View, encode_content};
use mynah_traffic::Exchange;
use mynah_traffic::recording::Reader;
use rustix::time::{ClockId, clock_gettime};

struct Options {
    megabytes: u64,
    gzip: u64,
    html: u64,
    repeat: u64,
    seed: u64,
    stream: u64,
    heads: u64,
    recording: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    let mut exchanges = match &options.recording {
        Some(path) => repeated(read(path)?, options.megabytes << 20),
        None => Traffic::new(&options).exchanges(options.megabytes << 20),
    };
    if options.heads > 0 {
        for message in exchanges.iter_mut().flat_map(|e| [&mut e.request, &mut e.response]).flatten() {
            message.body.clear();
        }
    }
    let megabytes = exchanges.iter().map(size).sum::<u64>() as f64 / 1e6;
    println!(
        "{} exchanges, {megabytes:.1} MB of heads and decoded bodies, {:.1} % of the bodies' bytes a repetition",
        exchanges.len(),
        repetition(&exchanges)
    );

    let mut learner = Learner::new(Policy::built_in(), Key::from([7; 32]));
    let learn = timed(|| exchanges.iter().for_each(|exchange| learner.learn(exchange)));
    let mut masker = None;
    let index = timed(|| masker = Some(learner.finish()));
    let Some(mut masker) = masker else { return Ok(()) };
    // A few at a time, as they would be written: what was masked is checked and forgotten.
    let (mut mask, mut audit) = (Duration::ZERO, Duration::ZERO);
    let mut digest = Digest::default();
    let mut auditor = masker.auditor();
    for some in exchanges.chunks(256) {
        // Cloning a message counts references: the bytes are shared.
        let copies = some.to_vec();
        let mut masked = Vec::with_capacity(copies.len());
        mask += timed(|| masked.extend(copies.into_iter().filter_map(|exchange| masker.mask(exchange))));
        audit += timed(|| masked.iter().for_each(|exchange| auditor.check(exchange.get())));
        for exchange in &masked {
            digest.add(exchange.get());
        }
    }
    let findings = auditor.finish().err();
    if options.stream > 0 {
        let (stream, remask) = streamed(&exchanges);
        println!("stream    {:>9.1} MB/s", megabytes / stream.as_secs_f64());
        println!("remask    {:>9.1} MB/s", megabytes / remask.as_secs_f64());
    }
    for (name, time) in [
        ("learn", learn),
        ("index", index),
        ("mask", mask),
        ("audit", audit),
        ("together", learn + index + mask + audit),
    ] {
        let each = time.as_secs_f64() * 1e6 / exchanges.len().max(1) as f64;
        println!("{name:<9} {:>9.1} MB/s {each:>9.2} us an exchange", megabytes / time.as_secs_f64());
    }
    let report = masker.report();
    println!(
        "{} values learned, {} spans masked, {} parts withheld",
        report.learned,
        report.masked_total(),
        report.quarantined_total()
    );
    println!("digest    {:016x}", digest.0);
    findings.map_or(Ok(()), |findings| Err(findings.into()))
}

/// The same read once: masked as it comes, then remasked.
fn streamed(exchanges: &[Exchange]) -> (Duration, Duration) {
    let mut stream = Stream::new(Policy::built_in(), Key::from([7; 32]));
    let copies = exchanges.to_vec();
    let mut written = Vec::with_capacity(copies.len());
    let mask = timed(|| written.extend(copies.into_iter().filter_map(|exchange| stream.mask(exchange))));
    let mut sealer = stream.sealer();
    let mut changed = 0;
    let remask = timed(|| {
        for exchange in &mut written {
            if let Some(again) = sealer.remask(exchange) {
                *exchange = again;
                changed += 1;
            }
        }
    });
    let mut digest = Digest::default();
    for exchange in &written {
        digest.add(exchange.get());
    }
    println!("stream: {changed} exchanges remasked, digest {:016x}", digest.0);
    (mask, remask)
}

fn options() -> Result<Options, Box<dyn std::error::Error>> {
    let mut options = Options {
        megabytes: 200,
        gzip: 0,
        html: 5,
        repeat: 0,
        seed: 1,
        stream: 1,
        heads: 0,
        recording: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name}: expected a value behind it"))?;
        match name.as_str() {
            "--megabytes" => options.megabytes = value.parse()?,
            "--gzip" => options.gzip = value.parse()?,
            "--html" => options.html = value.parse()?,
            "--repeat" => options.repeat = value.parse()?,
            "--seed" => options.seed = value.parse()?,
            "--stream" => options.stream = value.parse()?,
            "--heads" => options.heads = value.parse()?,
            "--recording" => options.recording = Some(value.into()),
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(options)
}

/// The time that this thread was on a processor: others may have work for it too.
fn timed(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let begun = now();
    work();
    now().saturating_sub(begun)
}

fn read(path: &std::path::Path) -> Result<Vec<Exchange>, mynah_traffic::Error> {
    Reader::open(path)?.map(|exchange| Ok(exchange?.into_inner())).collect()
}

/// The same exchanges over and over, up to that many bytes.
fn repeated(once: Vec<Exchange>, bytes: u64) -> Vec<Exchange> {
    let each = once.iter().map(size).sum::<u64>().max(1);
    let times = (bytes / each).max(1) as usize;
    let all = once.len() * times;
    once.into_iter().cycle().take(all).collect()
}

/// Head and decoded body.
fn size(exchange: &Exchange) -> u64 {
    let message = |message: &Message| {
        let body =
            View::open(message, &Limits::default()).map_or(message.body.len(), |view| view.body().len());
        (message.head.len() + body) as u64
    };
    [&exchange.request, &exchange.response].into_iter().flatten().map(message).sum()
}

/// How much of the bodies has been there before, in percent.
fn repetition(exchanges: &[Exchange]) -> f64 {
    let mut seen = HashSet::new();
    let (mut all, mut again) = (0, 0);
    for message in exchanges.iter().flat_map(|e| [&e.request, &e.response]).flatten() {
        all += message.body.len();
        if !seen.insert(&message.body[..]) {
            again += message.body.len();
        }
    }
    100.0 * again as f64 / all.max(1) as f64
}

/// FNV-1a over what came out: two builds that mask alike print the same.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn add(&mut self, exchange: &Exchange) {
        for message in [&exchange.request, &exchange.response].into_iter().flatten() {
            for byte in message.head.iter().chain(&message.body) {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
}

/// Splitmix64: enough to make traffic with.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len() as u64) as usize]
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[self.below(16) as usize])).collect()
    }

    fn base64url(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..length).map(|_| char::from(ALPHABET[self.below(64) as usize])).collect()
    }
}

const WORDS: &[&str] = &[
    "wireless",
    "mouse",
    "leather",
    "case",
    "black",
    "with",
    "adapter",
    "for",
    "garden",
    "chair",
    "steel",
    "bottle",
    "the",
    "light",
    "and",
    "warm",
    "cotton",
    "shirt",
    "made",
    "in",
    "small",
    "series",
    "keyboard",
    "of",
    "quiet",
    "keys",
    "café",
    "\\\"best\\\"",
    "travel",
    "lamp",
    "two",
    "years",
    "warranty",
];
const FIRST: &[&str] = &["Ann", "Leslie", "Omar", "Yuki", "Marta", "Ivan", "Priya", "Tom", "Zoë", "Lars"];
const LAST: &[&str] = &["Rossi", "Okafor", "Lindqvist", "Tanaka", "Müller", "Novak", "Sharma", "Clark"];
const CITIES: &[&str] = &["Springfield", "Lyon", "Graz", "Osaka", "Porto", "Leeds", "Malmö"];

/// Who sends requests.
struct User {
    id: u64,
    name: String,
    email: String,
    session: String,
    bearer: String,
}

struct Traffic {
    random: Random,
    users: Vec<User>,
    /// Pages without a visitor's name in them.
    catalogue: Vec<String>,
    gzip: u64,
    html: u64,
    repeat: u64,
}

impl Traffic {
    fn new(options: &Options) -> Traffic {
        let mut random = Random(options.seed);
        // A session of some forty requests for each user.
        let users: Vec<User> = (0..options.megabytes * 5).map(|id| user(&mut random, id + 1000)).collect();
        let mut pages = Random(options.seed ^ 0x5eed);
        let catalogue = (0..100)
            .map(|_| {
                let wanted = 500 + (pages.below(140) * pages.below(140)) as usize;
                let own = json(&mut pages, &users[0], wanted);
                // What is the viewer's own stands before the items.
                own.find("\"items\":").map_or_else(String::new, |at| format!("{{\"data\":{{{}", &own[at..]))
            })
            .collect();
        let &Options { gzip, html, repeat, .. } = options;
        Traffic { random, users, catalogue, gzip, html, repeat }
    }

    fn exchanges(&mut self, bytes: u64) -> Vec<Exchange> {
        let mut made = Vec::new();
        let mut total = 0;
        while total < bytes {
            let exchange = self.exchange();
            total += size(&exchange);
            made.push(exchange);
        }
        made
    }

    fn exchange(&mut self) -> Exchange {
        let index = self.random.below(self.users.len() as u64) as usize;
        let page = self.random.below(100) < self.html;
        let write = !page && self.random.below(100) < 20;
        let request = self.request(index, page, write);
        let response = self.response(index, page);
        Exchange { request: Some(request), response: Some(response), ..Exchange::default() }
    }

    fn request(&mut self, index: usize, page: bool, write: bool) -> Message {
        let user = &self.users[index];
        let random = &mut self.random;
        let target = match random.below(4) {
            _ if page => format!("/items/{}?page={}", random.below(5000), random.below(40)),
            0 => format!(
                "/api/v2/items?q={}+{}&page={}&sort=price",
                random.pick(WORDS),
                random.pick(CITIES),
                random.below(40)
            ),
            1 => format!("/api/v2/users/{}/orders", user.id),
            2 => format!("/api/v2/orders/{}", random.below(1 << 40)),
            _ => format!("/api/v2/items/{}/reviews?limit=20", random.below(5000)),
        };
        let target = target.replace("\\\"", "%22").replace('é', "%C3%A9").replace('ö', "%C3%B6");
        let body = if write { order(random, user) } else { String::new() };
        let mut head = format!(
            "{} {target} HTTP/1.1\r\nHost: api.shop.example\r\nConnection: keep-alive\r\n\
             User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n\
             Accept: {}\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n\
             Referer: https://shop.example/items/{}\r\nX-Request-Id: {}-{}\r\n\
             Cookie: theme=dark; session={}; _ga=GA1.2.{}.1732150000\r\n",
            if write { "POST" } else { "GET" },
            if page {
                "text/html,application/xhtml+xml,*/*;q=0.8"
            } else {
                "application/json, text/plain, */*"
            },
            random.below(5000),
            random.hex(8),
            random.hex(12),
            user.session,
            user.id * 7919,
        );
        if !page {
            let _ = write!(head, "Authorization: Bearer {}\r\n", user.bearer);
        }
        if write {
            let _ = write!(head, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        Message { head: head.into(), body: body.into(), ..Message::default() }
    }

    fn response(&mut self, index: usize, page: bool) -> Message {
        let user = &self.users[index];
        let random = &mut self.random;
        // 0.5 to 20 KB, most of them small.
        let wanted = 500 + (random.below(140) * random.below(140)) as usize;
        let text = if page {
            html(random, user, wanted)
        } else if self.repeat > 0 && random.below(100) < self.repeat {
            self.catalogue[random.below(self.catalogue.len() as u64) as usize].clone()
        } else {
            json(random, user, wanted)
        };
        let mut body = text.into_bytes();
        let mut coding = "";
        if random.below(100) < self.gzip
            && let Ok(packed) = encode_content(&[Coding::Gzip], &body)
        {
            body = packed;
            coding = "Content-Encoding: gzip\r\n";
        }
        let mut head = format!(
            "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 02:{:02}:{:02} GMT\r\nServer: nginx\r\nContent-Type: {}; charset=utf-8\r\n\
             {coding}Content-Length: {}\r\nCache-Control: no-store\r\nETag: W/\"{}\"\r\nVary: Accept-Encoding\r\n\
             X-Content-Type-Options: nosniff\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n",
            random.below(60),
            random.below(60),
            if page { "text/html" } else { "application/json" },
            body.len(),
            random.hex(16),
        );
        if random.below(50) == 0 {
            let _ = write!(head, "Set-Cookie: session={}; Path=/; HttpOnly; Secure\r\n", user.session);
        }
        head.push_str("\r\n");
        Message { head: head.into(), body: body.into(), ..Message::default() }
    }
}

fn user(random: &mut Random, id: u64) -> User {
    let (first, last) = (random.pick(FIRST), random.pick(LAST));
    let email = format!(
        "{}.{id}@{}.example",
        if first.is_ascii() { first } else { "zoe" },
        random.pick(&["mail", "post", "inbox"])
    );
    let claims: String = (0..160).map(|_| char::from(b"abcdefgh"[random.below(8) as usize])).collect();
    // Header and claims of a real token's size; the claims are opaque, as in tokens with compressed ones.
    let bearer = format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.{}", random.base64url(43));
    User { id, name: format!("{first} {last}"), email, session: random.hex(32), bearer }
}

fn sentence(random: &mut Random, words: u64) -> String {
    let mut out = String::new();
    for i in 0..words {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(random.pick(WORDS));
    }
    out
}

fn order(random: &mut Random, user: &User) -> String {
    let lines: Vec<String> = (0..=random.below(5))
        .map(|_| format!(r#"{{"item_id":{},"quantity":{}}}"#, random.below(5000), 1 + random.below(4)))
        .collect();
    format!(
        r#"{{"customer":{{"id":{},"name":"{}","email":"{}","phone":"+44 20 7946 {:04}"}},"items":[{}],"note":"{}"}}"#,
        user.id,
        user.name,
        user.email,
        random.below(10_000),
        lines.join(","),
        sentence(random, 6),
    )
}

fn json(random: &mut Random, user: &User, wanted: usize) -> String {
    let mut out = format!(
        r#"{{"data":{{"viewer":{{"id":{},"email":"{}","locale":"en-GB"}},"items":["#,
        user.id, user.email
    );
    let mut first = true;
    while out.len() < wanted {
        if !first {
            out.push(',');
        }
        first = false;
        let id = random.below(5000);
        let _ = write!(
            out,
            r#"{{"id":{id},"uuid":"{}-{}-4{}-a{}-{}","name":"{}","description":"{}","price":{}.{:02},"currency":"EUR","in_stock":{},"rating":4.{},"tags":["{}","{}"],"image":"https://cdn.shop.example/img/{}.jpg?w=640&h=480","links":{{"self":"/api/v2/items/{id}","reviews":"/api/v2/items/{id}/reviews"}},"warehouse":{{"city":"{}","shelf":"{}"}},"updated_at":"2026-11-{:02}T{:02}:{:02}:00Z","discount":null}}"#,
            random.hex(8),
            random.hex(4),
            random.hex(3),
            random.hex(3),
            random.hex(12),
            sentence(random, 3),
            sentence(random, 14),
            random.below(400),
            random.below(100),
            random.below(3) > 0,
            random.below(10),
            random.pick(WORDS),
            random.pick(WORDS),
            random.hex(20),
            random.pick(CITIES),
            random.hex(4),
            1 + random.below(28),
            random.below(24),
            random.below(60),
        );
    }
    let _ =
        write!(out, r#"]}},"meta":{{"total":{},"request_id":"{}"}}}}"#, random.below(9000), random.hex(16));
    out
}

fn html(random: &mut Random, user: &User, wanted: usize) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Shop</title>\
         <meta name=\"csrf-token\" content=\"{}\"><link rel=\"stylesheet\" href=\"/assets/app-4f1d2c.css\">\
         <script>window.app = {{userId: {}, env: 'production', cdn: \"https://cdn.shop.example\"}};</script>\
         </head><body class=\"page\"><header><a href=\"/account\">{}</a></header><main class=\"grid\">\n",
        random.base64url(32),
        user.id,
        user.email
    );
    while out.len() < wanted {
        let id = random.below(5000);
        let _ = write!(
            out,
            "<article class=\"card card--wide\" data-item=\"{id}\" id=\"item-{id}\">\n  <a class=\"card__link\" href=\"/items/{id}?ref=grid&amp;pos={}\">\
             <img src=\"https://cdn.shop.example/img/{}.jpg\" alt=\"{}\" width=\"320\" loading=\"lazy\"></a>\n  \
             <h3 class=\"card__title\">{}</h3>\n  <p>{}</p>\n  <span class=\"price\">&euro;{}.{:02}</span>\n</article>\n",
            random.below(40),
            random.hex(20),
            random.pick(CITIES),
            random.pick(CITIES),
            sentence(random, 14).replace('\\', "").replace('"', "&quot;"),
            random.below(400),
            random.below(100),
        );
    }
    out.push_str("</main></body></html>\n");
    out
}
