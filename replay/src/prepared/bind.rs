//! Which values go where: the scenario file decides, as people edit it; the session file only says what was found.

use mynah_traffic::scenario::{Injection, Scenario, Source};
use mynah_traffic::{Endpoint, Site};

/// The scenario's correlations that are switched on, and its identities' columns, each with the places they go to.
pub(super) struct Bindings {
    correlations: Vec<(String, Vec<Site>)>,
    columns: Vec<(String, Vec<Site>)>,
}

impl Bindings {
    pub(super) fn of(scenario: &Scenario) -> Bindings {
        let enabled = scenario.correlations.iter().filter(|correlation| correlation.enabled);
        let columns = scenario.identities.iter().flat_map(|identities| &identities.columns);
        Bindings {
            correlations: enabled.map(|one| (one.name.clone(), one.to.clone())).collect(),
            columns: columns.map(|one| (one.name.clone(), one.to.clone())).collect(),
        }
    }

    /// The injection as the scenario has it now: under the name that it has there for this place. `None`: it has
    /// nothing for it any more, and what was recorded is sent.
    pub(super) fn bind(&self, injection: &Injection, endpoint: &Endpoint) -> Option<Injection> {
        let goes_there = |sites: &[Site]| {
            sites.iter().any(|site| site.endpoint == *endpoint && site.at.covers(&injection.at))
        };
        let source = match &injection.source {
            Source::Correlation { name, index } => {
                let same = self.correlations.iter().find(|(known, to)| known == name && goes_there(to));
                let (name, _) = same.or_else(|| self.correlations.iter().find(|(_, to)| goes_there(to)))?;
                Source::Correlation { name: name.clone(), index: *index }
            }
            Source::Identity { column } => {
                let same = self.columns.iter().find(|(known, to)| known == column && goes_there(to));
                let (column, _) = same.or_else(|| self.columns.iter().find(|(_, to)| goes_there(to)))?;
                Source::Identity { column: column.clone() }
            }
            source @ (Source::Vary { .. } | Source::Data { .. } | Source::Joined { .. }) => source.clone(),
        };
        Some(Injection { source, ..injection.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings(text: &str) -> Bindings {
        let step = "[[profile]]\nname = \"a\"\nweight = 1\n[[profile.step]]\nrequest = \"GET /\"\n";
        Bindings::of(&Scenario::parse(&format!("version = 1\nname = \"x\"\n{step}{text}"), "x.toml").unwrap())
    }

    fn bound(bindings: &Bindings, at: &str, source: Source) -> Option<Source> {
        let injection = Injection { at: at.parse().unwrap(), source, format: None, required: false };
        bindings.bind(&injection, &"POST /login".parse().unwrap()).map(|injection| injection.source)
    }

    #[test]
    fn the_scenario_decides() {
        let csrf = |name: &str| Source::Correlation { name: name.to_owned(), index: 3 };
        let file = bindings(
            "[[correlation]]\nname = \"token\"\nfrom = [\"GET / input:csrf\"]\nto = [\"POST /login form:csrf\"]\n[[identities.column]]\nname = \"user\"\nto = [\"POST /login form:email\"]\n",
        );
        assert_eq!(bound(&file, "form:csrf", csrf("token")), Some(csrf("token")));
        assert_eq!(
            bound(&file, "form:csrf", csrf("csrf")),
            Some(csrf("token")),
            "renamed there, it has its new name here"
        );
        assert_eq!(
            bound(&file, "header:X-CSRF", csrf("token")),
            None,
            "a place taken away is no place any more"
        );
        let column = |column: &str| Source::Identity { column: column.to_owned() };
        assert_eq!(bound(&file, "form:email", column("email")), Some(column("user")));
        assert_eq!(bound(&file, "form:password", column("password")), None);
        let off = bindings(
            "[[correlation]]\nname = \"token\"\nenabled = false\nfrom = []\nto = [\"POST /login form:csrf\"]\n",
        );
        assert_eq!(bound(&off, "form:csrf", csrf("token")), None);
    }
}
