//! What a replay measured, for people and for machines; and one side of runs against another.
//!
//! In goes a [`RunDocument`](mynah_traffic::run::RunDocument) (what `run.json` holds), and its interval log where seconds count;
//! out comes text. Nothing here measures: every figure and the verdict stand in the document, so the same run gives the same
//! report for ever.
//!
//! | module | output |
//! |---|---|
//! | [`table`] | the terminal's table and what stands around it |
//! | [`html`] | `report.html`: one page, nothing loaded, light and dark, prints well |
//! | [`behaviour`] | profiles as a page, with their transitions |
//! | [`capacity`] | a search for the highest rate: a line a step, the curve, a page |
//! | [`csv`] | Locust's four files |
//! | [`junit`] | JUnit XML: thresholds and comparisons as tests |
//! | [`markdown`] | a pull request's comment, GitHub's annotations |
//! | [`history`] | several runs one below the other |
//! | [`compare`] | what became slower, and how sure that is |
//! | [`timeline`] | what the page's charts are drawn from |
//! | [`merge`] | shards made into the run that one machine would have measured |
//! | `mirror` | how live traffic was mirrored, in words |
//! | `chart` | the page's charts as SVG |
//! | [`fidelity`] | how like the recording the run was, in words |
//! | `grid` | tables that fit their terminal |
//! | `figures` | how numbers are written, the same everywhere |

pub mod behaviour;
pub mod capacity;
mod chart;
pub mod compare;
pub mod csv;
pub mod fidelity;
mod figures;
mod grid;
pub mod history;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod merge;
mod mirror;
pub mod table;
#[cfg(test)]
pub(crate) mod tests;
pub mod timeline;

/// What can go wrong when a report is made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template failed: a bug of ours.
    #[error("the report's template failed: {0:#}")]
    Template(#[from] minijinja::Error),
    /// It cannot be written.
    #[error("the report cannot be written: {0}")]
    Write(#[source] std::io::Error),
    /// What is to be merged is no shard.
    #[error("{0}")]
    Merge(String),
    /// The run cannot be read.
    #[error(transparent)]
    Run(#[from] mynah_traffic::Error),
}
