//! Connection strings: by what programs open databases and queues. They have their own rules of where a value ends, so that a password in
//! one may have signs in it that would end it in any other text.
//!
//! | form | of |
//! |---|---|
//! | `Server=db;User Id=sa;Password=…` | [ADO.NET](https://learn.microsoft.com/dotnet/framework/data/adonet/connection-string-syntax), ODBC, Azure |
//! | `jdbc:sqlserver://db:1433;user=sa;password=…` | JDBC |
//! | `host=db user=ann password='…'` | [libpq](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE) |
//! | `ann:…@tcp(db:3306)/shop` | [Go's MySQL](https://github.com/go-sql-driver/mysql#dsn-data-source-name) |
//! | `jdbc:oracle:thin:ann/…@//db/shop` | Oracle |

use std::ops::Range;

use super::hints::is_of_name;
use super::{Context, Patch, Scanner, merge, shift};
use crate::kind::Kind;
use crate::names::Rule;

/// No name in one is longer.
const NAME: usize = 64;

/// What says where something is, as ADO.NET, ODBC and JDBC have it: without one of these a list of pairs is no connection string.
const PLACES: &str = "server host hostname datasource address addr networkaddress servername serverhost database databasename dbname \
     initialcatalog driver dsn provider endpoint accountname accountendpoint defaultendpointsprotocol";

/// All names that libpq knows which people write, and those of them that say where something is.
const LIBPQ: &str = "host hostaddr dbname port user password passfile service options application_name connect_timeout client_encoding \
     sslmode sslcert sslkey sslpassword sslrootcert sslcrl sslnegotiation channel_binding require_auth target_session_attrs \
     keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout gssencmode krbsrvname replication \
     fallback_application_name load_balance_hosts timezone search_path";
const LIBPQ_PLACES: [&str; 3] = ["host", "hostaddr", "dbname"];

/// What says what a value is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum By {
    Name(Range<usize>),
    Kind(Kind),
}

/// A value in a connection string, without its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Found {
    by: By,
    value: Range<usize>,
}

impl Scanner<'_> {
    /// The patches of a text that is a connection string, or of those of its lines that are; `None` where there is none. The other lines
    /// are the caller's to look at.
    pub(super) fn connections(&mut self, text: &[u8], context: Context) -> Option<Vec<Patch>> {
        let mut patches = None;
        let mut start = 0;
        for line in text.split(|b| *b == b'\n') {
            for Found { by, value } in found(line) {
                let Some(inner) = line.get(value.clone()) else { continue };
                let rule = match by {
                    By::Kind(kind) => Some(Rule::Mask(kind)),
                    By::Name(name) => {
                        self.memo.name(&self.policy.names, line.get(name).unwrap_or_default()).rule
                    }
                };
                let more = self.value(inner, context.inner(rule));
                merge(patches.get_or_insert_with(Vec::new), shift(more, start + value.start));
            }
            start += line.len() + 1;
        }
        patches
    }
}

/// The values in a line that is a connection string, or one that is given to a name: `DSN="…"`.
fn found(line: &[u8]) -> Vec<Found> {
    let trimmed = unquote(line, 0..line.len());
    let read = |range: Range<usize>| {
        let text = line.get(range.clone()).unwrap_or_default();
        let found = listed(text).or_else(|| libpq(text)).or_else(|| before_at(text))?;
        Some(found.into_iter().map(|found| found.moved(range.start)).collect())
    };
    read(trimmed.clone())
        .or_else(|| {
            let given = line.get(trimmed.clone()).and_then(given)?;
            read(unquote(line, trimmed.start + given..trimmed.end))
        })
        .unwrap_or_default()
}

impl Found {
    /// The same in a text that begins so many bytes earlier.
    fn moved(self, by: usize) -> Found {
        let to = |range: Range<usize>| range.start + by..range.end + by;
        Found {
            by: match self.by {
                By::Name(name) => By::Name(to(name)),
                kind @ By::Kind(_) => kind,
            },
            value: to(self.value),
        }
    }
}

/// Where what is given to a name begins.
fn given(line: &[u8]) -> Option<usize> {
    let name = line.iter().take(NAME).take_while(|b| is_of_name(**b)).count();
    let behind = line.get(name).filter(|b| name > 0 && matches!(b, b'=' | b':'))?;
    // Of `jdbc:…` and `ann:…@tcp(db)` the colon is a part.
    (*behind == b'=' || line.get(name + 1) == Some(&b' ')).then_some(name + 1)
}

/// A range of a text without the space around it.
fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inner = text.get(range.clone()).unwrap_or_default();
    let start = range.start + inner.len() - inner.trim_ascii_start().len();
    start..start + inner.trim_ascii().len()
}

/// The same without the quotes around that.
fn unquote(text: &[u8], range: Range<usize>) -> Range<usize> {
    let Range { start, end } = trim(text, range);
    match text.get(start..end) {
        Some([first @ (b'"' | b'\'' | b'`'), .., last]) if first == last => start + 1..end - 1,
        _ => start..end,
    }
}

/// Whether a name, whatever its spelling, is one of these.
fn is_one_of(name: &[u8], names: &str) -> bool {
    let letters = || name.iter().filter(|b| !b" _-.".contains(b)).map(u8::to_ascii_lowercase);
    names.split_ascii_whitespace().any(|one| one.bytes().eq(letters()))
}

/// The values of a list of pairs with semicolons between them, one of which says where something is.
fn listed(text: &[u8]) -> Option<Vec<Found>> {
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
        if len == 0 || rest.get(len) != Some(&b'=') {
            return None;
        }
        let name = trim(text, at..at + len);
        placed |= is_one_of(text.get(name.clone())?, PLACES);
        let (value, end) = listed_value(text, at + len + 1)?;
        found.push(Found { by: By::Name(name), value });
        at = end;
    }
}

/// The value that begins there, and where the semicolon behind it stands or the text ends. `None` where it may be a form's pairs.
fn listed_value(text: &[u8], start: usize) -> Option<(Range<usize>, usize)> {
    let rest = text.get(start..)?;
    let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let closes = match rest.get(blank) {
        Some(quote @ (b'"' | b'\'')) => Some(*quote),
        Some(b'{') => Some(b'}'),
        _ => None,
    };
    if let Some(end) = closes.and_then(|closes| quoted(rest, blank + 1, closes)) {
        let behind = rest.get(end + 1..)?;
        let gap = behind.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if matches!(behind.get(gap), None | Some(b';')) {
            return Some((start + blank + 1..start + end, start + end + 1 + gap));
        }
    }
    let len = memchr::memchr(b';', rest).unwrap_or(rest.len());
    let value = rest.get(..len)?;
    let begins_pair = |at: usize| {
        let behind = value.get(at + 1..).unwrap_or_default();
        let name = behind.iter().take(NAME).take_while(|b| is_of_name(**b)).count();
        name > 0 && behind.get(name) == Some(&b'=')
    };
    if memchr::memchr_iter(b'&', value).any(begins_pair) {
        return None;
    }
    Some((trim(text, start..start + len), start + len))
}

/// Where the quote stands that closes what begins there; two in a row are one in the value.
fn quoted(text: &[u8], start: usize, closes: u8) -> Option<usize> {
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
fn libpq(text: &[u8]) -> Option<Vec<Found>> {
    let mut at = 0;
    let mut placed = false;
    let mut found = Vec::new();
    loop {
        at += text.get(at..)?.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = text.get(at..)?;
        if rest.is_empty() {
            return (placed && found.len() > 1).then_some(found);
        }
        let len = rest.iter().take(NAME).take_while(|b| is_of_name(**b)).count();
        let name = std::str::from_utf8(rest.get(..len)?).ok()?;
        if rest.get(len) != Some(&b'=') || !LIBPQ.split_ascii_whitespace().any(|known| known == name) {
            return None;
        }
        placed |= LIBPQ_PLACES.contains(&name);
        let start = at + len + 1;
        let (value, end) = libpq_value(text, start)?;
        found.push(Found { by: By::Name(at..at + len), value });
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

/// The user and the password that stand before the last `@`, where what is behind it is a place as only these two have it.
fn before_at(text: &[u8]) -> Option<Vec<Found>> {
    let (start, divides, end) = if let Some(oracle) = text.strip_prefix(b"jdbc:oracle:") {
        let driver = memchr::memchr(b':', oracle)?;
        (text.len() - oracle.len() + driver + 1, b'/', memchr::memrchr(b'@', text)?)
    } else {
        let goes_there = |at: &usize| {
            let behind = text.get(at + 1..).unwrap_or_default();
            let protocol = behind.iter().take(8).take_while(|b| b.is_ascii_alphanumeric()).count();
            matches!(behind.get(..protocol), Some(b"tcp" | b"tcp4" | b"tcp6" | b"unix"))
                && behind.get(protocol) == Some(&b'(')
        };
        (0, b':', memchr::memrchr_iter(b'@', text).find(goes_there)?)
    };
    let before = text.get(start..end)?;
    let user = memchr::memchr(divides, before)?;
    if user == 0 || before.get(..user)?.iter().any(|b| b.is_ascii_whitespace() || *b == b'=') {
        return None;
    }
    let (user, password) = (start..start + user, start + user + 1..end);
    Some(vec![
        Found { by: By::Kind(Kind::User), value: user },
        Found { by: By::Kind(Kind::Password), value: password },
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The line with each value in `«»` that was found in it.
    fn marked(line: &str) -> String {
        let mut out = line.to_owned();
        for Found { value, .. } in found(line.as_bytes()).into_iter().rev() {
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
            "jdbc:oracle:thin:«scott»/«a)b»@//db:1521/shop",
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
                ("ann:", &*password, "@tcp(db)/x"),
            ] {
                let line = format!("{before}{password}{behind}");
                let there = before.len()..before.len() + password.len();
                prop_assert!(found(line.as_bytes()).iter().any(|found| found.value == there), "{line}");
            }
            // And whatever text there is, ranges are within it, in order.
            for line in [listed.clone(), format!("Server={listed};{other}={password}"), format!("{other}=host={listed} {password}")] {
                let mut end = 0;
                for Found { value, .. } in found(line.as_bytes()) {
                    prop_assert!(end <= value.start && value.start <= value.end && value.end <= line.len(), "{line}");
                    end = value.end;
                }
            }
        }
    }
}
