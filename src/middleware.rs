//! `--middleware`: GoReplay's protocol, so that scripts written for it can be brought along unchanged.
//!
//! One child process. On its standard input and output a message is a line, the hexadecimal text of a record
//! ([`mynah_traffic::gor`]); what it does not give back is dropped; its standard error is ours. [`exchanges`] sends what
//! capture has masked through it, [`requests`] what replay is about to send.

mod child;
mod exchanges;
mod requests;

pub(crate) use exchanges::Rewriter;
pub(crate) use requests::Requests;
