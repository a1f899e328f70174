//! Inputs → recording: learn what is sensitive, mask, write, audit what was written, seal.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use mynah_masking::{Auditor, Key, Learner, Policy, Report};
use mynah_traffic::recording::{Audit, CaptureCounts, Header, Reader, Summary, Unsealed, VERSION, Writer};
use mynah_traffic::{Exchange, Masked, Nanos, Provenance};

use crate::exit::{Exit, Exits, Failure, fail};
use crate::input::{Inputs, show_warnings};
use crate::middleware::Rewriter;
use crate::progress::Progress;
use crate::terminal::{self, plural};
use crate::unmasked;

/// What becomes of sensitive values.
pub(crate) enum Masking {
    /// They are masked.
    Under {
        /// Under this key.
        key: Key,
        /// By these rules.
        policy: Box<Policy>,
        /// Nothing is sealed when a part had to be withheld.
        gate: bool,
    },
    /// They stay: the user said `--unmasked`.
    Refused,
}

/// What was made.
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    pub(crate) exchanges: u64,
    pub(crate) counts: CaptureCounts,
    pub(crate) report: Option<Report>,
}

/// The key in this file (made where there is none), or one that is forgotten with the process.
pub(crate) fn key(file: Option<&Path>) -> Result<Key, Failure> {
    match file {
        Some(path) => Key::load_or_create(path).exits(Exit::Usage),
        None => Key::random().exits(Exit::Internal),
    }
}

/// Makes a recording of the inputs. With a middleware, exchanges go through it when they are masked.
pub(crate) fn record(
    inputs: &Inputs,
    output: &Path,
    masking: Masking,
    middleware: Option<Rewriter>,
) -> Result<Made, Failure> {
    match masking {
        Masking::Refused => record_unmasked(inputs, output, middleware),
        Masking::Under { key, policy, gate } => record_masked(inputs, output, key, *policy, gate, middleware),
    }
}

/// The header of a recording that is masked under this key and policy.
pub(crate) fn masked_header((key_id, policy_hash): ([u8; 8], [u8; 32])) -> Header {
    Header { key_id, policy_hash, ..header(Provenance::Policy) }
}

/// The header of a recording that says for ever that it is not masked.
pub(crate) fn unmasked_header() -> Header {
    header(Provenance::Unmasked)
}

fn header(provenance: Provenance) -> Header {
    let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Header {
        version: VERSION,
        provenance,
        audit: Audit::Pending,
        created: Nanos::from(created),
        key_id: [0; 8],
        policy_hash: [0; 32],
    }
}

fn record_masked(
    inputs: &Inputs,
    output: &Path,
    key: Key,
    policy: Policy,
    gate: bool,
    middleware: Option<Rewriter>,
) -> Result<Made, Failure> {
    let begun = Instant::now();
    let mut learner = Learner::new(policy.with_max_body(inputs.max_body()), key);
    let mut progress = Progress::new("learning what is sensitive");
    for input in inputs.iter() {
        let mut stream = input.open()?.sharing();
        while let Some(found) = stream.advance() {
            found?;
            if let Some(exchange) = stream.current() {
                learner.learn(exchange);
            }
            progress.tick();
        }
    }
    drop(progress);
    let mut masker = learner.finish();
    tracing::info!(took = ?begun.elapsed(), "learnt what is sensitive");
    let mut writer = Writer::create(output, &masked_header(masker.header())).exits(Exit::Usage)?;
    let mut summary = write(inputs, &mut writer, middleware, "masking", |exchange| masker.mask(exchange))?;
    let report = masker.report().clone();
    tracing::info!(took = ?begun.elapsed(), masked = report.masked_total(), quarantined = report.quarantined_total(), "masked and written");
    note(&mut summary, &report);
    let exchanges = writer.exchanges();
    let unsealed = writer.finish(&summary).exits(Exit::Usage)?;
    let unsealed = pass_gate(gate, unsealed, &report)?;

    let mut progress = Progress::new("auditing what was written");
    let path = audit(unsealed, masker.auditor(), || progress.tick())?;
    drop(progress);
    tracing::info!(took = ?begun.elapsed(), "audited");
    Ok(Made { path, exchanges, counts: summary.capture, report: Some(report) })
}

/// Writes into the summary what masking did.
pub(crate) fn note(summary: &mut Summary, report: &Report) {
    summary.masked.clone_from(&report.masked);
    summary.quarantined.clone_from(&report.quarantined);
}

/// Lets an unsealed file pass unless nothing may be withheld and something was.
pub(crate) fn pass_gate(gate: bool, unsealed: Unsealed, report: &Report) -> Result<Unsealed, Failure> {
    if !gate || report.quarantined.is_empty() {
        return Ok(unsealed);
    }
    unsealed.discard().exits(Exit::Usage)?;
    let total = plural(report.quarantined_total(), "part");
    Err(fail(
        Exit::Unproven,
        format!(
            "{total} had to be withheld ({}), so that nothing was sealed (--fail-on-quarantine)",
            list(&report.quarantined, "nothing")
        ),
    ))
}

/// Reads again what was written, and gives it its name only when no original is left in it.
pub(crate) fn audit(
    unsealed: Unsealed,
    mut auditor: Auditor,
    mut tick: impl FnMut(),
) -> Result<PathBuf, Failure> {
    let mut written = Reader::open(unsealed.partial_path())?.sharing();
    while let Some(found) = written.advance() {
        found?;
        if let Some(exchange) = written.current() {
            auditor.check(exchange);
        }
        tick();
    }
    if let Err(findings) = auditor.finish() {
        unsealed.discard().exits(Exit::Usage)?;
        return Err(fail(
            Exit::Unproven,
            format!("masking is not proven, so that nothing was sealed: {findings}"),
        ));
    }
    unsealed.seal(Audit::Passed).exits(Exit::Usage)
}

fn record_unmasked(inputs: &Inputs, output: &Path, middleware: Option<Rewriter>) -> Result<Made, Failure> {
    let mut writer = Writer::create(output, &unmasked_header()).exits(Exit::Usage)?;
    let summary =
        write(inputs, &mut writer, middleware, "writing", |exchange| Some(unmasked::pass(exchange)))?;
    let exchanges = writer.exchanges();
    let path = writer.finish(&summary).exits(Exit::Usage)?.seal(Audit::NotApplicable).exits(Exit::Usage)?;
    Ok(Made { path, exchanges, counts: summary.capture, report: None })
}

/// Writes every exchange, after `pass` and the middleware, and returns what is known of the inputs at their end.
fn write(
    inputs: &Inputs,
    writer: &mut Writer,
    mut middleware: Option<Rewriter>,
    what: &str,
    mut pass: impl FnMut(Exchange) -> Option<Masked<Exchange>>,
) -> Result<Summary, Failure> {
    let mut summary = Summary { sources: inputs.names(), ..Summary::default() };
    let mut progress = Progress::new(what);
    for input in inputs.iter() {
        let mut stream = input.open()?;
        // what waits for the middleware must not keep all that stood around it
        if middleware.is_none() {
            stream = stream.sharing();
        }
        tracing::debug!(input = %input.path().display(), format = stream.format(), "reading");
        while let Some(found) = stream.advance() {
            found?;
            if let Some(exchange) = stream.current()
                && let Some(exchange) = pass(std::mem::take(exchange))
            {
                put(exchange, writer, middleware.as_mut())?;
            }
            progress.tick();
        }
        summary.capture.add(&stream.counts());
        let warnings = stream.warnings();
        show_warnings(input.path(), &warnings);
        summary.warnings.extend(warnings.into_iter().map(|warning| format!("{}: {warning}", input.name())));
    }
    if let Some(middleware) = &mut middleware {
        summary.warnings.extend(last_of(middleware, writer)?);
    }
    Ok(summary)
}

/// Writes an exchange, or what the middleware has made of those before it.
pub(crate) fn put(
    exchange: Masked<Exchange>,
    writer: &mut Writer,
    middleware: Option<&mut Rewriter>,
) -> Result<(), Failure> {
    let Some(middleware) = middleware else { return writer.write(&exchange).exits(Exit::Usage) };
    middleware.push(exchange)?;
    put_ready(writer, middleware)
}

/// Writes what is through the middleware.
pub(crate) fn put_ready(writer: &mut Writer, middleware: &mut Rewriter) -> Result<(), Failure> {
    while let Some(exchange) = middleware.ready() {
        writer.write(&exchange).exits(Exit::Usage)?;
    }
    Ok(())
}

/// Ends the middleware, writes what comes back of it, says what it did, and returns that for the recording.
pub(crate) fn last_of(middleware: &mut Rewriter, writer: &mut Writer) -> Result<Vec<String>, Failure> {
    let warnings = middleware.end()?;
    put_ready(writer, middleware)?;
    for word in &warnings {
        terminal::say(word);
    }
    Ok(warnings)
}

/// Says what was made.
pub(crate) fn tell(made: &Made) {
    let size = std::fs::metadata(&made.path).map(|meta| meta.len()).unwrap_or_default();
    let counts = &made.counts;
    terminal::say(format!(
        "captured  {} ({} of {} packets or entries read, {}, {} evicted)",
        plural(made.exchanges, "exchange"),
        counts.captured,
        counts.seen,
        plural(counts.gaps, "gap"),
        plural(counts.evicted, "flow"),
    ));
    match &made.report {
        Some(report) => {
            terminal::say(format!("masked    {}", list(&report.masked, "nothing was found to be sensitive")));
            if !report.rejected.is_empty() {
                terminal::say(format!(
                    "left out  {} by your rules: {}",
                    plural(report.rejected_total(), "exchange"),
                    list(&report.rejected, "none")
                ));
            }
            if report.unread > 0 {
                terminal::say(format!(
                    "unread    {} that nobody can read (images and the like): looked through for known values only",
                    bodies(report.unread)
                ));
            }
            if !report.quarantined.is_empty() {
                terminal::warn(format!("withheld  {}", list(&report.quarantined, "nothing")));
            }
            terminal::say("audit     passed: no original value is left in it");
        }
        None => terminal::warn(
            "--unmasked: secrets and personal data are in this recording as they were captured",
        ),
    }
    terminal::say(format!(
        "wrote     {} ({})",
        made.path.display(),
        mynah_traffic::units::format_bytes(size)
    ));
}

fn bodies(count: u64) -> String {
    if count == 1 { "1 body".to_owned() } else { format!("{count} bodies") }
}

/// `12 email, 7 password`, most first.
pub(crate) fn list(counts: &std::collections::BTreeMap<String, u64>, none: &str) -> String {
    let mut pairs: Vec<_> = counts.iter().collect();
    pairs.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    let texts: Vec<String> = pairs.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
}
