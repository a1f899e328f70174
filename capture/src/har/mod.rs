//! HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>) with the liberties that its writers take. Read as a stream: one entry at a time is in memory.

mod body;
mod document;
mod entry;
mod lenient;
mod utf8;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use mynah_traffic::Exchange;
use mynah_traffic::recording::CaptureCounts;

use self::document::{Ended, Item};
use self::entry::{Converter, Skipped};
use crate::input::Input;
use crate::source::counted;
use crate::{Error, Options, Place};

/// Entries read ahead.
const AHEAD: usize = 4;

/// Reads one archive. The parser runs on a thread of its own, because it calls and cannot be called.
pub(crate) struct Har {
    path: PathBuf,
    compressed: bool,
    items: Receiver<Item>,
    /// Waited for when it has told its end. Not when it is dropped before: it may stand in a read that never returns.
    reader: Option<JoinHandle<()>>,
    converter: Converter,
    seen: u64,
    captured: u64,
    not_http: u64,
    unusable: u64,
    cut: Option<String>,
    ended: bool,
}

impl Har {
    pub(crate) fn open(input: Input, options: &Options) -> Result<Har, Error> {
        let (path, compressed) = (input.path().to_owned(), input.compressed());
        let (sender, items) = sync_channel(AHEAD);
        let reader = input.into_reader();
        let reader = thread::Builder::new()
            .name("har".to_owned())
            .spawn(move || document::read(reader, &sender))
            .map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Har {
            path,
            compressed,
            items,
            reader: Some(reader),
            converter: Converter::new(options),
            seen: 0,
            captured: 0,
            not_http: 0,
            unusable: 0,
            cut: None,
            ended: false,
        })
    }

    pub(crate) fn next(&mut self) -> Option<Result<Exchange, Error>> {
        while !self.ended {
            let ended = match self.items.recv() {
                Ok(Item::Entry(text)) => {
                    self.seen += 1;
                    match self.converter.convert(&text) {
                        Ok(exchange) => {
                            self.captured += 1;
                            return Some(Ok(exchange));
                        }
                        Err(Skipped::NotHttp) => self.not_http += 1,
                        Err(Skipped::Unusable) => self.unusable += 1,
                    }
                    continue;
                }
                Ok(Item::End(ended)) => ended,
                Err(_) => Ended::NotHar { message: "its reader stopped".to_owned(), line: 1, column: 1 },
            };
            self.ended = true;
            if let Some(reader) = self.reader.take() {
                let _ = reader.join();
            }
            if let Some(error) = self.end(ended) {
                return Some(Err(error));
            }
        }
        None
    }

    /// What the end of the document means: an error when nothing was read, a warning behind entries.
    fn end(&mut self, ended: Ended) -> Option<Error> {
        let path = || self.path.clone();
        match ended {
            Ended::Whole => None,
            Ended::Io(source) if !self.compressed => Some(Error::Io { path: path(), source }),
            Ended::Io(source) if self.seen > 0 => {
                self.cut = Some(format!("cut short: the file cannot be decompressed any further ({source})"));
                None
            }
            Ended::Io(source) => Some(Error::Io { path: path(), source }),
            Ended::Damaged { message, line, column } | Ended::NotHar { message, line, column }
                if self.seen > 0 =>
            {
                let place = Place::Line { line, column };
                self.cut = Some(format!("cut short at {place}: {message}; what stood before it was kept"));
                None
            }
            Ended::Damaged { message, line, column } | Ended::NotHar { message, line, column } => {
                Some(Error::Malformed { path: path(), place: Place::Line { line, column }, message })
            }
        }
    }

    pub(crate) fn counts(&self) -> CaptureCounts {
        CaptureCounts {
            seen: self.seen,
            captured: self.captured,
            dropped_by_mynah: self.not_http + self.unusable,
            ..CaptureCounts::default()
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.cut.iter().cloned().collect();
        let mut say = |count: u64, one: &str, many: &str| {
            if count > 0 {
                warnings.push(counted(count, one, many));
            }
        };
        let scheme = "skipped because its URL is not of HTTP (data:, blob:, an extension)";
        say(self.not_http, &format!("entry {scheme}"), &format!("entries {scheme}"));
        let unusable = "skipped because a request could not be made out";
        say(self.unusable, &format!("entry {unusable}"), &format!("entries {unusable}"));
        let websocket = "whose frames were not kept";
        say(
            self.converter.websockets,
            &format!("WebSocket connection {websocket}"),
            &format!("WebSocket connections {websocket}"),
        );
        say(
            self.converter.without_body,
            "response body is not in the archive (its writer left it out)",
            "response bodies are not in the archive (its writer left them out)",
        );
        if self.ended && self.seen == 0 {
            warnings.push("no entries in it".to_owned());
        }
        warnings
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.converter.next_connection()
    }
}

#[cfg(test)]
mod tests;
