//! Any input as a stream of exchanges: recordings by their own reader, everything else by the capture stage.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use mynah_capture::{AccessLogOptions, Kind, LogFields};
use mynah_traffic::recording::{self, CaptureCounts, Header, Reader, Summary};
use mynah_traffic::{Error, Exchange, Filter, Provenance, rooms};

use crate::exit::{Exit, Exits, Failure, fail, words};
use crate::spool::Spool;
use crate::{output, spool, terminal};

/// Exchanges of one or more inputs, one after the other.
pub(crate) type Exchanges = Box<dyn Iterator<Item = Result<Exchange, Error>>>;

/// How many bytes tell what a file is.
const LOOK: u64 = 64 << 10;

/// Names standard input on the command line.
const STDIN: &str = "-";
/// And in messages.
const STDIN_NAME: &str = "standard input";

/// Files that were named on the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    inputs: Vec<Input>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Of standard input, what stands in for it in messages.
    path: PathBuf,
    /// What came by standard input, or by a pipe.
    spool: Option<Spool>,
    /// Its place among so many.
    place: (u64, u64),
    /// What its first bytes are.
    kind: Option<Kind>,
    /// Of a recording, as it was looked at.
    header: Option<Header>,
    /// GoReplay files that are read together with this one.
    others: Vec<PathBuf>,
    reading: Reading,
}

/// Which exchanges of an input are meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FilterArgs {
    /// Only exchanges that fit, such as 'path =~ ^/api and status < 500'; of several, any may fit. Fields: method, host,
    /// path, query, target, status, header.NAME, response.header.NAME, request.size, response.size, duration, client,
    /// server, flag. Operators: == != < <= > >= contains =~ !~, and, or, not, brackets.
    #[arg(long, value_name = "EXPR")]
    include: Vec<Filter>,

    /// No exchange that fits; repeatable.
    #[arg(long, value_name = "EXPR")]
    exclude: Vec<Filter>,
}

impl FilterArgs {
    /// Any of `further` may fit, too.
    pub(crate) fn or(&self, further: &[Filter]) -> FilterArgs {
        let include = self.include.iter().chain(further).cloned().collect();
        FilterArgs { include, exclude: self.exclude.clone() }
    }

    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether an exchange is meant.
    pub(crate) fn matches(&self, exchange: &Exchange) -> bool {
        let any = |filters: &[Filter]| filters.iter().any(|filter| filter.matches(exchange));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

/// What an access log does not say by itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LogArgs {
    /// The host that was asked, for access logs that do not name it.
    #[arg(long, value_name = "HOST")]
    log_host: Option<String>,

    /// Where a JSON access log has what, such as 'time=ts,method=req.method,target=uri,status=code,duration=took:ms'. Fields:
    /// time, request, method, target, status, size, host, scheme, client, user_agent, referer, duration (s, ms, us, ns). What
    /// is not named is looked for under the names that nginx, Caddy, Traefik and Envoy use.
    #[arg(long, value_name = "MAP")]
    log_fields: Option<LogFields>,
}

impl LogArgs {
    fn options(&self) -> AccessLogOptions {
        AccessLogOptions { host: self.log_host.clone(), fields: self.log_fields.clone().unwrap_or_default() }
    }
}

/// How inputs are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Which exchanges are meant.
    pub(crate) filter: FilterArgs,
    /// Take what is whole of a damaged or unsealed recording.
    pub(crate) recover: bool,
    /// Bytes kept of a body.
    pub(crate) max_body: u64,
    /// Bytes that reassembly may hold.
    pub(crate) memory: u64,
    /// What access logs leave out.
    pub(crate) log: LogArgs,
}

impl Default for Reading {
    fn default() -> Self {
        Reading {
            filter: FilterArgs::default(),
            recover: false,
            max_body: mynah_capture::Options::default().max_body,
            memory: mynah_capture::Options::default().memory,
            log: LogArgs::default(),
        }
    }
}

impl Inputs {
    /// Looks at the first bytes of each file, so that a wrong one is named before any work is done.
    pub(crate) fn look(paths: &[PathBuf], reading: &Reading) -> Result<Inputs, Failure> {
        if paths.iter().filter(|path| path.as_os_str() == STDIN).count() > 1 {
            return Err(fail(
                Exit::Usage,
                "standard input can be read once only: more than one input is '-'",
            ));
        }
        for (number, path) in paths.iter().enumerate() {
            if paths[..number]
                .iter()
                .any(|earlier| path.as_os_str() != STDIN && output::is_same(earlier, path))
            {
                let path = path.display();
                return Err(fail(Exit::Usage, format!("{path}: is named twice, and would count twice")));
            }
        }
        let mut inputs: Vec<Input> = Vec::with_capacity(paths.len());
        for path in paths {
            let (path, spool) = match path {
                path if path.as_os_str() == STDIN => (PathBuf::from(STDIN_NAME), Some(Spool::stdin()?)),
                path if spool::is_pipe(path) => (path.clone(), Some(Spool::pipe(path)?)),
                path => (path.clone(), None),
            };
            let mut input = Input {
                path,
                spool,
                place: (0, 1),
                kind: None,
                header: None,
                others: Vec::new(),
                reading: reading.clone(),
            };
            input.probe()?;
            // pieces of one recording of GoReplay: a request and its response may stand in two of them
            let first = inputs.iter_mut().find(|known| known.joins(&input));
            match first {
                Some(first) => first.others.push(input.path),
                None => inputs.push(input),
            }
        }
        let of = inputs.len() as u64;
        for (number, input) in inputs.iter_mut().enumerate() {
            input.place = (number as u64, of);
        }
        Ok(Inputs { inputs })
    }

    /// The same, for a command that works on recordings only.
    pub(crate) fn recordings(paths: &[PathBuf], reading: &Reading) -> Result<Inputs, Failure> {
        let inputs = Inputs::look(paths, reading)?;
        match inputs.inputs.iter().find(|input| input.header.is_none()) {
            None => Ok(inputs),
            Some(other) => {
                let path = other.path.display();
                Err(fail(
                    Exit::Input,
                    format!(
                        "{path}: not a recording; make one of it first: mynah capture {path} -o traffic.mynah"
                    ),
                ))
            }
        }
    }

    /// Each input.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter()
    }

    /// Every file, also those that are read together with another.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.inputs
            .iter()
            .flat_map(|input| std::iter::once(&input.path).chain(&input.others))
            .map(PathBuf::as_path)
    }

    /// Bytes kept of a body.
    pub(crate) fn max_body(&self) -> u64 {
        self.inputs.first().map_or(u64::MAX, |input| input.reading.max_body)
    }

    /// File names without their folders.
    pub(crate) fn names(&self) -> Vec<String> {
        self.paths().map(file_name).collect()
    }

    /// Whether every input is a recording that was masked.
    pub(crate) fn masked(&self) -> bool {
        self.inputs
            .iter()
            .all(|input| input.header().is_some_and(|header| header.provenance == Provenance::Policy))
    }

    /// All exchanges, one input after the other.
    pub(crate) fn open(&self) -> Result<Exchanges, Error> {
        let mut streams = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            streams.push(input.open().map_err(|failure| Error::Limit(words(&failure.error)))?);
        }
        Ok(Box::new(streams.into_iter().flatten()))
    }
}

impl Input {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its name without the folder.
    pub(crate) fn name(&self) -> String {
        file_name(&self.path)
    }

    /// A recording's header.
    pub(crate) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Opens it once, so that what cannot be read is said before any work is done.
    fn probe(&mut self) -> Result<(), Failure> {
        let first = match &self.spool {
            Some(spool) => beginning(&self.path, spool.reader())?,
            None => begins(&self.path)?,
        };
        if Reader::recognises(&first) {
            self.header = Some(self.recording()?.header().clone());
        }
        self.kind = mynah_capture::recognise(&first);
        let opened = self.open()?;
        if let Source::Capture(source) = &opened.source {
            self.kind = Some(source.kind());
        }
        Ok(())
    }

    /// Whether both are files of GoReplay.
    fn joins(&self, other: &Input) -> bool {
        let is = |input: &Input| input.kind == Some(Kind::Gor) && input.spool.is_none();
        is(self) && is(other)
    }

    fn recording(&self) -> Result<Reader, Error> {
        match &self.spool {
            Some(spool) => Reader::of(spool.reader(), &self.path),
            None => Reader::open(&self.path),
        }
    }

    /// Its exchanges from the first on.
    pub(crate) fn open(&self) -> Result<Stream, Failure> {
        let mut notes = Vec::new();
        let source = if self.header.is_some() {
            let reader = self.recording()?;
            if reader.header().audit == recording::Audit::Pending && !self.reading.recover {
                let path = self.path.display();
                return Err(fail(
                    Exit::Input,
                    format!(
                        "{path}: was never sealed, so that masking is not proven in it; --recover takes what is whole"
                    ),
                ));
            }
            if reader.header().audit == recording::Audit::Pending
                && reader.header().provenance == Provenance::Policy
            {
                notes.push(
                    "it was never sealed: a value that had only later been found to be sensitive may stand in what came \
                     before; look at it before it leaves the house"
                        .to_owned(),
                );
            }
            Source::Recording(Box::new(reader))
        } else {
            let options = mynah_capture::Options {
                max_body: self.reading.max_body,
                memory: self.reading.memory,
                ..mynah_capture::Options::default()
            };
            let input = match &self.spool {
                Some(spool) => mynah_capture::Input::from_reader(&self.path, Box::new(spool.reader())),
                None => mynah_capture::Input::open(&self.path),
            };
            let source = input.and_then(|input| {
                if self.others.is_empty() {
                    return mynah_capture::Source::with_log(input, &options, &self.reading.log.options());
                }
                let others = self.others.iter().map(|path| mynah_capture::Input::open(path));
                let all = std::iter::once(Ok(input)).chain(others).collect::<Result<_, _>>()?;
                mynah_capture::Source::gor(all, &options)
            });
            Source::Capture(Box::new(source.map_err(capture_failure)?))
        };
        Ok(Stream { source, place: self.place, reading: self.reading.clone(), recovered: None, notes })
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A file's first bytes: enough to tell what it is.
pub(crate) fn begins(path: &Path) -> Result<Vec<u8>, Failure> {
    if spool::is_pipe(path) {
        let path = path.display();
        let why = format!("{path}: is a pipe, and is read more than once here; write it to a file first");
        return Err(fail(Exit::Usage, why));
    }
    let file = File::open(path).map_err(|error| Error::io(path, error)).exits(Exit::Input)?;
    beginning(path, file)
}

fn beginning(path: &Path, bytes: impl Read) -> Result<Vec<u8>, Failure> {
    let mut first = Vec::new();
    let read = bytes.take(LOOK).read_to_end(&mut first);
    read.map_err(|error| Error::io(path, error)).exits(Exit::Input)?;
    Ok(first)
}

/// A capture error and the code it ends with.
fn capture_failure(error: mynah_capture::Error) -> Failure {
    let exit = match &error {
        mynah_capture::Error::Unsupported { .. } => Exit::Usage,
        _ => Exit::Input,
    };
    Failure { exit, error: error.into() }
}

enum Source {
    Recording(Box<Reader>),
    Capture(Box<mynah_capture::Source>),
}

/// The exchanges of one input.
pub(crate) struct Stream {
    source: Source,
    place: (u64, u64),
    reading: Reading,
    recovered: Option<String>,
    notes: Vec<String>,
}

impl Stream {
    /// What the capture saw and lost; complete at the end of the stream.
    pub(crate) fn counts(&self) -> CaptureCounts {
        match &self.source {
            Source::Recording(reader) => {
                reader.summary().map(|summary| summary.capture.clone()).unwrap_or_default()
            }
            Source::Capture(source) => source.counts(),
        }
    }

    /// What a reader must know; complete at the end of the stream.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let own = match &self.source {
            Source::Recording(reader) => {
                reader.summary().map(|summary| summary.warnings.clone()).unwrap_or_default()
            }
            Source::Capture(source) => source.warnings(),
        };
        own.into_iter().chain(self.recovered.clone()).chain(self.notes.clone()).collect()
    }

    /// A recording's summary; at the end of the stream.
    pub(crate) fn summary(&self) -> Option<&Summary> {
        match &self.source {
            Source::Recording(reader) => reader.summary(),
            Source::Capture(_) => None,
        }
    }

    /// What the input is, in a word.
    pub(crate) fn format(&self) -> &'static str {
        match &self.source {
            Source::Recording(_) => "mynah",
            Source::Capture(source) => source.kind().name(),
        }
    }
}

impl Iterator for Stream {
    type Item = Result<Exchange, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance()?;
        Some(item.map(|()| self.current().map(std::mem::take).unwrap_or_default()))
    }
}

impl Stream {
    /// For who looks at one exchange after the other and keeps none: those of a recording come without a copy of their bytes.
    pub(crate) fn sharing(mut self) -> Stream {
        if let Source::Recording(reader) = self.source {
            self.source = Source::Recording(Box::new(reader.sharing()));
        }
        self
    }

    /// Goes on to the next exchange that is meant, which [`Stream::current`] then is.
    pub(crate) fn advance(&mut self) -> Option<Result<(), Error>> {
        loop {
            let found = self.advance_in_all()?;
            let meant = |exchange: &mut Exchange| self.reading.filter.matches(exchange);
            let current = match &mut self.source {
                Source::Recording(reader) => reader.current(),
                Source::Capture(source) => source.current(),
            };
            if found.is_err() || self.reading.filter.is_empty() || current.is_some_and(meant) {
                return Some(found);
            }
        }
    }

    /// The exchange last come to; may be taken.
    pub(crate) fn current(&mut self) -> Option<&mut Exchange> {
        match &mut self.source {
            Source::Recording(reader) => reader.current(),
            Source::Capture(source) => source.current(),
        }
    }

    /// Goes on to the next exchange, meant or not.
    fn advance_in_all(&mut self) -> Option<Result<(), Error>> {
        if self.recovered.is_some() {
            return None;
        }
        let found = match &mut self.source {
            Source::Recording(reader) => reader.advance()?,
            Source::Capture(source) => source.advance()?.map_err(|error| Error::Limit(error.to_string())),
        };
        match found {
            Ok(()) => {
                let (number, of) = self.place;
                let among = |number_within| {
                    rooms::among(number_within, number, of)
                        .ok_or_else(|| Error::Limit("too many inputs within inputs".to_owned()))
                };
                let Some(exchange) = self.current() else { return Some(Ok(())) };
                let own = &mut exchange.connection;
                let placed =
                    own.client_hint.map(among).transpose().and_then(|hint| Ok((among(own.id)?, hint)));
                Some(placed.map(|(id, hint)| (own.id, own.client_hint) = (id, hint)))
            }
            Err(error @ Error::Damaged { .. }) if self.reading.recover => {
                self.recovered = Some(format!("{error}; what came before was taken"));
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Says what a person must know of the inputs, each once.
pub(crate) fn show_warnings(path: &Path, warnings: &[String]) {
    for warning in warnings {
        terminal::warn(format!("{}: {warning}", path.display()));
    }
}
