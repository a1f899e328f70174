//! A notebook as single-page applications are: the token of a cookie that scripts may read goes back in a header (Angular,
//! Django), documents are guarded by their ETag.
//!
//! Wrong or old token: 403. Not logged in: 401. Unknown note: 404. Old ETag: 412.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;

use super::truth::{Role, Truth};
use super::web::{App, Browser, Dice, Reply, Request};

struct Visit {
    xsrf: String,
    user: Option<String>,
    notes: BTreeMap<String, (String, String)>,
}

pub struct Notes {
    dice: Dice,
    accounts: BTreeMap<String, String>,
    visits: BTreeMap<String, Visit>,
    pub saved: u64,
}

impl Notes {
    pub fn new(accounts: &[(String, String)], seed: u64) -> Notes {
        Notes {
            dice: Dice::new(seed),
            accounts: accounts.iter().cloned().collect(),
            visits: BTreeMap::new(),
            saved: 0,
        }
    }

    fn visit(&mut self, user: Option<String>) -> (Vec<(String, String)>, String) {
        let (sid, xsrf) = (self.dice.token(32), self.dice.token(40));
        let mut notes = BTreeMap::new();
        for number in 0..if user.is_some() { 4 } else { 0 } {
            let (id, tag) = (self.dice.number().to_string(), self.dice.hex(16));
            notes.insert(id, (format!("Note {number}"), tag));
        }
        let cookies = vec![
            ("Set-Cookie".to_owned(), format!("sid={sid}; Path=/; HttpOnly; SameSite=Lax")),
            ("Set-Cookie".to_owned(), format!("XSRF-TOKEN={xsrf}; Path=/; SameSite=Lax")),
        ];
        self.visits.insert(sid.clone(), Visit { xsrf, user, notes });
        (cookies, sid)
    }
}

impl App for Notes {
    fn answer(&mut self, request: &Request) -> Reply {
        let sid = request.cookie("sid").to_owned();
        let segments = request.segments();
        if request.method == "GET" && request.path == "/" {
            let page =
                Reply::html(200, "<!doctype html><title>Notes</title><script src=\"/app.js\"></script>");
            let fields = if self.visits.contains_key(&sid) { Vec::new() } else { self.visit(None).0 };
            return Reply { fields: [page.fields, fields].concat(), ..page };
        }
        let Some(visit) = self.visits.get(&sid) else {
            return Reply::json(401, &json!({"error": "no session"}));
        };
        let token = request.field("x-xsrf-token");
        if request.method != "GET" && (token != visit.xsrf || token != request.cookie("XSRF-TOKEN")) {
            return Reply::json(403, &json!({"error": "xsrf"}));
        }
        if (request.method.as_str(), request.path.as_str()) == ("POST", "/api/session") {
            let body = request.json();
            let (email, password) = (body["email"].as_str(), body["password"].as_str());
            let account = email.and_then(|email| self.accounts.get_key_value(email));
            let Some((email, _)) = account.filter(|(_, known)| Some(known.as_str()) == password) else {
                return Reply::json(401, &json!({"error": "wrong credentials"}));
            };
            let email = email.clone();
            self.visits.remove(&sid);
            let (fields, _) = self.visit(Some(email));
            let reply = Reply::json(200, &json!({"ok": true, "theme": "dark"}));
            return Reply { fields: [reply.fields, fields].concat(), ..reply };
        }
        if visit.user.is_none() {
            return Reply::json(401, &json!({"error": "log in first"}));
        }
        let Some(visit) = self.visits.get_mut(&sid) else { return Reply::json(401, &json!({})) };
        let tag = request.field("if-match").to_owned();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["api", "notes"]) => {
                let list: Vec<_> = visit
                    .notes
                    .iter()
                    .map(|(id, (title, _))| json!({"id": id.parse::<u64>().unwrap_or(0), "title": title}))
                    .collect();
                Reply::json(200, &json!({"notes": list}))
            }
            ("POST", ["api", "notes"]) => {
                let (id, tag) = (self.dice.number().to_string(), self.dice.hex(16));
                visit.notes.insert(id.clone(), ("New".to_owned(), tag.clone()));
                self.saved += 1;
                Reply::json(201, &json!({"note": {"id": id.parse::<u64>().unwrap_or(0)}}))
                    .with("ETag", &format!("\"{tag}\""))
            }
            ("GET", ["api", "notes", id]) => match visit.notes.get(*id) {
                Some((title, tag)) => Reply::json(200, &json!({"title": title, "text": "…"}))
                    .with("ETag", &format!("\"{tag}\"")),
                None => Reply::json(404, &json!({"error": "no such note"})),
            },
            ("PUT" | "DELETE", ["api", "notes", id]) => {
                let Some((title, known)) = visit.notes.get_mut(*id) else {
                    return Reply::json(404, &json!({"error": "no such note"}));
                };
                if tag != format!("\"{known}\"") {
                    return Reply::json(412, &json!({"error": "changed meanwhile"}));
                }
                self.saved += 1;
                if request.method == "DELETE" {
                    visit.notes.remove(*id);
                    return Reply { status: 204, ..Reply::default() };
                }
                *known = self.dice.hex(16);
                request.json()["title"].as_str().unwrap_or_default().clone_into(title);
                Reply::json(200, &json!({"ok": true})).with("ETag", &format!("\"{known}\""))
            }
            ("DELETE", ["api", "session"]) => {
                self.visits.remove(&sid);
                Reply { status: 204, ..Reply::default() }.with("Set-Cookie", "sid=; Path=/; Max-Age=0")
            }
            _ => Reply::json(404, &json!({"error": "no such page"})),
        }
    }
}

/// One visit, of several kinds.
pub fn visit(address: SocketAddr, dice: &mut Dice, account: &(String, String)) {
    let agent =
        if dice.chance(50) { "Mozilla/5.0 (X11; Linux) Firefox/143.0" } else { "Mozilla/5.0 Chrome/140.0" };
    let mut browser = Browser::to(address, agent);
    browser.get("/").is(200);
    if dice.chance(20) {
        // looks in and leaves
        browser.get("/api/notes").is(401);
        return;
    }
    let json = [("Content-Type", "application/json")];
    let send = |browser: &mut Browser, method: &str, target: &str, tag: &str, body: &str| {
        let token = browser.cookies["XSRF-TOKEN"].clone();
        let mut fields = vec![json[0], ("X-XSRF-TOKEN", token.as_str())];
        if !tag.is_empty() {
            fields.push(("If-Match", tag));
        }
        browser.send(method, target, &fields, body)
    };
    let body = json!({"email": account.0, "password": account.1}).to_string();
    send(&mut browser, "POST", "/api/session", "", &body).is(200);
    let list = browser.get("/api/notes").is(200).json();
    let ids: Vec<u64> =
        list["notes"].as_array().unwrap().iter().map(|note| note["id"].as_u64().unwrap()).collect();
    for _ in 0..=dice.below(3) {
        let id = ids[dice.below(ids.len() as u64 - 1) as usize];
        let tag = browser.get(&format!("/api/notes/{id}")).is(200).field("etag").to_owned();
        if dice.chance(60) {
            send(&mut browser, "PUT", &format!("/api/notes/{id}"), &tag, r#"{"title":"Changed"}"#).is(200);
        }
    }
    if dice.chance(50) {
        let made = send(&mut browser, "POST", "/api/notes", "", r#"{"title":"Milk"}"#).is(201);
        let (id, tag) = (made.json()["note"]["id"].as_u64().unwrap(), made.field("etag").to_owned());
        let tag =
            send(&mut browser, "PUT", &format!("/api/notes/{id}"), &tag, r#"{"title":"Milk, eggs"}"#).is(200);
        let tag = tag.field("etag").to_owned();
        if dice.chance(50) {
            send(&mut browser, "DELETE", &format!("/api/notes/{id}"), &tag, "").is(204);
        }
    }
    if dice.chance(60) {
        send(&mut browser, "DELETE", "/api/session", "", "").is(204);
    }
}

/// Which place holds what.
pub const TRUTH: Truth = &[
    ("cookie:XSRF-TOKEN", Role::HandsOut, "xsrf"),
    ("header:X-XSRF-TOKEN", Role::Takes, "xsrf"),
    ("header:ETag", Role::HandsOut, "tag"),
    ("header:If-Match", Role::Takes, "tag"),
    ("GET /api/notes json:$.notes[*].id", Role::HandsOut, "note"),
    ("POST /api/notes json:$.note.id", Role::HandsOut, "note"),
    ("/api/notes/{id} path:2", Role::Takes, "note"),
];
