//! `mynah capture`: inputs → a masked, sealed recording.

use std::path::{Path, PathBuf};

use mynah_capture::Feed;
use mynah_masking::{Policy, Report, SealedFile};
use mynah_traffic::recording::Reader;
use mynah_traffic::units::parse_size;
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::input::{FilterArgs, Inputs, LogArgs, Reading};
use crate::live::{self, LiveArgs};
use crate::middleware::Rewriter;
use crate::output;
use crate::pipeline::{self, Made, Masking};
use crate::recorder::Recorder;

/// Make a recording: of an interface's traffic, as a reverse proxy, or of files: pcap, pcapng, HAR, GoReplay's .gor, access logs (each also as .gz or .zst) or another recording, told apart by content.
///
/// Secrets and personal data are masked before the recording gets its name; what was written is audited.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mynah capture site.pcap -o site.mynah
  sudo mynah capture -i eth0 --port 8080 --user $USER --for 10m -o site.mynah
  mynah capture --listen 127.0.0.1:8080 --upstream http://127.0.0.1:3000 -o site.mynah
  tcpdump -w - 'tcp port 80' | mynah capture - -o site.mynah
  mynah capture requests_0.gor requests_1.gor -o goreplay.mynah
  mynah capture monday.har tuesday.har -o week.mynah --key-file team.key
  mynah capture access.log --log-host shop.example -o log.mynah")]
pub(crate) struct Args {
    /// Files to read, or pipes, as of <(zcat F); '-' is standard input.
    #[arg(required_unless_present = "source", value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// The recording to write.
    #[arg(short, long, value_name = "F.mynah")]
    output: PathBuf,

    #[command(flatten)]
    masking: MaskingArgs,

    /// Keep secrets and personal data as they are; the recording says so for ever.
    #[arg(long, conflicts_with_all = ["key_file", "report", "policy", "jwt_key", "strict", "k", "fail_on_quarantine"])]
    unmasked: bool,

    /// Bytes kept of a body; longer ones are flagged, and withheld (with --unmasked: cut).
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_size)]
    max_body: u64,

    /// Send exchanges, when they are masked, through this program, as GoReplay does: 'python3 rewrite.py'. What it does not
    /// give back is dropped and counted.
    #[arg(long, value_name = "CMD")]
    middleware: Option<String>,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    log: LogArgs,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long)]
    recover: bool,

    /// Bytes that reassembly, and exchanges that wait to be written, may hold. What this costs is counted.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = parse_memory)]
    memory: u64,

    #[command(flatten)]
    live: LiveArgs,

    #[cfg(feature = "live")]
    #[command(flatten)]
    sniff: crate::sniff::SniffArgs,

    #[command(flatten)]
    proxy: crate::proxy::ProxyArgs,

    /// Accept any certificate of the server.
    #[arg(long, requires = "listen", conflicts_with_all = ["upstream_ca", "inputs"], help_heading = "Reverse proxy")]
    insecure: bool,
}

impl Args {
    /// Whether a live source is named.
    fn live_is_asked_for(&self) -> bool {
        #[cfg(feature = "live")]
        if self.sniff.is_asked_for() {
            return true;
        }
        self.proxy.is_asked_for()
    }
}

/// Below this not even one connection of an ordinary size has room.
const LEAST_MEMORY: u64 = 1 << 20;

pub(crate) fn parse_memory(text: &str) -> Result<u64, String> {
    let size = parse_size(text).map_err(|error| error.to_string())?;
    if size < LEAST_MEMORY { Err("at least 1MiB".to_owned()) } else { Ok(size) }
}

/// What `capture` and `mask` have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct MaskingArgs {
    /// Key under which pseudonyms are made (made when missing). Without it the key is random and forgotten.
    #[arg(long, value_name = "F", env = "MYNAH_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Rules of your own, before the built-in ones: see `mynah mask --explain-policy`.
    #[arg(long, value_name = "F.toml", env = "MYNAH_POLICY")]
    pub(crate) policy: Option<PathBuf>,

    /// Sign masked web tokens (HS256, HS384, HS512) with the secret in this file, so that a staging system which is given the
    /// same secret takes them.
    #[arg(long, value_name = "F")]
    pub(crate) jwt_key: Option<PathBuf>,

    /// Take resource ids as well: numbers, UUIDs, slugs with digits and hashes in paths, and the same under names such as id.
    /// Each has one pseudonym everywhere, so that replays still find what they ask for.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Mask a path segment or query value that fewer than N clients share. Needs files: live traffic passes once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) k: Option<u32>,

    /// Write what was masked, by rule, place and action (counts only, never a value): as JSON to a .json file, as text to any
    /// other.
    #[arg(long, value_name = "F.json")]
    pub(crate) report: Option<PathBuf>,

    /// Seal nothing and exit 12 when a part had to be withheld, because it could not be read or is over a limit.
    #[arg(long)]
    pub(crate) fail_on_quarantine: bool,
}

impl MaskingArgs {
    /// The policy that is asked for.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        let mut policy = match &self.policy {
            Some(path) => Policy::load(path).exits(Exit::Usage)?,
            None => Policy::built_in(),
        };
        if let Some(path) = &self.jwt_key {
            let secret = Zeroizing::new(
                std::fs::read(path)
                    .map_err(|error| anyhow::anyhow!("--jwt-key {}: {error}", path.display()))
                    .exits(Exit::Usage)?,
            );
            let secret = secret.strip_suffix(b"\n").unwrap_or(&secret);
            if secret.is_empty() {
                return Err(fail(Exit::Usage, format!("--jwt-key {}: it is empty", path.display())));
            }
            policy = policy.with_jwt_key(secret);
        }
        if self.strict {
            policy = policy.with_strict();
        }
        if let Some(k) = self.k {
            policy = policy.with_k(k);
        }
        Ok(policy)
    }

    /// Looks at the report's path before any work is done: nothing but an older report may be replaced.
    pub(crate) fn check_report(&self, output: &Path, inputs: &Inputs) -> Result<(), Failure> {
        let Some(report) = self.report.as_deref() else { return Ok(()) };
        let others = [
            (Some(output), "the recording is written there"),
            (self.key_file.as_deref(), "it is the key file"),
            (self.policy.as_deref(), "it is the policy"),
            (self.jwt_key.as_deref(), "it is the key for web tokens"),
        ];
        for (other, why) in others {
            if other.is_some_and(|other| output::is_same(report, other)) {
                let shown = report.display();
                return Err(fail(Exit::Usage, format!("--report {shown}: {why}; name another file")));
            }
        }
        output::check(report, inputs, |first| {
            first.starts_with(b"Masking report")
                || first.starts_with(b"{") && memchr::memmem::find(first, b"\"mynah\"").is_some()
        })
    }

    /// How sensitive values are masked.
    pub(crate) fn masking(&self) -> Result<Masking, Failure> {
        // What is wrong with the policy is to be said before a key is made.
        let policy = Box::new(self.policy()?);
        let key = pipeline::key(self.key_file.as_deref())?;
        Ok(Masking::Under { key, policy, gate: self.fail_on_quarantine })
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    // Asked for before anything is opened: a wrong policy must cost no traffic.
    let live = args.live_is_asked_for();
    if live && !args.unmasked && args.masking.policy()?.k().is_some() {
        return Err(fail(
            Exit::Usage,
            "--k needs a file: who shares a value shows only when all has been read; record first, then mynah mask --k",
        ));
    }
    if let Some(feed) = open(args)? {
        return record(feed, args);
    }
    let inputs = Inputs::look(
        &args.inputs,
        &Reading {
            filter: args.filter.clone(),
            recover: args.recover,
            max_body: args.max_body,
            memory: args.memory,
            log: args.log.clone(),
        },
    )?;
    args.masking.check_report(&args.output, &inputs)?;
    make(&inputs, &args.output, masking(args)?, middleware(args)?, &args.masking)
}

fn masking(args: &Args) -> Result<Masking, Failure> {
    if args.unmasked {
        return Ok(Masking::Refused);
    }
    args.masking.masking()
}

fn middleware(args: &Args) -> Result<Option<Rewriter>, Failure> {
    args.middleware.as_deref().map(Rewriter::start).transpose()
}

/// The live source that the arguments name, if they do.
fn open(args: &Args) -> Result<Option<Box<dyn Feed>>, Failure> {
    let limits = mynah_capture::Options {
        max_body: args.max_body,
        memory: args.memory,
        ..mynah_capture::Options::default()
    };
    #[cfg(feature = "live")]
    if let Some(feed) = crate::sniff::open(&args.sniff, limits)? {
        return Ok(Some(feed));
    }
    crate::proxy::open(&args.proxy, args.insecure, limits)
}

/// Records live traffic.
fn record(mut feed: Box<dyn Feed>, args: &Args) -> Outcome {
    output::check(&args.output, &Inputs::default(), Reader::recognises)?;
    args.masking.check_report(&args.output, &Inputs::default())?;
    let recorder =
        Recorder::begin(&args.output, args.live.max_size, masking(args)?, args.max_body, feed.name())?
            .through(middleware(args)?);
    let made = live::record(feed.as_mut(), recorder, &args.live, &args.filter)?;
    made.iter().for_each(pipeline::tell);
    if made.len() > 1 && !args.unmasked {
        crate::terminal::warn(
            "each file was masked and audited with what was known when it ended; what showed only later that a value is \
             sensitive has no say in earlier files",
        );
    }
    let Some(path) = &args.masking.report else { return Ok(Exit::Ok) };
    let reports = made.iter().filter_map(sealed).collect::<Result<Vec<_>, _>>()?;
    write_report(path, &reports, &reports)?;
    Ok(Exit::Ok)
}

/// Makes the recording, tells of it and writes the masking report.
pub(crate) fn make(
    inputs: &Inputs,
    output: &std::path::Path,
    masking: Masking,
    middleware: Option<Rewriter>,
    args: &MaskingArgs,
) -> Outcome {
    output::check(output, inputs, Reader::recognises)?;
    let made = pipeline::record(inputs, output, masking, middleware)?;
    pipeline::tell(&made);
    if let Some(path) = &args.report
        && let Some(report) = sealed(&made).transpose()?
    {
        write_report(path, &report, std::slice::from_ref(&report))?;
    }
    Ok(Exit::Ok)
}

/// The report of a file, with what the sealed file is.
fn sealed(made: &Made) -> Option<Result<Report, Failure>> {
    let mut report = made.report.clone()?;
    let describe = || -> std::io::Result<SealedFile> {
        let mut hasher = HashWriter(sha2::Sha256::new());
        let bytes = std::io::copy(&mut std::fs::File::open(&made.path)?, &mut hasher)?;
        let name = made.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(SealedFile { name, bytes, sha256: mynah_message::hex::text(&hasher.0.finalize()) })
    };
    Some(describe().map_err(|error| mynah_traffic::Error::io(&made.path, error)).exits(Exit::Usage).map(
        |file| {
            report.file = Some(file);
            report
        },
    ))
}

/// Takes what is written into a hash.
struct HashWriter(sha2::Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes the masking report: as JSON, or as text, which has `reports` one after the other.
pub(crate) fn write_report(
    path: &std::path::Path,
    json: &impl serde::Serialize,
    reports: &[Report],
) -> Result<(), Failure> {
    let text = if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        serde_json::to_string_pretty(json).exits(Exit::Internal)? + "\n"
    } else {
        reports.iter().map(Report::text).collect::<Vec<_>>().join("\n")
    };
    std::fs::write(path, text).map_err(|error| mynah_traffic::Error::io(path, error)).exits(Exit::Usage)
}
