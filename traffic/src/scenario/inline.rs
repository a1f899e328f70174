//! Steps written out in the scenario file, by a person or for a small input.
//!
//! ```toml
//! [[profile.step]]
//! request = "POST /login"
//! think = "1.5s"
//! headers = { Accept = "text/html" }
//! form = { csrf = "${csrf}", email = "${identity.email}" }
//! expect = 303
//! ```

use std::fmt::Write as _;

use bytes::Bytes;
use mynah_message::{Edit, Limits, Locator, Message, Part, View, patch};
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::extract::ExtractList;
use super::pause::Span;
use super::placeholder::{fill_bare, injection};
use super::script::{Expect, Injection, Step};
use crate::Error;
use crate::exchange::Scheme;

/// One request of an inline profile. Text may hold `${name}` (a correlation's or an extracted value, `${name[2]}` the third of
/// several), `${identity.column}`, `${vary.name}` and `${data.set.column}`. Where there is no value the step fails, unless one is
/// given: `${identity.email:-a@b.example}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlineStep {
    /// Method and path, or method and URL: `GET /items?page=2`, `POST https://api.example/login`. Empty over another protocol.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Another protocol than HTTP, by the name that it has in the program that plays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// What is sent over it, as it writes such things: `GET user:${user}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// The URL of where that goes: `redis://127.0.0.1:6379`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it is counted by, in place of its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it can be chosen by, with what its profile has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How often it is drawn in weighted order, relative to the other steps; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Pause before it, after the end of the step before: `1.5s`, `1s..5s`. None: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<String>,
    /// Header fields, in order.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub headers: toml::Table,
    /// Fields of an `application/x-www-form-urlencoded` body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<toml::Table>,
    /// A JSON body, as text. A value that is sent as a number stands bare: `{"id": ${item_id}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// Any other body, as text; its type stands in the headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The status whose class is right; without it any 1xx–3xx is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<u16>,
    /// Media type that a right answer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_type: Option<String>,
    /// What must hold of its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<Check>,
    /// What later steps send of its answer, as `${name}`.
    #[serde(default, skip_serializing_if = "ExtractList::is_empty")]
    pub extract: ExtractList,
}

fn wrong(text: &str, message: impl Into<String>) -> Error {
    Error::syntax("step", text, message)
}

/// A table's value as the text it is sent as.
pub(super) fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn form_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

impl InlineStep {
    /// The pause before it.
    ///
    /// # Errors
    /// When it is no duration and no range of them.
    pub fn pause(&self) -> Result<Span, Error> {
        self.think.as_deref().map_or(Ok(Span::default()), str::parse)
    }

    /// Scheme, host (where the request names one), method and target.
    ///
    /// # Errors
    /// When `request` is not a method and a path or URL, as it is of no step of another protocol.
    pub fn parts(&self) -> Result<(Scheme, Option<&str>, &str, &str), Error> {
        let request = self.request.trim();
        let (method, target) = request
            .split_once(' ')
            .map(|(method, target)| (method, target.trim()))
            .filter(|(method, _)| {
                !method.is_empty()
                    && method.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_!#$%&'*+.^`|~".contains(&b))
            })
            .ok_or_else(|| wrong(request, "expected a method and a path, such as 'GET /items'"))?;
        let (scheme, rest) = match (target.strip_prefix("http://"), target.strip_prefix("https://")) {
            (Some(rest), _) => (Scheme::Http, rest),
            (None, Some(rest)) => (Scheme::Https, rest),
            (None, None) if target.starts_with('/') || target == "*" => {
                return Ok((Scheme::Http, None, method, target));
            }
            (None, None) => {
                return Err(wrong(
                    request,
                    "the path begins with '/', or is a whole http:// or https:// URL",
                ));
            }
        };
        let slash = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(slash);
        if host.is_empty() {
            return Err(wrong(request, "the URL has no host"));
        }
        Ok((scheme, Some(host), method, if path.is_empty() { "/" } else { path }))
    }

    /// Brings the step into the form that is replayed. `endpoint` is its number in the tables; `default_host` is sent
    /// where the request names none; `previous` is the step before it.
    ///
    /// # Errors
    /// [`Error::Syntax`] when a part of it cannot be understood.
    pub fn to_step(&self, endpoint: u32, default_host: &str, previous: Option<u32>) -> Result<Step, Error> {
        if let (Some(_), Some(text)) = (&self.protocol, &self.send) {
            return self.spoken(endpoint, text, previous);
        }
        let (scheme, host, method, target) = self.parts()?;
        let host = host.unwrap_or(default_host).to_owned();
        let json = self.json.as_deref().map(|json| fill_bare(&self.request, json)).transpose()?;
        let (json, bare) = json.unzip();
        let request = self.message(method, target, &host, json)?;
        let think = self.pause()?.mean();
        let (request, injections) = self.injections(&request, &bare.unwrap_or_default())?;
        if let Some(status) = self.expect.filter(|status| !(100..=599).contains(status)) {
            return Err(wrong(
                &self.request,
                format!("expect = {status}: a status is a number from 100 to 599"),
            ));
        }
        let expect = Expect { status: self.expect, content_type: self.expect_type.clone(), body_bytes: 0 };
        Ok(Step {
            endpoint,
            scheme,
            host,
            connection: 0,
            waits_for: previous,
            think,
            request,
            injections,
            expect,
        })
    }

    fn message(
        &self,
        method: &str,
        target: &str,
        host: &str,
        json: Option<String>,
    ) -> Result<Message, Error> {
        let has = |name: &str| self.headers.keys().any(|key| key.eq_ignore_ascii_case(name));
        let (body, content_type) = match (&self.form, json, &self.body) {
            (Some(form), None, None) => {
                let mut text = String::new();
                for (name, value) in form {
                    let value = text_of(value).ok_or_else(|| {
                        wrong(&self.request, format!("form field '{name}' must be text or a number"))
                    })?;
                    if !text.is_empty() {
                        text.push('&');
                    }
                    form_encode(name, &mut text);
                    text.push('=');
                    form_encode(&value, &mut text);
                }
                (text, Some("application/x-www-form-urlencoded"))
            }
            (None, Some(json), None) => (json, Some("application/json")),
            (None, None, Some(body)) => (body.clone(), None),
            (None, None, None) => (String::new(), None),
            _ => return Err(wrong(&self.request, "has several of 'form', 'json' and 'body'; one is sent")),
        };
        // A space or a line end in these would write another message than was meant.
        if target.bytes().any(|byte| byte <= b' ') {
            return Err(wrong(
                &self.request,
                "the path holds a space or a control character; write it percent-encoded",
            ));
        }
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !has("host") {
            let _ = write!(head, "Host: {host}\r\n");
        }
        for (name, value) in &self.headers {
            let value = text_of(value)
                .ok_or_else(|| wrong(&self.request, format!("header '{name}' must be text or a number")))?;
            if value.contains(['\r', '\n']) || name.contains(|c: char| c.is_whitespace() || c == ':') {
                return Err(wrong(
                    &self.request,
                    format!("header '{name}' holds a character that no header can"),
                ));
            }
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(content_type) = content_type.filter(|_| !has("content-type")) {
            let _ = write!(head, "Content-Type: {content_type}\r\n");
        }
        let wants_length = !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH");
        if wants_length && !has("content-length") && !has("transfer-encoding") {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        Ok(Message { head: Bytes::from(head), body: Bytes::from(body), trailers: Bytes::new() })
    }

    /// Every value that holds a `${…}`, by its place, and the request with defaults in theirs; `bare` are those that
    /// stood outside of quotes in JSON.
    fn injections(
        &self,
        request: &Message,
        bare: &[(usize, String)],
    ) -> Result<(Message, Vec<Injection>), Error> {
        let wrong = |error: mynah_message::Error| wrong(&self.request, error.to_string());
        let view = View::open(request, &Limits::default()).map_err(wrong)?;
        let mut found: Vec<Result<Injection, Error>> = Vec::new();
        let mut edits: Vec<Edit> = Vec::new();
        let mut covered: Vec<(Part, std::ops::Range<usize>)> = Vec::new();
        view.leaves(&mut |leaf| {
            let in_json = matches!(leaf.locator, Locator::Json { .. });
            if let Some((_, text)) = bare.iter().find(|(at, _)| in_json && *at == leaf.span.start) {
                let made = injection(&self.request, &leaf.locator, text);
                found.push(made.map(|(injection, _)| injection));
                return;
            }
            let Some(text) = leaf.text().filter(|text| text.contains("${")) else { return };
            // A Cookie header is a leaf as a whole and in its parts: the parts are what is meant.
            let structured =
                matches!(&leaf.locator, Locator::Header { name, .. } if name.eq_ignore_ascii_case("cookie"));
            let inside = covered.iter().any(|(part, span)| {
                *part == leaf.part && span.start <= leaf.span.start && leaf.span.end <= span.end
            });
            if structured || inside {
                return;
            }
            covered.push((leaf.part, leaf.span.clone()));
            found.push(injection(&self.request, &leaf.locator, text).map(|(injection, default)| {
                edits.extend(default.map(|default| leaf.edit(default.as_bytes())));
                injection
            }));
        });
        let injections = found.into_iter().collect::<Result<_, _>>()?;
        Ok((patch(&view, edits).map_err(wrong)?, injections))
    }
}
