//! Filter expressions: which exchanges are meant.
//!
//! ```text
//! method == POST and path =~ ^/api/ and not (status < 400 or header.user-agent contains bot)
//! ```
//!
//! | field | value |
//! |---|---|
//! | `method`, `host`, `path`, `query`, `target` | text of the request; empty without one |
//! | `status` | of the response; a comparison is false without one |
//! | `header.NAME`, `response.header.NAME` | text of a header field of the request, of the response; empty where it is missing |
//! | `request.size`, `response.size` | bytes of the body as captured; `16MiB`, `1kB` |
//! | `duration` | first byte of the request to last of the response; `500ms`, `2s` |
//! | `client`, `server` | address with its port |
//! | `flag` | `flag == gap`: whether an exchange has this flag |
//!
//! Operators: `==`, `!=`, `<`, `<=`, `>`, `>=`; for text also `contains` and `=~`, `!~` (regular expressions, of the
//! `regex` crate's syntax); `and`, `or`, `not`, brackets. Words need quotes only when they hold spaces, quotes or
//! brackets. Text compares with its case, but for `method` and `host`.

mod parse;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use regex::Regex;

use crate::exchange::{Exchange, Flag};
use crate::{Error, Nanos};

/// A filter expression.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    root: Node,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[derive(Clone, Debug)]
enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Test(Test),
}

#[derive(Clone, Debug)]
enum Test {
    Text(TextField, TextOp),
    Number(NumberField, NumberOp, u64),
    Flag(Flag, bool),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TextField {
    Method,
    Host,
    Path,
    Query,
    Target,
    RequestHeader(String),
    ResponseHeader(String),
    Client,
    Server,
}

#[derive(Clone, Debug)]
enum TextOp {
    Is(String),
    IsNot(String),
    Contains(String),
    Fits(Regex),
    FitsNot(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberField {
    Status,
    RequestSize,
    ResponseSize,
    /// Nanoseconds.
    Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberOp {
    Is,
    IsNot,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let root = parse::parse(text)?;
        Ok(Filter { text: text.to_owned(), root })
    }
}

impl Filter {
    /// Whether this exchange is meant.
    pub fn matches(&self, exchange: &Exchange) -> bool {
        self.root.holds(exchange)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Node {
    fn holds(&self, exchange: &Exchange) -> bool {
        match self {
            Node::And(one, two) => one.holds(exchange) && two.holds(exchange),
            Node::Or(one, two) => one.holds(exchange) || two.holds(exchange),
            Node::Not(inner) => !inner.holds(exchange),
            Node::Test(Test::Flag(flag, wanted)) => exchange.flags.has(*flag) == *wanted,
            Node::Test(Test::Number(field, op, wanted)) => {
                field.value(exchange).is_some_and(|value| match op {
                    NumberOp::Is => value == *wanted,
                    NumberOp::IsNot => value != *wanted,
                    NumberOp::Less => value < *wanted,
                    NumberOp::AtMost => value <= *wanted,
                    NumberOp::More => value > *wanted,
                    NumberOp::AtLeast => value >= *wanted,
                })
            }
            Node::Test(Test::Text(field, op)) => field.holds(exchange, op),
        }
    }
}

impl NumberField {
    fn value(self, exchange: &Exchange) -> Option<u64> {
        let size = |message: &Option<mynah_message::Message>| {
            message.as_ref().map_or(0, |message| message.body.len() as u64)
        };
        match self {
            NumberField::Status => exchange.status().map(u64::from),
            NumberField::RequestSize => Some(size(&exchange.request)),
            NumberField::ResponseSize => Some(size(&exchange.response)),
            NumberField::Duration => {
                let last: Nanos = exchange.times.response_last?;
                Some(last.since(exchange.times.request_first).0)
            }
        }
    }
}

impl TextField {
    fn ignores_case(&self) -> bool {
        matches!(self, TextField::Method | TextField::Host)
    }

    fn holds(&self, exchange: &Exchange, op: &TextOp) -> bool {
        let test = |text: &str| {
            let same = |wanted: &str| {
                if self.ignores_case() { text.eq_ignore_ascii_case(wanted) } else { text == wanted }
            };
            match op {
                TextOp::Is(wanted) => same(wanted),
                TextOp::IsNot(wanted) => !same(wanted),
                TextOp::Contains(part) => text.contains(part.as_str()),
                TextOp::Fits(regex) => regex.is_match(text),
                TextOp::FitsNot(regex) => !regex.is_match(text),
            }
        };
        let request = exchange.request_head();
        let target = || request.as_ref().and_then(mynah_message::Head::target).unwrap_or_default();
        match self {
            TextField::Method => {
                test(request.as_ref().and_then(mynah_message::Head::method).unwrap_or_default())
            }
            TextField::Host => test(&exchange.host()),
            TextField::Target => test(target()),
            TextField::Path => test(mynah_message::Target::parse(target()).path),
            TextField::Query => test(mynah_message::Target::parse(target()).query.unwrap_or_default()),
            TextField::RequestHeader(name) => {
                test(request.as_ref().and_then(|head| head.get(name)).unwrap_or_default())
            }
            TextField::ResponseHeader(name) => {
                let response = exchange.response_head();
                test(response.as_ref().and_then(|head| head.get(name)).unwrap_or_default())
            }
            TextField::Client => {
                test(&exchange.connection.client.map(|address| address.to_string()).unwrap_or_default())
            }
            TextField::Server => {
                test(&exchange.connection.server.map(|address| address.to_string()).unwrap_or_default())
            }
        }
    }
}
