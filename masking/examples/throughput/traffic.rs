//! Requests of signed-in users against a JSON API, some of them for HTML pages, and what they are answered.

use std::fmt::Write as _;

use mynah_message::{Coding, Message, encode_content};
use mynah_traffic::Exchange;

use super::{Options, size};

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

pub(super) struct Traffic {
    random: Random,
    users: Vec<User>,
    /// Pages without a visitor's name in them.
    catalogue: Vec<String>,
    gzip: u64,
    html: u64,
    repeat: u64,
}

impl Traffic {
    pub(super) fn new(options: &Options) -> Traffic {
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

    pub(super) fn exchanges(&mut self, bytes: u64) -> Vec<Exchange> {
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
