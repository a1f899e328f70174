//! A value found in a message, and how to write another one in its place.

use std::borrow::Cow;
use std::ops::Range;

use crate::Locator;
use crate::percent;

/// Which half of a message a span counts in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// Byte offsets in [`Message::head`](crate::Message::head).
    Head,
    /// Byte offsets in the *content-decoded* body, [`View::body`](crate::View::body).
    Body,
}

/// Which way a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Client to server.
    Request,
    /// Server to client.
    Response,
}

/// One value found in a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf<'a> {
    /// Where it stands; concrete, never with a wildcard.
    pub locator: Locator,
    /// The value with its encoding undone.
    pub value: Cow<'a, [u8]>,
    /// What `span` counts in.
    pub part: Part,
    /// The bytes to replace; quotes and other delimiters are outside.
    pub span: Range<usize>,
    /// How the value is written there.
    pub encoding: Encoding,
    /// True when leaves for pieces of this value follow (the pairs of a `Cookie` header, the
    /// segments of a `Location`). Edit either the whole or the pieces, not both.
    pub composite: bool,
}

impl Leaf<'_> {
    /// The decoded value, when it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }

    /// The edit that puts `value` in this place.
    pub fn edit(&self, value: &[u8]) -> crate::Edit {
        crate::Edit { part: self.part, span: self.span.clone(), bytes: self.encoding.encode(value) }
    }
}

/// How a value is written in its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Encoding {
    /// As it is: text bodies, multipart parts.
    Raw,
    /// A header field's value: as it is, without line breaks.
    Header,
    /// A cookie's value: as it is, without `;` and control characters.
    Cookie,
    /// Percent-encoding in a path segment.
    Percent,
    /// Percent-encoding with `+` for a space: query and form values.
    FormPercent,
    /// Inside the quotes of a JSON string.
    JsonString,
    /// A JSON number.
    JsonNumber,
    /// `true`, `false` or `null`.
    JsonLiteral,
    /// Inside the quotes of an HTML attribute.
    HtmlAttr,
    /// An HTML attribute's value that has no quotes.
    HtmlAttrUnquoted,
    /// An HTML attribute without `=value`; the span is empty and stands after its name.
    HtmlAttrBare,
    /// Text between tags.
    HtmlText,
    /// Inside a `<![CDATA[…]]>` section.
    CData,
    /// Inside the quotes of a script's string.
    ScriptString,
    /// A number in a script.
    ScriptNumber,
}

impl Encoding {
    /// What bytes that stand in such a place mean. `None` where more than these say that: in a header field, a cookie, and where an
    /// attribute has no value.
    pub fn decode(self, raw: &[u8]) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Encoding::Raw
            | Encoding::CData
            | Encoding::JsonNumber
            | Encoding::JsonLiteral
            | Encoding::ScriptNumber => Cow::Borrowed(raw),
            Encoding::Percent => percent::decode(raw, false),
            Encoding::FormPercent => percent::decode(raw, true),
            Encoding::JsonString => crate::json::unescape(raw),
            Encoding::ScriptString => crate::script::unescape(raw),
            Encoding::HtmlText => crate::html::entity::decode(raw, false),
            Encoding::HtmlAttr | Encoding::HtmlAttrUnquoted => crate::html::entity::decode(raw, true),
            _ => return None,
        })
    }

    /// Writes `value` so that it can stand in a place with this encoding: read again it gives `value`,
    /// and the bytes around it keep their meaning.
    ///
    /// Three places cannot hold everything: a header or a cookie cannot hold line breaks and the
    /// like (they are percent-encoded in cookies, and become spaces in headers), and a number or
    /// literal that is given something else becomes a string of the same language.
    pub fn encode(&self, value: &[u8]) -> Vec<u8> {
        match self {
            Encoding::Raw => value.to_vec(),
            Encoding::Header => {
                value.iter().map(|&b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { b }).collect()
            }
            Encoding::Cookie => percent::encode(value, |b| b > 0x20 && b != b';' && b != 0x7f, false),
            Encoding::Percent => percent::encode(value, percent::path_safe, false),
            Encoding::FormPercent => percent::encode(value, percent::form_safe, true),
            Encoding::JsonString => crate::json::escape(value),
            Encoding::JsonNumber => {
                if crate::json::is_number(value) {
                    value.to_vec()
                } else {
                    quoted(&crate::json::escape(value))
                }
            }
            Encoding::JsonLiteral => {
                if matches!(value, b"true" | b"false" | b"null") || crate::json::is_number(value) {
                    value.to_vec()
                } else {
                    quoted(&crate::json::escape(value))
                }
            }
            Encoding::HtmlAttr | Encoding::HtmlText => crate::html::entity::escape(value),
            Encoding::HtmlAttrUnquoted => {
                if value.is_empty() {
                    b"\"\"".to_vec()
                } else {
                    crate::html::entity::escape_unquoted(value)
                }
            }
            Encoding::HtmlAttrBare => {
                if value.is_empty() {
                    Vec::new()
                } else {
                    [b"=\"".as_slice(), &crate::html::entity::escape(value), b"\""].concat()
                }
            }
            Encoding::CData => {
                let mut out = Vec::with_capacity(value.len());
                for &b in value {
                    if b == b'>' && out.ends_with(b"]]") {
                        out.extend_from_slice(b"]]><![CDATA[");
                    }
                    out.push(b);
                }
                out
            }
            Encoding::ScriptString => crate::script::escape(value),
            Encoding::ScriptNumber => {
                if crate::json::is_number(value) {
                    value.to_vec()
                } else {
                    quoted(&crate::script::escape(value))
                }
            }
        }
    }
}

fn quoted(inner: &[u8]) -> Vec<u8> {
    [b"\"".as_slice(), inner, b"\""].concat()
}
