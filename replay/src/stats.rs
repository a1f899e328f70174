//! What is counted: on each sending thread, and where it all comes together.

mod answers;
mod collector;
mod document;
mod fidelity;
mod recorder;
mod watch;

pub(crate) use collector::{Collector, Totals};
pub(crate) use document::{Facts, answers, document};
pub(crate) use recorder::{Conducted, Dial, Looks, Mismatch, Recorder, Report, Sample};
pub(crate) use watch::{Scope, Watch};
