//! What the commands that send have in common: the scenario, where it goes, and how sessions are played.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mynah_grouping::Options as Grouping;
use mynah_replay::{
    HostHeader, HttpVersion, Loading, Options, Prepared, Resolve, Script, Signer, Stop, Target, TlsVersion,
};
use mynah_report::compare::Comparison;
use mynah_report::html::{self, Against};
use mynah_report::timeline::Timeline;
use mynah_traffic::recording::Reader;
use mynah_traffic::run::{HTML, RunDocument, RunFolder};
use mynah_traffic::scenario::{Behaviour, Chosen, Overrides, PathRewrite, Scenario, ThinkTime};
use mynah_traffic::threshold::Threshold;
use mynah_traffic::units::{format_bytes, parse_duration, parse_size};

use crate::compare::Side;
use crate::exit::{Exit, Exits, Failure, fail};
use crate::input::{self, Inputs, Reading};
use crate::{interrupt, profile, terminal};

/// What is played.
#[derive(Debug, clap::Args)]
pub(crate) struct What {
    /// A scenario (.toml), or a recording, which is grouped first.
    #[arg(value_name = "SCENARIO|RECORDING")]
    path: PathBuf,

    /// A variable of the scenario, which it has as ${var.NAME}; repeatable. MYNAH_VAR_NAME says one, too.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,

    /// Play only steps and profiles that have this tag; repeatable.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Leave out steps and profiles that have this tag; repeatable.
    #[arg(long = "skip-tag", value_name = "TAG")]
    skip_tags: Vec<String>,

    /// Send only requests that are to change nothing at the target: GET, HEAD, OPTIONS and TRACE. What came after others comes after
    /// their pauses.
    #[arg(long)]
    read_only: bool,

    /// Keep recorded sessions in memory where they take no more than this; else each is read again when it is due, and memory does
    /// not grow with the recording.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = parse_size, help_heading = "How requests are sent")]
    memory: u64,

    /// Take what is whole of a damaged or unsealed recording.
    #[arg(long, display_order = 100)]
    recover: bool,
}

/// Where requests go, and as what.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// Where requests go: a URL, or unix:PATH for a socket.
    #[arg(long, value_name = "URL", env = "MYNAH_TARGET")]
    target: Option<Target>,

    /// Where the requests of one recorded host go; repeatable.
    #[arg(long, value_name = "HOST=URL", value_parser = parse_map)]
    map: Vec<(String, Target)>,

    /// The Host header: the target's, or as recorded. What the scenario says when left out, else the target's.
    #[arg(long, value_name = "target|recorded", value_parser = parse_host, help_heading = "How requests are sent")]
    host: Option<HostHeader>,

    /// A header that every request gets instead of its own of that name; repeatable.
    #[arg(long = "set-header", value_name = "NAME: VALUE", value_parser = parse_header, help_heading = "How requests are sent")]
    set_headers: Vec<(String, String)>,

    /// What becomes of each path and query, as a regular expression: '^/v1/=/v2/', 'id\=(\d+)=item=$1'; repeatable.
    #[arg(long = "rewrite-path", value_name = "A=B", help_heading = "How requests are sent")]
    path_rewrites: Vec<PathRewrite>,

    /// Sign requests that bear a signature of this scheme anew, with the secret in this file: github-webhook, stripe-webhook,
    /// slack-webhook, shopify-webhook, standard-webhook, or aws-sigv4 (ACCESS_KEY_ID:SECRET_ACCESS_KEY); repeatable.
    #[arg(long = "sign", value_name = "SCHEME=FILE", value_parser = parse_sign, help_heading = "How requests are sent")]
    signers: Vec<(String, PathBuf)>,

    /// Follow up to N redirects of each request (303 and 302 by GET, 307 and 308 by the same method); what comes in the end is
    /// what counts. Left out, a redirect is an answer like others, as in the recording.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "How requests are sent"
    )]
    follow_redirects: u32,

    #[command(flatten)]
    connections: Connections,

    /// Send to a host that the traffic was recorded from. (Loopback is always allowed.)
    #[arg(long, help_heading = "How requests are sent")]
    allow_recorded_host: bool,

    /// How long making a connection may take.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_timeout, help_heading = "How requests are sent")]
    connect_timeout: Duration,

    /// How long a request may take.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_timeout, help_heading = "How requests are sent")]
    timeout: Duration,

    /// How long it may take to the first byte of its answer; no less than all of it when left out.
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, help_heading = "How requests are sent")]
    first_byte_timeout: Option<Duration>,
}

/// What connections are made of.
#[derive(Debug, clap::Args)]
struct Connections {
    /// The version of HTTP: auto is over TLS what the target prefers of 2 and 1.1, and 1.1 in the clear. 2 in the clear is
    /// spoken with prior knowledge.
    #[arg(long, value_name = "auto|1.1|2", default_value = "auto", help_heading = "Connections")]
    http: HttpVersion,

    /// Accept any certificate.
    #[arg(long, help_heading = "Connections")]
    insecure: bool,

    /// Trust the certificates in this file (PEM) besides the system's; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Connections")]
    ca: Vec<PathBuf>,

    /// The certificate (PEM, with its chain) for servers that ask for one.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Connections")]
    cert: Option<PathBuf>,

    /// The key of --cert (PEM).
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Connections")]
    key: Option<PathBuf>,

    /// The oldest version of TLS.
    #[arg(long, value_name = "1.2|1.3", help_heading = "Connections")]
    tls_min: Option<TlsVersion>,

    /// The newest version of TLS.
    #[arg(long, value_name = "1.2|1.3", help_heading = "Connections")]
    tls_max: Option<TlsVersion>,

    /// Connect from these addresses of this machine in turn: each has ports of its own.
    #[arg(long, value_name = "ADDR,…", value_delimiter = ',', help_heading = "Connections")]
    bind: Vec<IpAddr>,

    /// Look names up once, at the start, or before each connection. Connections go to the addresses in turn.
    #[arg(long, value_name = "once|each-connection", default_value = "once", help_heading = "Connections")]
    resolve: Resolve,
}

/// How sessions are played, and what must hold.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct How {
    /// What becomes of recorded pauses: recorded, 0, 2s, 1s..5s, x0.5.
    #[arg(long, value_name = "T")]
    think_time: Option<ThinkTime>,

    /// How sessions are made: whole ones as recorded, or walks along the recorded steps (markov), by transitions of second
    /// order where the recording has enough of them. What the scenario says when left out.
    #[arg(long, value_name = "recorded|markov")]
    behaviour: Option<Behaviour>,

    /// What must hold, or the exit code is 10: 'p99 < 500ms', 'failure_rate < 1%', 'GET /items/{id}: p95 < 200ms'; repeatable.
    #[arg(long = "threshold", value_name = "EXPR")]
    thresholds: Vec<Threshold>,

    /// Call the hooks of this file of JavaScript (setup, teardown, onSession, onRequest, onResponse, shape), in place of the
    /// one that the scenario names; see docs/hooks.md.
    #[arg(long, value_name = "FILE.js")]
    script: Option<PathBuf>,

    /// Hold answers against the recorded ones by status and content type alone, not by the shape of their bodies.
    #[arg(long)]
    no_body_checks: bool,

    /// The same seed gives the same schedule.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// A request that is sent longer than this after it was due, by the generator's own fault, is late; 10ms when left out. More than
    /// 1% of them late make the run invalid: more is for machines that others use, too, where a few milliseconds say little.
    #[arg(long, value_name = "TIME", env = "MYNAH_LATE_AFTER", value_parser = parse_timeout, help_heading = "How requests are sent")]
    late_after: Option<Duration>,

    /// Sending threads; one for each core when left out.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "How requests are sent")]
    threads: usize,
}

impl How {
    /// The script that says how much load there is, where one does; `folder`: what the scenario's files are relative to.
    pub(crate) fn shaping_script(
        &self,
        scenario: &Scenario,
        folder: &Path,
    ) -> Result<Option<PathBuf>, Failure> {
        let own = || scenario.script.as_ref().map(|file| folder.join(file));
        let Some(path) = self.script.clone().or_else(own) else { return Ok(None) };
        let shapes = Script::load(&path).map_err(failure)?.exports("shape");
        Ok(shapes.then_some(path))
    }
}

pub(crate) fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What variables are said to be: by flags, and by the environment.
pub(crate) fn variables(flags: &[(String, String)]) -> Overrides {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok()?;
        Some((name.strip_prefix("MYNAH_VAR_")?.to_owned(), value.into_string().ok()?))
    };
    Overrides { flags: flags.to_vec(), environment: std::env::vars_os().filter_map(text).collect() }
}

fn parse_map(text: &str) -> Result<(String, Target), String> {
    let (host, url) = text.split_once('=').filter(|(host, _)| !host.is_empty()).ok_or("expected HOST=URL")?;
    Ok((host.to_ascii_lowercase(), url.parse().map_err(|error: mynah_replay::Error| error.to_string())?))
}

fn parse_host(text: &str) -> Result<HostHeader, String> {
    match text {
        "target" => Ok(HostHeader::Target),
        "recorded" => Ok(HostHeader::Recorded),
        _ => Err("expected 'target' or 'recorded'".to_owned()),
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    if span.0 == 0 { Err("expected more than nothing".to_owned()) } else { Ok(span.as_duration()) }
}

fn parse_sign(text: &str) -> Result<(String, PathBuf), String> {
    let (scheme, file) = text.split_once('=').ok_or("SCHEME=FILE, as in github-webhook=secret.txt")?;
    if Signer::schemes().all(|known| known != scheme) {
        let hint = mynah_traffic::nearest(scheme, Signer::schemes());
        return Err(format!(
            "no such scheme{}",
            hint.map(|h| format!("; did you mean {h}?")).unwrap_or_default()
        ));
    }
    Ok((scheme.to_owned(), file.into()))
}

fn signer((scheme, file): &(String, PathBuf)) -> Result<Arc<Signer>, Failure> {
    let secret = std::fs::read(file)
        .map_err(|error| anyhow::anyhow!("--sign {scheme}: {}: {error}", file.display()))
        .exits(Exit::Usage)?;
    Ok(Arc::new(Signer::new(scheme, &secret).map_err(failure)?))
}

/// A replay error and the code it ends with.
pub(crate) fn failure(error: mynah_replay::Error) -> Failure {
    use mynah_replay::Error;
    match error {
        Error::Traffic(error) => error.into(),
        Error::Unreachable { .. } => Failure { exit: Exit::Unreachable, error: error.into() },
        Error::Config(_) | Error::Refused { .. } => Failure { exit: Exit::Usage, error: error.into() },
        other => Failure { exit: Exit::Internal, error: other.into() },
    }
}

impl What {
    /// What files that the scenario names are relative to.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The scenario, compiled. A recording is grouped into one in `folder`, which must be there as long as that is played.
    pub(crate) fn prepare(&self, folder: &Path) -> Result<Prepared, Failure> {
        let first = input::begins(&self.path)?;
        let (overrides, chosen) = (
            variables(&self.variables),
            Chosen { only: self.tags.clone(), without: self.skip_tags.clone(), read_only: self.read_only },
        );
        let scenario = if Reader::recognises(&first) {
            self.group(folder)?
        } else if let Some(kind) = mynah_capture::recognise(&first).filter(|_| !is_toml(&self.path)) {
            let path = self.path.display();
            return Err(fail(
                Exit::Usage,
                format!(
                    "{path}: this is a capture ({}); what is played is a scenario or a recording: mynah capture {path} -o \
                     traffic.mynah, then mynah profile traffic.mynah -o scenario.toml",
                    kind.name()
                ),
            ));
        } else {
            self.path.clone()
        };
        let how = Loading { overrides, chosen, memory: self.memory, ..Loading::default() };
        let prepared = Prepared::load_with(&scenario, &how).map_err(failure)?;
        for warning in prepared.warnings() {
            terminal::warn(warning);
        }
        if let Some(bytes) = prepared.streams() {
            terminal::say(format_args!(
                "its sessions would take some {} of memory, more than --memory {}: each is read when it is due",
                format_bytes(bytes),
                format_bytes(self.memory)
            ));
        }
        Ok(prepared)
    }

    fn group(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let inputs = Inputs::recordings(
            std::slice::from_ref(&self.path),
            &Reading { recover: self.recover, ..Reading::default() },
        )?;
        let name = self.path.file_stem().map_or_else(|| "scenario".into(), std::ffi::OsStr::to_os_string);
        let scenario = folder.join(name).with_extension("toml");
        profile::make(&inputs, &Grouping::default(), &scenario)?;
        Ok(scenario)
    }
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

impl Where {
    /// Whether any certificate will do.
    pub(crate) fn accepts_any_certificate(&self) -> bool {
        self.connections.insecure
    }

    /// Requests must go somewhere; `elsewhere`: other flags say where.
    pub(crate) fn check(&self, elsewhere: bool) -> Result<(), Failure> {
        if self.target.is_some() || !self.map.is_empty() || elsewhere {
            return Ok(());
        }
        Err(fail(
            Exit::Usage,
            "where do requests go? add --target URL (or --map HOST=URL for each recorded host)",
        ))
    }
}

/// Options with these flags in them, over the scenario's thresholds. What the load is is left to the command.
pub(crate) fn options(place: &Where, how: &How, scenario: &Scenario) -> Result<Options, Failure> {
    let net = &place.connections;
    let mut thresholds = how.thresholds.clone();
    for entry in &scenario.thresholds {
        thresholds.push(entry.expr.parse()?);
    }
    let defaults = Options::default();
    Ok(Options {
        target: place.target.clone(),
        map: place.map.clone(),
        think_time: how.think_time,
        behaviour: how.behaviour,
        seed: how.seed,
        threads: how.threads,
        late_after: how.late_after.unwrap_or(defaults.late_after),
        thresholds,
        insecure: net.insecure,
        ca: net.ca.clone(),
        client_certificate: net.cert.clone().zip(net.key.clone()),
        tls_min: net.tls_min,
        tls_max: net.tls_max,
        http: net.http,
        bind: net.bind.clone(),
        resolve: net.resolve,
        follow_redirects: place.follow_redirects,
        host_header: place.host,
        set_headers: place.set_headers.clone(),
        path_rewrites: place.path_rewrites.clone(),
        connect_timeout: place.connect_timeout,
        request_timeout: place.timeout,
        first_byte_timeout: place.first_byte_timeout,
        allow_recorded_host: place.allow_recorded_host,
        body_checks: !how.no_body_checks,
        script: how.script.as_deref().map(Script::load).transpose().map_err(failure)?,
        signers: place.signers.iter().map(signer).collect::<Result<_, _>>()?,
        ..defaults
    })
}

/// `runs/NAME-2026-11-20T09-15-00`, so that nothing overwrites what was there before.
pub(crate) fn default_folder(name: &str) -> PathBuf {
    let now =
        std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = mynah_traffic::units::format_time(now.into()).replace(':', "-");
    let name: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    PathBuf::from("runs").join(format!("{name}-{}", time.trim_end_matches('Z')))
}

/// A run takes minutes to make: none is written over another, nor into somebody's folder, unless that is said. `document`: by
/// which an earlier one is known.
pub(crate) fn refuse_taken(folder: &Path, document: &str) -> Result<(), Failure> {
    let taken = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if !taken {
        return Ok(());
    }
    let holds = if folder.join(document).is_file() { "holds an earlier run" } else { "is not empty" };
    Err(fail(
        Exit::Usage,
        format!("{}: {holds}; name another folder, or add --force to write over it", folder.display()),
    ))
}

/// What Ctrl-C triggers.
pub(crate) fn stop() -> Result<Stop, Failure> {
    let stop = Stop::new();
    let switch = stop.clone();
    interrupt::on_interrupt("requests under way may end, then what was measured is written", move || {
        switch.trigger();
    })?;
    Ok(stop)
}

/// The page of a run, into its folder, with what it was compared with.
pub(crate) fn write_page(
    folder: &RunFolder,
    document: &RunDocument,
    against: Option<(&Side, &Comparison)>,
) -> Result<(), Failure> {
    let path = folder.path().join(HTML);
    let timeline = Timeline::read(folder, document)?;
    let baseline = against.map(|(baseline, _)| baseline.timeline()).transpose()?;
    let against =
        baseline.as_ref().zip(against).map(|(baseline, (_, comparison))| Against { comparison, baseline });
    let page = html::render(document, &timeline, against.as_ref()).exits(Exit::Internal)?;
    std::fs::write(&path, page).map_err(|error| mynah_traffic::Error::io(&path, error)).exits(Exit::Usage)
}
