//! What one virtual user does: the form into which both inline steps and recorded sessions are brought.

use mynah_message::{Locator, Message};

use crate::exchange::{Nanos, Scheme};

/// One session to play.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionScript {
    /// When it began, from the start of the recording.
    pub start: Nanos,
    /// Its requests, in order of their start.
    pub steps: Vec<Step>,
}

/// One request of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Index into [`Tables::endpoints`](super::Tables).
    pub endpoint: u32,
    /// `http` or `https`, as recorded.
    pub scheme: Scheme,
    /// Host (and port unless it is the scheme's default) as recorded.
    pub host: String,
    /// Number of the session's connection that carried it, from 0.
    pub connection: u32,
    /// The earlier step after whose end this one comes; `None`: the session's start.
    pub waits_for: Option<u32>,
    /// Pause from the end of that step to the start of this one.
    pub think: Nanos,
    /// What was sent (masked).
    pub request: Message,
    /// Values that are put in place of recorded ones.
    pub injections: Vec<Injection>,
    /// What a right answer looks like.
    pub expect: Expect,
}

/// A value that is put into a request before it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// Where in the request.
    pub at: Locator,
    /// Where the value comes from.
    pub source: Source,
    /// Text around the value, `{}` being the value.
    pub format: Option<String>,
    /// Without a value there is nothing to send and the step fails; otherwise what stands in the request is sent.
    pub required: bool,
}

/// Where an injected value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The correlation with this name; of several values handed out, the one at this index (counted from 0).
    Correlation {
        /// Its name.
        name: String,
        /// Which of several values.
        index: u32,
    },
    /// The virtual user's identity: this column.
    Identity {
        /// The column's name.
        column: String,
    },
    /// A value made anew: the [`Vary`](super::Vary) of this name. Inline steps only (`${vary.NAME}`); in recorded sessions the
    /// scenario's places decide.
    Vary {
        /// Its name.
        name: String,
    },
    /// A column of the session's row in a data set. Inline steps only.
    Data {
        /// Name of the set.
        set: String,
        /// Name of the column.
        column: String,
    },
    /// Several values with text around them, in one. Inline steps only.
    Joined {
        /// One after the other.
        portions: Vec<Portion>,
    },
}

/// A part of a [`Source::Joined`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Portion {
    /// This very text.
    Text(String),
    /// A value.
    Value {
        /// Where it comes from; nothing joined.
        source: Source,
        /// What is sent where there is none.
        default: Option<String>,
    },
}

impl Source {
    /// Itself, or each source that is joined in it.
    pub fn singles(&self) -> Vec<&Source> {
        let Source::Joined { portions } = self else { return vec![self] };
        let mut singles = Vec::with_capacity(portions.len());
        for portion in portions {
            if let Portion::Value { source, .. } = portion {
                singles.push(source);
            }
        }
        singles
    }
}

/// What a right answer looks like: the recorded one, reduced to its shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The recorded status code; its class must be met. `None` where no response was recorded: anything goes.
    pub status: Option<u16>,
    /// Media type of the body, in lower case without parameters.
    pub content_type: Option<String>,
    /// Length of the body as sent, in bytes.
    pub body_bytes: u64,
}
