//! Any input as a stream of exchanges: recordings by their own reader, everything else by the capture stage.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use mynah_traffic::recording::{self, CaptureCounts, Header, Reader, Summary};
use mynah_traffic::{Error, Exchange, Filter, Provenance};

use crate::exit::{Exit, Exits, Failure, fail};
use crate::spool::Spool;
use crate::terminal;

/// Exchanges of one or more inputs, one after the other.
pub(crate) type Exchanges = Box<dyn Iterator<Item = Result<Exchange, Error>>>;

/// Numbers of connections and clients are unique within an input only; each input gets this much room.
const ROOM: u64 = 1 << 40;

/// Names standard input on the command line.
const STDIN: &str = "-";
/// And in messages.
const STDIN_NAME: &str = "standard input";

/// Files that were named on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    inputs: Vec<Input>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Of standard input, what stands in for it in messages.
    path: PathBuf,
    /// What came by standard input.
    spool: Option<Spool>,
    /// Its place among them.
    number: u64,
    is_recording: bool,
    reading: Reading,
}

/// Which exchanges of an input are meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FilterArgs {
    /// Only exchanges that fit, such as 'path =~ ^/api and status < 500'; of several, any may fit. Fields: method, host,
    /// path, query, target, status, header.NAME, response.header.NAME, request.size, response.size, duration, client,
    /// server, flag. Operators: == != < <= > >= contains =~ !~, and, or, not, brackets.
    #[arg(long, visible_alias = "filter", value_name = "EXPR")]
    include: Vec<Filter>,

    /// No exchange that fits; repeatable.
    #[arg(long, value_name = "EXPR")]
    exclude: Vec<Filter>,
}

impl FilterArgs {
    /// Whether an exchange is meant.
    pub(crate) fn matches(&self, exchange: &Exchange) -> bool {
        let any = |filters: &[Filter]| filters.iter().any(|filter| filter.matches(exchange));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
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
}

impl Default for Reading {
    fn default() -> Self {
        Reading {
            filter: FilterArgs::default(),
            recover: false,
            max_body: mynah_capture::Options::default().max_body,
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
        let mut inputs = Vec::with_capacity(paths.len());
        for (number, path) in paths.iter().enumerate() {
            let spool = if path.as_os_str() == STDIN { Some(Spool::stdin()?) } else { None };
            let path = if spool.is_some() { PathBuf::from(STDIN_NAME) } else { path.clone() };
            let io = |error| Error::io(&path, error);
            let bytes: Box<dyn Read> = match &spool {
                Some(spool) => Box::new(spool.reader()),
                None => Box::new(File::open(&path).map_err(io).exits(Exit::Input)?),
            };
            let mut first = Vec::new();
            bytes.take(64).read_to_end(&mut first).map_err(io).exits(Exit::Input)?;
            let input = Input {
                path,
                spool,
                number: number as u64,
                is_recording: Reader::recognises(&first),
                reading: reading.clone(),
            };
            input.open()?;
            inputs.push(input);
        }
        Ok(Inputs { inputs })
    }

    /// The same, for a command that works on recordings only.
    pub(crate) fn recordings(paths: &[PathBuf], reading: &Reading) -> Result<Inputs, Failure> {
        let inputs = Inputs::look(paths, reading)?;
        match inputs.inputs.iter().find(|input| !input.is_recording) {
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

    /// Bytes kept of a body.
    pub(crate) fn max_body(&self) -> u64 {
        self.inputs.first().map_or(u64::MAX, |input| input.reading.max_body)
    }

    /// File names without their folders.
    pub(crate) fn names(&self) -> Vec<String> {
        self.inputs.iter().map(Input::name).collect()
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
            streams.push(input.open().map_err(|failure| Error::Limit(format!("{:#}", failure.error)))?);
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
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// A recording's header.
    pub(crate) fn header(&self) -> Option<Header> {
        if !self.is_recording {
            return None;
        }
        self.recording().ok().map(|reader| reader.header().clone())
    }

    fn recording(&self) -> Result<Reader, Error> {
        match &self.spool {
            Some(spool) => Reader::of(spool.reader(), &self.path),
            None => Reader::open(&self.path),
        }
    }

    /// Its exchanges from the first on.
    pub(crate) fn open(&self) -> Result<Stream, Failure> {
        let source = if self.is_recording {
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
            Source::Recording(Box::new(reader))
        } else {
            let options = mynah_capture::Options {
                max_body: self.reading.max_body,
                ..mynah_capture::Options::default()
            };
            let input = match &self.spool {
                Some(spool) => mynah_capture::Input::from_reader(&self.path, Box::new(spool.reader())),
                None => mynah_capture::Input::open(&self.path),
            };
            let source = input.and_then(|input| mynah_capture::Source::new(input, &options));
            Source::Capture(Box::new(source.map_err(capture_failure)?))
        };
        Ok(Stream { source, base: self.number * ROOM, reading: self.reading.clone(), recovered: None })
    }
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
    base: u64,
    reading: Reading,
    recovered: Option<String>,
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
        own.into_iter().chain(self.recovered.clone()).collect()
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
        loop {
            match self.next_of_all()? {
                Ok(exchange) if !self.reading.filter.matches(&exchange) => {}
                item => return Some(item),
            }
        }
    }
}

impl Stream {
    /// The next exchange, meant or not.
    fn next_of_all(&mut self) -> Option<Result<Exchange, Error>> {
        if self.recovered.is_some() {
            return None;
        }
        let item = match &mut self.source {
            Source::Recording(reader) => reader.next()?.map(mynah_traffic::Masked::into_inner),
            Source::Capture(source) => source.next()?.map_err(|error| Error::Limit(error.to_string())),
        };
        match item {
            Ok(mut exchange) => {
                exchange.connection.id += self.base;
                if let Some(hint) = &mut exchange.connection.client_hint {
                    *hint += self.base;
                }
                Some(Ok(exchange))
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
