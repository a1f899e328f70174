//! What the same bytes take when they are only searched, by the detectors that one would write down as regular expressions: all
//! as one expression, and one after the other. Nothing is validated, learnt, replaced or audited.

use std::hint::black_box;
use std::time::Duration;

use mynah_message::{Limits, Message, View};
use mynah_traffic::Exchange;
use regex::bytes::Regex;

use super::{SOME, timed, touch};

/// Card, IBAN, US SSN, e-mail, phone, IPv4, IPv6, MAC, web token, PEM, keys of AWS, GitHub, Stripe, Slack and Google.
const DETECTORS: [&str; 15] = [
    r"\b[3-6][0-9]{3}[ -]?[0-9]{4,6}[ -]?[0-9]{4,5}[ -]?[0-9]{0,4}\b",
    r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}\b",
    r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    r"\+[1-9][0-9]{7,14}\b",
    r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b",
    r"\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b",
    r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b",
    r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{24,}\b",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\bAIza[A-Za-z0-9_-]{35}\b",
];

pub(super) fn measure(exchanges: &[Exchange], megabytes: f64) -> Result<(), regex::Error> {
    let expression = |pattern: &str| Regex::new(&format!("(?-u){pattern}"));
    let alternation = expression(&DETECTORS.map(|pattern| format!("(?:{pattern})")).join("|"))?;
    let each = DETECTORS.into_iter().map(expression).collect::<Result<Vec<_>, _>>()?;
    for (name, expressions) in [("searched", &[alternation][..]), ("one-by-one", &each)] {
        let mut time = Duration::ZERO;
        for some in exchanges.chunks(SOME) {
            // As for who masks, what is searched was just read.
            touch(some);
            let bodies: Vec<Vec<u8>> = messages(some).map(decoded).collect();
            let heads = || messages(some).map(|message| &message.head[..]);
            let texts = || heads().chain(bodies.iter().map(|body| &body[..]));
            let search =
                |expression: &Regex| texts().map(|text| expression.find_iter(text).count()).sum::<usize>();
            time += timed(|| {
                black_box(expressions.iter().map(search).sum::<usize>());
            });
        }
        println!(
            "{name:<10} {:>8.1} MB/s by {} expressions",
            megabytes / time.as_secs_f64(),
            expressions.len()
        );
    }
    Ok(())
}

fn messages(exchanges: &[Exchange]) -> impl Iterator<Item = &Message> {
    exchanges.iter().flat_map(|exchange| [&exchange.request, &exchange.response]).flatten()
}

fn decoded(message: &Message) -> Vec<u8> {
    View::open(message, &Limits::default()).map_or(message.body.to_vec(), |view| view.body().to_vec())
}
