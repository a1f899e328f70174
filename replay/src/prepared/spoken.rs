//! Steps of other protocols than HTTP, compiled: who speaks them, where they go, and what is put into them.

use std::sync::Arc;

use mynah_traffic::scenario::{InlineStep, fill_places};
use url::Url;

use crate::protocol::Protocol;
use crate::template::{Names, Need};

/// One place that steps of a protocol go to.
#[derive(Clone, Debug)]
pub(crate) struct PeerPlan {
    /// Number of the protocol among those that the program speaks.
    pub(crate) protocol: usize,
    /// As the scenario says, where it does.
    pub(crate) to: Option<Url>,
}

/// A step of another protocol.
#[derive(Debug)]
pub(crate) struct Spoken {
    /// Index into the plan's peers.
    pub(crate) peer: u32,
    pub(crate) parts: Vec<Portion>,
}

/// A part of its text.
#[derive(Debug)]
pub(crate) struct Portion {
    /// What is sent where there is no value.
    pub(crate) text: String,
    /// The value that stands in its place, with what is around it.
    pub(crate) need: Option<Need>,
}

impl Spoken {
    /// Of a step that names a protocol.
    ///
    /// # Errors
    /// In words, what is wrong with its text.
    pub(super) fn compile(
        step: &InlineStep,
        peer: u32,
        protocol: &dyn Protocol,
        names: &Names<'_>,
    ) -> Result<Spoken, String> {
        let parts = protocol.parse(step.text())?;
        let portion = |part: &String| {
            let (text, injection) = fill_places(step.text(), part).map_err(|error| error.to_string())?;
            Ok(Portion { text, need: injection.map(|injection| names.need(&injection)) })
        };
        Ok(Spoken { peer, parts: parts.iter().map(portion).collect::<Result<_, String>>()? })
    }

    /// The values that it wants, in order.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &Need> {
        self.parts.iter().filter_map(|part| part.need.as_ref())
    }
}

/// What a step is counted by when nobody has named it: its text as written, on one line.
pub(super) fn name_of(step: &InlineStep) -> String {
    /// Characters of a text that make a name.
    const LONGEST: usize = 80;
    if let Some(name) = &step.name {
        return name.clone();
    }
    let mut words = step.text().split_whitespace().collect::<Vec<_>>().join(" ");
    words.retain(|c| !c.is_control());
    match words.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}

/// The protocol of that name, and its number.
///
/// # Errors
/// In words, which there are.
pub(super) fn find<'p>(
    known: &'p [Arc<dyn Protocol>],
    name: &str,
) -> Result<(usize, &'p dyn Protocol), String> {
    if let Some((at, protocol)) = known.iter().enumerate().find(|(_, protocol)| protocol.name() == name) {
        return Ok((at, protocol.as_ref()));
    }
    let names = || known.iter().map(|protocol| protocol.name());
    let hint = mynah_traffic::nearest(name, names()).map(|meant| format!("; did you mean '{meant}'?"));
    let also = names().fold("HTTP".to_owned(), |all, name| format!("{all}, {name}"));
    Err(format!(
        "protocol '{name}' is not one that this program speaks (it speaks: {also}){}; programs of one's own add others, see \
         docs/protocols.md",
        hint.unwrap_or_default()
    ))
}
