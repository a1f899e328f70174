//! From text to the tree: recursive descent over words.

use regex::Regex;

use super::{Node, NumberField, NumberOp, Test, TextField, TextOp};
use crate::exchange::Flag;
use crate::units::{parse_duration, parse_size};
use crate::{Error, nearest};

/// Brackets within brackets; deeper ones are refused rather than recursed into.
const DEPTH: usize = 64;

const FIELDS: [&str; 13] = [
    "method",
    "host",
    "path",
    "query",
    "target",
    "status",
    "header.NAME",
    "response.header.NAME",
    "request.size",
    "response.size",
    "duration",
    "client",
    "server",
];

#[derive(Clone, Debug, PartialEq)]
struct Word {
    text: String,
    /// It stood in quotes: never an operator or a bracket.
    quoted: bool,
    /// Byte offset, for messages.
    at: usize,
}

struct Parser<'a> {
    text: &'a str,
    words: Vec<Word>,
    next: usize,
}

pub(super) fn parse(text: &str) -> Result<Node, Error> {
    let mut parser = Parser { text, words: words(text)?, next: 0 };
    let node = parser.or(0)?;
    match parser.words.get(parser.next) {
        None => Ok(node),
        Some(word) => {
            Err(parser.wrong(word.at, &format!("expected 'and', 'or' or the end, found '{}'", word.text)))
        }
    }
}

fn error(text: &str, at: usize, message: &str) -> Error {
    Error::syntax(
        "filter",
        text,
        format!("at character {}: {message}", text.get(..at).unwrap_or(text).chars().count() + 1),
    )
}

/// Splits into words. Operators need no spaces around them where they follow a field.
fn words(text: &str) -> Result<Vec<Word>, Error> {
    let mut words = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some(&(at, c)) = rest.peek() {
        match c {
            _ if c.is_whitespace() => {
                rest.next();
            }
            // Behind an operator stands a value, and that may be a regular expression that begins with one.
            '(' | ')' if !words.last().is_some_and(is_operator) => {
                rest.next();
                words.push(Word { text: c.to_string(), quoted: false, at });
            }
            '"' | '\'' => {
                rest.next();
                let mut inner = String::new();
                loop {
                    match rest.next() {
                        None => return Err(error(text, at, "this quote is never closed")),
                        Some((_, end)) if end == c => break,
                        // Only the quote itself can be escaped: regular expressions keep their backslashes.
                        Some((_, '\\')) if rest.peek().is_some_and(|(_, next)| *next == c) => {
                            rest.next();
                            inner.push(c);
                        }
                        Some((_, other)) => inner.push(other),
                    }
                }
                words.push(Word { text: inner, quoted: true, at });
            }
            '=' | '!' | '<' | '>' => {
                let mut op = String::new();
                while let Some(&(_, c)) = rest.peek().filter(|(_, c)| "=!<>~".contains(*c)) {
                    op.push(c);
                    rest.next();
                }
                words.push(Word { text: op, quoted: false, at });
            }
            _ => {
                let mut word = String::new();
                // A bracket can be part of a regular expression, so that one ends a word only where it was not opened in it.
                let mut open = 0_usize;
                while let Some(&(_, c)) = rest.peek() {
                    match c {
                        '(' => open += 1,
                        ')' if open == 0 => break,
                        ')' => open -= 1,
                        '=' | '!' | '<' | '>' if is_field(&word) => break,
                        _ if c.is_whitespace() => break,
                        _ => {}
                    }
                    word.push(c);
                    rest.next();
                }
                words.push(Word { text: word, quoted: false, at });
            }
        }
    }
    Ok(words)
}

fn is_operator(word: &Word) -> bool {
    !word.quoted
        && ["=", "==", "!=", "<", "<=", ">", ">=", "~", "=~", "!~", "contains"].contains(&word.text.as_str())
}

fn is_field(word: &str) -> bool {
    word == "flag"
        || FIELDS.contains(&word)
        || word.starts_with("header.")
        || word.starts_with("response.header.")
}

impl Parser<'_> {
    fn wrong(&self, at: usize, message: &str) -> Error {
        error(self.text, at, message)
    }

    fn is(&self, keyword: &str) -> bool {
        self.words.get(self.next).is_some_and(|word| !word.quoted && word.text == keyword)
    }

    fn take(&mut self, expected: &str) -> Result<Word, Error> {
        let word = self.words.get(self.next).cloned();
        self.next += 1;
        word.ok_or_else(|| self.wrong(self.text.len(), &format!("expected {expected}, found the end")))
    }

    fn or(&mut self, depth: usize) -> Result<Node, Error> {
        let mut node = self.and(depth)?;
        while self.is("or") {
            self.next += 1;
            node = Node::Or(Box::new(node), Box::new(self.and(depth)?));
        }
        Ok(node)
    }

    fn and(&mut self, depth: usize) -> Result<Node, Error> {
        let mut node = self.not(depth)?;
        while self.is("and") {
            self.next += 1;
            node = Node::And(Box::new(node), Box::new(self.not(depth)?));
        }
        Ok(node)
    }

    fn not(&mut self, depth: usize) -> Result<Node, Error> {
        if depth > DEPTH {
            return Err(self.wrong(self.text.len(), "too many brackets within each other"));
        }
        if self.is("not") {
            self.next += 1;
            return Ok(Node::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.is("(") {
            self.next += 1;
            let node = self.or(depth + 1)?;
            let close = self.take("')'")?;
            return if close.text == ")" && !close.quoted {
                Ok(node)
            } else {
                Err(self.wrong(close.at, "expected ')'"))
            };
        }
        self.test().map(Node::Test)
    }

    fn test(&mut self) -> Result<Test, Error> {
        let field = self.take("a field such as path or status")?;
        let op = self.take("an operator such as == or =~")?;
        let value = self.take("a value")?;
        if field.text == "flag" {
            return self.flag_test(&op, &value);
        }
        if let Some(number) = number_field(&field.text) {
            return self.number_test(number, &op, &value);
        }
        let text = text_field(&field.text).ok_or_else(|| {
            let hint = nearest(&field.text, FIELDS.iter().copied().chain(["flag"]));
            let hint = hint.map_or_else(
                || format!("there are {}, flag", FIELDS.join(", ")),
                |meant| format!("did you mean '{meant}'?"),
            );
            self.wrong(field.at, &format!("unknown field '{}'; {hint}", field.text))
        })?;
        let regex = || {
            Regex::new(&value.text)
                .map_err(|error| self.wrong(value.at, &format!("not a regular expression: {error}")))
        };
        let op = match op.text.as_str() {
            "==" | "=" => TextOp::Is(value.text),
            "!=" => TextOp::IsNot(value.text),
            "contains" => TextOp::Contains(value.text),
            "=~" | "~" => TextOp::Fits(regex()?),
            "!~" => TextOp::FitsNot(regex()?),
            other => {
                return Err(self.wrong(
                    op.at,
                    &format!("text is compared with ==, !=, contains, =~ or !~, not '{other}'"),
                ));
            }
        };
        Ok(Test::Text(text, op))
    }

    fn flag_test(&self, op: &Word, value: &Word) -> Result<Test, Error> {
        let wanted = match op.text.as_str() {
            "==" | "=" => true,
            "!=" => false,
            other => {
                return Err(self.wrong(op.at, &format!("a flag is compared with == or !=, not '{other}'")));
            }
        };
        let flag = Flag::ALL.iter().copied().find(|flag| flag.name() == value.text).ok_or_else(|| {
            let names: Vec<&str> = Flag::ALL.iter().map(|flag| flag.name()).collect();
            self.wrong(value.at, &format!("unknown flag '{}'; there are {}", value.text, names.join(", ")))
        })?;
        Ok(Test::Flag(flag, wanted))
    }

    fn number_test(&self, field: NumberField, op: &Word, value: &Word) -> Result<Test, Error> {
        let op = match op.text.as_str() {
            "==" | "=" => NumberOp::Is,
            "!=" => NumberOp::IsNot,
            "<" => NumberOp::Less,
            "<=" => NumberOp::AtMost,
            ">" => NumberOp::More,
            ">=" => NumberOp::AtLeast,
            other => {
                return Err(self.wrong(
                    op.at,
                    &format!("a number is compared with ==, !=, <, <=, > or >=, not '{other}'"),
                ));
            }
        };
        let number = match field {
            NumberField::Status => value.text.parse().ok(),
            NumberField::Duration => parse_duration(&value.text).ok().map(|span| span.0),
            NumberField::RequestSize | NumberField::ResponseSize => parse_size(&value.text).ok(),
        };
        let example = match field {
            NumberField::Status => "a number such as 404",
            NumberField::Duration => "a duration such as 500ms",
            NumberField::RequestSize | NumberField::ResponseSize => "a size such as 4096 or 16MiB",
        };
        let number = number
            .ok_or_else(|| self.wrong(value.at, &format!("expected {example}, found '{}'", value.text)))?;
        Ok(Test::Number(field, op, number))
    }
}

fn number_field(name: &str) -> Option<NumberField> {
    Some(match name {
        "status" => NumberField::Status,
        "request.size" => NumberField::RequestSize,
        "response.size" => NumberField::ResponseSize,
        "duration" => NumberField::Duration,
        _ => return None,
    })
}

fn text_field(name: &str) -> Option<TextField> {
    let header = |name: &str| (!name.is_empty()).then(|| name.to_ascii_lowercase());
    Some(match name {
        "method" => TextField::Method,
        "host" => TextField::Host,
        "path" => TextField::Path,
        "query" => TextField::Query,
        "target" => TextField::Target,
        "client" => TextField::Client,
        "server" => TextField::Server,
        _ => match (name.strip_prefix("header."), name.strip_prefix("response.header.")) {
            (Some(name), _) => TextField::RequestHeader(header(name)?),
            (None, Some(name)) => TextField::ResponseHeader(header(name)?),
            (None, None) => return None,
        },
    })
}
