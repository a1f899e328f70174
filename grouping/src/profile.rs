//! All of it in order: a recording becomes a scenario.

use std::collections::BTreeMap;
use std::path::Path;

use mynah_traffic::scenario::{
    Behaviour, EndpointEntry, Load, Profile, Rate, Recorded, Scenario, SessionScript, SessionsWriter, Tables,
    ThinkSummary, VERSION,
};
use mynah_traffic::shape::Shapes;
use mynah_traffic::{Correlation, Nanos};

use crate::endpoints::Table;
use crate::explain::{Accepted, Explanation, ProfileNote, Transition, Visit};
use crate::fidelity::Witness;
use crate::hash::{Map, Set};
use crate::profiles::{self, Cluster};
use crate::scan::Scan;
use crate::script::{self, Learning, Plan, Steps};
use crate::sessions::{self, SessionInfo};
use crate::sources::{self, Weighed};
use crate::vary::Finder;
use crate::{Error, LeftOut, Open, Options, correlate, inline};

/// A scenario, and why it is as it is.
#[derive(Clone, Debug)]
pub struct Profiled {
    /// To be saved by the caller, at the path that was given.
    pub scenario: Scenario,
    /// What was decided and why.
    pub explanation: Explanation,
}

/// Makes a scenario of a recording. `sources` are the inputs' names, and `masked` says whether they were masked: both are told
/// in the scenario. `scenario_path` is where the caller will save it; the session file, where one is needed, is written
/// beside it under the same name with the extension `.sessions`.
///
/// # Errors
/// When the recording cannot be read, changes between readings, or has nothing that can be played; when the session file
/// cannot be written.
pub fn profile(
    open: &Open<'_>,
    sources: Vec<String>,
    masked: bool,
    options: &Options,
    scenario_path: &Path,
) -> Result<Profiled, Error> {
    check(options)?;
    let scan = Scan::read(open, options)?;
    let (found, idle) = sessions::find(&scan, options);
    let steps = Steps::of(&scan, &found);
    let mut explanation = account(&scan, &steps, &found);
    explanation.idle = idle;
    explanation.warnings.extend(sessions::unseen_key(&found, options));
    if steps.sessions.is_empty() {
        return Err(Error::Empty(nothing(&explanation)));
    }
    let table = Table::build(&scan, &steps.records(), options);
    let sequences: Vec<Vec<u32>> = steps
        .sessions
        .iter()
        .map(|records| records.iter().map(|&record| table.of(record)).collect())
        .collect();
    let acts: Vec<bool> = table
        .endpoints
        .iter()
        .map(|endpoint| !matches!(endpoint.method.as_str(), "GET" | "HEAD" | "OPTIONS"))
        .collect();
    let (clusters, clustering) = profiles::cluster(&sequences, &acts, options);
    explanation.clustering = clustering;
    let Weighed { clusters, names: by_input, sizes } = sources::weigh(clusters, &scan, &steps, options);
    let mut names = profiles::names(&clusters, &sequences, &table.endpoints);
    for ((name, _), by_input) in names.iter_mut().zip(by_input) {
        if let Some(by_input) = by_input {
            *name = by_input;
        }
    }
    let correlated = correlate::find(open, &scan, &steps, &table, options)?;
    let plan = Plan::of(&correlated.correlations, correlated.identities.as_ref(), &table);
    let origin = first_start(&scan, &steps);

    explanation.members = clusters
        .iter()
        .enumerate()
        .flat_map(|(number, cluster)| cluster.sessions.iter().map(move |&session| (session, number as u32)))
        .filter_map(|(session, number)| Some((*steps.origin.get(session as usize)?, number)))
        .collect();
    explanation.members.sort_unstable();
    let mut profiles =
        described(&clusters, &names, &sizes, &sequences, (&scan, &steps), &table, &mut explanation);
    let mut finder = Finder::default();
    let mut witness = Witness::new(profiles.len(), &correlated.correlations);
    let watch = (&mut finder, &mut witness);
    write(open, &steps, &table, &plan, origin, &clusters, &mut profiles, options, scenario_path, watch)?;
    let fidelity = witness.fidelity(&profiles, &plan.gives(table.endpoints.len()), options.seed);
    let vary = finder.found(&table);

    let duration = last_end(&scan, &steps).since(origin).as_secs_f64();
    let recorded = Recorded {
        from: sources,
        masked,
        exchanges: explanation.steps,
        sessions: steps.sessions.len() as u64,
        duration_s: rounded(duration),
        sessions_per_s: rounded(steps.sessions.len() as f64 / duration.max(1.0)),
        hosts: hosts(&scan, &steps),
    };
    explain(&mut explanation, &table, &correlated);
    let scenario = Scenario {
        version: VERSION,
        name: options.name.clone(),
        behaviour: Some(Behaviour::Recorded),
        recorded: Some(recorded),
        fidelity: Some(fidelity),
        load: Load { rate: Some(Rate::Times(1.0)), ..Load::default() },
        thresholds: Vec::new(),
        profiles,
        identities: correlated.identities,
        correlations: correlated.correlations,
        vary,
        endpoints: by_frequency(&table)
            .into_iter()
            .map(|(number, requests)| EndpointEntry {
                endpoint: table.endpoints[number].clone(),
                requests: Some(requests),
            })
            .collect(),
        ..Scenario::default()
    };
    Ok(Profiled { scenario, explanation })
}

fn check(options: &Options) -> Result<(), Error> {
    if options.idle_timeout == Some(Nanos(0)) {
        return Err(Error::Option("the idle timeout must be more than zero, such as 30m".to_owned()));
    }
    if options.profiles == crate::ProfileCount::Fixed(0) {
        return Err(Error::Option("there must be at least one profile; 'auto' finds the number".to_owned()));
    }
    Ok(())
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn kept<'s>(scan: &'s Scan, steps: &'s Steps) -> impl Iterator<Item = &'s crate::scan::Record> {
    steps.sessions.iter().flatten().filter_map(|&number| scan.records.get(number as usize))
}

fn first_start(scan: &Scan, steps: &Steps) -> Nanos {
    kept(scan, steps).map(|record| record.start).min().unwrap_or_default()
}

fn last_end(scan: &Scan, steps: &Steps) -> Nanos {
    kept(scan, steps).map(|record| record.end).max().unwrap_or_default()
}

fn hosts(scan: &Scan, steps: &Steps) -> Vec<String> {
    let numbers: Set<u32> = kept(scan, steps).map(|record| record.host).collect();
    let mut hosts: Vec<String> = numbers.into_iter().map(|host| scan.hosts.text(host).to_owned()).collect();
    hosts.retain(|host| !host.is_empty());
    hosts.sort();
    hosts
}

/// What became of each exchange.
fn account(scan: &Scan, steps: &Steps, found: &[SessionInfo]) -> Explanation {
    let mut explanation = Explanation { exchanges: scan.records.len() as u64, ..Explanation::default() };
    let mut third: Map<u32, u64> = Map::default();
    for record in &scan.records {
        match record.left_out {
            None => explanation.steps += 1,
            Some(reason) => {
                *explanation.left_out.entry(reason).or_default() += 1;
                if reason == LeftOut::ThirdParty {
                    *third.entry(record.host).or_default() += 1;
                }
            }
        }
    }
    explanation.third_parties =
        third.into_iter().map(|(host, count)| (scan.hosts.text(host).to_owned(), count)).collect();
    explanation.third_parties.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for &session in &steps.origin {
        if let Some(session) = found.get(session as usize) {
            *explanation.sessions.entry(session.identified_by.clone()).or_default() += 1;
        }
    }
    explanation
}

fn nothing(explanation: &Explanation) -> String {
    if explanation.exchanges == 0 {
        return "the recording holds no exchanges".to_owned();
    }
    let reason = |(reason, count): (&LeftOut, &u64)| match reason.keep() {
        Some(flag) => format!("{count} {reason} ({flag} keeps them)"),
        None => format!("{count} {reason}"),
    };
    let reasons: Vec<String> = explanation.left_out.iter().map(reason).collect();
    format!("all {} exchanges are left out: {}", explanation.exchanges, reasons.join(", "))
}

fn by_frequency(table: &Table) -> Vec<(usize, u64)> {
    let mut order: Vec<(usize, u64)> = table.requests.iter().copied().enumerate().collect();
    order.sort_by_key(|&(number, requests)| (std::cmp::Reverse(requests), number));
    order
}

fn described(
    clusters: &[Cluster],
    names: &[(String, Vec<profiles::Telling>)],
    sizes: &[usize],
    sequences: &[Vec<u32>],
    (scan, steps): (&Scan, &Steps),
    table: &Table,
    explanation: &mut Explanation,
) -> Vec<Profile> {
    let text =
        |endpoint: &u32| table.endpoints.get(*endpoint as usize).map(ToString::to_string).unwrap_or_default();
    let weights = profiles::percentages(sizes);
    let mut described = Vec::with_capacity(clusters.len());
    for ((cluster, (name, telling)), weight) in clusters.iter().zip(names).zip(weights) {
        explanation.profiles.push(ProfileNote {
            name: name.clone(),
            weight,
            margin: margin(cluster.sessions.len(), sequences.len()),
            sessions: cluster.sessions.len() as u64,
            medoid: steps.origin.get(cluster.medoid as usize).copied().unwrap_or_default(),
            medoid_steps: sequences
                .get(cluster.medoid as usize)
                .map(|sequence| sequence.iter().map(text).collect())
                .unwrap_or_default(),
            telling: telling.iter().map(|one| (text(&one.endpoint), one.inside, one.outside)).collect(),
            silhouette: cluster.silhouette,
            visits: visits(cluster, sequences, &text),
            transitions: transitions(cluster, sequences, steps, scan, &text),
        });
        described.push(Profile {
            name: name.clone(),
            weight,
            sessions: Some(cluster.sessions.len() as u64),
            ..Profile::default()
        });
    }
    described
}

/// What a profile's sessions ask for, and where in them for the first time.
fn visits(cluster: &Cluster, sequences: &[Vec<u32>], text: &dyn Fn(&u32) -> String) -> Vec<Visit> {
    #[derive(Default)]
    struct Found {
        requests: u64,
        sessions: f64,
        places: f64,
        last: Option<u32>,
    }
    let mut found: BTreeMap<u32, Found> = BTreeMap::new();
    for &session in &cluster.sessions {
        let sequence = sequences.get(session as usize).map(Vec::as_slice).unwrap_or_default();
        let last = sequence.len().saturating_sub(1).max(1) as f64;
        for (at, endpoint) in sequence.iter().enumerate() {
            let found = found.entry(*endpoint).or_default();
            found.requests += 1;
            if found.last.replace(session) != Some(session) {
                found.sessions += 1.0;
                found.places += at as f64 / last;
            }
        }
    }
    let visit = |(endpoint, found): (u32, Found)| Visit {
        endpoint: text(&endpoint),
        requests: found.requests,
        place: found.places / found.sessions.max(1.0),
    };
    let mut visits: Vec<Visit> = found.into_iter().map(visit).collect();
    visits.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.endpoint.cmp(&b.endpoint)));
    visits
}

/// What a profile's sessions go on to.
fn transitions(
    cluster: &Cluster,
    sequences: &[Vec<u32>],
    steps: &Steps,
    scan: &Scan,
    text: &dyn Fn(&u32) -> String,
) -> Vec<Transition> {
    type Way = (Option<u32>, Option<u32>);
    let mut found: BTreeMap<Way, (u64, Vec<f32>)> = BTreeMap::new();
    let record = |records: &[u32], at: usize| scan.records.get(*records.get(at)? as usize);
    for &session in &cluster.sessions {
        let (Some(sequence), Some(records)) =
            (sequences.get(session as usize), steps.sessions.get(session as usize))
        else {
            continue;
        };
        for at in 0..=sequence.len() {
            let before = at.checked_sub(1);
            let from = before.and_then(|before| sequence.get(before).copied());
            let (times, pauses) = found.entry((from, sequence.get(at).copied())).or_default();
            *times += 1;
            if let Some((before, next)) = before.and_then(|b| record(records, b)).zip(record(records, at)) {
                pauses.push(next.start.since(before.end).as_secs_f64() as f32);
            }
        }
    }
    let mut transitions: Vec<Transition> = found
        .into_iter()
        .map(|((from, to), (times, mut pauses))| {
            pauses.sort_by(f32::total_cmp);
            let median = pauses.get(pauses.len() / 2).copied().unwrap_or_default();
            Transition {
                from: from.as_ref().map(text),
                to: to.as_ref().map(text),
                times,
                pause_s: f64::from(median),
            }
        })
        .collect();
    transitions.sort_by_key(|transition| std::cmp::Reverse(transition.times));
    transitions
}

/// How far a share of `part` in `all` may be off, in points: half the width of Wilson's interval at 95 %
/// (*Probable inference*, Journal of the American Statistical Association 22, 1927), which holds for small shares as well.
fn margin(part: usize, all: usize) -> f64 {
    const Z: f64 = 1.96;
    let (all, share) = (all.max(1) as f64, part as f64 / all.max(1) as f64);
    let half = Z * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt() / (1.0 + Z * Z / all);
    (half * 1e4).round() / 1e2
}

/// Writes the sessions: inline where there is one for each profile and they are short, else beside the scenario.
#[expect(clippy::too_many_arguments, reason = "one call; the parts are what the passes before have made")]
fn write(
    open: &Open<'_>,
    steps: &Steps,
    table: &Table,
    plan: &Plan<'_>,
    origin: Nanos,
    clusters: &[Cluster],
    profiles: &mut [Profile],
    options: &Options,
    scenario_path: &Path,
    (finder, witness): (&mut Finder, &mut Witness<'_>),
) -> Result<(), Error> {
    let mut owner: Vec<u32> = vec![0; steps.sessions.len()];
    for (number, cluster) in clusters.iter().enumerate() {
        for &session in &cluster.sessions {
            owner[session as usize] = number as u32;
        }
    }
    let mut thinks: Vec<Vec<f32>> = vec![Vec::new(); clusters.len()];
    let mut note = |owner: u32, script: &SessionScript| {
        let pauses = script.steps.iter().skip(1).map(|step| step.think.as_secs_f64() as f32);
        thinks[owner as usize].extend(pauses);
        witness.note(owner, script);
    };
    let mut shapes = Shapes::default();
    let mut learning = Learning { finder, shapes: &mut shapes };
    let total: usize = steps.sessions.iter().map(Vec::len).sum();
    let small = clusters.iter().all(|cluster| cluster.sessions.len() == 1)
        && total <= options.inline_steps * options.sources.len().max(1);
    let mut collected: Vec<(u32, SessionScript)> = Vec::new();
    if small {
        script::build(open, steps, table, plan, origin, &mut learning, &mut |session, script| {
            collected.push((owner[session as usize], script));
            Ok(())
        })?;
        let mut hosts: Vec<&str> =
            collected.iter().flat_map(|(_, script)| &script.steps).map(|step| step.host.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let host = if let [only] = hosts.as_slice() { Some(*only) } else { None };
        let written: Option<Vec<_>> =
            collected.iter().map(|(owner, script)| Some((*owner, inline::steps(script, host)?))).collect();
        if let Some(written) = written {
            for (owner, script) in &collected {
                note(*owner, script);
            }
            for (owner, steps) in written {
                profiles[owner as usize].steps = steps;
            }
            summarise(profiles, &mut thinks);
            return Ok(());
        }
    }
    let path = scenario_path.with_extension("sessions");
    let file = path.file_name().ok_or_else(|| Error::Path(scenario_path.to_path_buf()))?;
    let tables = Tables {
        endpoints: table.endpoints.clone(),
        profiles: profiles.iter().map(|profile| profile.name.clone()).collect(),
    };
    let mut writer = SessionsWriter::create(&path, &tables)?;
    if small {
        for (owner, script) in &collected {
            note(*owner, script);
            writer.write(*owner, script)?;
        }
    } else {
        script::build(open, steps, table, plan, origin, &mut learning, &mut |session, script| {
            let owner = owner[session as usize];
            note(owner, &script);
            Ok(writer.write(owner, &script)?)
        })?;
    }
    writer.shapes(shapes);
    writer.finish()?;
    for profile in profiles.iter_mut() {
        profile.sessions_from = Some(format!("{}#{}", file.to_string_lossy(), profile.name));
    }
    summarise(profiles, &mut thinks);
    Ok(())
}

fn summarise(profiles: &mut [Profile], thinks: &mut [Vec<f32>]) {
    for (profile, pauses) in profiles.iter_mut().zip(thinks) {
        pauses.sort_by(f32::total_cmp);
        let quantile = |q: f64| {
            let at = ((pauses.len() as f64 * q).ceil() as usize).clamp(1, pauses.len().max(1)) - 1;
            pauses.get(at).map(|&pause| (f64::from(pause) * 1e3).round() / 1e3)
        };
        profile.think_s = quantile(0.5).zip(quantile(0.95)).map(|(p50, p95)| ThinkSummary { p50, p95 });
    }
}

fn explain(explanation: &mut Explanation, table: &Table, correlated: &correlate::Found) {
    explanation.endpoints = by_frequency(table)
        .into_iter()
        .map(|(number, requests)| (table.endpoints[number].to_string(), requests))
        .collect();
    let texts = |sites: &[mynah_traffic::Site]| sites.iter().map(ToString::to_string).collect::<Vec<_>>();
    explanation.warnings.extend(table.warnings.iter().cloned());
    explanation.correlations = correlated
        .correlations
        .iter()
        .map(|one: &Correlation| Accepted {
            name: one.name.clone(),
            from: texts(&one.from),
            to: texts(&one.to),
            format: one.format.clone(),
            evidence: one.evidence.clone().unwrap_or_default(),
        })
        .collect();
    explanation.rejected.clone_from(&correlated.rejected);
    explanation.rejected_untold = correlated.untold as u64;
    explanation.correlated_sessions = correlated.sampled as u64;
    explanation.identities = correlated
        .identities
        .iter()
        .flat_map(|identities| &identities.columns)
        .map(|column| (column.name.clone(), texts(&column.to)))
        .collect();
}
