//! What one replay measured: figures with their histograms in memory, and the folder they are kept in.
//!
//! | file | content |
//! |---|---|
//! | `run.json` | [`RunDocument`]: every figure of the report, schema-versioned |
//! | `intervals.hlog` | the standard HdrHistogram interval log: microseconds; one histogram by endpoint, kind and second, tagged `e12.response`, `e12.service`, `e12.first_byte`; `p2.time`: response times of a profile; `connect` and `tls`: connections that were made |
//! | `shapes.json` | [`Answers`]: what the answers were, by endpoint and block |
//! | `failures.csv` | what failed and how often |
//! | `report.html` | for people (written by the report stage) |

mod answers;
mod document;
mod folder;
mod intervals;
mod metric;
mod mirror;
mod tally;
#[cfg(test)]
mod tests;

pub use answers::{ANSWERS_SCHEMA, Answers, BLOCKS, Blocks, ClassAnswers, EndpointAnswers};
pub use document::{
    Arrivals, EndpointFigures, FailureRow, Fidelity, GeneratorFigures, Interleaved, Latency, Measured,
    MismatchSample, ProfileFigures, RunDocument, SCHEMA, SecondFigures, SendLag, Shard, TagName,
    ThresholdResult, TotalFigures, Verdict, schema,
};
pub use folder::{DOCUMENT, FAILURES, HTML, INTERVALS, RunFolder, SHAPES};
pub use intervals::{IntervalReader, IntervalWriter, Intervals};
pub use metric::{METRIC_SCALE, MetricFigures, MetricKind};
pub use mirror::{CaptureFigures, Dropped, MirrorFigures, StatusDifference};
pub use tally::{Tally, new_histogram, record};
