//! Finds the entries of an archive without holding it: `log.entries[*]`, each as its text.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::mpsc::SyncSender;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::utf8::Lossy;
use crate::recognise::without_mark;

/// What the reader sends.
#[derive(Debug)]
pub(super) enum Item {
    /// The JSON of one entry.
    Entry(Box<RawValue>),
    /// Nothing comes after it.
    End(Ended),
}

/// How the document ended.
#[derive(Debug)]
pub(super) enum Ended {
    Whole,
    Io(io::Error),
    /// Not JSON any more from here.
    Damaged {
        message: String,
        line: usize,
        column: usize,
    },
    /// JSON, and no archive.
    NotHar {
        message: String,
        line: usize,
        column: usize,
    },
}

const NO_ENTRIES: &str = "expected \"log\" with an array \"entries\"";

/// Reads the document and sends what it finds. Stops when nobody listens any more.
pub(super) fn read(reader: Box<dyn Read + Send>, to: &SyncSender<Item>) {
    let ended = parse(reader, to);
    // when the other side is gone, nobody needs to know
    let _ = to.send(Item::End(ended));
}

fn parse(mut reader: Box<dyn Read + Send>, to: &SyncSender<Item>) -> Ended {
    let mut mark = [0; 3];
    let mut filled = 0;
    while filled < mark.len() {
        match reader.read(&mut mark[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ended::Io(error),
        }
    }
    let first = without_mark(&mark[..filled]).to_vec();
    let reader = BufReader::with_capacity(64 << 10, Lossy::new(io::Cursor::new(first).chain(reader)));
    let mut found = false;
    let mut document = serde_json::Deserializer::from_reader(reader);
    let result =
        Object { key: "log", inner: Object { key: "entries", inner: Entries { to, found: &mut found } } }
            .deserialize(&mut document);
    match result {
        Ok(()) if found => Ended::Whole,
        Ok(()) => Ended::NotHar { message: NO_ENTRIES.to_owned(), line: 1, column: 1 },
        Err(error) if error.is_io() => Ended::Io(error.into()),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let text = error.to_string();
            let message =
                text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
            if error.is_data() {
                Ended::NotHar { message: format!("{NO_ENTRIES}: {message}"), line, column }
            } else {
                Ended::Damaged { message, line, column }
            }
        }
    }
}

/// An object of which one member counts.
struct Object<'k, S> {
    key: &'k str,
    inner: S,
}

impl<'de, S: Member<'de>> DeserializeSeed<'de> for Object<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// A seed that may be asked several times, since nothing forbids a key to come twice.
trait Member<'de> {
    fn member<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<(), A::Error>;
}

impl<'de, S: Member<'de>> Visitor<'de> for Object<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the key {:?}", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == self.key {
                self.inner.member(&mut map)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'de> Member<'de> for Object<'_, Entries<'_>> {
    fn member<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        let Entries { to, found } = &mut self.inner;
        map.next_value_seed(Object { key: self.key, inner: Entries { to, found } })
    }
}

/// The array of entries.
struct Entries<'s> {
    to: &'s SyncSender<Item>,
    found: &'s mut bool,
}

impl<'de> Member<'de> for Entries<'_> {
    fn member<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        *self.found = true;
        map.next_value_seed(Array { to: self.to })
    }
}

struct Array<'s> {
    to: &'s SyncSender<Item>,
}

impl<'de> DeserializeSeed<'de> for Array<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Array<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    /// `"entries": null`
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Box<RawValue>>()? {
            if self.to.send(Item::Entry(entry)).is_err() {
                return Err(A::Error::custom("nobody listens"));
            }
        }
        Ok(())
    }
}
