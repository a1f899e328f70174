//! Pages from the server, as an older framework makes them: a view state in each form, a form of several steps, and
//! redirects after each POST whose Location holds a token that is good once.
//!
//! Wrong or old view state: 403. Unknown application or reference: 404. A token used twice: 409.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::truth::{Role, Truth};
use super::web::{App, Browser, Dice, Reply, Request};

#[derive(Default)]
struct Visit {
    user: bool,
    /// View states of the forms that it was shown, by path.
    states: BTreeMap<String, (String, String)>,
    tickets: BTreeSet<String>,
    drafts: BTreeSet<String>,
}

pub struct Forms {
    dice: Dice,
    accounts: BTreeMap<String, String>,
    visits: BTreeMap<String, Visit>,
    references: BTreeSet<String>,
    pub handed_in: u64,
}

fn page(title: &str, content: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n<body><nav><a href=\"/\">Home</a> <a \
         href=\"/apply\">Apply</a> <a href=\"/track\">Track</a></nav>\n<h1>{title}</h1>\n{content}\n</body></html>"
    )
}

impl Forms {
    pub fn new(accounts: &[(String, String)], seed: u64) -> Forms {
        Forms {
            dice: Dice::new(seed),
            accounts: accounts.iter().cloned().collect(),
            visits: BTreeMap::new(),
            references: BTreeSet::new(),
            handed_in: 0,
        }
    }

    /// A form with its hidden fields.
    fn form(&mut self, sid: &str, path: &str, fields: &str) -> String {
        let (state, check) = (self.dice.base64(180), self.dice.base64(60));
        if let Some(visit) = self.visits.get_mut(sid) {
            visit.states.insert(path.to_owned(), (state.clone(), check.clone()));
        }
        format!(
            "<form method=\"post\" action=\"{path}\">\n<input type=\"hidden\" name=\"__VIEWSTATE\" value=\"{state}\" \
             />\n<input type=\"hidden\" name=\"__EVENTVALIDATION\" value=\"{check}\" />\n{fields}\n<button \
             type=\"submit\" name=\"go\" value=\"1\">Continue</button></form>"
        )
    }

    fn ticket(&mut self, sid: &str) -> String {
        let ticket = self.dice.token(24);
        if let Some(visit) = self.visits.get_mut(sid) {
            visit.tickets.insert(ticket.clone());
        }
        ticket
    }

    fn get(&mut self, request: &Request, sid: &str) -> Reply {
        let ticket = request.query.get("ticket").cloned();
        let used = ticket.as_ref().is_some_and(|ticket| {
            !self.visits.get_mut(sid).is_some_and(|visit| visit.tickets.remove(ticket))
        });
        if used {
            return Reply::html(409, page("Already seen", "<p>This page was opened before.</p>"));
        }
        let user = self.visits.get(sid).is_some_and(|visit| visit.user);
        let segments = request.segments();
        match segments.as_slice() {
            [""] => Reply::html(200, page("Permits", "<p>Apply for a permit.</p>")),
            ["account", "signin"] => {
                let fields = "<input name=\"email\" value=\"\"><input type=\"password\" name=\"password\">";
                let form = self.form(sid, "/account/signin", fields);
                Reply::html(200, page("Sign in", &form))
            }
            ["account"] if user && ticket.is_some() => Reply::html(200, page("Welcome", "<p>Signed in.</p>")),
            ["apply"] if user => {
                let form = self.form(sid, "/apply", "<input name=\"kind\" value=\"tree\">");
                Reply::html(200, page("Apply: step 1", &form))
            }
            ["apply", draft, step @ ("address" | "confirm")] if user && ticket.is_some() => {
                if !self.visits.get(sid).is_some_and(|visit| visit.drafts.contains(*draft)) {
                    return Reply::html(404, page("Unknown", ""));
                }
                let path = format!("/apply/{draft}/{step}");
                let hidden = format!("<input type=\"hidden\" name=\"draft\" value=\"{draft}\">");
                let form = self.form(sid, &path, &hidden);
                Reply::html(200, page("Apply", &form))
            }
            ["apply", "done", reference] if ticket.is_some() && self.references.contains(*reference) => {
                Reply::html(
                    200,
                    page("Done", &format!("<p>Your reference is <b id=\"ref\">{reference}</b>.</p>")),
                )
            }
            ["track"] => {
                let form = self.form(sid, "/track", "<input name=\"reference\">");
                Reply::html(200, page("Track", &form))
            }
            _ => Reply::html(404, page("Not found", "")),
        }
    }

    fn post(&mut self, request: &Request, sid: &str) -> Reply {
        let form = request.form();
        let text = |name: &str| form.get(name).cloned().unwrap_or_default();
        let states = self.visits.get_mut(sid).and_then(|visit| visit.states.remove(&request.path));
        if states != Some((text("__VIEWSTATE"), text("__EVENTVALIDATION"))) {
            return Reply::html(403, page("Invalid view state", ""));
        }
        let segments = request.segments();
        match segments.as_slice() {
            ["account", "signin"] => {
                if self.accounts.get(&text("email")).is_none_or(|known| *known != text("password")) {
                    return Reply::html(401, page("Wrong password", ""));
                }
                if let Some(visit) = self.visits.get_mut(sid) {
                    visit.user = true;
                }
                Reply::see(302, &format!("/account?ticket={}", self.ticket(sid)))
            }
            ["apply"] => {
                let draft = self.dice.number().to_string();
                if let Some(visit) = self.visits.get_mut(sid) {
                    visit.drafts.insert(draft.clone());
                }
                Reply::see(302, &format!("/apply/{draft}/address?ticket={}", self.ticket(sid)))
            }
            ["apply", draft, step] => {
                if text("draft") != *draft
                    || !self.visits.get(sid).is_some_and(|visit| visit.drafts.contains(*draft))
                {
                    return Reply::html(404, page("Unknown", ""));
                }
                if *step == "address" {
                    return Reply::see(302, &format!("/apply/{draft}/confirm?ticket={}", self.ticket(sid)));
                }
                let reference = format!("PRM-{}", self.dice.number());
                self.references.insert(reference.clone());
                self.handed_in += 1;
                Reply::see(302, &format!("/apply/done/{reference}?ticket={}", self.ticket(sid)))
            }
            ["track"] if self.references.contains(&text("reference")) => {
                Reply::html(200, page("Track", "<p>It is being looked at.</p>"))
            }
            ["track"] => Reply::html(404, page("Track", "<p>There is no such reference.</p>")),
            _ => Reply::html(404, page("Not found", "")),
        }
    }
}

impl App for Forms {
    fn answer(&mut self, request: &Request) -> Reply {
        let mut sid = request.cookie("SESSIONID").to_owned();
        let fresh = !self.visits.contains_key(&sid);
        if fresh {
            sid = self.dice.hex(32);
            self.visits.insert(sid.clone(), Visit::default());
        }
        let reply = if request.method == "POST" { self.post(request, &sid) } else { self.get(request, &sid) };
        if fresh { reply.with("Set-Cookie", &format!("SESSIONID={sid}; Path=/; HttpOnly")) } else { reply }
    }
}

/// Fills in the form of a page, and follows the redirect that comes of it.
fn submit(
    browser: &mut Browser,
    page: &super::web::Answer,
    target: &str,
    more: &[(&str, &str)],
) -> super::web::Answer {
    let (state, check) = (page.hidden("__VIEWSTATE"), page.hidden("__EVENTVALIDATION"));
    let mut form = vec![("__VIEWSTATE", state.as_str()), ("__EVENTVALIDATION", check.as_str())];
    form.extend(more);
    form.push(("go", "1"));
    let answer = browser.post_form(target, &form);
    match answer.field("location").to_owned().as_str() {
        "" => answer,
        location => browser.get(location),
    }
}

/// One visit, of several kinds.
pub fn visit(address: SocketAddr, dice: &mut Dice, account: &(String, String)) {
    let agent =
        if dice.chance(50) { "Mozilla/5.0 (Windows NT 10.0) Edg/140.0" } else { "Mozilla/5.0 Safari/605.1" };
    let mut browser = Browser::to(address, agent);
    browser.get("/").is(200);
    if dice.chance(20) {
        // asks for a reference that somebody made up
        let page = browser.get("/track").is(200);
        submit(&mut browser, &page, "/track", &[("reference", "PRM-1")]).is(404);
        return;
    }
    let page = browser.get("/account/signin").is(200);
    submit(&mut browser, &page, "/account/signin", &[("email", &account.0), ("password", &account.1)])
        .is(200);
    for _ in 0..=dice.below(2) {
        let page = browser.get("/apply").is(200);
        let page = submit(&mut browser, &page, "/apply", &[("kind", "tree")]).is(200);
        if dice.chance(20) {
            // thinks better of it
            browser.get("/").is(200);
            return;
        }
        let draft = page.hidden("draft");
        let target = format!("/apply/{draft}/address");
        let page =
            submit(&mut browser, &page, &target, &[("draft", &draft), ("street", "Mill Lane")]).is(200);
        let target = format!("/apply/{draft}/confirm");
        let done = submit(&mut browser, &page, &target, &[("draft", &draft)]).is(200);
        if dice.chance(50) {
            let reference = done.between("id=\"ref\">", "<");
            let page = browser.get("/track").is(200);
            submit(&mut browser, &page, "/track", &[("reference", &reference)]).is(200);
        }
    }
}

/// Which place holds what.
pub const TRUTH: Truth = &[
    ("input:__VIEWSTATE", Role::HandsOut, "state"),
    ("form:__VIEWSTATE", Role::Takes, "state"),
    ("input:__EVENTVALIDATION", Role::HandsOut, "check"),
    ("form:__EVENTVALIDATION", Role::Takes, "check"),
    ("ticket={}", Role::HandsOut, "ticket"),
    ("query:ticket", Role::Takes, "ticket"),
    ("location:/apply/{}/address", Role::HandsOut, "draft"),
    ("location:/apply/{}/confirm", Role::HandsOut, "draft"),
    ("link:/apply/{}/address", Role::HandsOut, "draft"),
    ("link:/apply/{}/confirm", Role::HandsOut, "draft"),
    ("attr:form@action", Role::HandsOut, "draft"),
    ("input:draft", Role::HandsOut, "draft"),
    ("form:draft", Role::Takes, "draft"),
    ("/address path:1", Role::Takes, "draft"),
    ("/confirm path:1", Role::Takes, "draft"),
    ("location:/apply/done/{}", Role::HandsOut, "reference"),
    ("text:b", Role::HandsOut, "reference"),
    ("path:2", Role::Takes, "reference"),
    ("form:reference", Role::Takes, "reference"),
];
