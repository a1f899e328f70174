//! Takes the secrets out of exchanges and keeps what replays: the same value gets the same pseudonym wherever it stands.
//!
//! In go [`Exchange`](mynah_traffic::Exchange)s, twice: a [`Learner`] notes what is sensitive anywhere, a [`Masker`] then
//! replaces it everywhere and gives out [`Masked`](mynah_traffic::Masked) exchanges, the only ones that a recording takes. An
//! [`Auditor`] reads what was written and proves that no original is left in it. A [`Report`] counts what was done.
//!
//! ```
//! use mynah_masking::{Key, Learner, Policy};
//! use mynah_traffic::Exchange;
//!
//! let exchanges = vec![Exchange {
//!     request: Some(mynah_message::Message {
//!         head: "POST /login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 37\r\n\r\n".into(),
//!         body: r#"{"user":7,"password":"correct horse"}"#.into(),
//!         ..Default::default()
//!     }),
//!     ..Exchange::default()
//! }];
//! let mut learner = Learner::new(Policy::built_in(), Key::random()?);
//! exchanges.iter().for_each(|exchange| learner.learn(exchange));
//! let mut masker = learner.finish();
//! let masked: Vec<_> = exchanges.into_iter().filter_map(|exchange| masker.mask(exchange)).collect();
//! let mut auditor = masker.auditor();
//! masked.iter().for_each(|exchange| auditor.check(exchange.get()));
//! assert!(auditor.finish().is_ok());
//! assert_eq!(masker.report().masked["password"], 1);
//! # Ok::<(), mynah_masking::Error>(())
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`policy`] | which values are sensitive: the built-in policy, a policy file's rules, and their hash |
//! | `names` | what names say about values |
//! | `detect` | values that give themselves away by their form |
//! | `entropy` | how hard a value is to guess: replaced everywhere, or by place only |
//! | `kind` | the sorts of sensitive values |
//! | [`key`] | the key and its sub-keys |
//! | `pseudonym` | value → pseudonym, by format |
//! | `scan` | finds the values of a message, through nested encodings |
//! | `message` | one message masked, with what cannot be read withheld |
//! | [`learner`], [`masker`] | the two passes over what can be read twice |
//! | [`stream`], `remask` | one pass over what cannot, and what is made good before its file is sealed |
//! | `learned`, `variant`, `finder` | search for many known values in every way of writing them |
//! | `memo`, `plan`, `worth`, `hash` | what need not be found out twice |
//! | [`audit`] | the proof |
//! | [`report`], `tally` | the counts |
//! | [`single`] | one value, for `mynah mask-value` |
//! | [`trial`] | one message, for `mynah mask --try` |

pub mod audit;
mod detect;
mod entropy;
mod error;
mod finder;
mod forms;
mod hash;
pub mod key;
mod kind;
mod learned;
pub mod learner;
pub mod masker;
mod memo;
mod message;
mod names;
mod plan;
pub mod policy;
mod pseudonym;
mod remask;
pub mod report;
mod scan;
pub mod single;
pub mod stream;
mod tally;
pub mod trial;
mod variant;
mod worth;

pub use audit::{Auditor, Finding, Findings};
pub use error::Error;
pub use key::Key;
pub use learner::Learner;
pub use masker::Masker;
pub use policy::Policy;
pub use report::{Report, SealedFile};
pub use single::{VALUE_KINDS, Values, mask_value};
pub use stream::{Sealer, Stream};

#[cfg(test)]
mod tests;
