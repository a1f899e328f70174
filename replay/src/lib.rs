//! A scenario and a load shape in, HTTP traffic and a measured run out.
//!
//! [`Prepared::load`] reads a scenario and compiles its sessions: each recorded request is cut into what stays and what is put
//! in when it is sent. [`run()`] plays them at a target, by a timetable that is a pure function of the seed (open model) or
//! with a number of users (closed model), and measures service time and response time of every request: what it had to
//! wait counts, whoever made it wait. Sessions that are larger than the memory they may take ([`Loading::memory`]) are read
//! again when they are due, ahead of their time, and send the same. [`trace()`] plays one session a profile and tells of each step.
//!
//! ```no_run
//! use mynah_replay::{LoadModel, Options, Prepared, Stop, run};
//! use mynah_traffic::run::RunFolder;
//!
//! let prepared = Prepared::load("scenario.toml".as_ref())?;
//! let options = Options {
//!     target: Some("http://localhost:8080".parse()?),
//!     load: LoadModel::Closed { users: 20, spawn_rate: 5.0 },
//!     ..Options::default()
//! };
//! let folder = RunFolder::create("run")?;
//! let document = run(&prepared, &options, &folder, &Stop::new(), &mut |now| eprintln!("{now:?}"))?;
//! folder.write(&document)?;
//! # Ok::<(), mynah_replay::Error>(())
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`timetable`] | which session begins when: pure, seeded, striped over threads |
//! | [`curve`] | a quantity over time, its area and the inverse of that |
//! | `course` | stages, named shapes and points → a curve |
//! | `load` | what is driven, worked out from options and scenario |
//! | `preview` | the same, told instead of sent |
//! | `prepared` | scenario, session files and identities, compiled |
//! | `template` | one request, cut into fixed bytes and places; filled in |
//! | `cookies` | a virtual user's jar |
//! | `begin` | several machines with one timetable, that begin together |
//! | `due` | how many requests a timetable asks for |
//! | `pace` | the clock, and waking at the right moment |
//! | `net` | connections: addresses, TLS, HTTP/1 and HTTP/2, byte counts, the moment of the first byte |
//! | [`protocol`] | what crates implement that speak something else than HTTP |
//! | `middleware` | requests through a program of the user's before they are sent |
//! | `script` | JavaScript of the user's: hooks, and curves of load |
//! | `sign` | requests signed anew, as what they are signed over has changed |
//! | `engine` | threads, virtual users, sessions, steps, checks |
//! | `stats` | samples → histograms → `run.json` |
//! | `mirror` | live traffic sent on while it happens, session by session |
//! | `run`, `trace`, [`capacity()`], [`Mirror`] | the ways in |
//!
//! It stands on `mynah-traffic` and `mynah-message` and knows no other stage. Over HTTP/1, header lines are sent
//! in their recorded order, with their names as they were written; over HTTP/2, in lower case.

#![forbid(unsafe_code)]

mod begin;
mod capacity;
mod cookies;
mod course;
pub mod curve;
mod due;
mod engine;
mod error;
mod load;
mod middleware;
mod mirror;
mod net;
mod options;
mod pace;
mod prepared;
mod preview;
pub mod protocol;
mod run;
mod script;
mod sign;
mod stats;
mod stop;
mod target;
mod template;
pub mod timetable;
mod trace;

pub use capacity::{Seek, Told, capacity};
pub use course::Course;
pub use engine::{Destination, destinations};
pub use error::Error;
pub use middleware::Middleware;
pub use mirror::{Fold, MARK, Mirror, MirrorOptions, MirrorProgress, Seen};
pub use options::{HostHeader, HttpVersion, LoadModel, Options, Resolve, Shard, TlsVersion, Turn};
pub use prepared::{Loading, MEMORY, Prepared};
pub use preview::{Preview, preview};
pub use run::{Progress, run, run_in_turns};
pub use script::Script;
pub use sign::Signer;
pub use stop::Stop;
pub use target::Target;
pub use trace::{Injected, TraceStep, TraceSummary, trace};
