//! From exchanges to a scenario: who made which requests, what they amount to, how users behave, and which values they
//! carry from responses to later requests.
//!
//! In goes a way to read the recording ([`Open`]), as often as it must be read; out comes a
//! [`Scenario`](mynah_traffic::scenario::Scenario), its session file and an [`Explanation`] for people. Of each
//! exchange a small record is kept (names, times, hashes), never a body, so that memory stays bounded by the number of
//! exchanges; correlations are looked for in a sample of the sessions; the last pass holds the requests of those
//! sessions that are under way.
//!
//! ```text
//! pass 1  scan ──► sessions (ladder, idle timeout) ──► endpoints (typed segments, folding) ──► profiles (clustering)
//! pass 2  correlate: a sample of sessions, values handed out and sent back, evidence
//! pass 3  script: steps with waits, think times and injections ──► scenario + session file (or inline steps)
//! ```
//!
//! | module | job |
//! |---|---|
//! | `options` | what the user can say |
//! | `scan` | the first pass: one small record an exchange |
//! | `filter` | what is left out of a scenario, and why |
//! | `sessions` | the ladder: key, source, cookie, authorization, connection, address; idle timeout |
//! | `endpoints` | path templates: kinds of segment, and a trie that folds |
//! | `profiles` | distance between sessions, clustering that finds the number by itself, names |
//! | `correlate` | values handed out and sent back; log-ins |
//! | `script` | sessions as steps to play |
//! | `sources` | several inputs that count differently |
//! | `vary` | fields that must be unique: made anew on replay |
//! | `fidelity` | the scenario beside the recording it came from |
//! | `inline` | steps written out in the scenario, where the input is small |
//! | `export` | a scenario as Locust, k6 or curl script; exchanges as a HAR |
//! | `explain` | all that was decided, and why, in words |

mod correlate;
mod endpoints;
mod error;
mod explain;
mod export;
mod fidelity;
mod filter;
mod hash;
mod inline;
mod options;
mod profile;
mod profiles;
mod scan;
mod script;
mod sessions;
mod sources;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod vary;

pub use endpoints::{EndpointCount, endpoints, segment_name};
pub use error::Error;
pub use explain::{Accepted, Clustering, Explanation, ProfileNote, Rejected, Transition, Visit};
pub use export::{
    ExportCounts, ExportOptions, HarCounts, HarWriter, Language, exchanges as scenario_exchanges,
    script as export,
};
pub use filter::LeftOut;
pub use options::{Options, ProfileCount, SessionKey};
pub use profile::{Profiled, profile};
pub use sessions::{Evidence, IdleSource, IdleTimeout, SessionInfo, sessionise};
pub use sources::SourceInfo;

use mynah_traffic::Exchange;

/// One reading of the recording from its beginning, in the order in which it was recorded.
pub type Pass = Box<dyn Iterator<Item = Result<Exchange, mynah_traffic::Error>>>;

/// Begins a fresh reading. Each must give the same exchanges. Where several recordings are read as one, the caller
/// sees to it that connection numbers and client hints of different ones differ.
pub type Open<'a> = dyn Fn() -> Result<Pass, mynah_traffic::Error> + 'a;
