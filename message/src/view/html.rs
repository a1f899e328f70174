//! The values of an HTML body, and of scripts.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::body::Source;
use super::{Counter, Emit, Want, url};
use crate::html::entity;
use crate::html::token::{Attribute, Quote, Token, Tokenizer};
use crate::{Encoding, Leaf, Locator, Nth, Part, script};

/// Attributes that say how a page looks or works and hold no values. All others are leaves.
const STRUCTURAL: [&[u8]; 36] = [
    b"class",
    b"style",
    b"type",
    b"rel",
    b"role",
    b"lang",
    b"dir",
    b"width",
    b"height",
    b"method",
    b"enctype",
    b"charset",
    b"tabindex",
    b"colspan",
    b"rowspan",
    b"http-equiv",
    b"media",
    b"async",
    b"defer",
    b"crossorigin",
    b"loading",
    b"checked",
    b"selected",
    b"disabled",
    b"readonly",
    b"required",
    b"multiple",
    b"hidden",
    b"maxlength",
    b"minlength",
    b"size",
    b"rows",
    b"cols",
    b"autocomplete",
    b"xmlns",
    b"target",
];

const LINKS: [&[u8]; 4] = [b"href", b"src", b"action", b"formaction"];

const STRUCTURAL_LENGTHS: [u32; 26] = lengths(STRUCTURAL);
const LINK_LENGTHS: [u32; 26] = lengths(LINKS);

struct Counters {
    input: Counter,
    attr: Counter,
    link: Counter,
    script: Counter,
    text: Counter,
}

impl Counters {
    fn new(want: Want) -> Counters {
        let new = || Counter::new(want);
        Counters { input: new(), attr: new(), link: new(), script: new(), text: new() }
    }
}

/// Of names that begin with each letter the lengths that there are, one bit for each: most attributes' names are none of a list.
const fn lengths<const N: usize>(names: [&[u8]; N]) -> [u32; 26] {
    let mut lengths = [0; 26];
    let mut n = 0;
    while n < N {
        lengths[(names[n][0] - b'a') as usize] |= 1 << names[n].len();
        n += 1;
    }
    lengths
}

/// Whether a name is one of a list's, in any case.
fn is_one_of(name: &[u8], names: &[&[u8]], lengths: &[u32; 26]) -> bool {
    let Some(first) = name.first() else { return false };
    let letter = usize::from((first | 0x20).wrapping_sub(b'a'));
    let of_length = lengths.get(letter).is_some_and(|lengths| lengths >> name.len().min(31) & 1 != 0);
    of_length && names.iter().any(|n| name.eq_ignore_ascii_case(n))
}

struct Walk<'v> {
    doc: &'v [u8],
    want: Want,
    counters: Counters,
    /// Name of the last tag, lower-case, with `/` before it for an end tag.
    tag: String,
    /// Name of the `<textarea>` that was just opened.
    textarea: Option<String>,
    select: Option<Select>,
}

struct Select {
    name: String,
    /// The value that is sent unless an option is marked as selected: the first one's.
    first: Option<(Range<usize>, Quote)>,
    done: bool,
}

pub(super) fn walk<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
    let mut walk = Walk {
        doc: source.body,
        want: source.want,
        counters: Counters::new(source.want),
        tag: String::new(),
        textarea: None,
        select: None,
    };
    let mut tokens = Tokenizer::html(source.body);
    while let Some(token) = tokens.next() {
        match token {
            Token::Start { name, .. } => walk.start(&name, &tokens, emit)?,
            Token::End { name } => walk.end(&name, emit)?,
            Token::Text(span) => walk.text(span, emit)?,
            Token::Raw(span) if walk.tag == "script" && source.want.has(Want::SCRIPT) => {
                script_values(source.body, span, &mut walk.counters.script, emit)?;
            }
            Token::Raw(_) | Token::CData(_) | Token::Comment(_) => {}
        }
    }
    walk.close_select(emit)
}

/// The values of a JavaScript body.
pub(super) fn walk_script<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
    script_values(source.body, 0..source.body.len(), &mut Counter::new(source.want), emit)
}

fn script_values<'v>(
    doc: &'v [u8],
    span: Range<usize>,
    counter: &mut Counter,
    emit: Emit<'_, 'v>,
) -> ControlFlow<()> {
    let base = span.start;
    script::scan(&doc[span], &mut |found| {
        let key = String::from_utf8_lossy(&script::unescape(found.key)).into_owned();
        let (value, encoding) = if found.string {
            (script::unescape(found.raw), Encoding::ScriptString)
        } else {
            (Cow::Borrowed(found.raw), Encoding::ScriptNumber)
        };
        emit(Leaf {
            locator: Locator::Script { nth: Nth::Index(counter.next(&key)), key },
            value,
            part: Part::Body,
            span: found.span.start + base..found.span.end + base,
            encoding,
            composite: false,
        })
    })
}

fn encoding(quote: Quote) -> Encoding {
    match quote {
        Quote::Quoted => Encoding::HtmlAttr,
        Quote::Unquoted => Encoding::HtmlAttrUnquoted,
        Quote::Missing => Encoding::HtmlAttrBare,
    }
}

impl<'v> Walk<'v> {
    /// A tag's or attribute's name. Its first 100 bytes will do, for every locator has a copy.
    fn lower(&self, span: &Range<usize>) -> String {
        let mut name = String::new();
        self.lower_into(span, &mut name);
        name
    }

    fn lower_into(&self, span: &Range<usize>, name: &mut String) {
        let end = span.end.min(span.start + 100);
        name.push_str(&String::from_utf8_lossy(&self.doc[span.start..end]));
        name.make_ascii_lowercase();
    }

    fn decoded(&self, attribute: &Attribute) -> String {
        String::from_utf8_lossy(&entity::decode(&self.doc[attribute.value.clone()], true)).into_owned()
    }

    fn leaf(&self, locator: Locator, span: &Range<usize>, quote: Quote) -> Leaf<'v> {
        Leaf {
            locator,
            value: entity::decode(&self.doc[span.clone()], true),
            part: Part::Body,
            span: span.clone(),
            encoding: encoding(quote),
            composite: false,
        }
    }

    fn start(&mut self, name: &Range<usize>, tokens: &Tokenizer<'v>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
        // In a locator's text @ ends the tag's name.
        let mut tag = std::mem::take(&mut self.tag);
        tag.clear();
        self.lower_into(name, &mut tag);
        self.tag = if tag.contains('@') { tag.replace('@', "-") } else { tag };
        self.textarea = None;
        let named =
            |attribute: &str| tokens.attribute(attribute).map(|a| self.decoded(a)).filter(|n| !n.is_empty());
        let mut control = None;
        let mut meta = None;
        match self.tag.as_str() {
            "input" | "button" => control = named("name"),
            "meta" => meta = named("name").or_else(|| named("property")).or_else(|| named("itemprop")),
            "textarea" => self.textarea = named("name"),
            "select" => {
                let name = named("name");
                self.close_select(emit)?;
                self.select =
                    name.filter(|n| n.len() <= 256).map(|name| Select { name, first: None, done: false });
            }
            "option" => self.option(tokens, emit)?,
            _ => {}
        }
        for attribute in tokens.attributes() {
            let name = &self.doc[attribute.name.clone()];
            let is = |n: &[u8]| name.eq_ignore_ascii_case(n);
            // Only the first attribute of a name counts; a second one is a leaf of its own.
            if is(b"value")
                && let Some(name) = control.take()
            {
                if self.want.has(Want::INPUT) {
                    let nth = Nth::Index(self.counters.input.next(&name));
                    emit(self.leaf(Locator::Input { name, nth }, &attribute.value, attribute.quote))?;
                }
            } else if is(b"content")
                && let Some(name) = meta.take()
            {
                if self.want.has(Want::META) {
                    emit(self.leaf(Locator::Meta { name }, &attribute.value, attribute.quote))?;
                }
            } else {
                self.attribute(attribute, emit)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn attribute(&mut self, attribute: &Attribute, emit: Emit<'_, 'v>) -> ControlFlow<()> {
        let name = &self.doc[attribute.name.clone()];
        let link = attribute.quote != Quote::Missing && is_one_of(name, &LINKS, &LINK_LENGTHS);
        let structural =
            attribute.quote == Quote::Missing || is_one_of(name, &STRUCTURAL, &STRUCTURAL_LENGTHS);
        if self.want.has(Want::ATTR) && !structural {
            let attr = self.lower(&attribute.name);
            let locator = if self.want.has(Want::DETAIL) {
                let nth = Nth::Index(self.counters.attr.next(&format!("{}@{attr}", self.tag)));
                Locator::Attr { tag: self.tag.clone(), attr, nth }
            } else {
                Locator::Attr { tag: String::new(), attr, nth: Nth::Index(0) }
            };
            let leaf = self.leaf(locator, &attribute.value, attribute.quote);
            let composite = link && url::divides(leaf.value.trim_ascii());
            emit(Leaf { composite, ..leaf })?;
        }
        if link && self.want.has(Want::LINK) {
            self.link(attribute.value.clone(), emit)?;
        }
        ControlFlow::Continue(())
    }

    fn link(&mut self, span: Range<usize>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
        let raw = &self.doc[span.clone()];
        let want = self.want;
        let counter = &mut self.counters.link;
        let mut put = |pattern: String, value: Cow<'v, [u8]>, span: Range<usize>, encoding| {
            emit(Leaf {
                locator: Locator::Link { nth: Nth::Index(counter.next(&pattern)), pattern },
                value,
                part: Part::Body,
                span,
                encoding,
                composite: false,
            })
        };
        let lead = raw.len() - raw.trim_ascii_start().len();
        if memchr::memchr(b'&', raw).is_none() {
            let base = span.start + lead;
            return url::pieces(raw.trim_ascii(), want, &mut |p| {
                put(p.pattern.into_owned(), p.value, p.span.start + base..p.span.end + base, p.encoding)
            });
        }
        // With character references in it the URL is read decoded, and its pieces are traced back.
        let (decoded, map) = entity::decode_mapped(raw);
        let lead = decoded.len() - decoded.trim_ascii_start().len();
        url::pieces(decoded.trim_ascii(), want, &mut |p| {
            let place = |at: usize| map.get(at + lead).map_or(span.end, |m| m + span.start);
            let value = Cow::Owned(p.value.into_owned());
            put(p.pattern.into_owned(), value, place(p.span.start)..place(p.span.end), p.encoding)
        })
    }

    fn option(&mut self, tokens: &Tokenizer<'v>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
        let Some(select) = &mut self.select else { return ControlFlow::Continue(()) };
        let Some(value) = tokens.attribute("value") else { return ControlFlow::Continue(()) };
        if tokens.attribute("selected").is_some() {
            select.done = true;
            let (name, span, quote) = (select.name.clone(), value.value.clone(), value.quote);
            return self.control(name, &span, quote, emit);
        }
        if select.first.is_none() {
            select.first = Some((value.value.clone(), value.quote));
        }
        ControlFlow::Continue(())
    }

    fn control(
        &mut self,
        name: String,
        span: &Range<usize>,
        quote: Quote,
        emit: Emit<'_, 'v>,
    ) -> ControlFlow<()> {
        if !self.want.has(Want::INPUT) {
            return ControlFlow::Continue(());
        }
        let nth = Nth::Index(self.counters.input.next(&name));
        // The option's own value attribute is a leaf too, which holds the same bytes.
        emit(Leaf { composite: true, ..self.leaf(Locator::Input { name, nth }, span, quote) })
    }

    fn close_select(&mut self, emit: Emit<'_, 'v>) -> ControlFlow<()> {
        match self.select.take() {
            Some(Select { name, first: Some((span, quote)), done: false }) => {
                self.control(name, &span, quote, emit)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn end(&mut self, name: &Range<usize>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
        let mut tag = std::mem::take(&mut self.tag);
        tag.clear();
        tag.push('/');
        self.lower_into(name, &mut tag);
        self.tag = tag;
        self.textarea = None;
        if self.tag == "/select" { self.close_select(emit) } else { ControlFlow::Continue(()) }
    }

    fn text(&mut self, span: Range<usize>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
        let raw = &self.doc[span.clone()];
        let (locator, span) = if let Some(name) = self.textarea.take() {
            if !self.want.has(Want::INPUT) {
                return ControlFlow::Continue(());
            }
            // One line break after the tag is not part of the value.
            let skip = if raw.starts_with(b"\r\n") { 2 } else { usize::from(raw.starts_with(b"\n")) };
            let nth = Nth::Index(self.counters.input.next(&name));
            (Locator::Input { name, nth }, span.start + skip..span.end)
        } else {
            let text = raw.trim_ascii();
            if text.is_empty() || !self.want.has(Want::TEXT) {
                return ControlFlow::Continue(());
            }
            let start = span.start + (raw.len() - raw.trim_ascii_start().len());
            let nth = Nth::Index(self.counters.text.next(&self.tag));
            let tag = if self.want.has(Want::DETAIL) { self.tag.clone() } else { String::new() };
            (Locator::Text { tag, nth }, start..start + text.len())
        };
        emit(Leaf {
            locator,
            value: entity::decode(&self.doc[span.clone()], false),
            part: Part::Body,
            span,
            encoding: Encoding::HtmlText,
            composite: false,
        })
    }
}
