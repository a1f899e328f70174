use super::*;
use crate::testing::{MS, Traffic};

/// Session of each exchange, by its target.
fn by_target(traffic: &Traffic, options: &Options) -> (Vec<SessionInfo>, Vec<(String, u32)>) {
    let mut exchanges = traffic.exchanges.clone();
    exchanges.sort_by_key(|exchange| exchange.times.end());
    let sessions = sessionise(&traffic.open(), options).unwrap();
    let mut owners = Vec::new();
    for session in &sessions {
        for &number in &session.exchanges {
            let target = exchanges[number as usize].request_head().unwrap().target().unwrap().to_owned();
            owners.push((target, session.id.0));
        }
    }
    owners.sort();
    (sessions, owners)
}

fn owner(owners: &[(String, u32)], target: &str) -> u32 {
    owners.iter().find(|(found, _)| found == target).unwrap().1
}

const SIDS: [&str; 4] =
    ["0a1b2c3d4e5f60718293", "1f2e3d4c5b6a79880716", "9a8b7c6d5e4f30213243", "77aa66bb55cc44dd33ee"];

fn sid(number: usize) -> String {
    format!("Cookie: lang=en; sid={}\r\n", SIDS[number])
}

fn set(number: usize) -> String {
    format!("Set-Cookie: sid={}; Path=/; HttpOnly\r\n", SIDS[number])
}

#[test]
fn cookies_join_over_hand_offs_and_keep_neighbours_apart() {
    let mut traffic = Traffic::new();
    // Two clients behind one address and one proxy's connections, taking turns.
    traffic.ask(1, "GET /a1", "", &set(0));
    traffic.ask(1, "GET /b1", "", &set(1));
    traffic.ask(2, "GET /a2", &sid(0), "");
    traffic.ask(2, "GET /b2", &sid(1), "");
    // The first logs in: another cookie from here on.
    traffic.ask(1, "POST /a3", &sid(0), &set(2));
    traffic.ask(3, "GET /a4", &sid(2), "");
    // Without a cookie, on a connection that only one of them used.
    traffic.ask(3, "GET /a5", "", "");
    let (sessions, owners) = by_target(&traffic, &Options::default());
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    for target in ["/a2", "/a3", "/a4", "/a5"] {
        assert_eq!(owner(&owners, target), owner(&owners, "/a1"), "{target}");
    }
    assert_eq!(owner(&owners, "/b2"), owner(&owners, "/b1"));
    assert!(sessions.iter().all(|session| session.identified_by == IdentifiedBy::Cookie("sid".to_owned())));
    assert_eq!(sessions[0].client, "10.0.0.1");
    assert_eq!(sessions[0].exchanges, [0, 2, 4, 5, 6]);
}

#[test]
fn after_a_log_out_the_connection_goes_on_with_the_same_client() {
    let mut traffic = Traffic::new();
    traffic.ask(1, "GET /a1", "", &set(0));
    traffic.ask(1, "GET /a2", &sid(0), "Set-Cookie: sid=; Max-Age=0\r\n");
    traffic.ask(1, "GET /a3", "", "");
    traffic.ask(1, "GET /a4", "", &set(1));
    traffic.ask(1, "GET /a5", &sid(1), "");
    traffic.ask(2, "GET /b1", "", &set(2));
    traffic.ask(2, "GET /b2", &sid(2), "");
    let (sessions, _) = by_target(&traffic, &Options::default());
    assert_eq!(sessions.iter().map(|session| session.exchanges.len()).collect::<Vec<_>>(), [5, 2]);
}

#[test]
fn a_cookie_that_is_handed_out_twice_is_nobodys_own() {
    let mut traffic = Traffic::new();
    for connection in 1..=6 {
        traffic.ask(connection, "GET /a", "", "Set-Cookie: route=backend7a1b2c3d\r\n");
        traffic.ask(connection, "GET /b", "Cookie: route=backend7a1b2c3d\r\n", "");
    }
    let (sessions, _) = by_target(&traffic, &Options::default());
    assert_eq!(sessions.len(), 6);
    assert!(sessions.iter().all(|session| session.identified_by == IdentifiedBy::Connection));
}

#[test]
fn a_long_pause_begins_another_session() {
    let mut traffic = Traffic::new();
    traffic.ask(1, "GET /a1", "", &set(0));
    traffic.now += 60_000;
    traffic.ask(1, "GET /a2", &sid(0), "");
    traffic.now += 31 * 60_000;
    traffic.ask(1, "GET /a3", &sid(0), "");
    assert_eq!(sessionise(&traffic.open(), &Options::default()).unwrap().len(), 2);
    let options = Options { idle_timeout: Some(Nanos(30_000 * MS)), ..Options::default() };
    assert_eq!(sessionise(&traffic.open(), &options).unwrap().len(), 3);
}

#[test]
fn bearer_tokens_tell_clients_apart_and_log_ins_belong_to_them() {
    let mut traffic = Traffic::new();
    let token = |n: usize| format!("eyJh{}{n}", SIDS[n]);
    for n in 0..3 {
        let body = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{{\"access_token\":\"{}\"}}",
            token(n)
        );
        // Connections are the proxy's: everybody uses all of them.
        traffic.raw(1, &format!("POST /login{n} HTTP/1.1\r\nHost: a\r\n\r\n"), &body);
        traffic.ask(2, &format!("GET /me{n}"), &format!("Authorization: Bearer {}\r\n", token(n)), "");
    }
    let (sessions, owners) = by_target(&traffic, &Options::default());
    assert_eq!(sessions.len(), 3);
    for n in 0..3 {
        assert_eq!(owner(&owners, &format!("/login{n}")), owner(&owners, &format!("/me{n}")));
    }
    assert_eq!(sessions[0].identified_by, IdentifiedBy::Authorization("Authorization".to_owned()));
}

#[test]
fn without_identities_a_shared_connection_is_taken_apart_by_what_the_proxy_wrote() {
    let mut traffic = Traffic::new();
    for n in 0..12 {
        let headers = format!("X-Forwarded-For: 192.0.2.{}, 10.0.0.9\r\n", n % 3);
        traffic.ask(n % 2, &format!("GET /{n}"), &headers, "");
    }
    let (sessions, _) = by_target(&traffic, &Options::default());
    assert_eq!(sessions.len(), 3);
    assert!(sessions.iter().all(|session| session.identified_by == IdentifiedBy::Address));
    assert_eq!(sessions[1].client, "192.0.2.1");
}

#[test]
fn the_users_key_and_the_source_come_first() {
    let mut traffic = Traffic::new();
    for n in 0..6_u64 {
        let exchange = traffic.ask(n, &format!("GET /{n}?u={}", n % 2), &sid(0), "");
        exchange.connection.client_hint = Some(n / 3);
    }
    let (sessions, _) = by_target(&traffic, &Options::default());
    assert_eq!(sessions.iter().map(|session| session.exchanges.len()).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(sessions[0].identified_by, IdentifiedBy::Source);
    for key in ["query:u", "cookie:sid"] {
        let options = Options { session_key: Some(key.parse().unwrap()), ..Options::default() };
        let (sessions, _) = by_target(&traffic, &options);
        assert_eq!(sessions.len(), if key == "query:u" { 2 } else { 1 }, "{key}");
        assert_eq!(sessions[0].identified_by, IdentifiedBy::Key(key.to_owned()));
    }
}

#[test]
fn a_client_that_refreshes_its_token_stays_the_same_one() {
    let mut traffic = Traffic::new();
    let post = |traffic: &mut Traffic, connection: u64, path: &str, body: &str, answer: &str| {
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n{body}");
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{answer}");
        traffic.raw(connection, &request, &response);
    };
    let grant = |client: u64, turn: u64| {
        format!(
            r#"{{"access_token":"access-{client}-{turn}-8d7f6a5b4c","refresh_token":"refresh-{client}-{turn}-77aa66bb"}}"#
        )
    };
    let bearer =
        |client: u64, turn: u64| format!("Authorization: Bearer access-{client}-{turn}-8d7f6a5b4c\r\n");
    let public = r#"{"site_token":"public-0123456789abcdef"}"#;
    // Each request on another connection, so that nothing else tells them apart.
    for client in 0..3 {
        let line = client * 10;
        post(&mut traffic, line, "/login", public, &grant(client, 0));
        traffic.ask(line + 1, &format!("GET /a{client}"), &bearer(client, 0), "");
        let refresh = format!(r#"{{"refresh_token":"refresh-{client}-0-77aa66bb"}}"#);
        post(&mut traffic, line + 2, "/refresh", &refresh, &grant(client, 1));
        traffic.ask(line + 3, &format!("GET /b{client}"), &bearer(client, 1), "");
    }
    // What the page hands to everybody and everybody brings is nobody's.
    post(&mut traffic, 90, "/config", "{}", public);
    post(&mut traffic, 91, "/config", "{}", public);
    let (sessions, owners) = by_target(&traffic, &Options::default());
    let marked: Vec<usize> =
        sessions.iter().map(|session| session.exchanges.len()).filter(|&n| n > 1).collect();
    assert_eq!(marked, [4, 4, 4], "{sessions:?}");
    for client in 0..3 {
        assert_eq!(owner(&owners, &format!("/a{client}")), owner(&owners, &format!("/b{client}")));
    }
    assert_ne!(owner(&owners, "/a0"), owner(&owners, "/a1"));
}
