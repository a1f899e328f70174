//! `scenario.sessions`: one frame a session, indexed by profile.
//!
//! ```text
//! [magic 8][version u16][tables frame][session frame]…[index frame][shapes frame][footer: offset of the index u64, magic 8]
//! ```
//!
//! | version | since |
//! |---|---|
//! | 1 | the first; without the frame of shapes |
//! | 2 | what the recorded answers look like, by endpoint and status class |

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bincode::{Decode, Encode};

use super::script::{Expect, Injection, SessionScript, Source, Step};
use crate::exchange::{Nanos, Scheme};
use crate::frame::{self, Broken};
use crate::recording::{FOOTER, FOOTER_MAGIC, MessageCode, decode, encode};
use crate::shape::{ShapeCode, Shapes};
use crate::{Endpoint, Error};

const MAGIC: &[u8; 8] = b"\x89MYNAS\r\n";
const VERSION: u16 = 2;
const TABLES: u8 = 1;
const SESSION: u8 = 2;
const INDEX: u8 = 3;
const SHAPES: u8 = 4;

/// What the sessions of a file refer to by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    /// Endpoints, by [`Step::endpoint`].
    pub endpoints: Vec<Endpoint>,
    /// Profiles' cluster names, by [`SessionEntry::profile`].
    pub profiles: Vec<String>,
}

/// Where one session stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SessionEntry {
    /// Index into [`Tables::profiles`].
    pub profile: u32,
    /// Offset of its frame, in bytes.
    offset: u64,
    /// When it began, nanoseconds from the start of the recording.
    pub start_ns: u64,
}

#[derive(Encode, Decode)]
struct TablesCode {
    endpoints: Vec<String>,
    profiles: Vec<String>,
}

#[derive(Encode, Decode)]
struct InjectionCode {
    at: String,
    correlation: Option<(String, u32)>,
    identity: Option<String>,
    format: Option<String>,
}

#[derive(Encode, Decode)]
struct StepCode {
    endpoint: u32,
    https: bool,
    host: String,
    connection: u32,
    waits_for: Option<u32>,
    think: u64,
    request: MessageCode,
    injections: Vec<InjectionCode>,
    status: Option<u16>,
    content_type: Option<String>,
    body_bytes: u64,
}

#[derive(Encode, Decode)]
struct SessionCode {
    start: u64,
    steps: Vec<StepCode>,
}

impl From<&SessionScript> for SessionCode {
    fn from(script: &SessionScript) -> Self {
        let steps = script.steps.iter().map(|step| StepCode {
            endpoint: step.endpoint,
            https: step.scheme == Scheme::Https,
            host: step.host.clone(),
            connection: step.connection,
            waits_for: step.waits_for,
            think: step.think.0,
            request: (&step.request).into(),
            injections: step
                .injections
                .iter()
                .map(|injection| {
                    let (correlation, identity) = match &injection.source {
                        Source::Correlation { name, index } => (Some((name.clone(), *index)), None),
                        Source::Identity { column } => (None, Some(column.clone())),
                        // Not in recorded sessions: see there.
                        Source::Vary { .. } | Source::Data { .. } | Source::Joined { .. } => (None, None),
                    };
                    InjectionCode {
                        at: injection.at.to_string(),
                        correlation,
                        identity,
                        format: injection.format.clone(),
                    }
                })
                .collect(),
            status: step.expect.status,
            content_type: step.expect.content_type.clone(),
            body_bytes: step.expect.body_bytes,
        });
        SessionCode { start: script.start.0, steps: steps.collect() }
    }
}

impl TryFrom<SessionCode> for SessionScript {
    type Error = String;

    fn try_from(code: SessionCode) -> Result<Self, String> {
        let mut steps = Vec::with_capacity(code.steps.len());
        for (number, step) in code.steps.into_iter().enumerate() {
            if step.waits_for.is_some_and(|other| other as usize >= number) {
                return Err(format!("step {number} waits for a step that does not come before it"));
            }
            let mut injections = Vec::with_capacity(step.injections.len());
            for injection in step.injections {
                let source = match (injection.correlation, injection.identity) {
                    (Some((name, index)), _) => Source::Correlation { name, index },
                    (None, Some(column)) => Source::Identity { column },
                    (None, None) => return Err(format!("step {number} has an injection without a source")),
                };
                let at = injection.at.parse().map_err(|error| format!("step {number}: {error}"))?;
                // What was recorded stands in the request.
                injections.push(Injection { at, source, format: injection.format, required: false });
            }
            steps.push(Step {
                endpoint: step.endpoint,
                scheme: if step.https { Scheme::Https } else { Scheme::Http },
                host: step.host,
                connection: step.connection,
                waits_for: step.waits_for,
                think: Nanos(step.think),
                request: step.request.into(),
                injections,
                expect: Expect {
                    status: step.status,
                    content_type: step.content_type,
                    body_bytes: step.body_bytes,
                },
            });
        }
        Ok(SessionScript { start: Nanos(code.start), steps })
    }
}

/// Writes a session file. Memory: one session and 20 bytes for each written.
pub struct SessionsWriter {
    out: BufWriter<File>,
    path: PathBuf,
    /// Where it is written until it is whole.
    unfinished: PathBuf,
    offset: u64,
    profiles: usize,
    index: Vec<SessionEntry>,
    shapes: Shapes,
}

impl SessionsWriter {
    /// Begins `path`. What is there is replaced when this is finished, and not before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: impl AsRef<Path>, tables: &Tables) -> Result<Self, Error> {
        let path = path.as_ref().to_path_buf();
        let io = |error| Error::io(&path, error);
        // Recorded requests are in it, perhaps unmasked: it is its owner's, and an older file's mode must not stay.
        let unfinished = crate::recording::partial_path(&path);
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&unfinished, error));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = BufWriter::new(options.open(&unfinished).map_err(io)?);
        out.write_all(MAGIC).map_err(io)?;
        out.write_all(&VERSION.to_le_bytes()).map_err(io)?;
        let code = TablesCode {
            endpoints: tables.endpoints.iter().map(ToString::to_string).collect(),
            profiles: tables.profiles.clone(),
        };
        let mut bytes = Vec::new();
        encode(code, &mut bytes).map_err(Error::Limit)?;
        let offset = 10 + frame::write(&mut out, TABLES, &bytes).map_err(io)?;
        Ok(SessionsWriter {
            out,
            path,
            unfinished,
            offset,
            profiles: tables.profiles.len(),
            index: Vec::new(),
            shapes: Shapes::default(),
        })
    }

    /// Adds a session of the profile with this index in the tables.
    ///
    /// # Errors
    /// When it cannot be written, or there is no such profile.
    pub fn write(&mut self, profile: u32, script: &SessionScript) -> Result<(), Error> {
        if profile as usize >= self.profiles {
            return Err(Error::Limit(format!("profile {profile} is not in the session file's table")));
        }
        let mut bytes = Vec::new();
        encode(SessionCode::from(script), &mut bytes).map_err(Error::Limit)?;
        self.index.push(SessionEntry { profile, offset: self.offset, start_ns: script.start.0 });
        self.offset +=
            frame::write(&mut self.out, SESSION, &bytes).map_err(|error| Error::io(&self.path, error))?;
        Ok(())
    }

    /// What answers to the endpoints look like, by their numbers in the tables.
    pub fn shapes(&mut self, shapes: Shapes) {
        self.shapes = shapes;
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), Error> {
        let io = |error| Error::io(&self.path, error);
        let mut bytes = Vec::new();
        encode(&self.index, &mut bytes).map_err(Error::Limit)?;
        frame::write(&mut self.out, INDEX, &bytes).map_err(io)?;
        let shapes: Vec<ShapeCode> = self
            .shapes
            .iter()
            .map(|(endpoint, class, shape)| ShapeCode::new(endpoint, class, shape))
            .collect();
        bytes.clear();
        encode(shapes, &mut bytes).map_err(Error::Limit)?;
        frame::write(&mut self.out, SHAPES, &bytes).map_err(io)?;
        self.out.write_all(&self.offset.to_le_bytes()).map_err(io)?;
        self.out.write_all(FOOTER_MAGIC).map_err(io)?;
        self.out.flush().map_err(io)?;
        std::fs::rename(&self.unfinished, &self.path).map_err(io)
    }
}

impl Drop for SessionsWriter {
    /// One that was not finished leaves nothing; a finished one has its name.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.unfinished);
    }
}

/// Reads a session file, one session at a time and in any order.
pub struct SessionsReader {
    input: File,
    path: PathBuf,
    tables: Tables,
    index: Vec<SessionEntry>,
    shapes: Shapes,
}

impl SessionsReader {
    /// Whether a file that begins so is a session file.
    pub fn recognises(first: &[u8]) -> bool {
        first.starts_with(MAGIC)
    }

    /// Opens a session file.
    ///
    /// # Errors
    /// When it cannot be read, is something else, newer, or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_path_buf();
        let io = |error| Error::io(&path, error);
        let mut input = File::open(&path).map_err(io)?;
        let mut first = Vec::new();
        Read::by_ref(&mut input).take(10).read_to_end(&mut first).map_err(io)?;
        if !SessionsReader::recognises(&first) || first.len() < 10 {
            return Err(Error::NotA {
                path,
                wanted: "session file",
                found: "it begins with other bytes".to_owned(),
            });
        }
        let version = u16::from_le_bytes([first[8], first[9]]);
        if version > VERSION {
            return Err(Error::TooNew { path, found: version, known: VERSION });
        }
        let damaged = |offset, why: String| Error::Damaged { path: path.clone(), offset, why };
        let code: TablesCode = read_frame(&mut input, TABLES).map_err(|why| damaged(10, why))?;
        let end = input.seek(SeekFrom::End(0)).map_err(io)?;
        let footer_at = end.saturating_sub(FOOTER);
        input.seek(SeekFrom::Start(footer_at)).map_err(io)?;
        let mut footer = Vec::new();
        Read::by_ref(&mut input).take(FOOTER).read_to_end(&mut footer).map_err(io)?;
        let Some(offset) = footer.strip_suffix(FOOTER_MAGIC.as_slice()).filter(|offset| offset.len() == 8)
        else {
            return Err(damaged(
                footer_at,
                "the file's end is missing; make it again with 'mynah profile'".to_owned(),
            ));
        };
        let offset = offset.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        input.seek(SeekFrom::Start(offset)).map_err(io)?;
        let index: Vec<SessionEntry> = read_frame(&mut input, INDEX).map_err(|why| damaged(offset, why))?;
        let mut shapes = Shapes::default();
        if version >= 2 {
            let wrong = |why| damaged(offset, format!("the shapes behind the index: {why}"));
            let codes: Vec<ShapeCode> = read_frame(&mut input, SHAPES).map_err(wrong)?;
            for code in codes {
                let (endpoint, class, shape) = code.read().map_err(wrong)?;
                shapes.insert(endpoint, class, shape);
            }
        }
        let mut endpoints = Vec::with_capacity(code.endpoints.len());
        for text in &code.endpoints {
            endpoints.push(text.parse()?);
        }
        let tables = Tables { endpoints, profiles: code.profiles };
        Ok(SessionsReader { input, path, tables, index, shapes })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the sessions refer to by number.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// What answers to the endpoints look like, by their numbers in the tables; empty in files of version 1.
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// Every session, in order of writing.
    pub fn index(&self) -> &[SessionEntry] {
        &self.index
    }

    /// Positions in the index of each cluster's sessions.
    pub fn by_profile(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut map: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, entry) in self.index.iter().enumerate() {
            if let Some(name) = self.tables.profiles.get(entry.profile as usize) {
                map.entry(name).or_default().push(position);
            }
        }
        map
    }

    /// Reads the session at this position in the index.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(&mut self, position: usize) -> Result<SessionScript, Error> {
        self.read_shared(position)
    }

    /// The same for several readers at a time.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read_shared(&self, position: usize) -> Result<SessionScript, Error> {
        let path = &self.path;
        let entry = self.index.get(position).ok_or_else(|| {
            Error::Limit(format!(
                "{}: there is no session {position} (of {})",
                path.display(),
                self.index.len()
            ))
        })?;
        let damaged = |why: String| Error::Damaged { path: path.clone(), offset: entry.offset, why };
        let mut input = BufReader::with_capacity(AT_ONCE, Placed { file: &self.input, at: entry.offset });
        let code: SessionCode = read_frame(&mut input, SESSION).map_err(damaged)?;
        let script = SessionScript::try_from(code).map_err(damaged)?;
        match script.steps.iter().find(|step| step.endpoint as usize >= self.tables.endpoints.len()) {
            Some(step) => {
                Err(damaged(format!("a step names endpoint {}, which is not in the table", step.endpoint)))
            }
            None => Ok(script),
        }
    }
}

/// Bytes of a file that are asked for at once: a session has less, mostly.
const AT_ONCE: usize = 32 << 10;

/// A file read from some place on, that others read at the same time.
struct Placed<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Placed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        #[cfg(unix)]
        let count = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        #[cfg(windows)]
        let count = std::os::windows::fs::FileExt::seek_read(self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn read_frame<T: Decode<()>>(input: &mut impl Read, kind: u8) -> Result<T, String> {
    match frame::read(input) {
        Ok(Some(found)) if found.kind == kind => decode(&mut found.bytes.as_slice()),
        Ok(Some(found)) => Err(format!("expected a frame of kind {kind}, found one of kind {}", found.kind)),
        Ok(None) => Err("the file ends before it".to_owned()),
        Err(Broken::Io(error)) => Err(error.to_string()),
        Err(Broken::Torn(why) | Broken::Corrupt(why)) => Err(why),
    }
}
