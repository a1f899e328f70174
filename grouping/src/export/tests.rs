//! What holds for every language.

use std::path::Path;

use mynah_traffic::scenario::Scenario;

use super::{ExportOptions, Language, exchanges, script};

const FLOW: &str = r#"
version = 1
name = "flow"
[[threshold]]
expr = "GET /items/{id}: p99 < 250ms"
[[threshold]]
expr = "mismatch_rate < 1%"
[[profile]]
name = "buyer"
weight = 3
[[profile.step]]
request = "GET /login"
headers = { Accept = "text/html" }
expect = 200
[[profile.step]]
request = "POST /login"
think = "1.5s"
form = { csrf = "${csrf}", email = "${identity.email:-a@b.example}" }
expect = 303
[[profile.step]]
request = "POST /api/cart"
headers = { Content-Type = "application/json", Authorization = "Bearer ${token}" }
json = '''{"id": ${item}, "note": "it's"}'''
[[profile]]
name = "visitor"
weight = 1
[[profile.step]]
request = "GET /items/${item:-77}?page=2"
[[profile]]
name = "nobody"
weight = 0
[[profile.step]]
request = "GET /never"
[[correlation]]
name = "csrf"
from = ["GET /login input:csrf#*"]
to = ["POST /login form:csrf"]
[[correlation]]
name = "token"
from = ["POST /login header:X-Token"]
to = []
[[correlation]]
name = "item"
from = ["POST /login json:$.items[*].id", "GET /login link:/items/{}#*"]
to = []
[[endpoint]]
match = "GET /items/{id}"
"#;

fn written(language: Language, options: &ExportOptions) -> (String, super::ExportCounts) {
    let scenario = Scenario::parse(FLOW, "flow.toml").unwrap();
    script(&scenario, Path::new(""), language, options).unwrap()
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\n--- is not in\n{text}");
    }
}

#[test]
fn locust() {
    let (text, counts) = written(Language::Locust, &ExportOptions::default());
    has(
        &text,
        &[
            "class BuyerUser(RecordedUser):",
            "    share, pauses, requests = 0.7500, 1.50, 3.0\n",
            "        response = self.send(\"GET\", \"/login\", \"/login\", 200, headers=HEADERS_1)\n",
            "        self.keep(\"csrf\", control_values(response, \"csrf\"))\n",
            "        self.pause(1.5)\n",
            "body=[(\"csrf\", self.value(\"csrf\")), (\"email\", self.login(\"email\", \"a@b.example\"))]",
            "        self.keep(\"token\", header_values(response, \"X-Token\"), which=0)\n",
            "        self.keep(\"item\", json_values(response, \"items\", ANY, \"id\"))\n",
            "\"Authorization\": \"Bearer \" + self.value(\"token\")",
            "'{\"id\": ' + as_json(self.value(\"item\")) + \", \\\"note\\\": \\\"it's\\\"}\"",
            "\"/items/\" + quote(self.value(\"item\", \"77\"), safe=\"\") + \"?page=2\", \"/items/{id}\", None",
        ],
    );
    assert!(
        !text.contains("never") && !text.contains("xml_values"),
        "neither what has no weight nor what is not used"
    );
    assert_eq!((counts.profiles, counts.sessions, counts.requests), (2, 2, 4));
}

#[test]
fn k6() {
    let options = ExportOptions { target: Some("http://127.0.0.1:9/".to_owned()), sessions: None };
    let (text, counts) = written(Language::K6, &options);
    has(
        &text,
        &[
            "(__ENV.TARGET || \"http://127.0.0.1:9\")",
            "\"http_req_duration{name:GET /items/{id}}\": [\"p(99)<250\"],",
            "  { name: \"buyer\", share: 0.7500, pauses: 1.50, requests: 3.0 },",
            "  user.keep(\"csrf\", controlValues(response, \"csrf\"));\n",
            "body: form([[\"csrf\", user.value(\"csrf\")], [\"email\", user.login(\"email\", \"a@b.example\")]])",
            "  user.keep(\"item\", jsonValues(response, [\"items\", ANY, \"id\"]));\n",
            "user.send(\"GET\", \"/items/\" + inPath(user.value(\"item\", \"77\")) + \"?page=2\", \"GET /items/{id}\", null);",
        ],
    );
    assert_eq!(counts.notes, ["k6 has no threshold like 'mismatch_rate < 1%'; it is left out"]);
}

#[test]
fn curl() {
    let (text, _) = written(Language::Curl, &ExportOptions::default());
    has(
        &text,
        &[
            "send 'GET /login' 200 \"$TARGET\"/login",
            "keep csrf 0 < <(control_values csrf)",
            "pause 1.5\n",
            "--data-urlencode 'csrf='\"$(value csrf)\"",
            "--data-urlencode 'email='\"$(printf '%s' a@b.example)\"",
            "--header 'Authorization: Bearer '\"$(value token)\"",
            r#"keep item 0 < <(json_values '.["items"]?[]?["id"]?')"#,
            "\"$TARGET\"/items/\"$(percent \"$(value item 77)\")\"'?page=2'",
        ],
    );
}

#[test]
fn requests_as_exchanges() {
    let scenario = Scenario::parse(FLOW, "flow.toml").unwrap();
    let (all, counts) = exchanges(&scenario, Path::new(""), &ExportOptions::default()).unwrap();
    assert_eq!((all.len(), counts.requests, counts.sessions), (4, 4, 2));
    assert!(all.is_sorted_by_key(|exchange| exchange.times.request_first));
    let statuses: Vec<Option<u16>> = all.iter().map(mynah_traffic::Exchange::status).collect();
    assert_eq!(statuses, [Some(200), None, Some(303), None], "the visitor comes second");
}

#[test]
fn what_speaks_another_protocol_is_said_to_be_left_out() {
    let spoken = "request = \"GET /login\"\nheaders";
    let flow = FLOW
        .replace(spoken, &format!("protocol = \"redis\"\nsend = \"GET stock\"\n[[profile.step]]\n{spoken}"));
    let scenario = Scenario::parse(&flow, "flow.toml").unwrap();
    let (all, counts) = exchanges(&scenario, Path::new(""), &ExportOptions::default()).unwrap();
    assert_eq!((all.len(), counts.requests), (4, 4));
    let left_out = "buyer: 'GET stock' is not in it: it speaks redis, not HTTP".to_owned();
    assert!(counts.notes.contains(&left_out), "{:?}", counts.notes);
    for language in [Language::Locust, Language::K6, Language::Curl] {
        let (_, counts) = script(&scenario, Path::new(""), language, &ExportOptions::default()).unwrap();
        assert!(counts.notes.contains(&left_out), "{:?}", counts.notes);
    }
}
