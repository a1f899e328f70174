//! Traffic of a small shop whose visitors are of three known kinds.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::testing::Traffic;

/// What a visitor really was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Browser,
    Searcher,
    Buyer,
}

/// Traffic, and the kind of each session by the `X-Truth` header that its requests carry.
pub(super) struct Shop {
    pub(super) traffic: Traffic,
    pub(super) kinds: Vec<Kind>,
    rng: ChaCha8Rng,
    items: Vec<u32>,
}

struct Visit {
    number: usize,
    sid: String,
    csrf: String,
    connection: u64,
    fresh: bool,
}

const WORDS: [&str; 5] = ["lamp", "furniture", "blue chair", "textiles", "clock"];

impl Shop {
    pub(super) fn open(seed: u64, sessions: usize) -> Shop {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let items = (0..120).map(|_| rng.random_range(100_000..1_000_000)).collect();
        let mut shop = Shop { traffic: Traffic::new(), kinds: Vec::new(), rng, items };
        for number in 0..sessions {
            let kind = match shop.rng.random_range(0..100) {
                0..60 => Kind::Browser,
                60..85 => Kind::Searcher,
                _ => Kind::Buyer,
            };
            shop.kinds.push(kind);
            // Sessions overlap: each begins half a second after the one before and lasts for many.
            shop.traffic.now = 1_000_000 + number as u64 * 500;
            shop.visit(number, kind);
        }
        shop
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[self.rng.random_range(0..16)])).collect()
    }

    fn visit(&mut self, number: usize, kind: Kind) {
        let mut visit = Visit {
            number,
            sid: self.hex(32),
            csrf: self.hex(24),
            connection: number as u64 * 10,
            fresh: true,
        };
        match kind {
            Kind::Browser => self.browse(&mut visit),
            Kind::Searcher => self.search(&mut visit),
            Kind::Buyer => self.buy(&mut visit),
        }
    }

    fn send(&mut self, visit: &mut Visit, line: &str, more: &str, body: &str, status: &str, answer: &str) {
        let cookie =
            if visit.fresh { String::new() } else { format!("Cookie: theme=dark; sid={}\r\n", visit.sid) };
        let set =
            if visit.fresh { format!("Set-Cookie: sid={}; Path=/\r\n", visit.sid) } else { String::new() };
        visit.fresh = false;
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let connection = visit.connection + self.rng.random_range(0..2);
        self.traffic.raw(
            connection,
            &format!(
                "{line} HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Firefox\r\nX-Truth: {}\r\n{cookie}{more}{length}\r\n{body}",
                visit.number
            ),
            &format!("HTTP/1.1 {status}\r\n{set}{answer}"),
        );
        self.traffic.now += self.rng.random_range(200..3_000);
    }

    fn page(&mut self, visit: &mut Visit, target: &str, content: &str) {
        let answer = format!("Content-Type: text/html\r\n\r\n<html>{content}</html>");
        self.send(visit, &format!("GET {target}"), "", "", "200 OK", &answer);
    }

    /// A list of items is shown; the visitor picks one.
    fn list(&mut self, visit: &mut Visit, target: &str) -> u32 {
        let from = self.rng.random_range(0..10) * 12;
        let items: Vec<u32> = self.items[from..from + 12].to_vec();
        let links: Vec<String> = items
            .iter()
            .map(|item| format!("<a href=\"/items/{item}\">x</a><a href=\"/search?q=furniture\">f</a>"))
            .collect();
        self.page(visit, target, &links.concat());
        items[self.rng.random_range(0..12)]
    }

    fn item(&mut self, visit: &mut Visit, item: u32) {
        let content = format!(
            "<meta name=\"csrf-token\" content=\"{0}\"><form action=\"/basket\"><input name=csrf value=\"{0}\"><input name=item_id value=\"{item}\"></form>",
            visit.csrf
        );
        self.page(visit, &format!("/items/{item}"), &content);
    }

    fn browse(&mut self, visit: &mut Visit) {
        self.page(visit, "/", "home");
        for _ in 0..self.rng.random_range(1..6) {
            let page = self.rng.random_range(1..11);
            let item = self.list(visit, &format!("/listings?page={page}"));
            for _ in 0..self.rng.random_range(0..3) {
                self.item(visit, item);
            }
        }
        if self.rng.random_range(0..10) < 3 {
            self.page(visit, "/about", "about");
        }
    }

    fn search(&mut self, visit: &mut Visit) {
        self.page(visit, "/", "home");
        for _ in 0..self.rng.random_range(1..5) {
            let word = WORDS[self.rng.random_range(0..WORDS.len())].replace(' ', "+");
            let suggestions =
                format!("Content-Type: application/json\r\n\r\n{{\"words\":[\"{word}\",\"lamp\"]}}");
            let line = format!("GET /api/suggest?q={}", &word[..2]);
            self.send(visit, &line, "", "", "200 OK", &suggestions);
            let item = self.list(visit, &format!("/search?q={word}"));
            self.item(visit, item);
        }
    }

    fn buy(&mut self, visit: &mut Visit) {
        let (number, csrf) = (visit.number, visit.csrf.clone());
        let email = format!("user{number}%40example.test");
        self.page(visit, "/", "home");
        self.page(
            visit,
            "/login",
            &format!("<form><input type=hidden name=csrf value={csrf}><input name=email></form>"),
        );
        let before = visit.sid.clone();
        let after = self.hex(32);
        let form = format!("csrf={csrf}&email={email}&password=secret{number}");
        self.send(
            visit,
            "POST /login",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            &form,
            "303 See Other",
            &format!("Location: /account\r\nSet-Cookie: sid={after}; Path=/\r\nContent-Length: 0\r\n\r\n"),
        );
        assert_ne!(before, after);
        visit.sid = after;
        let token = format!("eyJ{}.{}.{}", self.hex(20), self.hex(30), self.hex(20));
        self.page(
            visit,
            "/account",
            &format!(
                "<script>window.__APP__ = {{\"apiToken\":\"{token}\",\"user\":{{\"email\":\"user{number}@example.test\"}}}};</script><form action=/logout><input name=csrf value={csrf}></form>"
            ),
        );
        let item = self.list(visit, "/listings?page=1");
        self.item(visit, item);
        let basket =
            format!("{}-{}-4{}-8{}-{}", self.hex(8), self.hex(4), self.hex(3), self.hex(3), self.hex(12));
        let quantity = self.rng.random_range(1..9);
        self.send(
            visit,
            "POST /api/basket",
            &format!("X-CSRF-Token: {csrf}\r\nContent-Type: application/json\r\n"),
            &format!("{{\"item_id\":{item},\"quantity\":{quantity}}}"),
            "201 Created",
            &format!("Content-Type: application/json\r\n\r\n{{\"basket\":{{\"id\":\"{basket}\",\"lines\":[{{\"item\":{item}}}]}}}}"),
        );
        self.page(
            visit,
            &format!("/checkout?basket={basket}"),
            &format!("<input name=basket_id value={basket}>"),
        );
        let order = format!("ORD-{}7X", self.hex(8).to_uppercase());
        self.send(
            visit,
            "POST /api/checkout",
            &format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"),
            &format!("{{\"basket_id\":\"{basket}\",\"email\":\"user{number}@example.test\",\"card\":{{\"number\":\"411111{number:010}\",\"expiry\":\"04/29\"}}}}"),
            "201 Created",
            &format!("Content-Type: application/json\r\nLocation: /orders/{order}\r\n\r\n{{\"order_id\":\"{order}\"}}"),
        );
        self.page(visit, &format!("/orders/{order}"), "thanks");
        self.send(
            visit,
            "POST /logout",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            &format!("csrf={csrf}"),
            "303 See Other",
            "Location: /\r\nSet-Cookie: sid=; Max-Age=0\r\nContent-Length: 0\r\n\r\n",
        );
    }
}
