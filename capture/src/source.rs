use std::path::Path;

use mynah_traffic::Exchange;
use mynah_traffic::recording::CaptureCounts;

use crate::access_log::{AccessLog, AccessLogOptions};
use crate::gor::Gor;
use crate::har::Har;
use crate::input::Input;
use crate::packets::Packets;
use crate::{Error, Kind, Options};

/// The exchanges of one input, in the order in which they were completed.
///
/// After an error the iterator goes on where it can: what was in hand still comes. Counts and warnings are final when it has ended.
pub struct Source {
    kind: Kind,
    inner: Inner,
    /// The exchange last come to, where it does not stand in the reader itself.
    current: Option<Exchange>,
}

enum Inner {
    Packets(Box<Packets>),
    Har(Box<Har>),
    Gor(Box<Gor>),
    AccessLog(Box<AccessLog>),
}

impl Source {
    /// Opens an input by its path; `-` is standard input.
    ///
    /// # Errors
    /// Those of [`Input::open`] and [`Source::new`].
    pub fn open(path: &Path, options: &Options) -> Result<Source, Error> {
        Source::new(Input::open(path)?, options)
    }

    /// Begins to read an opened input.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for kinds that this version does not read, [`Error::Malformed`] when not even the
    /// beginning is what it claims to be.
    pub fn new(input: Input, options: &Options) -> Result<Source, Error> {
        Source::with_log(input, options, &AccessLogOptions::default())
    }

    /// The same, where it may be an access log that does not say everything by itself.
    ///
    /// # Errors
    /// Those of [`Source::new`].
    pub fn with_log(input: Input, options: &Options, log: &AccessLogOptions) -> Result<Source, Error> {
        let kind = input.kind();
        let unsupported =
            |what: &str| Error::Unsupported { path: input.path().to_owned(), what: what.to_owned() };
        let inner = match kind {
            Kind::Pcap | Kind::Pcapng => Inner::Packets(Box::new(Packets::open(input, options)?)),
            Kind::Har => Inner::Har(Box::new(Har::open(input, options)?)),
            Kind::Recording => {
                return Err(unsupported(
                    "a .mynah recording within a capture; give it as an input of its own",
                ));
            }
            Kind::Gor => Inner::Gor(Box::new(Gor::open(vec![input], options))),
            Kind::AccessLog => Inner::AccessLog(Box::new(AccessLog::open(input, options, log))),
        };
        Ok(Source { kind, inner, current: None })
    }

    /// Begins to read GoReplay files together, their records in the order of their times: GoReplay writes one recording in pieces, and
    /// a request may stand in one and its response in the next. Records without a time keep their place in their file.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when one of them is something else.
    pub fn gor(inputs: Vec<Input>, options: &Options) -> Result<Source, Error> {
        if let Some(other) = inputs.iter().find(|input| input.kind() != Kind::Gor) {
            let what = format!("a {} among GoReplay files that are read together", other.kind().name());
            return Err(Error::Unsupported { path: other.path().to_owned(), what });
        }
        let inner = Inner::Gor(Box::new(Gor::open(inputs, options)));
        Ok(Source { kind: Kind::Gor, inner, current: None })
    }

    /// Goes on to the next exchange, which [`Source::current`] then is: for who does not need it for himself, and is spared
    /// moving it about. `None` at the end.
    ///
    /// # Errors
    /// As the iterator gives them.
    pub fn advance(&mut self) -> Option<Result<(), Error>> {
        let item = match &mut self.inner {
            Inner::Packets(packets) => return packets.advance(),
            Inner::Har(har) => har.next()?,
            Inner::Gor(gor) => gor.next()?,
            Inner::AccessLog(log) => log.next()?,
        };
        Some(item.map(|exchange| self.current = Some(exchange)))
    }

    /// The exchange last come to; may be taken.
    pub fn current(&mut self) -> Option<&mut Exchange> {
        match &mut self.inner {
            Inner::Packets(packets) => packets.current(),
            _ => self.current.as_mut(),
        }
    }

    /// What the input is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What was seen and lost so far.
    pub fn counts(&self) -> CaptureCounts {
        match &self.inner {
            Inner::Packets(packets) => packets.counts(),
            Inner::Har(har) => har.counts(),
            Inner::Gor(gor) => gor.counts(),
            Inner::AccessLog(log) => log.counts(),
        }
    }

    /// What a user must know, as sentences without a full stop: a cut-short file, protocols that were not read, losses.
    pub fn warnings(&self) -> Vec<String> {
        match &self.inner {
            Inner::Packets(packets) => packets.warnings(),
            Inner::Har(har) => har.warnings(),
            Inner::Gor(gor) => gor.warnings(),
            Inner::AccessLog(log) => log.warnings(),
        }
    }

    /// The [`Options::first_connection`] for the next input, so that connections stay unique.
    pub fn next_connection(&self) -> u64 {
        match &self.inner {
            Inner::Packets(packets) => packets.next_connection(),
            Inner::Har(har) => har.next_connection(),
            Inner::Gor(gor) => gor.next_connection(),
            Inner::AccessLog(log) => log.next_connection(),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("kind", &self.kind)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Iterator for Source {
    type Item = Result<Exchange, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance()?;
        Some(item.map(|()| self.current().map(std::mem::take).unwrap_or_default()))
    }
}

/// `1 packet was lost`, `2 packets were lost`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
