//! As much of a web server and of a browser as the applications need.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Secrets and ids of one server: another seed, other ones.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of(&mut self, letters: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(letters[self.below(letters.len() as u64) as usize])).collect()
    }

    pub fn token(&mut self, length: usize) -> String {
        self.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
    }

    /// Standard base64, as in a view state.
    pub fn base64(&mut self, length: usize) -> String {
        self.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", length) + "=="
    }

    pub fn hex(&mut self, length: usize) -> String {
        self.of(b"0123456789abcdef", length)
    }

    pub fn number(&mut self) -> u64 {
        10_000_000 + self.below(89_999_999)
    }

    pub fn uuid(&mut self) -> String {
        let (a, b, c, d) = (self.hex(8), self.hex(4), self.hex(3), self.hex(3));
        format!("{a}-{b}-4{c}-a{d}-{}", self.hex(12))
    }
}

#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub fields: BTreeMap<String, String>,
    pub cookies: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub fn cookie(&self, name: &str) -> &str {
        self.cookies.get(name).map_or("", String::as_str)
    }

    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').skip(1).collect()
    }

    pub fn form(&self) -> BTreeMap<String, String> {
        pairs(&self.body)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

pub fn pairs(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let bytes = mynah_message::percent::decode(text.as_bytes(), true).into_owned();
        String::from_utf8(bytes).unwrap_or_default()
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    };
    text.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

pub fn encoded(text: &str) -> String {
    let safe = mynah_message::percent::form_safe;
    String::from_utf8(mynah_message::percent::encode(text.as_bytes(), safe, true)).unwrap_or_default()
}

#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn html(status: u16, body: impl Into<String>) -> Reply {
        Reply { status, body: body.into(), ..Reply::default() }
            .with("Content-Type", "text/html; charset=utf-8")
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Reply {
        Reply { status, body: body.to_string(), ..Reply::default() }.with("Content-Type", "application/json")
    }

    pub fn see(status: u16, location: &str) -> Reply {
        Reply { status, ..Reply::default() }.with("Location", location)
    }

    pub fn with(mut self, name: &str, value: &str) -> Reply {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// An application: strict about every secret it hands out.
pub trait App: Send + 'static {
    fn answer(&mut self, request: &Request) -> Reply;
}

/// Reads a message's head: its first line, and its fields by their names in lower case.
fn head(reader: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => fields.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Some((first, fields)),
        }
    }
}

fn body(reader: &mut impl Read, fields: &[(String, String)]) -> Option<String> {
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, length)| length.parse().ok()).unwrap_or(0);
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// A server on loopback, as long as the test.
pub struct Server<A> {
    pub address: SocketAddr,
    pub app: Arc<Mutex<A>>,
}

impl<A: App> Server<A> {
    pub fn start(app: A) -> Server<A> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let app = Arc::new(Mutex::new(app));
        let shared = Arc::clone(&app);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let app = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &app));
            }
        });
        Server { address, app }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve<A: App>(stream: TcpStream, app: &Mutex<A>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (first, fields) = head(&mut reader)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let body = body(&mut reader, &fields)?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let cookies =
            fields.iter().filter(|(name, _)| name == "cookie").flat_map(|(_, value)| value.split(';'));
        let cookies = cookies.filter_map(|pair| pair.trim().split_once('='));
        let request = Request {
            method,
            path: path.to_owned(),
            query: pairs(query),
            cookies: cookies.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            fields: fields.into_iter().collect(),
            body,
        };
        let reply = app.lock().ok()?.answer(&request);
        let mut text = format!("HTTP/1.1 {} -\r\n", reply.status).into_bytes();
        for (name, value) in &reply.fields {
            write!(text, "{name}: {value}\r\n").ok()?;
        }
        write!(text, "Content-Length: {}\r\n\r\n{}", reply.body.len(), reply.body).ok()?;
        writer.write_all(&text).ok()?;
    }
}

/// What a server answered a browser.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    fields: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What stands between two texts.
    #[track_caller]
    pub fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) =
            self.body.split_once(before).unwrap_or_else(|| panic!("no {before} in {}", self.body));
        rest.split_once(after).unwrap().0.to_owned()
    }

    /// The value of a hidden field.
    #[track_caller]
    pub fn hidden(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }
}

/// One client: a connection and a cookie jar.
pub struct Browser {
    reader: BufReader<TcpStream>,
    pub cookies: BTreeMap<String, String>,
    agent: &'static str,
}

impl Browser {
    pub fn to(address: SocketAddr, agent: &'static str) -> Browser {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Browser { reader: BufReader::new(stream), cookies: BTreeMap::new(), agent }
    }

    pub fn get(&mut self, target: &str) -> Answer {
        self.send("GET", target, &[], "")
    }

    pub fn post_form(&mut self, target: &str, form: &[(&str, &str)]) -> Answer {
        let body: Vec<String> =
            form.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        self.send("POST", target, &[("Content-Type", "application/x-www-form-urlencoded")], &body.join("&"))
    }

    #[track_caller]
    pub fn send(&mut self, method: &str, target: &str, fields: &[(&str, &str)], body_text: &str) -> Answer {
        let mut text = format!(
            "{method} {target} HTTP/1.1\r\nHost: app.example\r\nUser-Agent: {}\r\nAccept: */*\r\n",
            self.agent
        )
        .into_bytes();
        if !self.cookies.is_empty() {
            let all: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            write!(text, "Cookie: {}\r\n", all.join("; ")).unwrap();
        }
        for (name, value) in fields {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        if method != "GET" {
            write!(text, "Content-Length: {}\r\n", body_text.len()).unwrap();
        }
        write!(text, "\r\n{body_text}").unwrap();
        self.reader.get_mut().write_all(&text).unwrap();
        let (first, fields) = head(&mut self.reader).unwrap();
        for (_, value) in fields.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = value.split(';').next().unwrap_or_default();
            let (name, value_text) = pair.split_once('=').unwrap();
            if value.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value_text.to_owned());
            }
        }
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let body = body(&mut self.reader, &fields).unwrap();
        Answer { status, fields, body }
    }
}
