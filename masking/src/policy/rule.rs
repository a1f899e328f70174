//! One rule of a policy file: where, when, and what is done there.

use mynah_message::Side;

use super::glob::Glob;
use super::place::Where;
use crate::kind::Kind;
use crate::pseudonym::Pseudonyms;

/// What a rule does with a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Leaves it; but for what is found sensitive elsewhere.
    Keep,
    /// Empties it; a JSON number or literal becomes `null`.
    Drop,
    /// Writes this in its place.
    Constant(String),
    /// Keyed, one-way, same length, same class of each character.
    Token,
    /// A permutation of all values of that form; check digits stay right.
    Fpe,
    /// As the kind that has this format.
    As(Kind),
    /// Leaves the whole exchange out.
    Reject,
}

/// The actions' names, in the order in which they are told.
pub(crate) const ACTIONS: [&str; 11] =
    ["token", "fpe", "constant", "drop", "keep", "email", "ip", "date", "name", "jwt", "reject"];

impl Action {
    /// The action of that name; `constant` without its value.
    pub(crate) fn from_name(name: &str) -> Option<Action> {
        Some(match name {
            "keep" => Action::Keep,
            "drop" => Action::Drop,
            "constant" => Action::Constant(String::new()),
            "token" => Action::Token,
            "fpe" => Action::Fpe,
            "email" => Action::As(Kind::Email),
            "ip" => Action::As(Kind::Ip),
            "date" => Action::As(Kind::Birthdate),
            "name" => Action::As(Kind::Name),
            "jwt" => Action::As(Kind::Jwt),
            "reject" => Action::Reject,
            _ => return None,
        })
    }

    /// Its name in policy files and reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Drop => "drop",
            Action::Constant(_) => "constant",
            Action::Token => "token",
            Action::Fpe => "fpe",
            Action::As(Kind::Ip) => "ip",
            Action::As(Kind::Name) => "name",
            Action::As(kind) => format_of(*kind),
            Action::Reject => "reject",
        }
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Action::Keep => "kept, unless the same value is found sensitive elsewhere".into(),
            Action::Drop => "emptied (a JSON number or literal becomes null)".into(),
            Action::Constant(text) => format!("replaced by {text:?}"),
            Action::Token => "token: same length, same class of each character".into(),
            Action::Fpe => {
                "fpe: another value of the same form, no two alike; check digits stay right".into()
            }
            Action::As(kind) => kind.action().into(),
            Action::Reject => "the whole exchange is left out".into(),
        }
    }

    /// Whether the value goes as a whole, whatever is nested in it.
    pub(crate) fn is_blunt(&self) -> bool {
        matches!(self, Action::Drop | Action::Constant(_) | Action::Reject)
    }
}

/// The name of the format in which a kind's pseudonyms are made.
pub(crate) fn format_of(kind: Kind) -> &'static str {
    let words = kind.action();
    words.split_once(':').map_or(words, |(name, _)| name)
}

/// One `[[rule]]`.
#[derive(Clone, Debug)]
pub(crate) struct OwnRule {
    /// What it is called in reports.
    pub(crate) label: String,
    /// Where it acts.
    pub(crate) places: Vec<Where>,
    /// The same as it was written.
    pub(crate) texts: Vec<String>,
    /// In which messages; both when absent.
    pub(crate) side: Option<Side>,
    /// On which hosts.
    pub(crate) host: Option<Glob>,
    /// On which paths of the request's target.
    pub(crate) path: Option<Glob>,
    /// What it does.
    pub(crate) action: Action,
    /// What such a value counts as, when the rule says so.
    pub(crate) counts_as: Option<Kind>,
}

impl OwnRule {
    /// Whether it holds for some messages only.
    pub(crate) fn is_conditional(&self) -> bool {
        self.side.is_some() || self.host.is_some() || self.path.is_some()
    }

    /// Whether it holds for a message on that side of an exchange with that host and path.
    pub(crate) fn holds(&self, side: Side, host: &str, path: &str) -> bool {
        self.side.is_none_or(|only| only == side)
            && self.host.as_ref().is_none_or(|only| only.fits(host))
            && self.path.as_ref().is_none_or(|only| only.fits(path))
    }

    /// The kind under which its values are known, so that they are replaced alike wherever they occur. `number` is the
    /// rule's.
    pub(crate) fn kind(&self, number: u8) -> Kind {
        match (&self.action, self.counts_as) {
            // A web token is taken apart by the scanner, under this kind only.
            (Action::As(Kind::Jwt), _) => Kind::Jwt,
            (Action::As(kind), None) => *kind,
            (Action::As(kind), Some(counts_as)) if *kind == counts_as => *kind,
            (Action::Token, Some(kind)) if format_of(kind) == "token" => kind,
            _ => Kind::Custom(number),
        }
    }

    /// What its values are called in reports and sensitive spans.
    pub(crate) fn kind_name(&self) -> &'static str {
        match (self.counts_as, &self.action) {
            (Some(kind), _) => kind.name(),
            (None, Action::As(kind)) => kind.name(),
            _ => CUSTOM,
        }
    }

    /// What is to stand in the place of a value.
    pub(crate) fn make(&self, pseudonyms: &Pseudonyms, value: &[u8]) -> Vec<u8> {
        match &self.action {
            Action::Drop => Vec::new(),
            Action::Constant(text) => text.as_bytes().to_vec(),
            Action::Fpe => pseudonyms.fpe(value),
            Action::As(kind) => pseudonyms.make(*kind, value),
            Action::Token | Action::Keep | Action::Reject => pseudonyms.token(value, false),
        }
    }
}

/// What counts as nothing in particular.
pub(crate) const CUSTOM: &str = "custom";
