//! Which values are sensitive and what becomes of them: the built-in policy, and rules of a policy file in front of it.
//!
//! | module | job |
//! |---|---|
//! | `file` | `masking.toml` → a policy |
//! | `rule` | one rule: where, when, what |
//! | `place`, `path`, `glob` | the `where` |
//! | `index` | the rules, ready to be asked |
//! | `jwt` | the key under which masked web tokens are signed |
//! | `scope` | the rules that hold for one message |
//! | `shared` | what few clients share: `--k` |
//! | `explain` | every rule in words |

mod explain;
mod file;
mod glob;
mod index;
mod jwt;
mod path;
mod place;
pub(crate) mod rule;
pub(crate) mod scope;
pub(crate) mod shared;

use std::path::Path;
use std::sync::Arc;

use mynah_message::Limits;
use mynah_traffic::{Exchange, Flag};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::detect::Detectors;
use crate::kind::Kind;
use crate::names::Names;
pub(crate) use glob::Glob;
use index::Index;
use jwt::JwtKey;
use rule::{Action, CUSTOM, OwnRule, format_of};
use shared::Rare;

/// Where + what: rules of the user's, names, detectors and what is done with each kind of value.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) names: Names,
    /// The user's rules, in the order of the file.
    pub(crate) own: Arc<Vec<OwnRule>>,
    /// Those of them that hold, ready to be asked.
    pub(crate) index: Index,
    /// The detectors that look for something.
    pub(crate) detectors: Detectors,
    /// Whether the built-in names and detectors hold.
    pub(crate) built_in: bool,
    /// Whether resource ids go, too.
    pub(crate) strict: bool,
    /// Path segments and query values that fewer clients share go.
    pub(crate) k: Option<u32>,
    /// What few share, once it has been counted.
    pub(crate) rare: Option<Arc<Rare>>,
    /// Under which masked web tokens are signed.
    pub(crate) jwt_key: Option<Arc<JwtKey>>,
    /// How far bodies are opened.
    pub(crate) limits: Limits,
    /// How far values may be nested in values.
    pub(crate) depth: u8,
    /// Bytes of a body that was kept in part only, at least.
    max_body: Option<u64>,
}

/// How far values may be nested in values, where nobody says.
pub(crate) const DEPTH: u8 = 6;

impl Policy {
    /// The policy that holds where none is given: secrets and personal data go, resource ids in paths stay.
    pub fn built_in() -> Policy {
        Policy {
            names: Names::built_in(),
            own: Arc::default(),
            index: Index::default(),
            detectors: Detectors::DEFAULT,
            built_in: true,
            strict: false,
            k: None,
            rare: None,
            jwt_key: None,
            limits: Limits::default(),
            depth: DEPTH,
            max_body: None,
        }
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// [`Error::Policy`] with line and column: what is no TOML, an unknown key, place, kind or action (with the nearest known
    /// one), a value that cannot be; or that the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Policy, Error> {
        let path = path.as_ref();
        let wrong = |message: String| Error::Policy { path: path.to_path_buf(), place: None, message };
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            wrong(format!("it is not text: byte {} is not UTF-8", error.utf8_error().valid_up_to()))
        })?;
        Policy::parse(&text, path)
    }

    /// Reads a policy from text; `path` is for messages.
    ///
    /// ```
    /// use mynah_masking::Policy;
    ///
    /// let policy = Policy::parse("[[rule]]\nwhere = \"json:$.customer.ref\"\nwhat = \"fpe\"\n", "masking.toml")?;
    /// assert!(policy.explain().contains("json:$.customer.ref"));
    /// let error = Policy::parse("[[rule]]\nwhere = \"jsno:$.a\"", "masking.toml").unwrap_err();
    /// assert!(error.to_string().starts_with("masking.toml:2:9:"));
    /// # Ok::<(), mynah_masking::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Policy, Error> {
        file::parse(text).map_err(|(place, message)| Error::Policy {
            path: path.as_ref().to_path_buf(),
            place,
            message,
        })
    }

    /// Says at how many bytes capture cut bodies. One that was cut may end within a secret, whose beginning looks like nothing that
    /// is known; so in an exchange with [`Flag::BodyCut`] each body of at least so many bytes is withheld. Where nobody says
    /// the limit, both are.
    #[must_use]
    pub fn with_max_body(self, bytes: u64) -> Policy {
        Policy { max_body: Some(bytes), ..self }
    }

    /// Resource ids go as well: numbers, UUIDs, hashes and the like in paths, and the same under names such as `id`, each with
    /// one pseudonym wherever it stands, so that a replay still finds what it asks for.
    #[must_use]
    pub fn with_strict(self) -> Policy {
        Policy { strict: true, ..self }.indexed(|_| true)
    }

    /// A path segment or query value that fewer than so many clients share is masked as well. It needs a first pass, so a
    /// [`Stream`](crate::Stream) has no use for it.
    #[must_use]
    pub fn with_k(self, clients: u32) -> Policy {
        Policy { k: Some(clients).filter(|k| *k > 1), ..self }.indexed(|_| true)
    }

    /// Masked web tokens of HS256, HS384 and HS512 are signed with this secret, so that a system under test which is given the
    /// same takes them. Without, and for all others, the signature is a pseudonym that is right under no key.
    #[must_use]
    pub fn with_jwt_key(self, secret: &[u8]) -> Policy {
        Policy { jwt_key: Some(Arc::new(JwtKey::new(secret))), ..self }
    }

    /// How many clients must share a path segment or query value for it to stay; `None` where nobody counts.
    pub fn k(&self) -> Option<u32> {
        self.k
    }

    /// Every rule in words, for people.
    pub fn explain(&self) -> String {
        explain::explain(self)
    }

    /// SHA-256 of [`Policy::explain`]: tells in a recording's header under which rules it was made.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.explain()).into()
    }

    /// The same policy with those rules only, by number.
    pub(crate) fn indexed(mut self, holds: impl Fn(&OwnRule) -> bool) -> Policy {
        self.index = Index::of(&self.own, holds);
        self.detectors = self.index.switched;
        self.names.put_own(self.index.names.clone(), self.strict || self.k.is_some());
        self
    }

    /// One of the user's rules.
    pub(crate) fn rule(&self, number: u8) -> Option<&OwnRule> {
        self.own.get(usize::from(number))
    }

    /// Whether both passes see the same in a body by itself: with rules of the user's, which know more than the body, and where
    /// what few share is counted first, they do not.
    pub(crate) fn is_steady(&self) -> bool {
        self.own.is_empty() && self.k.is_none()
    }

    /// Whether names and detectors alone say what is sensitive: no rules of the user's do, and resource ids stay.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_steady() && !self.strict && self.rare.is_none() && !self.index.has_expressions()
    }

    /// What a value of that kind is called in reports and spans.
    pub(crate) fn kind_name(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Custom(number) => self.rule(number).map_or(CUSTOM, OwnRule::kind_name),
            kind => kind.name(),
        }
    }

    /// Whether clients' addresses stay: a rule keeps all that are found.
    pub(crate) fn keeps_addresses(&self) -> bool {
        let rule = self.index.kind(Kind::Ip).and_then(|number| self.rule(number));
        rule.is_some_and(|rule| rule.action == Action::Keep)
    }

    /// What is done with values of that kind, in a word.
    pub(crate) fn action_name(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Custom(number) => self.rule(number).map_or("token", |rule| match &rule.action {
                Action::Reject => "token",
                action => action.name(),
            }),
            kind => format_of(kind),
        }
    }

    /// The exchange without bodies that were cut, and how many these are.
    pub(crate) fn withhold_cut(&self, exchange: &mut Exchange) -> u32 {
        if !exchange.flags.has(Flag::BodyCut) {
            return 0;
        }
        let mut withheld = 0;
        for message in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            if !message.body.is_empty() && message.body.len() as u64 >= self.max_body.unwrap_or(0) {
                message.body.clear();
                exchange.flags.set(Flag::BodyWithheld);
                withheld += 1;
            }
        }
        withheld
    }
}

#[cfg(test)]
mod tests;
