//! A tokenizer for HTML and XML that gives byte spans and copies nothing.
//! It follows [WHATWG HTML §13.2.5](https://html.spec.whatwg.org/#tokenization) except that a tag that the end of the
//! document cuts off is reported as far as it goes.

use std::ops::Range;

/// How an attribute's value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quote {
    /// In `"` or `'`.
    Quoted,
    /// Bare.
    Unquoted,
    /// There is no value.
    Missing,
}

/// One attribute. Spans are byte offsets in the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// The name.
    pub name: Range<usize>,
    /// The value, without quotes; empty and after the name when missing.
    pub value: Range<usize>,
    /// How the value is written.
    pub quote: Quote,
}

/// What the tokenizer came by. Spans are byte offsets in the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Token {
    /// `<name …>`; its attributes are in [`Tokenizer::attributes`].
    Start {
        /// The element's name.
        name: Range<usize>,
        /// Whether it ends in `/>`.
        closed: bool,
    },
    /// `</name>`
    End {
        /// The element's name.
        name: Range<usize>,
    },
    /// Text in which character references count.
    Text(Range<usize>),
    /// The content of `script`, `style` and the like, in which nothing counts.
    Raw(Range<usize>),
    /// The content of a `<![CDATA[…]]>` section (XML only).
    CData(Range<usize>),
    /// Inside of a comment.
    Comment(Range<usize>),
}

/// What the content of an element is, by its name (HTML only).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Raw,
    Text,
}

impl Content {
    /// That of an element whose content runs to its own end tag.
    fn of(name: &[u8]) -> Option<Content> {
        let is = |n: &[u8]| name.eq_ignore_ascii_case(n);
        let (raw, text): (&[&[u8]], &[&[u8]]) = match name.len() {
            3 => (&[b"xmp"], &[]),
            5 => (&[b"style"], &[b"title"]),
            6 => (&[b"script", b"iframe"], &[]),
            7 => (&[b"noembed"], &[]),
            8 => (&[b"noframes"], &[b"textarea"]),
            _ => return None,
        };
        if raw.iter().any(|n| is(n)) {
            return Some(Content::Raw);
        }
        text.iter().any(|n| is(n)).then_some(Content::Text)
    }
}

/// Runs over a document once.
#[derive(Debug)]
pub struct Tokenizer<'a> {
    doc: &'a [u8],
    at: usize,
    xml: bool,
    attributes: Vec<Attribute>,
    /// The element whose content runs to its own end tag, if the last token opened one.
    opened: Option<(Range<usize>, Content)>,
}

impl<'a> Tokenizer<'a> {
    /// For HTML.
    pub fn html(doc: &'a [u8]) -> Self {
        Tokenizer { doc, at: 0, xml: false, attributes: Vec::new(), opened: None }
    }

    /// For XML.
    pub fn xml(doc: &'a [u8]) -> Self {
        Tokenizer { xml: true, ..Self::html(doc) }
    }

    /// Whether what follows is the content of an element that runs to its own end tag.
    pub(crate) fn is_in_raw(&self) -> bool {
        self.opened.is_some()
    }

    /// Goes on at that offset, in text.
    pub(crate) fn go_to(&mut self, at: usize) {
        self.opened = None;
        self.at = at.min(self.doc.len());
    }

    /// Goes on at that offset, between the attributes of an element whose content is read as that of most. Those that are left are
    /// then in [`Tokenizer::attributes`].
    pub(crate) fn go_on_in_tag(&mut self, at: usize) {
        self.opened = None;
        self.read_attributes(at.min(self.doc.len()));
    }

    /// The attributes of the last [`Token::Start`].
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The attribute of the last start tag with that (lower-case) name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| self.doc[a.name.clone()].eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The next token; `None` at the end.
    #[allow(clippy::should_implement_trait, reason = "attributes are borrowed between calls")]
    pub fn next(&mut self) -> Option<Token> {
        if let Some((name, content)) = self.opened.take()
            && let Some(token) = self.content_of(&name, content)
        {
            return Some(token);
        }
        loop {
            let start = self.at;
            // Text runs to the next thing that is markup; a lone < is text.
            let mut from = start;
            let markup = loop {
                match memchr::memchr(b'<', &self.doc[from..]) {
                    Some(n) if self.is_markup(from + n) => break Some(from + n),
                    Some(n) => from += n + 1,
                    None => break None,
                }
            };
            let Some(open) = markup else {
                self.at = self.doc.len();
                return (start < self.at).then_some(Token::Text(start..self.at));
            };
            if open > start {
                self.at = open;
                return Some(Token::Text(start..open));
            }
            if let Some(token) = self.markup(open) {
                return Some(token);
            }
        }
    }

    fn is_markup(&self, at: usize) -> bool {
        match self.doc.get(at + 1) {
            Some(b'!' | b'?' | b'/') => true,
            Some(b) if self.xml => b.is_ascii_alphabetic() || matches!(b, b'_' | b':' | 0x80..),
            Some(b) => b.is_ascii_alphabetic(),
            None => false,
        }
    }

    fn markup(&mut self, open: usize) -> Option<Token> {
        let rest = &self.doc[open..];
        if rest.starts_with(b"<!--") {
            let start = open + 4;
            let (end, after) = self.until(start, b"-->");
            self.at = after;
            return Some(Token::Comment(start..end));
        }
        if self.xml && rest.starts_with(b"<![CDATA[") {
            let start = open + 9;
            let (end, after) = self.until(start, b"]]>");
            self.at = after;
            return Some(Token::CData(start..end));
        }
        let named = |b: Option<&u8>| {
            b.is_some_and(|b| b.is_ascii_alphabetic() || (self.xml && (*b == b'_' || *b >= 0x80)))
        };
        if rest[1] == b'/' && named(rest.get(2)) {
            let name = self.name(open + 2);
            self.read_attributes(name.end);
            self.attributes.clear();
            return Some(Token::End { name });
        }
        if matches!(rest[1], b'!' | b'?' | b'/') {
            self.at = self.until(open + 2, b">").1;
            return None;
        }
        let name = self.name(open + 1);
        let closed = self.read_attributes(name.end);
        if !self.xml {
            self.opened = Content::of(&self.doc[name.clone()]).map(|content| (name.clone(), content));
        }
        Some(Token::Start { name, closed })
    }

    fn until(&self, start: usize, mark: &[u8]) -> (usize, usize) {
        match memchr::memmem::find(&self.doc[start..], mark) {
            Some(n) => (start + n, start + n + mark.len()),
            None => (self.doc.len(), self.doc.len()),
        }
    }

    fn name(&self, start: usize) -> Range<usize> {
        let len = self.doc[start..]
            .iter()
            .take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'/' | b'>'))
            .count();
        start..start + len
    }

    /// Reads attributes up to and including `>`; tells whether a `/` stood right before it.
    fn read_attributes(&mut self, mut at: usize) -> bool {
        self.attributes.clear();
        let doc = self.doc;
        let space = |at: usize| doc[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let mut slash = false;
        loop {
            at += space(at);
            match doc.get(at) {
                None => {
                    self.at = at;
                    return false;
                }
                Some(b'>') => {
                    self.at = at + 1;
                    return slash;
                }
                Some(b'/') => {
                    slash = true;
                    at += 1;
                    continue;
                }
                Some(_) => slash = false,
            }
            // An = in first place belongs to the name.
            let len = 1 + doc[at + 1..]
                .iter()
                .take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'/' | b'>' | b'='))
                .count();
            let name = at..at + len;
            at += len;
            let equals = at + space(at);
            if doc.get(equals) != Some(&b'=') {
                self.attributes.push(Attribute { value: name.end..name.end, name, quote: Quote::Missing });
                continue;
            }
            at = equals + 1;
            at += space(at);
            let (value, quote) = if let Some(&q @ (b'"' | b'\'')) = doc.get(at) {
                let len = memchr::memchr(q, &doc[at + 1..]);
                (at + 1..len.map_or(doc.len(), |n| at + 1 + n), Quote::Quoted)
            } else {
                let len = doc[at..].iter().take_while(|b| !b.is_ascii_whitespace() && **b != b'>').count();
                (at..at + len, Quote::Unquoted)
            };
            at = (value.end + usize::from(quote == Quote::Quoted)).min(doc.len());
            self.attributes.push(Attribute { name, value, quote });
        }
    }

    /// The content of an element that runs to its own end tag, if it is not empty.
    fn content_of(&mut self, name: &Range<usize>, content: Content) -> Option<Token> {
        let name = &self.doc[name.clone()];
        let start = self.at;
        let mut from = start;
        let end = loop {
            let Some(n) = memchr::memmem::find(&self.doc[from..], b"</") else { break self.doc.len() };
            let at = from + n;
            let tail = &self.doc[at + 2..];
            if tail.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name))
                && tail.get(name.len()).is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'))
            {
                break at;
            }
            from = at + 2;
        };
        self.at = end;
        if end == start {
            return None;
        }
        Some(if content == Content::Raw { Token::Raw(start..end) } else { Token::Text(start..end) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(doc: &str, xml: bool) -> Vec<String> {
        let cut = |r: &Range<usize>| doc[r.clone()].to_owned();
        let mut tokenizer =
            if xml { Tokenizer::xml(doc.as_bytes()) } else { Tokenizer::html(doc.as_bytes()) };
        let mut found = Vec::new();
        while let Some(token) = tokenizer.next() {
            found.push(match token {
                Token::Start { name, closed } => {
                    let mut text = format!("<{}", cut(&name));
                    for a in tokenizer.attributes() {
                        text += &[" ", &cut(&a.name), "=", &cut(&a.value)].concat();
                    }
                    text + if closed { "/" } else { "" }
                }
                Token::End { name } => format!("/{}", cut(&name)),
                Token::Text(t) => format!("T{}", cut(&t)),
                Token::Raw(t) => format!("R{}", cut(&t)),
                Token::CData(t) => format!("C{}", cut(&t)),
                Token::Comment(t) => format!("!{}", cut(&t)),
            });
        }
        found
    }

    #[test]
    fn html() {
        assert_eq!(
            tokens("<!doctype html><P a=1 b='x>y' c = \"\" d/>1 < 2<!-- <i> --><br/></p x>", false),
            ["<P a=1 b=x>y c= d=/", "T1 < 2", "! <i> ", "<br/", "/p"]
        );
        assert_eq!(
            tokens("<script>a</b></scriptx></SCRIPT ><title>&lt;<b></title><style></style>", false),
            ["<script", "Ra</b></scriptx>", "/SCRIPT", "<title", "T&lt;<b>", "/title", "<style", "/style"]
        );
        for cut in
            ["<a b=\"x", "<a b=", "<a", "<", "</", "<!--", "<!", "<script>x", "<a =b>", "</ >", "<textarea>"]
        {
            tokens(cut, false);
            tokens(cut, true);
        }
        assert_eq!(tokens("<a b=\"x", false), ["<a b=x"]);
    }

    #[test]
    fn xml() {
        assert_eq!(
            tokens("<?xml version='1.0'?><n:a i='1'><![CDATA[<x>]]><title><b/></title></n:a>", true),
            ["<n:a i=1", "C<x>", "<title", "<b/", "/title", "/n:a"]
        );
    }
}
