//! What was found and done, in counts: never with a value in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use crate::policy::Policy;
use crate::scan::Why;
use crate::tally::Sort;

/// The version of the report's JSON; fields may be added to it, never taken away.
pub const SCHEMA: u32 = 1;

/// The masking report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of mynah that masked.
    pub mynah: String,
    /// Exchanges that went through.
    pub exchanges: u64,
    /// Exchanges left out, by the rule that asked for it.
    pub rejected: BTreeMap<String, u64>,
    /// Values hard enough to guess to be replaced wherever they occur.
    pub learned: u64,
    /// Spans replaced, by what was found: `password`, `card`, …
    pub masked: BTreeMap<String, u64>,
    /// Spans replaced, by the rule that acted: `name password`, `detector card`, `rule customer reference`,
    /// `known from elsewhere`, …
    pub by_rule: BTreeMap<String, u64>,
    /// Of these, what gave itself away by its form, by detector.
    pub by_detector: BTreeMap<String, u64>,
    /// Spans replaced, by what held the value: `header`, `json`, …; `anywhere` when only its being known gave it away, `between`
    /// when it stood outside of every value.
    pub by_place: BTreeMap<String, u64>,
    /// Spans replaced, by what was done with them: `token`, `email`, …
    pub by_action: BTreeMap<String, u64>,
    /// The same figures by all of these at once.
    #[serde(serialize_with = "rows")]
    pub found: BTreeMap<Row, u64>,
    /// Parts withheld because they could not be masked, by reason.
    pub quarantined: BTreeMap<String, u64>,
    /// Bodies that nobody can read (images and the like): looked through for known values only.
    pub unread: u64,
    /// Messages that are signed over what may have been changed, by scheme: their signatures are pseudonyms and hold no more.
    pub signed: BTreeMap<String, u64>,
    /// The policy, SHA-256 in hex.
    pub policy_hash: String,
    /// The key, by name, in hex.
    pub key_id: String,
    /// The recording that this is about; absent until it is sealed.
    pub file: Option<SealedFile>,
}

/// One line of [`Report::found`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Row {
    /// What acted.
    pub rule: String,
    /// What was found.
    pub kind: &'static str,
    /// What held it.
    pub place: &'static str,
    /// What was done.
    pub action: &'static str,
}

/// A sealed recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SealedFile {
    /// Its name, without the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of all of it, in hex.
    pub sha256: String,
}

impl Default for Report {
    fn default() -> Self {
        let none = BTreeMap::new;
        Report {
            schema: SCHEMA,
            mynah: env!("CARGO_PKG_VERSION").to_owned(),
            exchanges: 0,
            rejected: none(),
            learned: 0,
            masked: none(),
            by_rule: none(),
            by_detector: none(),
            by_place: none(),
            by_action: none(),
            found: BTreeMap::new(),
            quarantined: none(),
            unread: 0,
            signed: none(),
            policy_hash: String::new(),
            key_id: String::new(),
            file: None,
        }
    }
}

impl Report {
    /// Counts so many spans of a sort.
    pub(crate) fn count(&mut self, policy: &Policy, sort: Sort, spans: u64) {
        let Sort { kind, why, holder } = sort;
        let (name, action) = (policy.kind_name(kind), policy.action_name(kind));
        let rule = acted(policy, sort);
        add(&mut self.masked, name, spans);
        add(&mut self.by_place, holder, spans);
        add(&mut self.by_action, action, spans);
        add(&mut self.by_rule, &rule, spans);
        if why == Why::Detector {
            add(&mut self.by_detector, name, spans);
        }
        *self.found.entry(Row { rule, kind: name, place: holder, action }).or_default() += spans;
    }

    pub(crate) fn sign(&mut self, scheme: &'static str) {
        add(&mut self.signed, scheme, 1);
    }

    pub(crate) fn quarantine(&mut self, reason: &'static str) {
        add(&mut self.quarantined, reason, 1);
    }

    pub(crate) fn reject(&mut self, rule: &str) {
        add(&mut self.rejected, rule, 1);
    }

    /// What was counted after `before` was.
    pub(crate) fn since(&self, before: &Report) -> Report {
        Report {
            exchanges: self.exchanges.saturating_sub(before.exchanges),
            rejected: less(&self.rejected, &before.rejected),
            masked: less(&self.masked, &before.masked),
            by_rule: less(&self.by_rule, &before.by_rule),
            by_detector: less(&self.by_detector, &before.by_detector),
            by_place: less(&self.by_place, &before.by_place),
            by_action: less(&self.by_action, &before.by_action),
            found: less(&self.found, &before.found),
            quarantined: less(&self.quarantined, &before.quarantined),
            signed: less(&self.signed, &before.signed),
            unread: self.unread.saturating_sub(before.unread),
            ..self.clone()
        }
    }

    /// Parts withheld, of all reasons.
    pub fn quarantined_total(&self) -> u64 {
        self.quarantined.values().sum()
    }

    /// Spans replaced, of all kinds.
    pub fn masked_total(&self) -> u64 {
        self.masked.values().sum()
    }

    /// Exchanges left out.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// For people: a table, and what else is to be known.
    pub fn text(&self) -> String {
        let mut out = format!("Masking report (mynah {})\n\n", self.mynah);
        if let Some(file) = &self.file {
            let _ =
                writeln!(out, "recording    {}, {} bytes, SHA-256 {}", file.name, file.bytes, file.sha256);
        }
        let _ = writeln!(out, "policy       SHA-256 {}", self.policy_hash);
        let _ = writeln!(out, "key          {}", self.key_id);
        let _ = writeln!(out, "exchanges    {} masked, {} left out", self.exchanges, self.rejected_total());
        let _ = writeln!(
            out,
            "replaced     {} values in place, {} known everywhere",
            self.masked_total(),
            self.learned
        );
        let _ = writeln!(out, "withheld     {}", self.quarantined_total());
        let _ = writeln!(
            out,
            "unread       {} bodies (images and the like), looked through for known values only",
            self.unread
        );
        for (title, counts) in [
            ("By rule", &self.by_rule),
            ("By place", &self.by_place),
            ("By action", &self.by_action),
            ("Withheld, by reason", &self.quarantined),
            ("Signed over what may have changed, by scheme", &self.signed),
            ("Left out, by rule", &self.rejected),
        ] {
            section(&mut out, title, counts);
        }
        out
    }
}

fn section(out: &mut String, title: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    let mut pairs: Vec<_> = counts.iter().collect();
    pairs.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    for (name, count) in pairs {
        let _ = writeln!(out, "{count:>10}  {name}");
    }
}

/// What acted, in words.
pub(crate) fn acted(policy: &Policy, sort: Sort) -> String {
    let kind = || policy.kind_name(sort.kind);
    match sort.why {
        Why::Name => format!("name {}", kind()),
        Why::Detector => format!("detector {}", kind()),
        Why::Rule(number) => {
            format!("rule {}", policy.rule(number).map_or("", |rule| rule.label.as_str()))
        }
        Why::Known => "known from elsewhere".to_owned(),
        Why::Strict => "strict".to_owned(),
        Why::Rare => format!("shared by fewer than {}", policy.k.unwrap_or_default()),
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    if let Some(count) = counts.get_mut(name) {
        *count += more;
    } else {
        counts.insert(name.to_owned(), more);
    }
}

fn less<K: Clone + Ord>(now: &BTreeMap<K, u64>, before: &BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    now.iter()
        .map(|(name, count)| (name.clone(), count - before.get(name).copied().unwrap_or(0).min(*count)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn rows<S: Serializer>(found: &BTreeMap<Row, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Line<'r> {
        rule: &'r str,
        kind: &'r str,
        place: &'r str,
        action: &'r str,
        spans: u64,
    }
    let mut list = serializer.serialize_seq(Some(found.len()))?;
    for (Row { rule, kind, place, action }, spans) in found {
        list.serialize_element(&Line { rule, kind, place, action, spans: *spans })?;
    }
    list.end()
}
