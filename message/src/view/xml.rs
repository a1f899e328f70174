//! The values of an XML body: text and attributes by their path.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::body::Source;
use super::{Counter, Coverage, Emit};
use crate::html::entity;
use crate::html::token::{Quote, Token, Tokenizer};
use crate::{Encoding, Leaf, Locator, Nth, Part};

/// Deeper elements keep the path of their ancestor at this depth, so that paths stay short.
const DEPTH: usize = 128;
/// Likewise beyond a path of that many bytes.
const LONGEST_PATH: usize = 4096;

/// Also says where elements begin that are too deep, or have too long a path, for their names to be told.
pub(super) fn walk<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>) -> (ControlFlow<()>, Coverage) {
    let mut coverage = Coverage::Whole;
    let flow = elements(source, emit, &mut coverage);
    (flow, coverage)
}

fn elements<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>, coverage: &mut Coverage) -> ControlFlow<()> {
    let doc = source.body;
    let mut counter = Counter::new(source.want);
    let mut path = String::new();
    let mut lengths: Vec<usize> = Vec::new();
    let mut deeper = 0usize;
    let mut tokens = Tokenizer::xml(doc);
    let mut put = |path: &str, value: Cow<'v, [u8]>, span: Range<usize>, encoding: Encoding| {
        emit(Leaf {
            locator: Locator::Xml { path: path.to_owned(), nth: Nth::Index(counter.next(path)) },
            value,
            part: Part::Body,
            span,
            encoding,
            composite: false,
        })
    };
    while let Some(token) = tokens.next() {
        match token {
            Token::Start { name, closed } => {
                if deeper > 0 || lengths.len() >= DEPTH || path.len() + name.len() > LONGEST_PATH {
                    if *coverage == Coverage::Whole {
                        *coverage = Coverage::Until(name.start);
                    }
                    deeper += 1;
                } else {
                    lengths.push(path.len());
                    path.push('/');
                    path.push_str(&String::from_utf8_lossy(&doc[name]));
                }
                let own = path.len();
                for attribute in tokens.attributes() {
                    if attribute.quote != Quote::Quoted {
                        continue;
                    }
                    path.push_str("/@");
                    path.push_str(&String::from_utf8_lossy(&doc[attribute.name.clone()]));
                    let span = attribute.value.clone();
                    let value = entity::decode(&doc[span.clone()], true);
                    put(&path, value, span, Encoding::HtmlAttr)?;
                    path.truncate(own);
                }
                if closed {
                    close(&mut path, &mut lengths, &mut deeper);
                }
            }
            // Tags are taken to match: an end tag closes what is open.
            Token::End { .. } => close(&mut path, &mut lengths, &mut deeper),
            Token::Text(span) => {
                let raw = &doc[span.clone()];
                let text = raw.trim_ascii();
                if !text.is_empty() {
                    let start = span.start + (raw.len() - raw.trim_ascii_start().len());
                    let span = start..start + text.len();
                    put(&path, entity::decode(text, false), span, Encoding::HtmlText)?;
                }
            }
            Token::CData(span) if !span.is_empty() => {
                put(&path, Cow::Borrowed(&doc[span.clone()]), span, Encoding::CData)?;
            }
            Token::CData(_) | Token::Raw(_) | Token::Comment(_) => {}
        }
    }
    ControlFlow::Continue(())
}

fn close(path: &mut String, lengths: &mut Vec<usize>, deeper: &mut usize) {
    if *deeper > 0 {
        *deeper -= 1;
    } else {
        path.truncate(lengths.pop().unwrap_or(0));
    }
}
