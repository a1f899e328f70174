//! The nouns that mynah's stages hand each other, and the files they are kept in.
//!
//! Capture makes [`Exchange`]s; masking turns them into [`Masked`] ones; a [`recording`] keeps those on disk; grouping
//! reads a recording and writes a [`scenario`]; replay drives a scenario and measures a [`run`]; report shows it.
//! This crate holds what passes between them and no behaviour of theirs. It stands on `mynah-message` only.
//!
//! | module | noun |
//! |---|---|
//! | [`exchange`] | one HTTP request with its response, timestamps, connection, flags |
//! | [`masked`] | the proof, in the type, that something went through masking (or that the user refused it) |
//! | [`recording`] | the `.mynah` file: checked, compressed frames of exchanges |
//! | [`session`] | which exchanges belong to one client, and how that is known |
//! | [`endpoint`] | method + host + path template, and its matcher |
//! | [`filter`] | `path =~ ^/api and status >= 500`: which exchanges are meant |
//! | [`gor`] | GoReplay's files, which capture reads and export writes |
//! | [`correlation`] | a value that a response hands out and a later request sends back |
//! | [`scenario`] | the `.toml` file people edit, and the `.sessions` file beside it |
//! | [`shape`] | what answers look like: learnt, and held against others |
//! | [`threshold`] | `p99 < 500ms`: syntax and evaluation |
//! | [`watch`] | thresholds that must hold in every stretch of a run |
//! | [`run`] | what one replay measured: figures, histograms and the folder they are kept in |
//! | [`capacity`] | what a search for the highest rate came to |
//! | [`units`] | durations and sizes as people write them |

pub mod capacity;
pub mod correlation;
pub mod endpoint;
mod error;
pub mod exchange;
pub mod filter;
mod frame;
pub mod gor;
pub mod masked;
mod nearest;
mod operation;
pub mod recording;
pub mod rooms;
pub mod run;
pub mod scenario;
pub mod session;
pub mod shape;
pub mod threshold;
pub mod units;
pub mod watch;

pub use correlation::{Correlation, Site};
pub use endpoint::{Endpoint, EndpointId, Template};
pub use error::Error;
pub use exchange::{Connection, Exchange, Flag, Flags, Nanos, Scheme, SensitiveSpan, Side, Times};
pub use filter::Filter;
pub use masked::{Masked, Provenance};
pub use nearest::nearest;
pub use operation::operation;
