//! Connection strings: by what programs open databases and queues. They have their own rules of where a value ends, so that a password in
//! one may have signs in it that would end it in any other text. What is found by these rules comes on top of what is found in any text.
//!
//! | form | of |
//! |---|---|
//! | `Server=db;User Id=sa;Password=…` | [ADO.NET](https://learn.microsoft.com/dotnet/framework/data/adonet/connection-string-syntax), ODBC, Azure |
//! | `jdbc:sqlserver://db:1433;user=sa;password=…` | JDBC |
//! | `host=db user=ann password='…'` | [libpq](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE) |
//! | `ann:…@tcp(db:3306)/shop` | [Go's MySQL](https://github.com/go-sql-driver/mysql#dsn-data-source-name) |
//! | `jdbc:oracle:thin:ann/…@//db/shop` | Oracle |

use std::ops::Range;

use super::hints::{NAME, is_of_name, name_len};
use super::{Context, Patch, Scanner, merge, shift};
use crate::kind::Kind;
use crate::names::Rule;

/// No value in quotes is longer.
const QUOTED: usize = 512;

/// What says where something is, as ADO.NET, ODBC and JDBC have it: without one of these a list of pairs is no connection string.
const PLACES: &str = "server host hostname datasource networkaddress servername serverhost database databasename dbname dbq \
     initialcatalog driver dsn endpoint accountname accountendpoint defaultendpointsprotocol";

/// Names that libpq and those who speak for it know, and those of them that say where something is.
const LIBPQ: &str = "host hostaddr dbname database port user password passfile service options application_name fallback_application_name \
     connect_timeout statement_timeout client_encoding datestyle timezone search_path sslmode requiressl sslcompression sslcert sslcertmode \
     sslkey sslpassword sslrootcert sslcrl sslcrldir sslsni sslnegotiation ssl_min_protocol_version ssl_max_protocol_version requirepeer \
     channel_binding require_auth target_session_attrs keepalives keepalives_idle keepalives_interval keepalives_count \
     tcp_user_timeout gssencmode gsslib gssdelegation krbsrvname replication load_balance_hosts pool_max_conns pool_min_conns";
const LIBPQ_PLACES: &str = "host hostaddr dbname database";

/// What says what a value is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum By<'t> {
    Name(&'t [u8]),
    Kind(Kind),
}

/// A value in a connection string, without its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Found<'t> {
    by: By<'t>,
    value: Range<usize>,
}

impl Scanner<'_> {
    /// The patches of secrets in a text that is a connection string, or in those of its lines that are.
    pub(super) fn connections(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let mut patches = Vec::new();
        let mut start = 0;
        for line in text.split(|b| *b == b'\n') {
            let mut rule_of = |name: &[u8]| self.memo.name(&self.policy.names, name).rule;
            // Under a secret's name all of it is one.
            for Found { by, value } in found(line, |name| rule_of(name).is_none()) {
                let Some(inner) = line.get(value.clone()) else { continue };
                let rule = match by {
                    By::Kind(kind) => Some(Rule::Mask(kind)),
                    By::Name(name) => self.memo.name(&self.policy.names, name).rule,
                };
                if matches!(rule, Some(Rule::Mask(_) | Rule::Own(_))) && !stands_for(inner) {
                    let more = self.value(inner, context.inner(rule));
                    merge(&mut patches, shift(more, start + value.start));
                }
            }
            start += line.len() + 1;
        }
        patches
    }
}

/// `<password>`, `${PASSWORD}`, `%s`: where a value would be.
fn stands_for(value: &[u8]) -> bool {
    let around = [(&b"<"[..], &b">"[..]), (b"${", b"}"), (b"{{", b"}}"), (b"%", b"%"), (b"$(", b")")];
    value == b"%s" || around.iter().any(|(begin, end)| value.starts_with(begin) && value.ends_with(end))
}

/// The values in a line that is a connection string, or in which one is given to a name that may have one.
fn found(line: &[u8], may_have: impl FnOnce(&[u8]) -> bool) -> Vec<Found<'_>> {
    let whole = trimmed(line, 0..line.len());
    let inner = || {
        let (name, behind) = given(line, whole.clone())?;
        if may_have(name) { read(line, behind) } else { None }
    };
    read(line, whole.clone()).or_else(inner).unwrap_or_default()
}

/// The values of a range of a line that is a connection string, perhaps in quotes.
fn read(line: &[u8], range: Range<usize>) -> Option<Vec<Found<'_>>> {
    let Range { start, end } = unquoted(line, range);
    let text = line.get(start..end)?;
    let mut found = before_at(text).or_else(|| libpq(text)).or_else(|| listed(text))?;
    for Found { value, .. } in &mut found {
        *value = start + value.start..start + value.end;
    }
    Some(found)
}

/// A name, and what is given to it: `DSN=…`, `export DSN="…"`, `"dsn": "…"`.
fn given(line: &[u8], range: Range<usize>) -> Option<(&[u8], Range<usize>)> {
    let text = line.get(range.clone())?;
    let is_before = |b: &&u8| is_of_name(**b) || b" \t\"'[]$@".contains(b);
    let len = text.iter().take(NAME).take_while(is_before).count();
    let behind = text.get(len).filter(|b| matches!(b, b'=' | b':'))?;
    // Of `jdbc:…` and `ann:…@tcp(db)` the colon is a part.
    let gives = *behind == b'=' || matches!(text.get(len + 1), Some(b' ' | b'\t'));
    let name = text.get(..len)?.rsplit(|b| !is_of_name(*b)).find(|word| !word.is_empty())?;
    gives.then_some((name, range.start + len + 1..range.end))
}

/// A range of a text without the space around it.
fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inner = text.get(range.clone()).unwrap_or_default();
    let start = range.start + inner.len() - inner.trim_ascii_start().len();
    start..start + inner.trim_ascii().len()
}

/// The same without the quotes around that, and what separates it from the next text in quotes.
fn unquoted(text: &[u8], range: Range<usize>) -> Range<usize> {
    let Range { start, end } = trimmed(text, range);
    let quote = text.get(start..end).and_then(|inner| inner.first());
    let Some(quote) = quote.filter(|b| matches!(b, b'"' | b'\'' | b'`')) else { return start..end };
    let inner = text.get(start + 1..end).unwrap_or_default();
    let inner = inner.strip_suffix(b",").or_else(|| inner.strip_suffix(b";")).unwrap_or(inner);
    match inner.strip_suffix(&[*quote]) {
        Some(inner) => start + 1..start + 1 + inner.len(),
        None => start..end,
    }
}

/// Whether a name, whatever its spelling, is one of these.
fn is_one_of(name: &[u8], names: &str) -> bool {
    let letters = || name.iter().filter(|b| !b" _-.".contains(b)).map(u8::to_ascii_lowercase);
    names.split_ascii_whitespace().any(|one| one.bytes().filter(|b| *b != b'_').eq(letters()))
}

fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// The values of a list of pairs with semicolons between them, one of which says where something is.
fn listed(text: &[u8]) -> Option<Vec<Found<'_>>> {
    let is_jdbc = text.starts_with(b"jdbc:");
    let mut at = if is_jdbc { memchr::memchr(b';', text)? } else { 0 };
    let mut placed = is_jdbc;
    let mut found = Vec::new();
    loop {
        at += text.get(at..)?.iter().take_while(|b| matches!(b, b' ' | b'\t' | b';')).count();
        let rest = text.get(at..)?;
        if rest.is_empty() {
            return (placed && found.len() > usize::from(!is_jdbc)).then_some(found);
        }
        let len = rest.iter().take(NAME).take_while(|b| is_of_name(**b) || **b == b' ').count();
        match rest.get(len) {
            Some(b'=') if len > 0 => {}
            // A word by itself.
            Some(b';') | None if !found.is_empty() && !rest.get(..len)?.contains(&b' ') => {
                at += len;
                continue;
            }
            _ => return None,
        }
        let name = rest.get(..len)?.trim_ascii();
        placed |= is_one_of(name, PLACES);
        let (value, end) = listed_value(text, at + len + 1)?;
        found.push(Found { by: By::Name(name), value });
        at = end;
    }
}

/// The value that begins there, and where the semicolon behind it stands or the text ends. `None` where it may be a form's pairs, or a log's.
fn listed_value(text: &[u8], start: usize) -> Option<(Range<usize>, usize)> {
    let rest = text.get(start..)?;
    let blank = spaces(rest);
    let closes = match rest.get(blank) {
        Some(quote @ (b'"' | b'\'')) => Some(*quote),
        Some(b'{') => Some(b'}'),
        _ => None,
    };
    if let Some(end) = closes.and_then(|closes| quoted(rest, blank + 1, closes)) {
        let behind = rest.get(end + 1..)?;
        let gap = spaces(behind);
        if matches!(behind.get(gap), None | Some(b';')) {
            return Some((start + blank + 1..start + end, start + end + 1 + gap));
        }
    }
    let len = memchr::memchr(b';', rest).unwrap_or(rest.len());
    let value = rest.get(..len)?;
    let begins_pair = |at: usize| {
        let behind = value.get(at + 1..).unwrap_or_default();
        let name = name_len(behind);
        name > 0 && behind.get(name) == Some(&b'=')
    };
    if memchr::memchr2_iter(b'&', b' ', value).any(begins_pair) {
        return None;
    }
    Some((trimmed(text, start..start + len), start + len))
}

/// Where the quote stands that closes what begins there; two in a row are one in the value.
fn quoted(text: &[u8], start: usize, closes: u8) -> Option<usize> {
    let text = text.get(..start + QUOTED).unwrap_or(text);
    let mut at = start;
    loop {
        at += memchr::memchr(closes, text.get(at..)?)?;
        if text.get(at + 1) != Some(&closes) {
            return Some(at);
        }
        at += 2;
    }
}

/// The values of libpq's keywords, and of nothing else.
fn libpq(text: &[u8]) -> Option<Vec<Found<'_>>> {
    let mut at = 0;
    let mut placed = false;
    let mut found = Vec::new();
    loop {
        at += text.get(at..)?.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = text.get(at..)?;
        if rest.is_empty() {
            return (placed && found.len() > 1).then_some(found);
        }
        let len = name_len(rest);
        let name = rest.get(..len)?;
        let equals = len + spaces(rest.get(len..)?);
        if rest.get(equals) != Some(&b'=') || !is_one_of(name, LIBPQ) {
            return None;
        }
        placed |= is_one_of(name, LIBPQ_PLACES);
        let start = at + equals + 1;
        let (value, end) = libpq_value(text, start + spaces(text.get(start..)?))?;
        found.push(Found { by: By::Name(name), value });
        at = end;
    }
}

/// The value that begins there, and where it ends with its quote: a backslash takes the next byte along.
fn libpq_value(text: &[u8], start: usize) -> Option<(Range<usize>, usize)> {
    let in_quotes = text.get(start) == Some(&b'\'');
    let first = start + usize::from(in_quotes);
    let mut at = first;
    while let Some(b) = text.get(at) {
        match b {
            b'\\' => at += 1,
            b'\'' if in_quotes => return Some((first..at, at + 1)),
            b if !in_quotes && b.is_ascii_whitespace() => break,
            _ => {}
        }
        at += 1;
    }
    let end = at.min(text.len());
    (!in_quotes).then_some((first..end, end))
}

/// The user and the password that stand before an `@`, where what is behind it is a place as only these two have it: `@tcp(db:3306)/shop`,
/// and anything behind Oracle's name.
fn before_at(text: &[u8]) -> Option<Vec<Found<'_>>> {
    let (start, divides, end) = match text.strip_prefix(b"jdbc:oracle:") {
        Some(oracle) => {
            let driver = memchr::memchr(b':', oracle)?;
            (text.len() - oracle.len() + driver + 1, b'/', memchr::memchr(b'@', text)?)
        }
        None => (0, b':', memchr::memchr_iter(b'@', text).find(|at| goes_there(text, *at))?),
    };
    let before = text.get(start..end)?;
    let user = name_len(before);
    let password = before.get(user + 1..)?;
    let is_user =
        before.get(user) == Some(&divides) && before.get(..user)?.iter().any(u8::is_ascii_alphabetic);
    // In a text, or behind a scheme, there would be some of these.
    let is_password = !password.is_empty()
        && !password.starts_with(b"//")
        && !password.iter().any(|b| *b <= b' ' || matches!(b, b'"' | b'\''));
    if !is_user || !is_password {
        return None;
    }
    Some(vec![
        Found { by: By::Kind(Kind::User), value: start..start + user },
        Found { by: By::Kind(Kind::Password), value: start + user + 1..end },
    ])
}

/// Whether there is `tcp(db:3306)/` behind an `@`, or another protocol.
fn goes_there(text: &[u8], at: usize) -> bool {
    let behind = text.get(at + 1..).unwrap_or_default();
    let protocol = behind.iter().take(16).take_while(|b| is_of_name(**b)).count();
    let place = behind.get(protocol..).and_then(|rest| rest.strip_prefix(b"("));
    let place = place.and_then(|rest| rest.get(rest.iter().take(256).position(|b| *b == b')')?..));
    place.is_some_and(|rest| rest.starts_with(b")/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The line with each value in `«»` that was found in it.
    fn marked(line: &str) -> String {
        let mut out = line.to_owned();
        for Found { value, .. } in found(line.as_bytes(), |_| true).into_iter().rev() {
            out.insert(value.end, '»');
            out.insert(value.start, '«');
        }
        out
    }

    #[test]
    fn values_end_where_their_form_says() {
        for line in [
            "Server=«db»;User Id=«sa»;Password=«a)b&c,d e»;Encrypt=«true»",
            " Data Source = «db\\x,1433» ; Initial Catalog=«shop»;Pwd=«x»;; ",
            "Driver={«ODBC Driver 18»};Server=«db»;PWD={«a;b}}c»};",
            "Server=«db»;Password=\"«a;b\"\"c»\";Application Name='«it''s»'",
            "Server=«db»;Password=«\"ab»",
            "jdbc:sqlserver://db:1433;user=«sa»;password=«a/b?c#d»",
            "DSN=\"Server=«db»;Password=«a,b»\"",
            "connection: Server=«db»;Password=«a,b»",
            "AccountName=«shop»;AccountKey=«AbC+/d==»",
            "host=«db» user=«ann» password=«a)b&c,d;e\\ f» dbname=«shop»",
            "export=host=«db»  password='«it\\'s a»'",
            "«ann»:«a@b:c)d»@tcp(db:3306)/shop?tls=true",
            "«root»:«x»@unix(/tmp/mysql.sock)/",
            "«root»:«x»@(db:3306)/shop",
            "jdbc:oracle:thin:«scott»/«a)b;c=d»@//db:1521/shop",
            "host=«db» password=«a;b»",
            "Host = «db» TimeZone=«Asia/Shanghai» PASSWORD = «a)b»",
            "export DSN=\"Server=«db»;Password=«a,b»\";",
            "\"dsn\": \"Server=«db»;Password=«a,b»\",",
            "x = ann:pw",
            "Server=«db»;Password=«a)b»;MARS",
            "dsn: «ann»:«a)b»@tcp(db)/x",
        ] {
            assert_eq!(marked(&line.replace(['«', '»'], "")), line);
        }
    }

    #[test]
    fn other_texts_are_none() {
        for line in [
            "",
            "=",
            ";",
            "server=db",
            "server=db&password=a;b=c",
            "a=1;password=x;b=2",
            "open Server",
            "Server=db;and then",
            "host=db user=ann status=200",
            "user=ann password=x",
            "host=db password='x",
            "jdbc:sqlserver://db:1433",
            "jdbc:oracle:thin:@//db/shop",
            "mail ann:x@tcp.example(db)",
            "see ann :x@tcp(db)",
            "/a;server=1;b=2",
            "host=web1 msg=retry;next token=abc",
            "{\"user\":\"ann\",\"dsn\":\"root@tcp(db)/x\"}",
            "http://shop.example/docs?dsn=root@tcp(db:3306)/x",
            "Error: dial root@tcp(db:3306)/shop: i/o timeout",
            "10:05:33.221|INFO|root@tcp(db:3306)/x",
            "1,ann:x)7Kq@tcp(db)/x",
            ".a{color:red}/* root@tcp(db)/x */",
            "address=Main Street 5;name=Corner;city=Ulm",
            "é=1;server=x",
        ] {
            assert_eq!(marked(line), line);
        }
    }

    proptest! {
        #[test]
        fn whatever_signs_a_password_has(password in "[!-~]{1,16}", listed in "[ -~]{0,12}", other in "[a-z]{0,9}") {
            let quoted = |quote: char| password.replace(quote, &format!("{quote}{quote}"));
            let escaped: String = password.chars().flat_map(|c| ['\\', c]).collect();
            for (before, password, behind) in [
                ("Server=db;Password=\"", &*quoted('"'), "\";x=y"),
                ("Server=db;Pwd='", &*quoted('\''), "'"),
                ("Driver={x};PWD={", &*quoted('}'), "} ;"),
                ("host=db password='", &*escaped, "' port=5"),
                ("host=db password=", &*escaped, ""),
            ] {
                let line = format!("{before}{password}{behind}");
                let there = before.len()..before.len() + password.len();
                prop_assert!(found(line.as_bytes(), |_| true).iter().any(|found| found.value == there), "{line}");
            }
            // And whatever text there is, ranges are within it, in order.
            for line in [listed.clone(), format!("Server={listed};{other}={password}"), format!("{other}=host={listed} {password}")] {
                let mut end = 0;
                for Found { value, .. } in found(line.as_bytes(), |_| true) {
                    prop_assert!(end <= value.start && value.start <= value.end && value.end <= line.len(), "{line}");
                    end = value.end;
                }
            }
        }
    }
}
