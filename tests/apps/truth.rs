//! What an application's author knows: which place holds which value.

use mynah_traffic::Site;
use mynah_traffic::scenario::Scenario;

/// What a place does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    HandsOut,
    Takes,
}

/// Ends of a site's text (`POST /login form:csrf`), what the place does, and with which value.
pub type Truth = &'static [(&'static str, Role, &'static str)];

/// The values that a place may hold.
fn of<'t>(truth: &'t [(&'static str, Role, &'static str)], site: &str, role: Role) -> Vec<&'t str> {
    let site = site.trim_end_matches("#*").trim_end_matches("#0");
    truth
        .iter()
        .filter(|(end, known, _)| *known == role && site.ends_with(end))
        .map(|(_, _, value)| *value)
        .collect()
}

/// Of the accepted correlations those that are not true, in words: one is true when all its places hold the same value.
pub fn untrue(scenario: &Scenario, truth: Truth) -> (usize, Vec<String>) {
    let texts = |sites: &[Site]| -> Vec<String> { sites.iter().map(ToString::to_string).collect() };
    let mut wrong = Vec::new();
    for correlation in &scenario.correlations {
        let (from, to) = (texts(&correlation.from), texts(&correlation.to));
        let mut values: Option<Vec<&str>> = None;
        let places = from.iter().map(|site| (site, Role::HandsOut));
        for (site, role) in places.chain(to.iter().map(|site| (site, Role::Takes))) {
            let held = of(truth, site, role);
            values = Some(match values {
                None => held,
                Some(before) => before.into_iter().filter(|value| held.contains(value)).collect(),
            });
        }
        if values.unwrap_or_default().is_empty() {
            wrong.push(format!("{}: {from:?} -> {to:?}", correlation.name));
        }
    }
    (scenario.correlations.len(), wrong)
}
