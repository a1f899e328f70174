//! Exchanges as a [HAR 1.2](http://www.softwareishard.com/blog/har-12-spec/), one entry at a time.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_message::{Head, Limits, Message, Target, View};
use mynah_traffic::units::format_time;
use mynah_traffic::{Exchange, Flag, Nanos};
use serde_json::{Map, Value, json};

/// What became of the exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HarCounts {
    /// Entries written.
    pub entries: u64,
    /// Left out: an entry is a request, and of these only the response was seen.
    pub without_request: u64,
    /// Written without a body that is not in the recording, or with a part of it.
    pub partial: u64,
}

/// Writes a HAR. Memory: one exchange.
#[derive(Debug)]
pub struct HarWriter<W> {
    out: W,
    counts: HarCounts,
}

impl<W: Write> HarWriter<W> {
    /// Begins the archive. `comment`: what it is, for people.
    ///
    /// # Errors
    /// When writing fails.
    pub fn new(mut out: W, comment: &str) -> io::Result<Self> {
        let creator = json!({"name": "mynah", "version": env!("CARGO_PKG_VERSION")});
        write!(
            out,
            "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"comment\":{},\"pages\":[],\"entries\":[",
            Value::from(comment)
        )?;
        Ok(HarWriter { out, counts: HarCounts::default() })
    }

    /// Writes one exchange, or leaves it out and counts that, where it has no request.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(&mut self, exchange: &Exchange) -> io::Result<()> {
        let Some(entry) = entry(exchange) else {
            self.counts.without_request += 1;
            return Ok(());
        };
        self.out.write_all(if self.counts.entries == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut self.out, &entry)?;
        self.counts.entries += 1;
        let partial = [Flag::Truncated, Flag::BodyCut, Flag::BodyWithheld, Flag::Gap];
        self.counts.partial += u64::from(partial.iter().any(|&flag| exchange.flags.has(flag)));
        Ok(())
    }

    /// What was written so far.
    pub fn counts(&self) -> HarCounts {
        self.counts
    }

    /// Ends the archive and gives the output back, to flush and to close.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}}\n")?;
        Ok(self.out)
    }
}

fn ms(span: Nanos) -> Value {
    // to the microsecond
    Value::from((span.0 as f64 / 1e3).round() / 1e3)
}

fn entry(exchange: &Exchange) -> Option<Value> {
    let request = exchange.request.as_ref()?;
    let head = exchange.request_head()?;
    let times = &exchange.times;
    let first = times.response_first.unwrap_or(times.request_last);
    let entry = json!({
        "startedDateTime": format_time(times.request_first),
        "time": ms(times.end().since(times.request_first)),
        "request": self::request(exchange, request, &head),
        "response": response(exchange),
        "cache": {},
        "timings": {
            "blocked": -1, "dns": -1, "connect": -1, "ssl": -1,
            "send": ms(times.request_last.since(times.request_first)),
            "wait": ms(first.since(times.request_last)),
            "receive": ms(times.end().since(first)),
        },
        "connection": exchange.connection.id.to_string(),
    });
    let Value::Object(mut entry) = entry else { return None };
    // Not in HAR, where everything is one browser's: so that what comes of several clients stays apart when it is read again.
    if let Some(client) = exchange.connection.client {
        entry.insert("_client".to_owned(), client.to_string().into());
    }
    if let Some(server) = exchange.connection.server {
        entry.insert("serverIPAddress".to_owned(), server.ip().to_string().into());
    }
    let flags: Vec<&str> = exchange.flags.iter().map(Flag::name).collect();
    if !flags.is_empty() {
        entry.insert("comment".to_owned(), flags.join(", ").into());
    }
    Some(Value::Object(entry))
}

fn version(message: &Message) -> &'static str {
    if message.head.starts_with(b"HTTP/1.0") || message.head.windows(9).take(8192).any(|w| w == b" HTTP/1.0")
    {
        "HTTP/1.0"
    } else {
        "HTTP/1.1"
    }
}

fn headers(head: &Head<'_>) -> Vec<Value> {
    let value = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    head.fields().map(|field| json!({"name": field.name, "value": value(&field.unfolded())})).collect()
}

fn request(exchange: &Exchange, message: &Message, head: &Head<'_>) -> Value {
    let target = head.target().unwrap_or("/");
    let parsed = Target::parse(target);
    let whole = match parsed.scheme {
        Some(_) => target.to_owned(),
        None => format!("{}://{}{target}", exchange.scheme.as_str(), exchange.host()),
    };
    let query: Vec<Value> = parsed
        .query_pairs()
        .map(|pair| json!({"name": pair.name_text(), "value": pair.value_text()}))
        .collect();
    let cookies: Vec<Value> = head
        .get_all("cookie")
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| json!({"name": name.trim(), "value": value.trim()}))
        .collect();
    let mut request = json!({
        "method": head.method().unwrap_or("GET"),
        "url": whole,
        "httpVersion": version(message),
        "cookies": cookies,
        "headers": headers(head),
        "queryString": query,
        "headersSize": head.len(),
        "bodySize": message.body.len(),
    });
    if !message.body.is_empty()
        && let Some(object) = request.as_object_mut()
    {
        let mime = head.get("content-type").unwrap_or_default();
        let mut data = Map::new();
        data.insert("mimeType".to_owned(), mime.into());
        data.insert("params".to_owned(), Value::Array(Vec::new()));
        text(&message.body, &mut data);
        object.insert("postData".to_owned(), Value::Object(data));
    }
    request
}

/// Bytes as text where they are, else in base64 and saying so.
fn text(bytes: &[u8], into: &mut Map<String, Value>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        into.insert("text".to_owned(), text.into());
    } else {
        into.insert("text".to_owned(), STANDARD.encode(bytes).into());
        into.insert("encoding".to_owned(), "base64".into());
    }
}

fn response(exchange: &Exchange) -> Value {
    let message = exchange.response.as_ref();
    let Some((message, head)) = message.and_then(|message| Some((message, Head::parse(&message.head).ok()?)))
    else {
        // As browsers write what was never answered.
        return json!({
            "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
            "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
        });
    };
    let view = View::open(message, &Limits::default()).ok();
    let body: &[u8] = view.as_ref().map_or(&message.body, |view| view.body());
    let withheld = body.is_empty() && exchange.flags.has(Flag::BodyWithheld);
    let size = if withheld { head.content_length().unwrap_or(0) } else { body.len() as u64 };
    let mut content = Map::new();
    content.insert("size".to_owned(), size.into());
    content.insert("mimeType".to_owned(), head.get("content-type").unwrap_or("x-unknown").into());
    if !body.is_empty() {
        text(body, &mut content);
    }
    let cookies: Vec<Value> = head.get_all("set-cookie").filter_map(cookie).collect();
    let line = message.head.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or_default();
    let phrase = String::from_utf8_lossy(line).splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    json!({
        "status": head.status().unwrap_or(0),
        "statusText": phrase,
        "httpVersion": version(message),
        "cookies": cookies,
        "headers": headers(&head),
        "content": content,
        "redirectURL": head.get("location").unwrap_or_default(),
        "headersSize": head.len(),
        "bodySize": message.body.len(),
    })
}

fn cookie(field: &str) -> Option<Value> {
    let mut parts = field.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let mut cookie: BTreeMap<&str, Value> = BTreeMap::new();
    cookie.insert("name", name.trim().into());
    cookie.insert("value", value.trim().into());
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "path" => cookie.insert("path", value.trim().into()),
            "domain" => cookie.insert("domain", value.trim().into()),
            "httponly" => cookie.insert("httpOnly", true.into()),
            "secure" => cookie.insert("secure", true.into()),
            _ => None,
        };
    }
    serde_json::to_value(cookie).ok()
}
