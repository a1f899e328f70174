//! Log-ins: a form with a password and who it belongs to.

use mynah_message::{Locator, View};
use mynah_traffic::Site as Place;
use mynah_traffic::scenario::{Identities, IdentityColumn};

use super::sample::{Event, Sample};
use crate::endpoints::Table;
use crate::hash::{Map, Set, hash};

/// Share of the sessions in which a field must hold the log-in's name to be taken for it.
const HOLDS: f64 = 0.9;

/// A log-in as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Login {
    pub(crate) endpoint: u32,
    pub(crate) user: Locator,
    pub(crate) password: Locator,
    /// The user field is called after an e-mail address.
    pub(crate) is_email: bool,
    /// Hash of the user's name.
    pub(crate) name: u64,
}

/// The field's own name, in lower case.
fn field(locator: &Locator) -> Option<String> {
    match locator {
        Locator::Form { name, .. } | Locator::Multipart { name, .. } => Some(name.to_ascii_lowercase()),
        Locator::Json { path } => match path.steps().last() {
            Some(mynah_message::locator::Step::Key(key)) => Some(key.to_ascii_lowercase()),
            _ => None,
        },
        _ => None,
    }
}

impl Login {
    /// The log-in that a request is, if it is one. Two password fields are a registration or a change of password.
    pub(crate) fn of(endpoint: u32, view: &View<'_>) -> Option<Login> {
        let mut passwords: Vec<Locator> = Vec::new();
        let mut users: Vec<(u8, bool, Locator, u64)> = Vec::new();
        view.leaves(&mut |leaf| {
            let Some(name) = field(&leaf.locator) else { return };
            if ["passw", "passphrase", "pwd", "passcode"].iter().any(|part| name.contains(part))
                || name == "pass"
            {
                passwords.push(leaf.locator.clone());
                return;
            }
            let rank = match name.as_str() {
                name if name.contains("mail") => 0,
                name if name.contains("username") || name.contains("user_name") || name == "user" => 1,
                name if name.contains("login") && !name.contains("csrf") => 2,
                name if name.contains("user") || name.contains("account") || name == "identifier" => 3,
                _ => return,
            };
            if !leaf.value.is_empty() {
                users.push((rank, rank == 0, leaf.locator.clone(), hash(&leaf.value)));
            }
        });
        let [password] = passwords.as_slice() else { return None };
        let (_, is_email, user, name) = users.into_iter().min_by_key(|(rank, ..)| *rank)?;
        Some(Login { endpoint, user, password: password.clone(), is_email, name })
    }
}

/// The log-ins of the sample as columns with their places, and the places among the consumers that are thereby taken.
pub(super) fn find(sample: &Sample, table: &Table) -> (Option<Identities>, Set<u32>) {
    let mut logins: Vec<&Login> = Vec::new();
    let mut names: Map<usize, Set<u64>> = Map::default();
    for (number, session) in sample.sessions.iter().enumerate() {
        for (_, event) in &session.events {
            if let Event::Sent { login: Some(login), .. } = event {
                names.entry(number).or_default().insert(login.name);
                let known = |other: &&Login| {
                    (other.endpoint, &other.user, &other.password)
                        == (login.endpoint, &login.user, &login.password)
                };
                if !logins.iter().any(known) {
                    logins.push(login);
                }
            }
        }
    }
    let mut claimed: Set<u32> = Set::default();
    if logins.is_empty() {
        return (None, claimed);
    }
    logins.sort_by_key(|login| (login.endpoint, login.user.to_string()));
    let place = |endpoint: u32, at: &Locator| {
        table
            .endpoints
            .get(endpoint as usize)
            .map(|endpoint| Place { endpoint: endpoint.clone(), at: at.clone() })
    };
    let user = if logins.iter().all(|login| login.is_email) { "email" } else { "username" };
    let mut users: Vec<Place> =
        logins.iter().filter_map(|login| place(login.endpoint, &login.user)).collect();
    let passwords = logins.iter().filter_map(|login| place(login.endpoint, &login.password)).collect();
    // Where else the same name is sent: sessions that log in, by consumer: those that have it, those where it is equal.
    let mut counts: Map<u32, (Set<usize>, Set<usize>)> = Map::default();
    for (number, session) in sample.sessions.iter().enumerate() {
        let Some(names) = names.get(&number) else { continue };
        for (_, event) in &session.events {
            let Event::Sent { uses, .. } = event else { continue };
            for one in uses {
                let count = counts.entry(one.consumer).or_default();
                count.0.insert(number);
                if names.contains(&one.value) {
                    count.1.insert(number);
                }
            }
        }
    }
    for (number, consumer) in sample.consumers.iter().enumerate() {
        let number = number as u32;
        let login = logins.iter().find(|login| {
            login.endpoint == consumer.endpoint
                && (login.user == consumer.at || login.password == consumer.at)
        });
        if login.is_some() {
            claimed.insert(number);
            continue;
        }
        let Some((all, equal)) = counts.get(&number) else { continue };
        let fits = matches!(
            consumer.at,
            Locator::Form { .. } | Locator::Json { .. } | Locator::Query { .. } | Locator::Multipart { .. }
        );
        let enough = equal.len() >= 2 || sample.alone && equal.len() == 1;
        if fits && consumer.format.is_none() && enough && equal.len() as f64 >= HOLDS * all.len() as f64 {
            claimed.insert(number);
            users.extend(place(consumer.endpoint, &consumer.at));
        }
    }
    let columns = vec![
        IdentityColumn { name: user.to_owned(), to: users },
        IdentityColumn { name: "password".to_owned(), to: passwords },
    ];
    (Some(Identities { file: None, columns }), claimed)
}
