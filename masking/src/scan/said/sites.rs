//! Where in a text a name and its value may stand, whatever the name says: the ways in which people and programs write both.

use std::ops::Range;

use super::super::hints::{NAME, is_of_name, name_len};
use super::labels::labelled;
use crate::detect::signs::Signs;
use crate::names;

/// Spaces on either side of what stands between a name and its value, at most: logs write them below each other.
pub(super) const SPACES: usize = 64;
/// Bytes of a longest value in quotes.
pub(super) const QUOTED: usize = 4096;
/// Bytes of a value close behind its name, less than so many.
const CLOSE: usize = 256;
/// Bytes of a command line in which the command is looked for.
const COMMAND: usize = 512;

/// In which way a value stands behind its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// `password: …`, `password = …`, `"password": "…"`, and all in which name and value are as clearly told apart.
    Usual,
    /// `password:…`: as much else is written, so that the name must be a strong one.
    Close,
    /// `-u ann:…`: a password without a name.
    Login,
    /// `<b>Password:</b> …`: in a page's text, with character references.
    Marked,
}

/// A value, and its name, where there may be one.
pub(super) struct Site {
    pub(super) name: Range<usize>,
    /// The same with the word before it: `API key`.
    pub(super) longer: Option<Range<usize>>,
    pub(super) value: Range<usize>,
    /// Whether the value stands in quotes, in which there may be escapes.
    pub(super) quoted: bool,
    pub(super) form: Form,
}

impl Site {
    /// The quote behind the value, where that stands in quotes.
    pub(super) fn quote(&self, text: &[u8]) -> Option<u8> {
        text.get(self.value.end).copied().filter(|_| self.quoted)
    }
}

/// Visits all places in a text that look like a name and its value, where the value may be a secret by its form, until one is taken.
/// Says whether one was.
#[inline]
pub(super) fn visit(text: &[u8], signs: Signs, take: &mut impl FnMut(Site) -> bool) -> bool {
    let mut each = |site: Option<Site>| site.is_some_and(&mut *take);
    if signs.has_colon_or_equals()
        && memchr::memchr2_iter(b':', b'=', text).any(|at| each(assigned(text, at)))
    {
        return true;
    }
    if signs.may_be_wide() && memchr::memchr_iter(0xef, text).any(|at| each(wide(text, at))) {
        return true;
    }
    if signs.may_hold_pairs()
        && memchr::memchr3_iter(b'(', b'\'', b'|', text).any(|at| each(paired(text, at)))
    {
        return true;
    }
    if signs.may_hold_flags() && memchr::memchr_iter(b'-', text).any(|at| each(flagged(text, at))) {
        return true;
    }
    signs.has_angle() && memchr::memchr_iter(b'<', text).any(|at| each(labelled(text, at)))
}

/// At a colon or an equals sign.
#[inline]
fn assigned(text: &[u8], at: usize) -> Option<Site> {
    let first = text.get(at + 1)?;
    // Most colons stand in links and times.
    match first {
        b' ' | b'\t' | b'"' | b'\'' | b'>' | b'*' | b'_' => assigned_at(text, at),
        _ if typed(text.get(at + 1..)?) > 0 => assigned_at(text, at),
        _ if text.get(at) == Some(&b':') && names::is_strong(text.get(..at)?) => close(text, at),
        _ => None,
    }
}

fn assigned_at(text: &[u8], at: usize) -> Option<Site> {
    let colon = text.get(at) == Some(&b':');
    let arrow = usize::from(!colon && text.get(at + 1) == Some(&b'>'));
    given(text, at, at + 1 + arrow, colon, 1)
}

/// `密码：…`, with nothing between.
fn wide(text: &[u8], at: usize) -> Option<Site> {
    let sign = text.get(at..)?;
    let behind = sign.strip_prefix("：".as_bytes()).or_else(|| sign.strip_prefix("＝".as_bytes()))?;
    given(text, at, text.len() - behind.len(), true, 0)
}

/// What a sign gives to the name before it, with so many spaces behind it at least where it is not in quotes.
fn given(text: &[u8], at: usize, mut behind: usize, colon: bool, least: usize) -> Option<Site> {
    // `**Password:** …`
    behind += if colon { marks(text.get(behind..)?) } else { 0 };
    let spaces = spaces(text.get(behind..)?);
    let start = behind + spaces + typed(text.get(behind + spaces..)?);
    let rest = text.get(start..)?;
    let quote = rest.first().copied().filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    let value = match quote {
        Some(quote) => start + 1..start + 1 + quoted(rest.get(1..)?, quote)?,
        None if spaces < least || spaces > SPACES => return None,
        None => without_marks(text, start..start + bare(rest)),
    };
    // Code of programs stands in others.
    let quoted = quote.is_some_and(|quote| quote != b'`');
    if value.is_empty() || !quoted && !is_telling(text.get(value.clone())?) {
        return None;
    }
    let mut before = text.get(..at)?;
    // `:=` assigns as well.
    before = before.strip_suffix(b":").filter(|_| !colon).unwrap_or(before);
    before = trimmed(before);
    // `config["password"] = …`
    let inner = before.strip_suffix(b"]").filter(|inner| inner.ends_with(b"\"") || inner.ends_with(b"'"));
    before = inner.unwrap_or(before);
    before = before.get(..before.len() - marks_before(before))?;
    let unquoted = [b"\"", b"'", b"`"].iter().find_map(|quote| before.strip_suffix(*quote)).unwrap_or(before);
    let (name, longer) = names_before(unquoted)?;
    Some(Site { name, longer, value, quoted, form: Form::Usual })
}

/// `password:…`, where that is no part of a link and no pair of other things.
#[cold]
fn close(text: &[u8], at: usize) -> Option<Site> {
    let rest = text.get(at + 1..)?;
    let len = bare(rest.get(..CLOSE).unwrap_or(rest));
    let value = without_marks(text, at + 1..at + 1 + len);
    if len == CLOSE || !is_telling(text.get(value.clone())?) {
        return None;
    }
    let before = text.get(..at)?;
    let (name, longer) = names_before(before)?;
    let before = before.get(..name.start)?;
    let begins = before.last().is_none_or(|b| *b <= b' ' || b"\"'`([{<>,;*|?&=".contains(b));
    let word = before.iter().rev().take(COMMAND).take_while(|b| **b > b' ').count();
    let in_link = memchr::memmem::find(before.get(before.len() - word..)?, b"://").is_some();
    (begins && !in_link).then_some(Site { name, longer, value, quoted: false, form: Form::Close })
}

/// At a bracket, a quote or a bar.
#[inline]
fn paired(text: &[u8], at: usize) -> Option<Site> {
    match text.get(at)? {
        b'(' => called(text, at),
        b'|' => in_table(text, at),
        // Most are in the midst of words.
        _ if at > 0 && text.get(at - 1) == Some(&b' ') => in_statement(text, at, at),
        _ if at > 1 && text.get(at - 2) == Some(&b' ') && typed(text.get(at - 1..)?) > 0 => {
            in_statement(text, at - 1, at)
        }
        _ => None,
    }
}

/// Length of the letter before a quote that says of what sort the text is: `N'…'` in SQL, `b"…"` in Python.
fn typed(text: &[u8]) -> usize {
    let is_typed =
        |letter: u8| matches!(letter.to_ascii_lowercase(), b'n' | b'e' | b'b' | b'r' | b'u' | b'f');
    usize::from(matches!(text, [letter, b'\'' | b'"', ..] if is_typed(*letter)))
}

/// `set("password", "…")`, `define('DB_PASSWORD', '…')`, and `setPassword("…")`.
fn called(text: &[u8], at: usize) -> Option<Site> {
    let start = at + 1 + spaces(text.get(at + 1..)?);
    let quote = text.get(start).copied().filter(|b| matches!(b, b'"' | b'\''))?;
    let rest = text.get(start + 1..)?;
    let len = name_len(rest);
    if rest.get(len) == Some(&quote) && len > 0 {
        let name = start + 1..start + 1 + len;
        let behind = name.end + 1 + spaces(text.get(name.end + 1..)?);
        if text.get(behind) == Some(&b',') {
            let start = behind + 1 + spaces(text.get(behind + 1..)?);
            let quote = text.get(start).copied().filter(|b| matches!(b, b'"' | b'\''))?;
            let value = start + 1..start + 1 + quoted(text.get(start + 1..)?, quote)?;
            return Some(Site { name, longer: None, value, quoted: true, form: Form::Usual });
        }
    }
    let name = word_before(text.get(..at)?)?;
    let word = text.get(name.clone())?;
    let ends = word.len().checked_sub(8).and_then(|start| word.get(start..))?;
    if !ends.eq_ignore_ascii_case(b"password") {
        return None;
    }
    let value = start + 1..start + 1 + quoted(rest, quote)?;
    let behind = text.get(value.end + 1..)?;
    let closes = behind.get(spaces(behind)..)?.first() == Some(&b')');
    (closes && !value.is_empty()).then_some(Site {
        name,
        longer: None,
        value,
        quoted: true,
        form: Form::Usual,
    })
}

/// `| Password | … |`, with or without the bars around it.
fn in_table(text: &[u8], at: usize) -> Option<Site> {
    let before = trimmed(text.get(..at)?);
    let before = before.get(..before.len() - marks_before(before))?;
    let name = before.iter().rev().take(NAME).take_while(|b| is_of_name(**b) || **b == b' ').count();
    let cell = before.len() - name..before.len();
    let around = text.get(..cell.start)?;
    let around = around.get(..around.len() - marks_before(around))?;
    let around = trimmed(around);
    let start = cell.start + text.get(cell.clone())?.iter().take_while(|b| **b == b' ').count();
    // Without a bar before them words are a command.
    let is_word = || !text.get(start..cell.end).is_some_and(|words| words.contains(&b' '));
    let begins = match around.last() {
        // Further on in a row there are other columns.
        Some(b'|') => trimmed(around.strip_suffix(b"|")?).last().is_none_or(|b| *b == b'\n'),
        None | Some(b'\n') => is_word(),
        _ => false,
    };
    if !begins || start == cell.end {
        return None;
    }
    let start_of_value = at + 1 + spaces(text.get(at + 1..)?);
    let rest = text.get(start_of_value..)?;
    let len = rest.iter().position(|b| *b <= b' ' || *b == b'|').unwrap_or(rest.len());
    let behind = rest.get(len..)?;
    let behind = behind.get(spaces(behind)..)?;
    let value = start_of_value..start_of_value + len;
    let value = without_marks(text, without_code(text, value));
    let ends = behind.first().is_none_or(|b| matches!(b, b'|' | b'\r' | b'\n'));
    // When it was set; people have days as passwords, but hardly in tables.
    if names::is_day(text.get(value.clone())?) {
        return None;
    }
    // `|pass| decoded(pass)` is code.
    let is_glued = around.last() == Some(&b'|') && around.len() == start && start_of_value > at + 1;
    if !ends || is_glued || !is_telling(text.get(value.clone())?) {
        return None;
    }
    let name = start..cell.end;
    Some(Site { name, longer: None, value, quoted: false, form: Form::Usual })
}

/// `IDENTIFIED BY '…'`, `WITH PASSWORD '…'`: what begins there, with that quote.
fn in_statement(text: &[u8], start: usize, at: usize) -> Option<Site> {
    let before = trimmed(text.get(..start)?);
    let name = word_before(before)?;
    let word = text.get(name.clone())?;
    let is_by = word.eq_ignore_ascii_case(b"by");
    if !is_by && !word.eq_ignore_ascii_case(b"password") {
        return None;
    }
    let value = at + 1..at + 1 + quoted(text.get(at + 1..)?, b'\'')?;
    // A text of words is not looked at.
    let is_word = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80 || matches!(b, b' ' | b',' | b'\'');
    if text.get(value.clone())?.iter().all(is_word) {
        return None;
    }
    let form = if is_by {
        let clause = text.get(name.start.saturating_sub(NAME)..name.start)?.to_ascii_lowercase();
        memchr::memmem::find(&clause, b"identified ")?;
        Form::Login
    } else {
        Form::Usual
    };
    Some(Site { name, longer: None, value, quoted: true, form })
}

/// `--password …`, `curl -u ann:…`.
#[inline]
fn flagged(text: &[u8], at: usize) -> Option<Site> {
    // Most dashes stand in the midst of words and numbers.
    let begins = at == 0 || text.get(at - 1).is_some_and(|b| !is_of_name(*b));
    match text.get(at + 1)? {
        b'-' if begins => flag(text, at + 2),
        b'u' | b'U' if begins => login(text, at, at + 2),
        _ => None,
    }
}

fn flag(text: &[u8], start: usize) -> Option<Site> {
    let rest = text.get(start..)?;
    let len = name_len(rest);
    let name = start..start + len;
    let word = text.get(name.clone())?;
    if word == b"user" || word == b"proxy-user" {
        return login(text, start, name.end);
    }
    let space = spaces(text.get(name.end..)?);
    if space == 0 || !word.iter().any(u8::is_ascii_alphabetic) {
        return None;
    }
    let (value, quoted) = argument(text, name.end + space)?;
    let first = text.get(value.start)?;
    if matches!(first, b'$' | b'-') || !quoted && !is_telling(text.get(value.clone())?) {
        return None;
    }
    Some(Site { name, longer: None, value, quoted, form: Form::Usual })
}

/// What a command is given, and whether it stands in quotes.
fn argument(text: &[u8], start: usize) -> Option<(Range<usize>, bool)> {
    let rest = text.get(start..)?;
    match rest.first()? {
        quote @ (b'"' | b'\'') => Some((start + 1..start + 1 + quoted(rest.get(1..)?, *quote)?, true)),
        _ => Some((start..start + bare(rest), false)),
    }
}

/// The password of `ann:…`, which stands there.
fn login(text: &[u8], flag: usize, end: usize) -> Option<Site> {
    let space = spaces(text.get(end..)?);
    let (value, quoted) = argument(text, end + space)?;
    let pair = text.get(value.clone())?;
    let colon = memchr::memchr(b':', pair)?;
    let (user, password) = (pair.get(..colon)?, pair.get(colon + 1..)?);
    // Numbers of users and groups.
    let is_number = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if password.starts_with(b"$")
        || is_number(user) && is_number(password)
        || memchr::memchr(b'/', user).is_some()
    {
        return None;
    }
    let before = text.get(flag.saturating_sub(COMMAND)..flag)?;
    memchr::memmem::find(before, b"curl")?;
    let value = value.start + colon + 1..value.end;
    (!value.is_empty()).then_some(Site { name: flag..flag, longer: None, value, quoted, form: Form::Login })
}

/// Spaces at the beginning of a text, up to one more than there may be.
fn spaces(text: &[u8]) -> usize {
    text.iter().take(SPACES + 1).take_while(|b| is_space(**b)).count()
}

/// A text without the spaces at its end.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take(SPACES).take_while(|b| is_space(**b)).count();
    text.get(..text.len() - spaces).unwrap_or_default()
}

/// Markdown's signs at the beginning of a text, and at its end.
fn marks(text: &[u8]) -> usize {
    text.iter().take(2).take_while(|b| matches!(b, b'*' | b'_')).count()
}

fn marks_before(text: &[u8]) -> usize {
    text.iter().rev().take(2).take_while(|b| **b == b'*').count()
}

/// The name at the end of a text, if there is one, in any script.
fn word_before(text: &[u8]) -> Option<Range<usize>> {
    let len = text.iter().rev().take(NAME).take_while(|b| is_of_name(**b) || !b.is_ascii()).count();
    let name = text.len() - len..text.len();
    text.get(name.clone())?.iter().any(|b| b.is_ascii_alphabetic() || !b.is_ascii()).then_some(name)
}

/// The same, and that with the word before it.
fn names_before(text: &[u8]) -> Option<(Range<usize>, Option<Range<usize>>)> {
    let name = word_before(text)?;
    let apart = text.get(..name.start)?.strip_suffix(b" ");
    let longer = apart.and_then(word_before).map(|word| word.start..name.end);
    Some((name, longer))
}

/// Length of what stands before the quote that closes; `None` when there is none in the line. One that is written twice closes nothing, as
/// in SQL, where there is another one behind it.
fn quoted(text: &[u8], quote: u8) -> Option<usize> {
    let text = text.get(..QUOTED).unwrap_or(text);
    let (mut at, mut twice) = (0, None);
    loop {
        let Some(next) = memchr::memchr3(quote, b'\\', b'\n', text.get(at..).unwrap_or_default()) else {
            return twice;
        };
        at += next;
        match text.get(at)? {
            b'\\' => at += 2,
            b'\n' => return twice,
            _ if text.get(at + 1) == Some(&quote) => {
                twice = twice.or(Some(at));
                at += 2;
            }
            _ => return Some(at),
        }
    }
}

/// Length of a value without quotes: as of one behind an equals sign; nothing where it goes on as code does. A sentence ends behind it.
pub(super) fn bare(text: &[u8]) -> usize {
    let ends = |b: &u8| {
        *b <= b' '
            || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | 0x7f | b'&' | b';' | b',')
            || b"()[]{}".contains(b)
    };
    let len = text.iter().position(ends).unwrap_or(text.len());
    // So does a sentence in Chinese, wherever it does.
    let is_wide = |at: &usize| matches!(text.get(*at..), Some([0xe3, 0x80, ..] | [0xef, 0xbc | 0xbd, ..]));
    if let Some(end) = text.get(..len).and_then(|value| memchr::memchr2_iter(0xe3, 0xef, value).find(is_wide))
    {
        return end;
    }
    if text.get(len).is_some_and(|b| matches!(b, b'(' | b'[' | b'{')) {
        return 0;
    }
    len - usize::from(text.get(..len).is_some_and(|value| value.ends_with(b".")))
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// Whether a value without quotes may be a secret by its form, or is a scheme that has one behind it.
pub(super) fn is_telling(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit) || turns(value) >= 2 || is_scheme(value)
}

pub(super) fn is_scheme(word: &[u8]) -> bool {
    [&b"bearer"[..], b"basic", b"token"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// How often a capital letter stands behind a small one.
pub(super) fn turns(value: &[u8]) -> usize {
    value
        .windows(2)
        .filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
        .count()
}

/// Marks that people put around what they name: quotes of many languages, and Markdown's.
const MARKS: [&str; 19] = [
    "\u{201c}", "\u{201d}", "\u{201e}", "\u{201f}", "\u{2018}", "\u{2019}", "\u{201a}", "\u{ab}", "\u{bb}",
    "\u{2039}", "\u{203a}", "\u{300c}", "\u{300d}", "\u{200b}", "\u{2026}", "**", "__", "*", "_",
];

/// The value without such marks around it.
pub(super) fn without_marks(text: &[u8], value: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = value;
    let rest = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
    // Markdown's are such only where they stand on both sides.
    let is_pair = |mark: &str| mark.is_ascii();
    while let Some(mark) = MARKS.iter().find(|mark| {
        rest(start, end).starts_with(mark.as_bytes())
            && (!is_pair(mark) || rest(start + mark.len(), end).ends_with(mark.as_bytes()))
    }) {
        start += mark.len();
        end -= if is_pair(mark) { mark.len() } else { 0 };
    }
    while let Some(mark) =
        MARKS.iter().find(|mark| !is_pair(mark) && rest(start, end).ends_with(mark.as_bytes()))
    {
        end -= mark.len();
    }
    start..end
}

/// The value without the signs of code around it.
fn without_code(text: &[u8], value: Range<usize>) -> Range<usize> {
    match text.get(value.clone()) {
        Some([b'`', .., b'`']) if value.len() > 2 => value.start + 1..value.end - 1,
        _ => value,
    }
}
