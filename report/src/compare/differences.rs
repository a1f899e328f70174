//! What two sides answered differently: statuses, media types, and fields of JSON bodies with their types.
//!
//! For each of them there is a share of the answers on either side. The difference's interval is Newcombe's, at the confidence that
//! lets all of them hold together (Bonferroni); it counts when it lies wholly beyond [`Bounds::differences`]. Answers of one
//! block have more in common than those of different ones (a session's basket, a time of day): by how much more the shares move
//! between a side's own blocks and runs than chance would have it, as many times fewer answers there are taken to be (the
//! quasi-binomial dispersion of McCullagh and Nelder, *Generalized Linear Models*, 1989, §4.5.2).

use std::collections::{BTreeMap, BTreeSet};

use mynah_traffic::run::{Answers, Blocks, ClassAnswers};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bounds, Sample, estimate};

/// In how many answers something was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Answers with it.
    pub count: u64,
    /// Answers that were looked at.
    pub of: u64,
}

/// What is compared of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// A status code, of all answers.
    Status,
    /// A media type, of the answers of a status class; `no body` is one, too.
    Type,
    /// A path with a type, of the JSON bodies of a status class.
    Path,
}

/// Something that the answers of one side have more often than the other's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// `GET /items/{id}`
    pub endpoint: String,
    /// What it is.
    pub aspect: Aspect,
    /// Status class: 2 for 200 to 299; absent for statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u8>,
    /// `404`, `text/html`, `$.items[*].id: number`.
    pub what: String,
    /// In how many of the baseline's answers.
    pub baseline: Share,
    /// In how many of the candidate's answers.
    pub candidate: Share,
    /// Where the difference of the shares lies, with the comparison's confidence for all of them together.
    pub interval: (f64, f64),
}

/// Counts of one thing by block, with those of all answers: every block of every run of a side.
#[derive(Clone, Debug, Default)]
struct Counts(Vec<(u64, u64)>);

impl Counts {
    fn share(&self) -> Share {
        self.0
            .iter()
            .fold(Share::default(), |sum, (count, of)| Share { count: sum.count + count, of: sum.of + of })
    }

    /// How much more it moves between blocks than by chance: 1 is chance. `None` where it does not move, or there is one block.
    fn dispersion(&self) -> Option<f64> {
        let Share { count, of } = self.share();
        let share = count as f64 / of as f64;
        let blocks = || self.0.iter().filter(|(_, of)| *of > 0);
        let free = blocks().count().checked_sub(1).filter(|free| *free > 0)?;
        if !(share > 0.0 && share < 1.0) {
            return None;
        }
        let off = |(count, of): &(u64, u64)| {
            let wanted = *of as f64 * share;
            (*count as f64 - wanted).powi(2) / (wanted * (1.0 - share))
        };
        Some(blocks().map(off).sum::<f64>() / free as f64)
    }
}

/// What stands beside the media types of answers: half a document bears the same type as a whole one.
const JSON: &str = "a body that is JSON";

/// What is looked for, by endpoint.
type Key = (Option<u8>, Aspect, String);

/// One endpoint of a side.
#[derive(Debug, Default)]
struct Side {
    counts: BTreeMap<Key, Counts>,
    /// Of all blocks of all runs: what the shares are of.
    of: BTreeMap<(Option<u8>, Aspect), Vec<u64>>,
}

impl Side {
    fn of(side: &[Sample], endpoint: &str) -> Side {
        let mut found = Side::default();
        // A thing that a run does not have is none of its answers: all have as many blocks.
        for answers in side.iter().filter_map(|sample| sample.answers.as_ref()) {
            let Some(own) = answers.endpoints.iter().find(|own| own.endpoint == endpoint) else { continue };
            let mut all = Blocks::default();
            for blocks in own.statuses.values() {
                all = added(all, *blocks);
            }
            let statuses = own.statuses.iter().map(|(status, blocks)| (status.to_string(), blocks));
            found.put(None, Aspect::Status, all, statuses);
            for ClassAnswers { class, answers, json, types, paths } in &own.classes {
                let types = types.iter().map(|(name, blocks)| (name.clone(), blocks));
                let types = types.chain([(JSON.to_owned(), json)]);
                found.put(Some(*class), Aspect::Type, *answers, types);
                let paths = paths.iter().map(|(name, blocks)| (name.clone(), blocks));
                found.put(Some(*class), Aspect::Path, *json, paths);
            }
        }
        found
    }

    fn put<'b>(
        &mut self,
        class: Option<u8>,
        aspect: Aspect,
        all: Blocks,
        things: impl Iterator<Item = (String, &'b Blocks)>,
    ) {
        let of = self.of.entry((class, aspect)).or_default();
        let from = of.len();
        of.extend(all);
        for (name, blocks) in things {
            let counts = &mut self.counts.entry((class, aspect, name)).or_default().0;
            counts.resize(from, (0, 0));
            counts.extend(blocks.iter().map(|count| (*count, 0)));
        }
    }

    /// The counts of a thing, of which this side may have none.
    fn get(&self, key: &Key) -> Counts {
        let counts = self.counts.get(key).map(|counts| counts.0.as_slice()).unwrap_or_default();
        let of = self.of.get(&(key.0, key.1)).map(Vec::as_slice).unwrap_or_default();
        let count = |at: usize| counts.get(at).map_or(0, |(count, _)| *count);
        Counts(of.iter().enumerate().map(|(at, of)| (count(at).min(*of), *of)).collect())
    }
}

fn added(one: Blocks, other: Blocks) -> Blocks {
    let mut sum = one;
    sum.iter_mut().zip(other).for_each(|(own, more)| *own += more);
    sum
}

/// Something before it is known how many there are.
struct Draft {
    endpoint: String,
    key: Key,
    sides: [Share; 2],
    dispersion: f64,
}

/// Compares what both sides answered; `None` where a side does not tell.
pub(super) fn differences(
    baseline: &[Sample],
    candidate: &[Sample],
    bounds: &Bounds,
) -> Option<Vec<Difference>> {
    let tells = |side: &[Sample]| side.iter().any(|sample| sample.answers.is_some());
    if !tells(baseline) || !tells(candidate) {
        return None;
    }
    let names = |side: &[Sample]| -> BTreeSet<String> {
        let all = side.iter().filter_map(|sample| sample.answers.as_ref());
        all.flat_map(|answers: &Answers| answers.endpoints.iter().map(|own| own.endpoint.clone())).collect()
    };
    let both = names(baseline);
    let both = both.intersection(&names(candidate)).cloned().collect::<Vec<_>>();
    let mut drafts = Vec::new();
    for endpoint in both {
        drafts.extend(drafts_of(&endpoint, &Side::of(baseline, &endpoint), &Side::of(candidate, &endpoint)));
    }
    let confidence = 1.0 - (1.0 - bounds.confidence) / drafts.len().max(1) as f64;
    let mut found: Vec<Difference> =
        drafts.into_iter().filter_map(|draft| judged(draft, confidence, bounds)).collect();
    within(&mut found);
    Some(found)
}

fn drafts_of(endpoint: &str, baseline: &Side, candidate: &Side) -> Vec<Draft> {
    let keys: BTreeSet<&Key> = baseline.counts.keys().chain(candidate.counts.keys()).collect();
    let mut drafts = Vec::new();
    let (mut sum, mut known) = (0.0, 0.0);
    for key in keys {
        let sides = [baseline.get(key), candidate.get(key)];
        let shares = [sides[0].share(), sides[1].share()];
        let moves = sides.iter().filter_map(Counts::dispersion);
        let own = moves.clone().fold(1.0, f64::max);
        for one in moves {
            sum += one;
            known += 1.0;
        }
        // What is in all answers or in none, on both sides, cannot be a false alarm.
        let all = shares.iter().all(|share| share.count == share.of);
        let none = shares.iter().all(|share| share.count == 0);
        if !all && !none && shares.iter().all(|share| share.of > 0) {
            drafts.push(Draft {
                endpoint: endpoint.to_owned(),
                key: key.clone(),
                sides: shares,
                dispersion: own,
            });
        }
    }
    // Of one thing the few blocks tell little: what an endpoint's things do together is the least.
    let together = if known > 0.0 { sum / known } else { 1.0 };
    for draft in &mut drafts {
        draft.dispersion = draft.dispersion.max(together);
    }
    drafts
}

fn judged(draft: Draft, confidence: f64, bounds: &Bounds) -> Option<Difference> {
    let thinned = |share: Share| (share.count as f64 / draft.dispersion, share.of as f64 / draft.dispersion);
    let [baseline, candidate] = draft.sides;
    let (low, high) = estimate::thinned_shares(thinned(baseline), thinned(candidate), confidence)?;
    let (class, aspect, what) = draft.key;
    (low > bounds.differences || high < -bounds.differences).then_some(Difference {
        endpoint: draft.endpoint,
        aspect,
        class,
        what,
        baseline,
        candidate,
        interval: (low, high),
    })
}

/// Leaves out what is within something that is told already: with an object its fields go, and with a type the JSON that it was.
fn within(found: &mut Vec<Difference>) {
    let types: Vec<(String, Option<u8>)> = found
        .iter()
        .filter(|one| one.aspect == Aspect::Type && one.what != JSON)
        .map(|one| (one.endpoint.clone(), one.class))
        .collect();
    found.retain(|one| {
        one.aspect != Aspect::Type
            || one.what != JSON
            || !types.iter().any(|(endpoint, class)| *endpoint == one.endpoint && *class == one.class)
    });
    let path =
        |one: &Difference| one.what.rsplit_once(": ").map(|(path, _)| path.to_owned()).unwrap_or_default();
    let told: Vec<(String, Option<u8>, String, bool)> = found
        .iter()
        .filter(|one| one.aspect == Aspect::Path)
        .map(|one| (one.endpoint.clone(), one.class, path(one), one.interval.0 > 0.0))
        .collect();
    found.retain(|one| {
        let own = path(one);
        one.aspect != Aspect::Path
            || !told.iter().any(|(endpoint, class, outer, more)| {
                let inside =
                    own.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
                inside && *endpoint == one.endpoint && *class == one.class && *more == (one.interval.0 > 0.0)
            })
    });
}

/// `GET /items, 2xx: $.items[*].name: string in 0 of 812 answers (0%), in the baseline in 830 of 830 (100%)`
pub(crate) fn sentence(one: &Difference) -> String {
    let class = one.class.map(|class| format!(", {class}xx")).unwrap_or_default();
    let aspect = match one.aspect {
        Aspect::Status => "status ",
        Aspect::Type if one.what.is_empty() => "no content type",
        Aspect::Type | Aspect::Path => "",
    };
    let percent = |share: Share| crate::figures::percent(share.count as f64 / share.of.max(1) as f64);
    format!(
        "{}{class}: {aspect}{} in {} of {} answers ({}), in the baseline in {} of {} ({})",
        one.endpoint,
        one.what,
        one.candidate.count,
        one.candidate.of,
        percent(one.candidate),
        one.baseline.count,
        one.baseline.of,
        percent(one.baseline),
    )
}

#[cfg(test)]
mod tests {
    use mynah_traffic::run::{ANSWERS_SCHEMA, BLOCKS, EndpointAnswers};
    use rand::RngExt as _;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::compare::{compare, markdown, render};
    use mynah_traffic::run::Verdict;

    /// Fields, and in what share of the answers they are.
    type Fields<'f> = &'f [(&'f str, f64)];

    /// A run; each block's shares are off by up to `jitter`.
    fn run(random: &mut ChaCha8Rng, fields: Fields<'_>, errors: f64, jitter: f64) -> Sample {
        let mut own = EndpointAnswers { endpoint: "GET /items".into(), ..EndpointAnswers::default() };
        let mut class = ClassAnswers { class: 2, ..ClassAnswers::default() };
        for block in 0..BLOCKS {
            let shares: Vec<f64> = fields
                .iter()
                .map(|(_, share)| {
                    let off = jitter * (random.random::<f64>() * 2.0 - 1.0);
                    if *share > 0.0 && *share < 1.0 { (share + off).clamp(0.0, 1.0) } else { *share }
                })
                .collect();
            for _ in 0..60 {
                let status = if random.random::<f64>() < errors { 500 } else { 200 };
                own.statuses.entry(status).or_default()[block] += 1;
                if status != 200 {
                    continue;
                }
                class.answers[block] += 1;
                class.json[block] += 1;
                class.types.entry("application/json".into()).or_default()[block] += 1;
                for ((field, _), share) in fields.iter().zip(&shares) {
                    if random.random::<f64>() < *share {
                        class.paths.entry((*field).to_owned()).or_default()[block] += 1;
                    }
                }
            }
        }
        own.classes.push(class);
        let answers = Answers { schema: ANSWERS_SCHEMA, block_s: 5, endpoints: vec![own] };
        Sample { name: "run".into(), answers: Some(answers), ..Sample::default() }
    }

    const FIELDS: Fields<'_> = &[
        ("$: object", 1.0),
        ("$.items: array", 1.0),
        ("$.items[*]: object", 0.9),
        ("$.items[*].id: number", 0.9),
        ("$.items[*].note: string", 0.3),
        ("$.items[*].sale: null", 0.5),
        ("$.items[*].sale: number", 0.5),
        ("$.rare: string", 0.01),
        ("$.user: object", 0.7),
        ("$.user.name: string", 0.7),
    ];

    fn found(a: &[Sample], b: &[Sample]) -> Vec<String> {
        let all = differences(a, b, &Bounds::default()).unwrap();
        all.iter().map(|one| one.what.clone()).collect()
    }

    #[test]
    fn equal_sides_do_not_differ() {
        for jitter in [0.0, 0.2] {
            let mut alarms = 0;
            for seed in 0..200 {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                let (a, b) = (run(&mut random, FIELDS, 0.02, jitter), run(&mut random, FIELDS, 0.02, jitter));
                alarms += u32::from(!found(&[a], &[b]).is_empty());
            }
            println!("jitter {jitter}: {alarms} of 200 false");
            assert!(alarms <= 10, "jitter {jitter}: {alarms} of 200 false");
        }
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let same = run(&mut random, FIELDS, 0.0, 0.0);
        let same = std::slice::from_ref(&same);
        assert_eq!(found(same, same), Vec::<String>::new());
    }

    #[test]
    fn what_is_gone_new_or_of_another_type_is_named() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let a: Vec<Sample> = (0..3).map(|_| run(&mut random, FIELDS, 0.0, 0.1)).collect();
        let changed = |from: &str, to: Option<&'static str>| {
            let rename = |(field, share): &(&'static str, f64)| {
                if *field == from { to.map(|to| (to, *share)) } else { Some((*field, *share)) }
            };
            FIELDS.iter().filter_map(rename).collect::<Vec<_>>()
        };
        let mut against = |fields: Fields<'_>, errors| found(&a, &[run(&mut random, fields, errors, 0.1)]);
        assert_eq!(against(&changed("$.items[*].id: number", None), 0.0), ["$.items[*].id: number"]);
        assert_eq!(
            against(&changed("$.items[*].id: number", Some("$.items[*].id: string")), 0.0),
            ["$.items[*].id: number", "$.items[*].id: string"]
        );
        // With an object go its fields, which are not told again.
        let without: Vec<_> =
            FIELDS.iter().copied().filter(|(field, _)| !field.starts_with("$.user")).collect();
        assert_eq!(against(&without, 0.0), ["$.user: object"]);
        assert_eq!(against(FIELDS, 0.3), ["200", "500"]);
        // Half of the documents are cut short, under the same type.
        let mut cut = run(&mut ChaCha8Rng::seed_from_u64(4), FIELDS, 0.0, 0.1);
        let class = &mut cut.answers.as_mut().unwrap().endpoints[0].classes[0];
        let halves = class.paths.values_mut().chain([&mut class.json]);
        halves.flatten().for_each(|count| *count /= 2);
        assert_eq!(found(&a, &[cut]), ["a body that is JSON"]);
        assert_eq!(against(FIELDS, 0.0), Vec::<String>::new());
    }

    #[test]
    fn a_difference_is_told_and_fails_where_that_is_asked_for() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let a = run(&mut random, FIELDS, 0.0, 0.0);
        let b = run(&mut random, &FIELDS[..2], 0.0, 0.0);
        let comparison = compare(std::slice::from_ref(&a), std::slice::from_ref(&b), &Bounds::default(), 1);
        assert_eq!((comparison.verdict, comparison.differences.len()), (Verdict::Pass, 2));
        let text = render(&comparison, crate::table::Style::default());
        let told = "GET /items, 2xx: $.items[*]: object in 0 of 480 answers (0%), in the baseline in";
        assert!(text.contains(told), "{text}");
        assert!(
            markdown(&comparison).contains("| `GET /items` | `$.user: object` (2xx) |"),
            "{}",
            markdown(&comparison)
        );
        let back: crate::compare::Comparison =
            serde_json::from_str(&serde_json::to_string(&comparison).unwrap()).unwrap();
        assert_eq!((back.differences.len(), &back.differences[0].what), (2, &comparison.differences[0].what));
        let strict = Bounds { fail_on_differences: true, ..Bounds::default() };
        let comparison = compare(std::slice::from_ref(&a), &[b], &strict, 1);
        assert_eq!(comparison.verdict, Verdict::Fail);
        assert!(comparison.reasons.iter().any(|reason| reason.contains("$.user: object")), "{comparison:?}");
        let junit = crate::junit::comparison(&comparison).unwrap();
        assert!(junit.contains("<failure message=\"GET /items, 2xx: $.items[*]: object in 0 of"), "{junit}");
        // Runs of before tell nothing of their answers.
        let old = Sample { answers: None, ..a.clone() };
        let comparison = compare(&[old], &[a], &strict, 1);
        assert!(
            comparison.differences.is_empty() && comparison.notes[0].contains("shapes.json"),
            "{comparison:?}"
        );
    }
}
