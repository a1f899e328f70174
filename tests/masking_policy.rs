//! The masking policy: a file of the user's, what the command line says about it, gates and reports.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::common::{Place, fixture, run_json, shop_for};

const POLICY: &str = r#"
[[rule]]
name = "customer reference"
where = ["json:$.customer.ref", "header:X-Customer-Ref", "query:cref", "form:cref", "cookie:cref", "path:1"]
what = "fpe"

[[rule]]
name = "page"
where = ["meta:cref", "attr:p@data-cref", "script:cref", "text:em", "xml:/order/cref", "multipart:cref", "graphql:cref"]
what = "constant"
value = "gone"

[[rule]]
name = "health"
where = "json:$.diagnosis"
what = "reject"
"#;

fn entry(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<(&str, &str)>,
    answer: (&str, &str),
) -> Value {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>()
    };
    let mut request = json!({
        "method": method, "url": format!("http://api.shop.example{path}"), "httpVersion": "HTTP/1.1",
        "headers": pairs(&[&[("Host", "api.shop.example")], headers].concat()),
        "queryString": [], "cookies": [], "headersSize": -1, "bodySize": -1,
    });
    if let Some((kind, text)) = body {
        request["postData"] = json!({"mimeType": kind, "text": text});
    }
    json!({
        "startedDateTime": "2026-01-01T00:00:00.000Z", "time": 1, "request": request,
        "response": {
            "status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "cookies": [], "redirectURL": "",
            "headers": pairs(&[("Content-Type", answer.0)]), "headersSize": -1, "bodySize": -1,
            "content": {"mimeType": answer.0, "text": answer.1, "size": answer.1.len()},
        },
        "cache": {}, "timings": {"send": 0, "wait": 1, "receive": 0},
    })
}

fn har(entries: &[Value]) -> String {
    json!({"log": {"version": "1.2", "creator": {"name": "test", "version": "1"}, "entries": entries}})
        .to_string()
}

fn sample() -> String {
    let html = "<html><head><meta name=\"cref\" content=\"Zebra-12\"></head><body><p data-cref=\"Zebra-13\">a</p>\
                <em>Zebra-14</em><script>var cref = \"Zebra-15\";</script></body></html>";
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"cref\"\r\n\r\nZebra-16\r\n--b--\r\n";
    har(&[
        entry(
            "POST",
            "/c/Zebra-77?cref=Zebra-77",
            &[
                ("X-Customer-Ref", "Zebra-77"),
                ("Cookie", "cref=Zebra-77; theme=dark"),
                ("Content-Type", "application/json"),
            ],
            Some(("application/json", r#"{"customer":{"ref":"Zebra-77"},"password":"open-sesame-9"}"#)),
            ("text/html", html),
        ),
        entry(
            "POST",
            "/form",
            &[("Content-Type", "application/x-www-form-urlencoded")],
            Some(("application/x-www-form-urlencoded", "cref=Zebra-77&a=b")),
            ("application/xml", "<order><cref>Zebra-17</cref></order>"),
        ),
        entry(
            "POST",
            "/upload",
            &[("Content-Type", "multipart/form-data; boundary=b")],
            Some(("multipart/form-data; boundary=b", multipart)),
            ("text/plain", "ok"),
        ),
        entry(
            "POST",
            "/graphql",
            &[("Content-Type", "application/json")],
            Some((
                "application/json",
                r#"{"query":"query($cref:String){a}","variables":{"cref":"Zebra-18"}}"#,
            )),
            ("application/json", "{}"),
        ),
        entry(
            "POST",
            "/d",
            &[("Content-Type", "application/json")],
            Some(("application/json", r#"{"diagnosis":"flu-3"}"#)),
            ("text/plain", "ok"),
        ),
    ])
}

#[test]
fn rules_act_in_every_place_of_a_recording() {
    let place = Place::new();
    place.write("a.har", sample());
    place.write("masking.toml", POLICY);
    let run = place
        .mynah(&[
            "capture",
            "a.har",
            "-o",
            "a.mynah",
            "--policy",
            "masking.toml",
            "--report",
            "r.json",
            "--key-file",
            "k",
        ])
        .ok()
        .says("left out  1 exchange by your rules: 1 health");
    assert!(!run.stderr().contains("Zebra"), "{}", run.stderr());
    let dump = place.mynah(&["inspect", "a.mynah", "--dump"]).ok().stdout();
    assert!(!dump.contains("Zebra") && !dump.contains("flu-3") && !dump.contains("open-sesame"), "{dump}");
    assert!(dump.contains("theme=dark") && dump.matches("gone").count() == 7, "{dump}");
    // One reference in a path, a query, a header, a cookie, JSON and a form: what mask-value says it becomes.
    let line = [
        "mask-value",
        "--key-file",
        "k",
        "--policy",
        "masking.toml",
        "--type",
        "rule:customer reference",
        "Zebra-77",
    ];
    let made = place.mynah(&line).ok().stdout().trim().to_owned();
    assert_eq!(dump.matches(&made).count(), 6, "{made}: {dump}");

    let text = std::fs::read_to_string(place.file("r.json")).unwrap();
    for planted in ["Zebra", "flu-3", "open-sesame", &made] {
        assert!(!text.contains(planted), "{planted}: {text}");
    }
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["exchanges"], 4);
    assert_eq!(report["rejected"], json!({"health": 1}));
    assert_eq!(report["by_rule"]["rule customer reference"], 6);
    assert_eq!(report["by_rule"]["rule page"], 7);
    assert_eq!(report["by_rule"]["name password"], 1);
    assert_eq!(report["by_action"]["fpe"], 6);
    assert_eq!(report["file"]["name"], "a.mynah");
    let bytes = std::fs::read(place.file("a.mynah")).unwrap();
    assert_eq!(report["file"]["bytes"].as_u64().unwrap(), bytes.len() as u64);
    assert_eq!(report["file"]["sha256"].as_str().unwrap().len(), 64);
    let total: u64 =
        report["found"].as_array().unwrap().iter().map(|row| row["spans"].as_u64().unwrap()).sum();
    assert_eq!(
        total,
        report["by_place"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
    );

    place.mynah(&["mask", "a.mynah", "-o", "b.mynah", "--policy", "masking.toml", "--report", "r.txt"]).ok();
    let text = std::fs::read_to_string(place.file("r.txt")).unwrap();
    assert!(text.starts_with("Masking report") && text.contains("rule page"), "{text}");
}

#[test]
fn the_example_is_right_and_can_be_explained() {
    let place = Place::new();
    let example = fixture("masking.toml");
    let text = place.mynah(&["mask", "--explain-policy", "--policy", &example]).ok().stdout();
    for part in [
        "1. customer reference",
        "in responses, on host *.shop.example, below path /v1/*",
        "the whole exchange is left out",
        "Names of headers",
        "Detectors",
        "What stays",
        "64.0 MiB",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    assert_eq!(text, place.mynah(&["mask", "--explain-policy", "--policy", &example]).ok().stdout());
    let own = place.command(&["mask", "--explain-policy"]).env("MYNAH_POLICY", &example).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&own.stdout), text);
    let strict = place.mynah(&["mask", "--explain-policy", "--strict"]).ok().stdout();
    assert!(strict.contains("Resource ids") && !strict.contains("Your rules"), "{strict}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "it does nothing");
}

#[test]
fn one_message_is_tried_out() {
    let place = Place::new();
    place.write("k", "07".repeat(32));
    place.write("masking.toml", POLICY);
    let message = "POST /c/AB-1234?cref=x HTTP/1.1\nHost: a.example\nContent-Type: application/json\n\n\
                   {\"customer\":{\"ref\":\"AB-1234\"},\"card\":\"4111111111111111\",\"ok\":true}\n";
    place.write("r.http", message);
    let line = ["mask", "--try", "r.http", "--policy", "masking.toml", "--key-file", "k"];
    let text = place.mynah(&line).ok().stdout();
    let expected = "\
REQUEST
place                rule                     before               after
path:1               rule customer reference  AB-1234           -> @REF
query:cref           rule customer reference  x                 -> @X
json:$.customer.ref  rule customer reference  AB-1234           -> @REF
json:$.card          detector card            4111111111111111  -> @CARD

POST /c/@REF?cref=@X HTTP/1.1
Host: a.example
Content-Type: application/json

{\"customer\":{\"ref\":\"@REF\"},\"card\":\"@CARD\",\"ok\":true}
";
    let json = place.mynah(&[&line[..], &["--json"]].concat()).ok().json();
    let after = |n: usize| json["changes"][n]["after"].as_str().unwrap().to_owned();
    let expected = expected.replace("@REF", &after(0)).replace("@X", &after(1)).replace("@CARD", &after(3));
    assert_eq!(text, expected);
    assert_eq!(json["changes"][0]["place"], "path:1");
    assert_eq!(json["changes"][0]["action"], "fpe");
    place.write("bad.http", "hello\n");
    place.mynah(&["mask", "--try", "bad.http"]).exits(3).says("bad.http: expected an HTTP message");
    place.mynah(&["mask", "--try", "none.http"]).exits(3);
    place.mynah(&["mask"]).exits(2);
    place.mynah(&["mask", "a.mynah"]).exits(2).says("--output");
}

#[test]
fn a_wrong_policy_costs_nothing() {
    let place = Place::new();
    place.write("a.har", sample());
    place.write("masking.toml", "[[rule]]\nwhere = \"hedaer:X\"\n");
    for line in [
        &["capture", "a.har", "-o", "a.mynah", "--policy", "masking.toml", "--key-file", "k"][..],
        &[
            "capture",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            "http://127.0.0.1:1",
            "-o",
            "a.mynah",
            "--policy",
            "masking.toml",
        ],
    ] {
        place.mynah(line).exits(2).says("masking.toml:2:9: ").says("did you mean 'header'?");
    }
    place.mynah(&["capture", "a.har", "-o", "a.mynah", "--policy", "no.toml"]).exits(2).says("no.toml");
    let live = [
        "capture",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        "http://127.0.0.1:1",
        "-o",
        "a.mynah",
        "--k",
        "3",
    ];
    place.mynah(&live).exits(2).says("needs a file");
    place.mynah(&["capture", "a.har", "-o", "a.mynah", "--unmasked", "--strict"]).exits(2);
    let mut names: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().flatten().map(|f| f.file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.har", "masking.toml"]);
}

#[test]
fn what_is_withheld_can_be_a_failure() {
    let place = Place::new();
    let broken = entry("GET", "/", &[], None, ("application/json", "{\"a\": nonsense"));
    place.write("a.har", har(&[broken]));
    place.mynah(&["capture", "a.har", "-o", "a.mynah"]).ok().says("withheld");
    std::fs::remove_file(place.file("a.mynah")).unwrap();
    place
        .mynah(&["capture", "a.har", "-o", "a.mynah", "--fail-on-quarantine"])
        .exits(12)
        .says("1 part had to be withheld (1 json-broken)");
    let names: Vec<_> = std::fs::read_dir(place.path()).unwrap().flatten().map(|f| f.file_name()).collect();
    assert_eq!(names, ["a.har"], "neither the recording nor a part of it");
}

#[test]
fn a_strict_recording_still_replays() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah", "--key-file", "k", "--strict"]).ok();
    let lines = |file: &str| place.mynah(&["inspect", file, "--exchanges", "--json"]).ok().stdout();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "plain.mynah", "--key-file", "k"]).ok();
    let ids = |text: String| -> std::collections::BTreeSet<String> {
        let target =
            |line: &str| serde_json::from_str::<Value>(line).ok()?["target"].as_str().map(str::to_owned);
        text.lines().filter_map(target).filter(|t| t.starts_with("/items/")).collect()
    };
    let (plain, strict) = (ids(lines("plain.mynah")), ids(lines("shop.mynah")));
    assert!(plain.len() > 20 && plain.len() == strict.len() && plain != strict, "{plain:?} {strict:?}");
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok();
    let shop = shop_for(&place, "k", 4711);
    let line = ["replay", "shop.toml", "--target", &shop.url(), "--rate", "10x", "--for", "3s", "-o", "run"];
    place.mynah(&line).ok();
    let run = run_json(&place.file("run"));
    assert!(run["fidelity"]["status_parity"].as_f64().unwrap() >= 0.99, "{}", run["fidelity"]);
    assert!(shop.counts().orders > 5, "{:?}", shop.counts());
}

#[test]
fn what_few_share_goes_from_files() {
    let place = Place::new();
    let mut log = String::new();
    for client in 1..=6 {
        let _ = writeln!(
            log,
            "192.0.2.{client} - - [01/Jan/2026:00:00:0{client} +0000] \"GET /guides/winter?ref=news HTTP/1.1\" 200 5 \"-\" \"x\""
        );
    }
    log += "192.0.2.9 - - [01/Jan/2026:00:00:09 +0000] \"GET /guides/annsmith?ref=private HTTP/1.1\" 200 5 \"-\" \"x\"\n";
    place.write("access.log", log);
    let line = [
        "capture",
        "access.log",
        "--log-host",
        "shop.example",
        "-o",
        "l.mynah",
        "--k",
        "5",
        "--report",
        "r.json",
    ];
    place.mynah(&line).ok();
    let targets = place.mynah(&["inspect", "l.mynah", "--exchanges"]).ok().stdout();
    assert_eq!(targets.matches("/guides/winter?ref=news").count(), 6, "{targets}");
    assert!(!targets.contains("annsmith") && !targets.contains("private"), "{targets}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(place.file("r.json")).unwrap()).unwrap();
    assert_eq!(report["by_rule"]["shared by fewer than 5"], 2);
}

#[test]
fn a_broken_rule_is_found_by_the_audit_and_nothing_is_sealed() {
    let place = Place::new();
    let secret = "k3J9xQ2mLp0Z-correct-horse";
    let login = json!({"email": "ann@mail.example", "password": secret}).to_string();
    let note = json!({"note": "hello"}).to_string();
    let entries = [
        entry("POST", "/login", &[], Some(("application/json", &login)), ("application/json", "{}")),
        entry("POST", "/notes", &[], Some(("application/json", &note)), ("application/json", "{}")),
    ];
    place.write("in.har", har(&entries));
    // It puts an original back where there was none.
    place.write(
        "broken.toml",
        format!("[[rule]]\nwhere = \"json:$.note\"\nwhat = \"constant\"\nvalue = \"{secret}\"\n"),
    );
    let run = place.mynah(&["capture", "in.har", "-o", "out.mynah", "--policy", "broken.toml"]).exits(12);
    let said = run.stderr();
    assert!(said.contains("masking is not proven") && said.contains("exchange 1, request body"), "{said}");
    assert!(!said.contains(secret), "{said}");
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().flatten().map(|f| f.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("out.mynah")), "{left:?}");
    // Mended, it passes.
    place.write("mended.toml", "[[rule]]\nwhere = \"json:$.note\"\nwhat = \"constant\"\nvalue = \"-\"\n");
    place
        .mynah(&["capture", "in.har", "-o", "out.mynah", "--policy", "mended.toml"])
        .ok()
        .says("audit     passed");
}

#[test]
fn masked_web_tokens_can_be_signed_for_staging() {
    let place = Place::new();
    place.write("staging.secret", "staging-secret\n");
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJlbWFpbCI6ImFubkBtYWlsLmNvbSJ9.c2lnbmF0dXJlLXVuZGVyLWFub3RoZXIta2V5LSE";
    place.write("request.http", format!("GET / HTTP/1.1\nAuthorization: Bearer {token}\n\n"));
    let tried = place.mynah(&["mask", "--try", "request.http", "--jwt-key", "staging.secret"]).ok().stdout();
    let masked = tried.rsplit("Bearer ").next().unwrap().split_whitespace().next().unwrap();
    // What PyJWT and the like do to check it.
    let check = r#"
import base64, hashlib, hmac, sys
signed, _, signature = sys.argv[1].rpartition(".")
right = hmac.new(b"staging-secret", signed.encode(), hashlib.sha256).digest()
sys.exit(base64.urlsafe_b64encode(right).rstrip(b"=").decode() != signature)
"#;
    assert_ne!(masked, token);
    match std::process::Command::new("python3").args(["-c", check, masked]).status() {
        Ok(status) => assert!(status.success(), "{masked}"),
        Err(_) => println!("skipped: there is no python3"),
    }
    place.mynah(&["mask", "--try", "request.http", "--jwt-key", "nothing"]).exits(2).says("nothing");
}

#[test]
fn a_report_replaces_nothing_but_a_report() {
    let place = Place::new();
    let pair = json!({"password": "k3J9xQ2mLp0Z"}).to_string();
    place.write(
        "in.har",
        har(&[entry("POST", "/", &[], Some(("application/json", &pair)), ("application/json", "{}"))]),
    );
    place.write("rules.toml", "[[rule]]\nwhere = \"json:$.a\"\n");
    place.write("notes.txt", "mine");
    let line =
        ["capture", "in.har", "-o", "out.mynah", "--key-file", "k", "--policy", "rules.toml", "--report"];
    for taken in ["in.har", "out.mynah", "./out.mynah", "k", "rules.toml", "notes.txt", "nowhere/r.json"] {
        let before = std::fs::read(place.file(taken)).ok();
        place.mynah(&[&line[..], &[taken]].concat()).exits(2);
        assert_eq!(std::fs::read(place.file(taken)).ok(), before, "{taken}");
    }
    for report in ["r.json", "r.json", "r.txt", "r.txt"] {
        place.mynah(&[&line[..], &[report]].concat()).ok();
    }
}
