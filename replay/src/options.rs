//! How a scenario is to be driven, and at what.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mynah_traffic::Nanos;
use mynah_traffic::scenario::{Arrivals, Behaviour, PathRewrite, Rate, ThinkTime};
use mynah_traffic::threshold::Threshold;
use url::Url;

use crate::{Course, Middleware, Script, Signer, Target};

/// How sessions begin.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadModel {
    /// Open model: sessions arrive by a timetable, whatever the target does.
    Open {
        /// How often. Of [`Rate::Requests`] each request has its own place in the timetable, and takes the next step of a session that
        /// is ready for one: pauses are not waited for, and the wait for a user is part of the response time.
        rate: Rate,
    },
    /// Closed model: so many users, each playing one session after another until the time is over. A user keeps its
    /// identity and its connections; cookies and correlated values begin anew with each session, unless it began with an
    /// `on_start` of its profile. Where any profile has one, an `on_stop` or a number of users, each user is of one profile.
    Closed {
        /// How many.
        users: u32,
        /// Users added each second until there are that many; zero, negative or infinite: all at once.
        spawn_rate: f64,
    },
    /// Either model, with a rate or a number of users that changes over time.
    Along(Course),
    /// The first session of every profile, once, all at the same time.
    Once,
}

/// What is sent in `Host`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// The target's authority.
    #[default]
    Target,
    /// What was recorded.
    Recorded,
}

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// Over TLS what the target prefers of HTTP/2 and HTTP/1.1, HTTP/1.1 in the clear.
    #[default]
    Auto,
    /// HTTP/1.1.
    One,
    /// HTTP/2, in the clear with prior knowledge.
    Two,
}

impl FromStr for HttpVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(HttpVersion::Auto),
            "1" | "1.1" => Ok(HttpVersion::One),
            "2" => Ok(HttpVersion::Two),
            _ => Err("expected auto, 1.1 or 2".to_owned()),
        }
    }
}

/// How often names are resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolve {
    /// At the start; connections go in turn to the addresses that answer then.
    #[default]
    Once,
    /// Before each connection.
    EachConnection,
}

impl FromStr for Resolve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "once" => Ok(Resolve::Once),
            "each-connection" => Ok(Resolve::EachConnection),
            _ => Err("expected once or each-connection".to_owned()),
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// [RFC 5246](https://www.rfc-editor.org/rfc/rfc5246).
    Tls12,
    /// [RFC 8446](https://www.rfc-editor.org/rfc/rfc8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == TlsVersion::Tls12 { "1.2" } else { "1.3" })
    }
}

impl FromStr for TlsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "1.2" => Ok(TlsVersion::Tls12),
            "1.3" => Ok(TlsVersion::Tls13),
            _ => Err("expected 1.2 or 1.3".to_owned()),
        }
    }
}

/// Everything that is decided when a run is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything goes for which `map` has no entry.
    pub target: Option<Target>,
    /// Recorded host (with its port where that is not the default) → where its requests go.
    pub map: Vec<(String, Target)>,
    /// Where steps of other protocols go, by the protocol's name, in place of what the scenario says.
    pub protocol_targets: Vec<(String, Url)>,
    /// How sessions begin.
    pub load: LoadModel,
    /// How arrivals lie around their rate (open model).
    pub arrivals: Arrivals,
    /// So many times as fast as recorded: pauses, the recording's length, and rates that are relative to the recorded one. Rates
    /// and times that are said in seconds are as they are said. More than zero.
    pub speed: f64,
    /// What becomes of the recorded pauses. `None`: what the scenario says.
    pub think_time: Option<ThinkTime>,
    /// How sessions are made of the recorded ones. `None`: what the scenario says.
    pub behaviour: Option<Behaviour>,
    /// For how long sessions are begun. `None`: as long as the recording, at least 10 s.
    pub duration: Option<Nanos>,
    /// By when the run is ended whatever it is at, counted from its begin: a run that was ended so has failed. `None`: never.
    pub max_time: Option<Duration>,
    /// The same seed gives the same timetable.
    pub seed: u64,
    /// Sending threads; 0: one for each core.
    pub threads: usize,
    /// A request whose send lag is longer was late. More than one late in a hundred, and more than ten, make the run invalid.
    pub late_after: Duration,
    /// What must hold for the run to pass.
    pub thresholds: Vec<Threshold>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Files of certificates (PEM) that are trusted besides the system's.
    pub ca: Vec<PathBuf>,
    /// Files (PEM) of the certificate that is shown to servers that ask for one, with its chain, and of its key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// The oldest and the newest version of TLS; `None`: 1.2 and 1.3.
    pub tls_min: Option<TlsVersion>,
    /// See `tls_min`.
    pub tls_max: Option<TlsVersion>,
    /// Which version of HTTP is spoken.
    pub http: HttpVersion,
    /// Addresses of this machine that connections are made from, in turn; empty: the system's choice.
    pub bind: Vec<IpAddr>,
    /// How often names are resolved.
    pub resolve: Resolve,
    /// An answer that redirects is followed up to so many times, and what comes of it in the end is what counts. 0: redirects
    /// are answers like others, as in the recording.
    pub follow_redirects: u32,
    /// What is sent in `Host`. `None`: what the scenario says, else the target.
    pub host_header: Option<HostHeader>,
    /// Header fields that every request gets, in place of recorded ones of the same name.
    pub set_headers: Vec<(String, String)>,
    /// What becomes of every path and query, after what the scenario says.
    pub path_rewrites: Vec<PathRewrite>,
    /// How long making a connection may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a request may take from the moment it has a connection to its last byte.
    pub request_timeout: Duration,
    /// How long it may take to the first byte of its answer. `None`: as long.
    pub first_byte_timeout: Option<Duration>,
    /// Send to a host of the recording that is not this machine.
    pub allow_recorded_host: bool,
    /// Sessions at the same time (open model). Arrivals past it are dropped and make the run invalid: a target that
    /// stalls must not cost the generator its memory.
    pub max_vus: u32,
    /// Requests under way at the same time, over all threads. What is due beyond that waits: that counts in its response time, as
    /// held back, and neither in its service time nor as the generator's lag. `None`: as many as there are.
    pub max_in_flight: Option<u32>,
    /// Hold answers' bodies against what was recorded of them.
    pub body_checks: bool,
    /// What each request goes through before it is sent. Its time is in the response time, which counts from the intended
    /// start; it is neither in the service time nor in the generator's lag.
    pub middleware: Option<Arc<dyn Middleware>>,
    /// How long a request may be there; one that has not come back by then has failed.
    pub middleware_timeout: Duration,
    /// Whose hooks are called. `None`: those of the script that the scenario names, if it names one.
    pub script: Option<Script>,
    /// Who signs requests anew, last of all.
    pub signers: Vec<Arc<Signer>>,
    /// Only sessions that begin in one's own turn (open model). `None`: all.
    pub turn: Option<Turn>,
    /// Which stripe of the timetable, or of the users, is played here. `None`: all.
    pub shard: Option<Shard>,
    /// When the timetable begins. `None`: at once.
    pub start_at: Option<SystemTime>,
    /// Requests that were to start in the first so much of the run are not counted, and when its time is over no step begins any
    /// more (open model). `None`: all of it is counted, and sessions may end.
    pub warm_up: Option<Nanos>,
}

/// Shard `index` of `of` plays the sessions (open model) or has the users (closed model) whose numbers are ≡ `index` (mod `of`):
/// all of them together send what one run would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Default for Shard {
    fn default() -> Self {
        Shard { index: 0, of: 1 }
    }
}

impl Shard {
    /// Whether a session or user with this number is this shard's.
    pub(crate) fn has(self, number: u64) -> bool {
        number % u64::from(self.of.max(1)) == u64::from(self.index)
    }

    /// Of thread `thread` of `threads` in this shard, the place among all threads of all shards: a stripe of the whole.
    pub(crate) fn stripe(self, thread: usize, threads: usize) -> (usize, usize) {
        let of = self.of.max(1) as usize;
        (thread * of + self.index as usize, threads * of)
    }
}

/// Whose turn it is, where two targets are sent to by one timetable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The second of the two.
    pub second: bool,
    /// Seconds that a turn takes, at least one.
    pub block_s: u32,
}

impl Turn {
    /// Whether a session that begins then is this one's.
    pub(crate) fn has(self, at: Nanos) -> bool {
        let block = u64::from(self.block_s.max(1)) * Nanos::PER_SECOND;
        (at.0 / block % 2 == 1) == self.second
    }
}

impl Options {
    /// Whether time passes otherwise than in the recording.
    pub(crate) fn is_sped(&self) -> bool {
        (self.speed - 1.0).abs() > f64::EPSILON
    }

    /// What becomes of the pauses of a profile: a flag over its own word over the scenario's, at the speed that is asked for.
    pub(crate) fn think_time(&self, profile: Option<ThinkTime>, scenario: Option<ThinkTime>) -> ThinkTime {
        let think_time = self.think_time.or(profile).or(scenario).unwrap_or_default();
        match think_time {
            ThinkTime::Recorded if self.is_sped() => ThinkTime::Scaled(1.0 / self.speed),
            ThinkTime::Scaled(factor) => ThinkTime::Scaled(factor / self.speed),
            said => said,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            target: None,
            map: Vec::new(),
            protocol_targets: Vec::new(),
            load: LoadModel::Open { rate: Rate::Times(1.0) },
            arrivals: Arrivals::default(),
            speed: 1.0,
            think_time: None,
            behaviour: None,
            duration: None,
            max_time: None,
            seed: 0,
            threads: 0,
            late_after: Duration::from_millis(10),
            thresholds: Vec::new(),
            insecure: false,
            ca: Vec::new(),
            client_certificate: None,
            tls_min: None,
            tls_max: None,
            http: HttpVersion::Auto,
            bind: Vec::new(),
            resolve: Resolve::Once,
            follow_redirects: 0,
            host_header: None,
            set_headers: Vec::new(),
            path_rewrites: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            first_byte_timeout: None,
            allow_recorded_host: false,
            max_vus: 50_000,
            max_in_flight: None,
            body_checks: true,
            middleware: None,
            script: None,
            middleware_timeout: Duration::from_secs(2),
            signers: Vec::new(),
            turn: None,
            shard: None,
            start_at: None,
            warm_up: None,
        }
    }
}
