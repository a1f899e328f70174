//! The values of an HTML body, and of scripts.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::body::Source;
use super::page::{Events, Leaves, Onward, PageEvents, Spot, Told, Way};
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
    /// Whether neither the name of the element whose tag is at hand nor what stands around it says anything of its attributes.
    tag_is_plain: bool,
}

struct Select {
    name: String,
    /// The value that is sent unless an option is marked as selected: the first one's.
    first: Option<(Range<usize>, Quote)>,
    done: bool,
}

pub(super) fn walk<'v>(source: &Source<'v, '_>, emit: Emit<'_, 'v>) -> ControlFlow<()> {
    Walk::new(source.body, source.want).page(&mut Way::new(Leaves(emit)))
}

/// The same for who may know what follows.
pub(super) fn walk_page(doc: &[u8], want: Want, events: &mut dyn PageEvents) {
    let _ = Walk::new(doc, want).page(&mut Way::new(Events(events)));
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
    fn new(doc: &'v [u8], want: Want) -> Walk<'v> {
        Walk {
            doc,
            want,
            counters: Counters::new(want),
            tag: String::new(),
            textarea: None,
            select: None,
            tag_is_plain: false,
        }
    }

    fn page<T: Told<'v>>(&mut self, way: &mut Way<T>) -> ControlFlow<()> {
        let mut tokens = Tokenizer::html(self.doc);
        loop {
            // The content of some elements is read in another way.
            let raw = tokens.is_in_raw();
            if raw || self.select.is_some() {
                way.is_odd();
            } else if let Some(onward) = way.ahead() {
                self.go_on(onward, &mut tokens, way)?;
                continue;
            }
            let Some(token) = tokens.next() else { break };
            match token {
                Token::Start { name, .. } => self.start(&name, &tokens, way)?,
                Token::End { name } => self.end(&name, way)?,
                Token::Text(span) => self.text(span, raw, way)?,
                Token::Raw(span) if self.tag == "script" && self.want.has(Want::SCRIPT) => {
                    script_values(self.doc, span, &mut self.counters.script, &mut |leaf| {
                        way.leaf(leaf, &Spot::Odd)
                    })?;
                }
                Token::Raw(_) | Token::CData(_) | Token::Comment(_) => {}
            }
        }
        self.close_select(way)
    }

    /// Where somebody knew the way.
    fn go_on<T: Told<'v>>(
        &mut self,
        onward: Onward,
        tokens: &mut Tokenizer<'v>,
        way: &mut Way<T>,
    ) -> ControlFlow<()> {
        let within = match onward {
            Onward::Text(at) => {
                tokens.go_to(at);
                return ControlFlow::Continue(());
            }
            Onward::Tag(at) => at,
            Onward::Link(url, from) => {
                let quote = url.start.checked_sub(1).and_then(|before| self.doc.get(before)).copied();
                let behind = url.end + 1;
                // The next one begins behind a separator.
                self.link(url, from + 1, quote, way)?;
                behind
            }
        };
        self.tag_is_plain = true;
        tokens.go_on_in_tag(within);
        for attribute in tokens.attributes() {
            self.attribute(attribute, way)?;
        }
        ControlFlow::Continue(())
    }

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

    fn start<T: Told<'v>>(
        &mut self,
        name: &Range<usize>,
        tokens: &Tokenizer<'v>,
        way: &mut Way<T>,
    ) -> ControlFlow<()> {
        // In a locator's text @ ends the tag's name.
        let mut tag = std::mem::take(&mut self.tag);
        tag.clear();
        self.lower_into(name, &mut tag);
        self.tag = if tag.contains('@') { tag.replace('@', "-") } else { tag };
        self.textarea = None;
        let tells =
            matches!(self.tag.as_str(), "input" | "button" | "meta" | "textarea" | "select" | "option");
        self.tag_is_plain = !(tells || tokens.is_in_raw() || self.select.is_some());
        if !self.tag_is_plain {
            way.is_odd();
        }
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
                self.close_select(way)?;
                self.select =
                    name.filter(|n| n.len() <= 256).map(|name| Select { name, first: None, done: false });
            }
            "option" => self.option(tokens, way)?,
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
                    let leaf = self.leaf(Locator::Input { name, nth }, &attribute.value, attribute.quote);
                    way.leaf(leaf, &Spot::Odd)?;
                }
            } else if is(b"content")
                && let Some(name) = meta.take()
            {
                if self.want.has(Want::META) {
                    let leaf = self.leaf(Locator::Meta { name }, &attribute.value, attribute.quote);
                    way.leaf(leaf, &Spot::Odd)?;
                }
            } else {
                self.attribute(attribute, way)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn attribute<T: Told<'v>>(&mut self, attribute: &Attribute, way: &mut Way<T>) -> ControlFlow<()> {
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
            if link && url::divides(leaf.value.trim_ascii()) {
                way.whole(Leaf { composite: true, ..leaf })?;
            } else {
                let spot = match self.quote(attribute) {
                    Some(quote) if link => Spot::Link { quote },
                    Some(quote) => Spot::Attribute { quote, plain: way.is_plain() },
                    None => Spot::Odd,
                };
                way.leaf(leaf, &spot)?;
            }
        }
        if link && self.want.has(Want::LINK) {
            self.link(attribute.value.clone(), 0, self.quote(attribute), way)?;
        }
        ControlFlow::Continue(())
    }

    /// The quotes in which an attribute's value stands, where they alone say where it ends and what is behind it.
    fn quote(&self, attribute: &Attribute) -> Option<u8> {
        let before = attribute.value.start.checked_sub(1)?;
        self.doc.get(before).copied().filter(|_| self.tag_is_plain && attribute.quote == Quote::Quoted)
    }

    /// The pieces of a link that begin there or further on.
    fn link<T: Told<'v>>(
        &mut self,
        span: Range<usize>,
        from: usize,
        quote: Option<u8>,
        way: &mut Way<T>,
    ) -> ControlFlow<()> {
        let raw = &self.doc[span.clone()];
        let want = self.want;
        let counter = &mut self.counters.link;
        let url = &span;
        let mut put = |pattern: String, value: Cow<'v, [u8]>, span: Range<usize>, encoding| {
            if span.start < from {
                return ControlFlow::Continue(());
            }
            let leaf = Leaf {
                locator: Locator::Link { nth: Nth::Index(counter.next(&pattern)), pattern },
                value,
                part: Part::Body,
                span,
                encoding,
                composite: false,
            };
            let spot = match quote {
                Some(quote) => Spot::Piece { url: url.clone(), quote, plain: way.is_plain() },
                None => Spot::Odd,
            };
            way.leaf(leaf, &spot)
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

    fn option<T: Told<'v>>(&mut self, tokens: &Tokenizer<'v>, way: &mut Way<T>) -> ControlFlow<()> {
        let Some(select) = &mut self.select else { return ControlFlow::Continue(()) };
        let Some(value) = tokens.attribute("value") else { return ControlFlow::Continue(()) };
        if tokens.attribute("selected").is_some() {
            select.done = true;
            let (name, span, quote) = (select.name.clone(), value.value.clone(), value.quote);
            return self.control(name, &span, quote, way);
        }
        if select.first.is_none() {
            select.first = Some((value.value.clone(), value.quote));
        }
        ControlFlow::Continue(())
    }

    fn control<T: Told<'v>>(
        &mut self,
        name: String,
        span: &Range<usize>,
        quote: Quote,
        way: &mut Way<T>,
    ) -> ControlFlow<()> {
        if !self.want.has(Want::INPUT) {
            return ControlFlow::Continue(());
        }
        let nth = Nth::Index(self.counters.input.next(&name));
        // The option's own value attribute is a leaf too, which holds the same bytes.
        way.leaf(Leaf { composite: true, ..self.leaf(Locator::Input { name, nth }, span, quote) }, &Spot::Odd)
    }

    fn close_select<T: Told<'v>>(&mut self, way: &mut Way<T>) -> ControlFlow<()> {
        match self.select.take() {
            Some(Select { name, first: Some((span, quote)), done: false }) => {
                self.control(name, &span, quote, way)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn end<T: Told<'v>>(&mut self, name: &Range<usize>, way: &mut Way<T>) -> ControlFlow<()> {
        let mut tag = std::mem::take(&mut self.tag);
        tag.clear();
        tag.push('/');
        self.lower_into(name, &mut tag);
        self.tag = tag;
        self.textarea = None;
        if self.tag == "/select" { self.close_select(way) } else { ControlFlow::Continue(()) }
    }

    fn text<T: Told<'v>>(&mut self, span: Range<usize>, in_raw: bool, way: &mut Way<T>) -> ControlFlow<()> {
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
        let spot = if in_raw { Spot::Odd } else { Spot::Text { plain: way.is_plain() } };
        let leaf = Leaf {
            locator,
            value: entity::decode(&self.doc[span.clone()], false),
            part: Part::Body,
            span,
            encoding: Encoding::HtmlText,
            composite: false,
        };
        way.leaf(leaf, &spot)
    }
}
