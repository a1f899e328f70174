//! Values that responses hand out and later requests send back, and log-ins: found in a sample of the sessions.
//!
//! [`sample`] notes what was handed out and what was sent, in time order; [`choose`] ties the one to the other and keeps what
//! holds across sessions; [`identity`] finds the log-ins; [`name`] says what it is all called.

mod choose;
mod identity;
mod name;
mod sample;
pub(crate) mod sites;
pub(crate) mod values;

pub(crate) use sample::open_view;

use mynah_traffic::Correlation;
use mynah_traffic::scenario::Identities;

use crate::endpoints::Table;
use crate::explain::Rejected;
use crate::scan::Scan;
use crate::script::Steps;
use crate::{Error, Open, Options};

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) correlations: Vec<Correlation>,
    pub(crate) identities: Option<Identities>,
    pub(crate) rejected: Vec<Rejected>,
    /// Candidates that were rejected beside these.
    pub(crate) untold: usize,
    /// Sessions that were looked at.
    pub(crate) sampled: usize,
}

/// Reads the recording once more and looks for correlations and log-ins.
pub(crate) fn find(
    open: &Open<'_>,
    scan: &Scan,
    steps: &Steps,
    table: &Table,
    options: &Options,
) -> Result<Found, Error> {
    let sample = sample::Sample::read(open, scan, steps, table, options.seed)?;
    let (identities, claimed) = identity::find(&sample, table);
    let sampled = sample.sessions.len();
    let choose::Choice { correlations, rejected, untold } = choose::choose(sample, table, &claimed);
    Ok(Found { correlations, identities, rejected, untold, sampled })
}

/// Hash of the user's name, where a request is a log-in.
pub(crate) fn login_name(endpoint: u32, view: &mynah_message::View<'_>) -> Option<u64> {
    identity::Login::of(endpoint, view).map(|login| login.name)
}
