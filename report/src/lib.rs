//! What a replay measured, for people: a table for the terminal and one self-contained HTML page.
//!
//! In goes a [`RunDocument`](mynah_traffic::run::RunDocument) (what `run.json` holds); out comes text. Nothing here
//! measures or judges: every figure and the verdict stand in the document, so the same run gives the same report for ever.
//!
//! | module | output |
//! |---|---|
//! | [`table`] | the terminal's table and what stands around it |
//! | [`html`] | `report.html`: no network, no script, light and dark, prints well |
//! | `chart` | the SVG curves in it |
//! | [`fidelity`] | how like the recording the run was, in words |
//! | `figures` | how numbers are written, the same everywhere |

mod chart;
pub mod fidelity;
mod figures;
pub mod html;
pub mod table;
#[cfg(test)]
mod tests;

/// What can go wrong when a report is made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The page's template failed: a bug of ours.
    #[error("the report's template failed: {0:#}")]
    Template(#[from] minijinja::Error),
}
