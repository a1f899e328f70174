//! A JSON interface as mobile applications use it: an access token that is soon over, a refresh token that is good once,
//! ids that a POST makes and later paths name.
//!
//! Wrong or over: 401. Unknown id: 404. Old revision: 409.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::truth::{Role, Truth};
use super::web::{Answer, App, Browser, Dice, Reply, Request};

/// Requests that an access token is good for: so that it is over at the same place of a session each time.
const USES: u32 = 5;

#[derive(Default)]
struct Project {
    owner: String,
    revision: String,
    tasks: Vec<u64>,
}

pub struct Tokens {
    dice: Dice,
    accounts: BTreeMap<String, String>,
    access: BTreeMap<String, (String, u32)>,
    refresh: BTreeMap<String, String>,
    projects: BTreeMap<String, Project>,
    pub refreshed: u64,
}

impl Tokens {
    pub fn new(accounts: &[(String, String)], seed: u64) -> Tokens {
        Tokens {
            dice: Dice::new(seed),
            accounts: accounts.iter().cloned().collect(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            projects: BTreeMap::new(),
            refreshed: 0,
        }
    }

    fn grant(&mut self, family: String) -> Reply {
        let access = format!("{}.{}.{}", self.dice.token(20), self.dice.token(60), self.dice.token(43));
        let refresh = self.dice.token(64);
        self.access.insert(access.clone(), (family.clone(), USES));
        self.refresh.insert(refresh.clone(), family);
        let grant = json!({"token_type": "Bearer", "expires_in": 300, "access_token": access, "refresh_token": refresh});
        Reply::json(200, &grant)
    }
}

impl App for Tokens {
    fn answer(&mut self, request: &Request) -> Reply {
        let body = request.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/config") => {
                return Reply::json(200, &json!({"min_version": "4.2.0", "region": "eu"}));
            }
            ("POST", "/v1/auth/login") => {
                let known = self.accounts.get(&text("email")).is_some_and(|known| *known == text("password"));
                let family = self.dice.hex(12);
                return if known {
                    self.grant(family)
                } else {
                    Reply::json(401, &json!({"error": "credentials"}))
                };
            }
            ("POST", "/v1/auth/refresh") => {
                let Some(family) = self.refresh.remove(&text("refresh_token")) else {
                    return Reply::json(401, &json!({"error": "refresh token is used or unknown"}));
                };
                self.refreshed += 1;
                return self.grant(family);
            }
            _ => {}
        }
        let token = request.field("authorization").strip_prefix("Bearer ").unwrap_or_default();
        let Some((owner, uses)) = self.access.get_mut(token).filter(|(_, uses)| *uses > 0) else {
            return Reply::json(401, &json!({"error": "token expired"}));
        };
        *uses -= 1;
        let owner = owner.clone();
        let segments = request.segments();
        if let ["v1", "projects"] = segments.as_slice() {
            if request.method == "POST" {
                let (id, revision) = (self.dice.uuid(), self.dice.hex(12));
                let project = Project { owner, revision: revision.clone(), tasks: Vec::new() };
                self.projects.insert(id.clone(), project);
                return Reply::json(
                    201,
                    &json!({"data": {"id": id, "revision": revision, "name": body["name"]}}),
                );
            }
            let own = self.projects.iter().filter(|(_, project)| project.owner == owner);
            let list: Vec<Value> = own.map(|(id, _)| json!({"id": id})).collect();
            return Reply::json(200, &json!({"data": list}));
        }
        let missing = || Reply::json(404, &json!({"error": "not found"}));
        let project = segments.get(2).and_then(|id| self.projects.get_mut(*id));
        let Some(project) = project.filter(|project| project.owner == owner) else { return missing() };
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["v1", "projects", _]) => {
                Reply::json(200, &json!({"data": {"revision": project.revision, "tasks": project.tasks}}))
            }
            ("PATCH", ["v1", "projects", _]) => {
                if text("revision") != project.revision {
                    return Reply::json(409, &json!({"error": "old revision"}));
                }
                project.revision = self.dice.hex(12);
                Reply::json(200, &json!({"data": {"revision": project.revision}}))
            }
            ("POST", ["v1", "projects", _, "tasks"]) => {
                let id = self.dice.number();
                project.tasks.push(id);
                Reply::json(201, &json!({"task": {"id": id, "state": "open"}}))
            }
            ("PUT" | "DELETE", ["v1", "projects", _, "tasks", id]) => {
                let Some(at) = project.tasks.iter().position(|task| task.to_string() == *id) else {
                    return missing();
                };
                if request.method == "DELETE" {
                    project.tasks.remove(at);
                }
                Reply { status: 204, ..Reply::default() }
            }
            _ => missing(),
        }
    }
}

struct Phone {
    browser: Browser,
    access: String,
    refresh: String,
}

impl Phone {
    fn take(&mut self, grant: &Answer) {
        let grant = grant.json();
        grant["access_token"].as_str().unwrap().clone_into(&mut self.access);
        grant["refresh_token"].as_str().unwrap().clone_into(&mut self.refresh);
    }

    /// As its library does: when the token is over, it takes a new one and asks again.
    fn call(&mut self, method: &str, target: &str, body: &str) -> Answer {
        for _ in 0..2 {
            let bearer = format!("Bearer {}", self.access);
            let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
            let answer =
                self.browser.send(method, target, &fields[..if body.is_empty() { 1 } else { 2 }], body);
            if answer.status != 401 {
                return answer;
            }
            let body = json!({"refresh_token": self.refresh}).to_string();
            let fields = [("Content-Type", "application/json")];
            let grant = self.browser.send("POST", "/v1/auth/refresh", &fields, &body).is(200);
            self.take(&grant);
        }
        panic!("{method} {target}: a fresh token is refused");
    }
}

/// One use of the application, of several kinds.
pub fn visit(address: SocketAddr, dice: &mut Dice, account: &(String, String)) {
    let browser =
        Browser::to(address, if dice.chance(50) { "Tasks/4.2 iOS/19" } else { "Tasks/4.2 Android/16" });
    let mut phone = Phone { browser, access: String::new(), refresh: String::new() };
    phone.browser.get("/v1/config").is(200);
    let body = json!({"email": account.0, "password": account.1}).to_string();
    let grant =
        phone.browser.send("POST", "/v1/auth/login", &[("Content-Type", "application/json")], &body).is(200);
    phone.take(&grant);
    phone.call("GET", "/v1/projects", "").is(200);
    for _ in 0..=dice.below(2) {
        let made = phone.call("POST", "/v1/projects", r#"{"name":"House"}"#).is(201).json();
        let id = made["data"]["id"].as_str().unwrap().to_owned();
        let mut revision = made["data"]["revision"].as_str().unwrap().to_owned();
        for _ in 0..dice.below(4) {
            let made = phone
                .call("POST", &format!("/v1/projects/{id}/tasks"), r#"{"title":"Paint"}"#)
                .is(201)
                .json();
            let task = made["task"]["id"].as_u64().unwrap();
            let target = format!("/v1/projects/{id}/tasks/{task}");
            if dice.chance(50) {
                phone.call("PUT", &target, r#"{"state":"done"}"#).is(204);
            }
            if dice.chance(20) {
                phone.call("DELETE", &target, "").is(204);
            }
        }
        if dice.chance(60) {
            let seen = phone.call("GET", &format!("/v1/projects/{id}"), "").is(200).json();
            seen["data"]["revision"].as_str().unwrap().clone_into(&mut revision);
        }
        let body = json!({"revision": revision, "name": "Home"}).to_string();
        phone.call("PATCH", &format!("/v1/projects/{id}"), &body).is(200);
    }
}

/// Which place holds what.
pub const TRUTH: Truth = &[
    ("json:$.access_token", Role::HandsOut, "access"),
    ("header:Authorization", Role::Takes, "access"),
    ("json:$.refresh_token", Role::HandsOut, "refresh"),
    ("POST /v1/auth/refresh json:$.refresh_token", Role::Takes, "refresh"),
    ("json:$.data.id", Role::HandsOut, "project"),
    ("path:2", Role::Takes, "project"),
    ("json:$.data.revision", Role::HandsOut, "revision"),
    ("json:$.revision", Role::Takes, "revision"),
    ("POST /v1/projects/{uuid}/tasks json:$.task.id", Role::HandsOut, "task"),
    ("GET /v1/projects/{uuid} json:$.data.tasks[*]", Role::HandsOut, "task"),
    ("path:4", Role::Takes, "task"),
];
