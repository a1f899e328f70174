//! What is counted: on each sending thread, and where it all comes together.

mod answers;
mod collector;
mod document;
mod fidelity;
mod measured;
mod recorder;

pub(crate) use collector::{Collector, Totals};
pub(crate) use document::{Facts, answers, document};
pub(crate) use measured::Measuring;
pub(crate) use recorder::{Conducted, Dial, Looks, Mismatch, NO_STATUS, Recorder, Report, Sample};
