//! Every rule in words, for people; and what the policy's hash is over, so nothing that matters may be left out.

use std::fmt::Write as _;

use mynah_message::Side;
use mynah_traffic::units::format_bytes;

use super::Policy;
use super::rule::{OwnRule, format_of};
use crate::detect::Detectors;
use crate::kind::Kind;
use crate::names::{self, Names};

/// Columns of a terminal.
const WIDTH: usize = 100;
/// Where the second column begins.
const INDENT: usize = 16;

pub(super) fn explain(policy: &Policy) -> String {
    let mut out = String::from("How values are masked (mynah masking policy, version 2)\n");
    rules(policy, &mut out);
    if policy.built_in {
        built_in(policy, &mut out);
    } else {
        out.push_str("\nThe built-in names and detectors are off (extends = \"none\"): the rules above are all there are.\n");
    }
    ids(policy, &mut out);
    actions(&mut out);
    if policy.jwt_key.is_some() {
        row(&mut out, 2, "test key", "web tokens of HS256, HS384 and HS512 are signed with it");
    }
    limits(policy, &mut out);
    out
}

fn rules(policy: &Policy, out: &mut String) {
    if policy.own.is_empty() {
        return;
    }
    out.push_str("\nYour rules, before anything built in; the first that fits acts, those about detectors and kinds last\n");
    for (number, rule) in policy.own.iter().enumerate() {
        let _ = writeln!(out, "  {:>2}. {}", number + 1, rule.label);
        for (what, text) in about(rule) {
            row(out, 6, what, &text);
        }
    }
}

fn about(rule: &OwnRule) -> Vec<(&'static str, String)> {
    let mut rows = vec![("where", rule.texts.join(", "))];
    let mut only = Vec::new();
    match rule.side {
        Some(Side::Request) => only.push("in requests".to_owned()),
        Some(Side::Response) => only.push("in responses".to_owned()),
        None => {}
    }
    if let Some(host) = &rule.host {
        only.push(format!("on host {}", host.text()));
    }
    if let Some(path) = &rule.path {
        only.push(format!("below path {}", path.text()));
    }
    if !only.is_empty() {
        rows.push(("only", only.join(", ")));
    }
    let name = rule.kind_name();
    let counted = if rule.counts_as.is_some() { format!("; counts as {name}") } else { String::new() };
    rows.push(("what", format!("{}{counted}", rule.action.words())));
    rows
}

fn built_in(policy: &Policy, out: &mut String) {
    out.push_str(
        "\nNames of headers, cookies, query and form fields, JSON keys, XML elements, attributes and script variables,\n\
         compared without case, accents and punctuation; * stands for any beginning\n",
    );
    let groups = policy.names.groups();
    for kind in Kind::ALL {
        if let Some(names) = groups.get(kind.name()) {
            row(out, 2, kind.name(), &names.join(", "));
        }
    }
    if let Some(names) = groups.get("credentials") {
        row(out, 2, "credentials", &format!("{}: what follows the scheme", names.join(", ")));
    }
    if let Some(names) = groups.get("challenge") {
        row(out, 2, "challenge", &format!("{}: what is to be sent back", names.join(", ")));
    }
    row(
        out,
        2,
        "name",
        "name, under user, customer and the like, or beside an e-mail address, phone or login, but not a price or SKU",
    );
    for (what, list) in Names::qualifiers() {
        let words = list.split_whitespace().collect::<Vec<_>>().join(", ");
        row(out, 2, "words", &format!("that change nothing {what} a name: {words}"));
    }
    for term in ["no ip", "nothing random"] {
        if let Some(names) = groups.get(term) {
            row(out, 2, "weak", &format!("{}: {term} is looked for under these", names.join(", ")));
        }
    }
    let below = "in an object (or element) under the name of a secret, what has no name that says otherwise: below password and \
                 secret every text of a request, and of an answer what looks like one; below codes and national ids those with digits; below keys and tokens those of letters and digits; \
                 below sessions and auth what is random";
    row(out, 2, "below", below);
    for (what, list) in ["that mean the value itself there", "that describe it", "that end names that do"]
        .into_iter()
        .zip(Names::below())
    {
        let words = list.split_whitespace().collect::<Vec<_>>().join(", ");
        row(out, 2, "words", &format!("{what}: {words}"));
    }
    let (preferences, words) = Names::harmless();
    out.push_str("\nCookies\n");
    row(
        out,
        2,
        "cookie",
        &format!(
            "any other is taken for a secret, unless its value has less than 6 plain characters, or is short under one of: {}",
            preferences.split_whitespace().collect::<Vec<_>>().join(", ")
        ),
    );
    out.push_str("\nDetectors: by form, under whatever name\n");
    for (detector, name, checks) in Detectors::ALL {
        let off = if policy.detectors.has(*detector) { "" } else { "off: " };
        row(out, 2, name, &format!("{off}{checks}"));
    }
    out.push_str("\nWhat stays\n");
    if let Some(names) = groups.get("keep") {
        row(out, 2, "names", &names.join(", "));
    }
    row(
        out,
        2,
        "words",
        &format!(
            "under the name of a secret made by machines: {}",
            words.split_whitespace().collect::<Vec<_>>().join(", ")
        ),
    );
    if !policy.strict {
        row(
            out,
            2,
            "resource ids",
            "numbers, UUIDs, slugs and hashes in paths, or nothing could be replayed; --strict takes them",
        );
    }
    row(out, 2, "the rest", "what no rule is about and what is known from nowhere else");
}

fn ids(policy: &Policy, out: &mut String) {
    if !policy.strict && policy.k.is_none() {
        return;
    }
    out.push_str("\nResource ids\n");
    if policy.strict {
        row(
            out,
            2,
            "strict",
            &format!(
                "numbers, UUIDs, hashes and slugs with digits go, in paths (of requests, links, Location and URLs in text) and \
                 under names that end in {}; one pseudonym each, so that replays still find what they ask for",
                names::ID_ENDINGS.split(' ').collect::<Vec<_>>().join(", ")
            ),
        );
    }
    if let Some(k) = policy.k {
        row(
            out,
            2,
            "k",
            &format!(
                "a path segment or query value that fewer than {k} clients share goes; a client is told by the source's word, \
                 session cookie or credentials, address or connection"
            ),
        );
    }
}

fn actions(out: &mut String) {
    out.push_str("\nWhat is done with each kind\n");
    let mut others: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in Kind::ALL {
        let words = kind.action();
        match others.iter_mut().find(|(known, _)| *known == words) {
            Some((_, kinds)) => kinds.push(kind.name()),
            None => others.push((words, vec![kind.name()])),
        }
    }
    for (words, kinds) in others {
        let name =
            format_of(Kind::from_name(kinds.first().copied().unwrap_or_default()).unwrap_or(Kind::Token));
        let text = words.split_once(": ").map_or(words, |(_, text)| text);
        row(out, 2, name, &format!("{text}. For {}", kinds.join(", ")));
    }
    row(out, 2, "connections", "clients' addresses as ip, unless a rule keeps kind:ip");
    row(
        out,
        2,
        "everywhere",
        "one pseudonym for one value; what has 40 bits or more and is found sensitive anywhere is replaced wherever it occurs",
    );
}

fn limits(policy: &Policy, out: &mut String) {
    out.push_str("\nLimits: what is over one is withheld, with its reason\n");
    row(out, 2, "decoded", &format!("a body may decode to {}", format_bytes(policy.limits.decoded_bytes)));
    row(
        out,
        2,
        "ratio",
        &format!("{} decoded bytes for each encoded one, beyond the first MiB", policy.limits.ratio),
    );
    row(out, 2, "depth", &format!("{} values within values", policy.depth));
}

/// A term, and its text in a column of its own, wrapped.
fn row(out: &mut String, indent: usize, term: &str, text: &str) {
    let column = indent + INDENT;
    let mut line = format!("{:indent$}{term:<width$}", "", width = INDENT.max(term.len() + 1));
    let mut fresh = true;
    for word in text.split_whitespace() {
        if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(column);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
