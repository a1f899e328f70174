//! What an application's author knows: which place holds which value.

use serde_json::Value;

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
pub fn untrue(scenario: &toml::Table, truth: Truth) -> (usize, Vec<String>) {
    let scenario = serde_json::to_value(scenario).unwrap();
    let correlations = scenario["correlation"].as_array().cloned().unwrap_or_default();
    let sites = |correlation: &Value, key: &str| -> Vec<String> {
        let all = correlation[key].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut wrong = Vec::new();
    for correlation in &correlations {
        let (from, to) = (sites(correlation, "from"), sites(correlation, "to"));
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
            wrong.push(format!("{}: {from:?} -> {to:?}", correlation["name"]));
        }
    }
    (correlations.len(), wrong)
}
