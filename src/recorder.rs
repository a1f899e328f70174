//! Traffic that passes once only → recordings: masked as it comes and written at once, so that a crash costs a second at most;
//! made good by what was learnt later, audited and sealed when a file ends, on a thread of its own while the next one is written.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mynah_masking::{Sealer, Stream};
use mynah_traffic::Exchange;
use mynah_traffic::recording::{
    Audit, CaptureCounts, Reader, Summary, Unsealed, Writer, partial_path, set_aside,
};

use crate::exit::{Exit, Exits, Failure, fail};
use crate::middleware::Rewriter;
use crate::pipeline::{self, Made, Masking};
use crate::{terminal, unmasked};

/// How long an exchange may wait before it is on disk.
const FLUSH: Duration = Duration::from_millis(500);

/// Writes one recording after the other.
pub(crate) struct Recorder {
    files: Files,
    masking: Now,
    middleware: Option<Rewriter>,
    source: String,
    writer: Writer,
    flushed: Instant,
    /// Counts at the end of the last file.
    before: CaptureCounts,
    sealing: Sealing,
}

/// Masking as traffic passes.
enum Now {
    Under(Box<Stream>),
    Refused,
}

/// The files' names.
struct Files {
    output: PathBuf,
    /// Bytes of a file, after which the next one begins.
    max_size: Option<u64>,
    number: u32,
}

impl Files {
    /// Begins the next one: `site.mynah`, or, when there may be several, `site-0001.mynah`.
    fn next(&mut self, masking: &Now) -> Result<Writer, Failure> {
        let path = loop {
            self.number += 1;
            let path = self.name();
            // numbers go on where an earlier run left off
            if self.max_size.is_none() || !(path.exists() || partial_path(&path).exists()) {
                break path;
            }
        };
        if let Some(aside) = set_aside(&path).exits(Exit::Usage)? {
            let aside = aside.display();
            terminal::warn(format!(
                "an earlier capture did not end: what it wrote is kept as {aside}; see it with: mynah inspect --recover {aside}"
            ));
        }
        let header = match masking {
            Now::Under(stream) => pipeline::masked_header(stream.header()),
            Now::Refused => pipeline::unmasked_header(),
        };
        Writer::create(path, &header).exits(Exit::Usage)
    }

    fn name(&self) -> PathBuf {
        if self.max_size.is_some() {
            let stem = self.output.file_stem().unwrap_or_default().to_string_lossy();
            let extension = self.output.extension().map(|e| format!(".{}", e.to_string_lossy()));
            let name = format!("{stem}-{:04}{}", self.number, extension.unwrap_or_default());
            self.output.with_file_name(name)
        } else {
            self.output.clone()
        }
    }
}

impl Recorder {
    /// Begins the first file. `source` is what is recorded, for the summary. With `max_size` bytes a file is ended, and
    /// files are numbered. Bodies were cut at `max_body`.
    pub(crate) fn begin(
        output: &Path,
        max_size: Option<u64>,
        masking: Masking,
        max_body: u64,
        source: String,
    ) -> Result<Recorder, Failure> {
        let mut sealing = Sealing::default();
        let masking = match masking {
            Masking::Under { key, policy, gate } => {
                sealing.gate = gate;
                Now::Under(Box::new(Stream::new(policy.with_max_body(max_body), key)))
            }
            Masking::Refused => Now::Refused,
        };
        let mut files = Files { output: output.to_owned(), max_size, number: 0 };
        Ok(Recorder {
            writer: files.next(&masking)?,
            files,
            masking,
            middleware: None,
            source,
            flushed: Instant::now(),
            before: CaptureCounts::default(),
            sealing,
        })
    }

    /// From now on, what is masked goes through this before it is written.
    pub(crate) fn through(mut self, middleware: Option<Rewriter>) -> Recorder {
        self.middleware = middleware;
        self
    }

    /// Bytes on disk of the file at hand.
    pub(crate) fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// Masks and writes an exchange.
    pub(crate) fn write(&mut self, exchange: Exchange) -> Result<(), Failure> {
        let masked = match &mut self.masking {
            Now::Under(stream) => stream.mask(exchange),
            Now::Refused => Some(unmasked::pass(exchange)),
        };
        let Some(masked) = masked else { return Ok(()) };
        pipeline::put(masked, &mut self.writer, self.middleware.as_mut())
    }

    /// Puts on disk what has waited, and turns to the next file when this one has its size. To be called several times
    /// a second; the counts so far are asked for only when a file ends.
    pub(crate) fn tick(&mut self, counts: impl FnOnce() -> CaptureCounts) -> Result<(), Failure> {
        if self.flushed.elapsed() < FLUSH {
            return Ok(());
        }
        self.flushed = Instant::now();
        if let Some(middleware) = &mut self.middleware {
            middleware.poll()?;
            pipeline::put_ready(&mut self.writer, middleware)?;
        }
        self.writer.flush().exits(Exit::Usage)?;
        if self.files.max_size.is_some_and(|max| self.writer.bytes() >= max) {
            let (summary, sealer) = self.last_word(&counts(), Vec::new());
            let next = self.files.next(&self.masking)?;
            let full = std::mem::replace(&mut self.writer, next);
            self.sealing.begin(full, summary, sealer)?;
        }
        Ok(())
    }

    /// Ends the last file and waits until everything is sealed. `warnings` go into that file. When the middleware has
    /// failed, that is returned once what came before is sealed.
    pub(crate) fn end(
        mut self,
        counts: &CaptureCounts,
        mut warnings: Vec<String>,
    ) -> Result<Vec<Made>, Failure> {
        let mut failed = None;
        if let Some(mut middleware) = self.middleware.take() {
            match pipeline::last_of(&mut middleware, &mut self.writer) {
                Ok(words) => warnings.extend(words),
                Err(failure) => {
                    pipeline::put_ready(&mut self.writer, &mut middleware)?;
                    let away = terminal::plural(middleware.away(), "exchange");
                    warnings
                        .push(format!("middleware: it failed; {away} had not come back and are left out"));
                    failed = Some(failure);
                }
            }
        }
        let (summary, sealer) = self.last_word(counts, warnings);
        self.sealing.begin(self.writer, summary, sealer)?;
        self.sealing.wait()?;
        let Some(failure) = failed else { return Ok(self.sealing.made) };
        // What came before is sealed all the same.
        self.sealing.made.iter().for_each(pipeline::tell);
        Err(failure)
    }

    /// What goes behind the exchanges of the file at hand.
    fn last_word(&mut self, counts: &CaptureCounts, warnings: Vec<String>) -> (Summary, Option<Sealer>) {
        let capture = counts.since(&self.before);
        self.before = counts.clone();
        let mut summary =
            Summary { sources: vec![self.source.clone()], capture, warnings, ..Summary::default() };
        let sealer = match &mut self.masking {
            Now::Under(stream) => Some(stream.sealer()),
            Now::Refused => None,
        };
        if let Some(sealer) = &sealer {
            pipeline::note(&mut summary, sealer.report());
        }
        (summary, sealer)
    }
}

/// The thread that seals, and what it made.
#[derive(Default)]
struct Sealing {
    thread: Option<JoinHandle<Result<Made, Failure>>>,
    made: Vec<Made>,
    /// No file is sealed in which a part had to be withheld.
    gate: bool,
}

impl Sealing {
    /// Begins to seal a file, once the one before it is sealed: two at once would take a core from the capture.
    fn begin(&mut self, writer: Writer, summary: Summary, sealer: Option<Sealer>) -> Result<(), Failure> {
        self.wait()?;
        let exchanges = writer.exchanges();
        let unsealed = writer.finish(&summary).exits(Exit::Usage)?;
        let gate = self.gate;
        let thread = std::thread::Builder::new()
            .name("seal".to_owned())
            .spawn(move || seal(unsealed, exchanges, summary, sealer, gate))
            .exits(Exit::Internal)?;
        self.thread = Some(thread);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Failure> {
        if let Some(thread) = self.thread.take() {
            let made = thread.join().map_err(|_| fail(Exit::Internal, "sealing a recording failed"))??;
            self.made.push(made);
        }
        Ok(())
    }
}

/// Makes a file good, audits it and gives it its name.
fn seal(
    unsealed: Unsealed,
    exchanges: u64,
    mut summary: Summary,
    sealer: Option<Sealer>,
    gate: bool,
) -> Result<Made, Failure> {
    let Some(mut sealer) = sealer else {
        let path = unsealed.seal(Audit::NotApplicable).exits(Exit::Usage)?;
        return Ok(Made { path, exchanges, counts: summary.capture, report: None });
    };
    let unsealed = if sealer.has_late() { make_good(unsealed, &mut sealer, &mut summary)? } else { unsealed };
    let unsealed = pipeline::pass_gate(gate, unsealed, sealer.report())?;
    let path = pipeline::audit(unsealed, sealer.auditor(), || {})?;
    Ok(Made { path, exchanges, counts: summary.capture, report: Some(sealer.report().clone()) })
}

/// Replaces what was learnt later than it was written. The file is written anew from the first exchange in which there is
/// something of that; most often there is nothing.
fn make_good(unsealed: Unsealed, sealer: &mut Sealer, summary: &mut Summary) -> Result<Unsealed, Failure> {
    let mut anew: Option<Writer> = None;
    for (number, exchange) in Reader::open(unsealed.partial_path())?.enumerate() {
        let exchange = exchange?;
        let better = sealer.remask(&exchange);
        if better.is_some() && anew.is_none() {
            let mut writer = unsealed.anew().exits(Exit::Usage)?;
            for earlier in Reader::open(unsealed.partial_path())?.take(number) {
                writer.write(&earlier?).exits(Exit::Usage)?;
            }
            anew = Some(writer);
        }
        if let Some(writer) = &mut anew {
            writer.write(better.as_ref().unwrap_or(&exchange)).exits(Exit::Usage)?;
        }
    }
    let Some(writer) = anew else { return Ok(unsealed) };
    pipeline::note(summary, sealer.report());
    writer.finish(summary).and_then(|new| new.replace(unsealed)).exits(Exit::Usage)
}
