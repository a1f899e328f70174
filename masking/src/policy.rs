//! Which values are sensitive. Today there is the built-in policy; policy files will add rules in front of it.

use mynah_traffic::{Exchange, Flag};
use sha2::{Digest as _, Sha256};

use crate::detect::Detectors;
use crate::kind::Kind;
use crate::names::Names;

/// Where + what: names, detectors and what is done with each kind of value.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) names: Names,
    /// Bytes of a body that was kept in part only, at least.
    max_body: Option<u64>,
}

impl Policy {
    /// The policy that holds where none is given: secrets and personal data go, resource ids in paths stay.
    pub fn built_in() -> Policy {
        Policy { names: Names::built_in(), max_body: None }
    }

    /// Says at how many bytes capture cut bodies. One that was cut may end within a secret, whose beginning looks like nothing that
    /// is known; so in an exchange with [`Flag::BodyCut`] each body of at least so many bytes is withheld. Where nobody says
    /// the limit, both are.
    #[must_use]
    pub fn with_max_body(self, bytes: u64) -> Policy {
        Policy { max_body: Some(bytes), ..self }
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

    /// Every rule in words, one a line.
    pub fn explain(&self) -> String {
        let mut out = String::from("mynah built-in masking policy, version 1\n");
        for kind in Kind::ALL {
            out.push_str("kind ");
            out.push_str(kind.name());
            out.push_str(": ");
            out.push_str(kind.action());
            out.push('\n');
        }
        self.names.explain(&mut out);
        Detectors::DEFAULT.explain(&mut out);
        out
    }

    /// SHA-256 of [`Policy::explain`]: tells in a recording's header under which rules it was made.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.explain()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_stable_and_the_text_says_what_is_done() {
        let policy = Policy::built_in();
        assert_eq!(policy.hash(), Policy::built_in().hash());
        let text = policy.explain();
        assert!(text.contains("name *password: password\n") && text.contains("kind card: card"), "{text}");
    }
}
