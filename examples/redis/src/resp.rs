//! RESP, version 2: commands out, answers in.
//! [The specification](https://redis.io/docs/latest/develop/reference/protocol-spec/)

use serde_json::Value as Json;

/// Lists in lists, to this depth.
const DEEPEST: usize = 32;
/// Bytes of a line that says a length or a number; texts of one line may be longer.
const LONGEST_NUMBER: usize = 32;

/// An answer, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `+OK`, or a text with its length before it.
    Text(&'a [u8]),
    /// `-ERR …`
    Error(&'a [u8]),
    /// `:17`
    Integer(i64),
    /// Nothing is there.
    Nil,
    /// Several.
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    /// What checks look at: a text as it is, a number in digits, nothing for nothing, a list as JSON.
    pub fn body(&self) -> Vec<u8> {
        match self {
            Value::Text(text) | Value::Error(text) => text.to_vec(),
            Value::Integer(number) => number.to_string().into_bytes(),
            Value::Nil => Vec::new(),
            Value::List(_) => self.json().to_string().into_bytes(),
        }
    }

    fn json(&self) -> Json {
        match self {
            Value::Text(text) | Value::Error(text) => String::from_utf8_lossy(text).into(),
            Value::Integer(number) => (*number).into(),
            Value::Nil => Json::Null,
            Value::List(all) => all.iter().map(Value::json).collect(),
        }
    }
}

/// Writes a command as a list of texts.
pub fn command(words: &[&str], out: &mut Vec<u8>) {
    let length = |mark: u8, length: usize, out: &mut Vec<u8>| {
        out.push(mark);
        out.extend_from_slice(length.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    length(b'*', words.len(), out);
    for word in words {
        length(b'$', word.len(), out);
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads the answer that `bytes` begin with, and its length; `None`: more is to come.
///
/// # Errors
/// What is no RESP, and at which byte.
pub fn parse(bytes: &[u8]) -> Result<Option<(Value<'_>, usize)>, String> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    Ok(value.map(|value| (value, reader.at)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Option<Value<'a>>, String> {
        let Some(&mark) = self.bytes.get(self.at) else { return Ok(None) };
        let begin = self.at;
        if !b"+-:$*".contains(&mark) {
            return Err(format!("byte {begin} is {}, expected one of + - : $ *", mark.escape_ascii()));
        }
        let Some(line) = self.line(mark)? else { return Ok(None) };
        match mark {
            b'+' => return Ok(Some(Value::Text(line))),
            b'-' => return Ok(Some(Value::Error(line))),
            _ => {}
        }
        let number = std::str::from_utf8(line).ok().and_then(|line| line.parse::<i64>().ok());
        let number = number.ok_or_else(|| format!("byte {begin}: '{}' is no number", line.escape_ascii()))?;
        match (mark, usize::try_from(number)) {
            (b':', _) => Ok(Some(Value::Integer(number))),
            (_, Err(_)) if number == -1 => Ok(Some(Value::Nil)),
            (_, Err(_)) => Err(format!("byte {begin}: a length of {number}")),
            (b'$', Ok(length)) => self.text(length),
            (_, Ok(_)) if depth == DEEPEST => {
                Err(format!("byte {begin}: lists in lists, more than {DEEPEST} deep"))
            }
            (_, Ok(length)) => {
                // A length is a promise, and no reason to make room.
                let mut all = Vec::new();
                for _ in 0..length {
                    let Some(value) = self.value(depth + 1)? else { return Ok(None) };
                    all.push(value);
                }
                Ok(Some(Value::List(all)))
            }
        }
    }

    /// What stands behind the mark, up to the line's end.
    fn line(&mut self, mark: u8) -> Result<Option<&'a [u8]>, String> {
        let begin = self.at + 1;
        let rest = self.bytes.get(begin..).unwrap_or(&[]);
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let number = !matches!(mark, b'+' | b'-');
        if number && end.unwrap_or(rest.len()) > LONGEST_NUMBER {
            return Err(format!("byte {}: a number of more than {LONGEST_NUMBER} digits", self.at));
        }
        let Some(end) = end else { return Ok(None) };
        self.at = begin + end + 2;
        Ok(rest.get(..end))
    }

    fn text(&mut self, length: usize) -> Result<Option<Value<'a>>, String> {
        let Some(end) = self.at.checked_add(length).filter(|end| *end < usize::MAX - 2) else {
            return Err(format!("byte {}: a length of {length}", self.at));
        };
        let Some(text) = self.bytes.get(self.at..end) else { return Ok(None) };
        match self.bytes.get(end..end + 2) {
            None => Ok(None),
            Some(b"\r\n") => {
                self.at = end + 2;
                Ok(Some(Value::Text(text)))
            }
            Some(_) => Err(format!("byte {end}: a text does not end where it was said to")),
        }
    }
}

/// A command as `redis-cli` has it, cut into words: `"…"` with `\"`, `\\`, `\n`, `\r`, `\t`, and `'…'` are one each. A `${…}` is left whole.
///
/// # Errors
/// A quote that is not closed.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let place = text.get(at..).filter(|rest| rest.starts_with("${")).and_then(|rest| rest.find('}'));
        if let Some(end) = place {
            word.get_or_insert_default().push_str(text.get(at..=at + end).unwrap_or_default());
            while chars.next().is_some_and(|(_, c)| c != '}') {}
            continue;
        }
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') => {
                let escaped = chars.next().map(|(_, c)| match c {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                });
                word.get_or_insert_default().extend(escaped);
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        return Err(format!("a {quote} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_of_each_kind() {
        for (bytes, value, body) in [
            ("+OK\r\n", Value::Text(b"OK"), "OK"),
            ("$5\r\na\r\nbc\r\n", Value::Text(b"a\r\nbc"), "a\r\nbc"),
            ("$0\r\n\r\n", Value::Text(b""), ""),
            ("$-1\r\n", Value::Nil, ""),
            ("*-1\r\n", Value::Nil, ""),
            (":-17\r\n", Value::Integer(-17), "-17"),
            ("-ERR no\r\n", Value::Error(b"ERR no"), "ERR no"),
            ("*0\r\n", Value::List(vec![]), "[]"),
            (
                "*3\r\n$1\r\na\r\n:2\r\n*1\r\n$-1\r\n",
                Value::List(vec![Value::Text(b"a"), Value::Integer(2), Value::List(vec![Value::Nil])]),
                "[\"a\",2,[null]]",
            ),
        ] {
            assert_eq!(parse(bytes.as_bytes()), Ok(Some((value.clone(), bytes.len()))), "{bytes:?}");
            assert_eq!(value.body(), body.as_bytes());
            let more = format!("{bytes}+next\r\n");
            assert_eq!(parse(more.as_bytes()), Ok(Some((value, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes.as_bytes()[..cut]), Ok(None), "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_answer() {
        let deep = "*1\r\n".repeat(DEEPEST + 1);
        for (bytes, why) in [
            ("HTTP/1.1 400 Bad Request\r\n", "byte 0 is H"),
            ("$x\r\n", "'x' is no number"),
            ("$-2\r\n", "a length of -2"),
            ("$3\r\nabcd\r\n", "does not end where"),
            ("*1\r\n\0", "byte 4 is \\x00"),
            ("$9223372036854775807\r\nabc", "a length of"),
            (":1234567890123456789012345678901234567890", "more than 32 digits"),
            (deep.as_str(), "more than 32 deep"),
        ] {
            match parse(bytes.as_bytes()) {
                Err(said) => assert!(said.contains(why), "{bytes:?}: {said}"),
                // A text that long may be on its way, as far as a 64-bit machine knows.
                Ok(None) => assert!(bytes.starts_with("$92"), "{bytes:?}"),
                Ok(Some(value)) => panic!("{bytes:?}: {value:?}"),
            }
        }
    }

    #[test]
    fn commands_are_cut_as_redis_cli_does() {
        for (text, wanted) in [
            ("GET a", &["GET", "a"][..]),
            ("  SET  a \"b c\\\"d\" ", &["SET", "a", "b c\"d"]),
            ("SET a 'b \"c'", &["SET", "a", "b \"c"]),
            ("SET user:${n} ${name:-no name} x", &["SET", "user:${n}", "${name:-no name}", "x"]),
            ("SET a ''", &["SET", "a", ""]),
            ("SET a \"${data.x.y} z\"", &["SET", "a", "${data.x.y} z"]),
        ] {
            assert_eq!(words(text).unwrap(), wanted, "{text}");
        }
        assert_eq!(words("GET \"a"), Err("a \" is not closed".to_owned()));
        assert_eq!(words(""), Ok(Vec::new()));
    }

    fn value() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|text| {
                let mut out = format!("${}\r\n", text.len()).into_bytes();
                out.extend(text);
                out.extend(b"\r\n");
                out
            }),
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            "[ -~]{0,20}".prop_map(|text| format!("+{text}\r\n").into_bytes()),
            Just(b"$-1\r\n".to_vec()),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            proptest::collection::vec(inner, 0..5).prop_map(|all| {
                let mut out = format!("*{}\r\n", all.len()).into_bytes();
                out.extend(all.concat());
                out
            })
        })
    }

    proptest! {
        #[test]
        fn a_whole_answer_is_read_and_no_part_of_it(bytes in value(), cut in any::<prop::sample::Index>()) {
            let read = parse(&bytes).unwrap().unwrap();
            prop_assert_eq!(read.1, bytes.len());
            prop_assert_eq!(parse(&bytes[..cut.index(bytes.len())]), Ok(None));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[-+:$*0-9\r\n]{0,60}") {
            let _ = (parse(&bytes), parse(text.as_bytes()));
        }

        #[test]
        fn what_is_written_is_read_back(all in proptest::collection::vec("\\PC{0,10}", 1..6)) {
            let mut out = Vec::new();
            command(&all.iter().map(String::as_str).collect::<Vec<_>>(), &mut out);
            let wanted = all.iter().map(|word| Value::Text(word.as_bytes())).collect();
            prop_assert_eq!(parse(&out), Ok(Some((Value::List(wanted), out.len()))));
        }

        #[test]
        fn no_text_panics(text in "[ '\"\\\\${}a-cé\n]{0,40}") {
            let _ = words(&text);
        }
    }
}
