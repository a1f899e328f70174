//! Scenarios and recordings become other tools' files: valid, with the scenario's mix, and they run.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use mynah_traffic::scenario::{EndpointEntry, Scenario};
use serde_json::Value;

use crate::common::{Anything, Place, fixture, shop_for};

/// The fixture's scenario, `s.toml`, under the key `k`.
fn scenario(place: &Place) -> Scenario {
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "t.mynah", "--key-file", "k"]).ok();
    place.mynah(&["profile", "t.mynah", "-o", "s.toml"]).ok();
    Scenario::load(place.file("s.toml")).unwrap()
}

/// Share of each endpoint, in percent.
fn shares(counts: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let total: f64 = counts.values().sum();
    counts.iter().map(|(name, count)| (name.clone(), count / total * 100.0)).collect()
}

fn recorded_mix(scenario: &Scenario) -> BTreeMap<String, f64> {
    let count = |one: &EndpointEntry| (one.endpoint.to_string(), one.requests.unwrap() as f64);
    shares(&scenario.endpoints.iter().map(count).collect())
}

#[track_caller]
fn same_mix(scenario: &Scenario, counts: &BTreeMap<String, f64>, what: &str) {
    let (wanted, got) = (recorded_mix(scenario), shares(counts));
    let mut furthest = 0.0_f64;
    for name in wanted.keys().chain(got.keys()) {
        let of = |mix: &BTreeMap<String, f64>| mix.get(name).copied().unwrap_or_default();
        let apart = (of(&wanted) - of(&got)).abs();
        furthest = furthest.max(apart);
        assert!(apart <= 2.0, "{what}: {name} is {:.2} % and was {:.2} %", of(&got), of(&wanted));
    }
    println!("{what}: no endpoint's share is further than {furthest:.2} points from the recorded one");
}

/// Whether a tool is there; says so where it is not.
pub fn there_is(tool: &str) -> bool {
    let look = Command::new("sh").args(["-c", "command -v \"$0\"", tool]).stdout(Stdio::null()).status();
    let found = look.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: there is no {tool} here");
    }
    found
}

#[track_caller]
fn runs(place: &Place, command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).current_dir(place.path()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command} {args:?}\n{text}");
    text
}

/// Each tool's own word on whether the file is one of its language.
fn valid(place: &Place) {
    if there_is("python3") {
        runs(place, "python3", &["-m", "py_compile", "s.py"]);
    }
    if there_is("node") {
        runs(place, "node", &["--check", "s.mjs"]);
    }
    if there_is("bash") {
        runs(place, "bash", &["-n", "s.sh"]);
    }
}

fn export_all(place: &Place, input: &str, options: &[&str]) {
    for (format, output) in [("locust", "s.py"), ("k6", "s.mjs"), ("curl", "s.sh")] {
        place.mynah(&[&["export", input, "--format", format, "-o", output], options].concat()).ok();
    }
}

#[test]
fn scripts_are_valid_and_send_the_recorded_mix() {
    let place = Place::new();
    let scenario = scenario(&place);
    export_all(&place, "s.toml", &[]);
    valid(&place);
    // counted in the script: each step by its session's share of the runs
    let text = std::fs::read_to_string(place.file("s.mjs")).unwrap();
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for part in text.split("\nexport function ").skip(1) {
        let name = part.split('(').next().unwrap();
        let profile = format!("name: \"{name}\", share: ");
        let share = text.split(&profile).nth(1).unwrap().split(',').next().unwrap();
        let share: f64 = share.parse().unwrap();
        let sessions = part.matches("\nfunction ").count() as f64;
        for endpoint in recorded_mix(&scenario).keys() {
            let named = format!("\"{endpoint}\", ");
            let steps = part.match_indices(&named);
            let steps = steps
                .filter(|(at, found)| part[at + found.len()..].starts_with(|c: char| c.is_ascii_digit()));
            *counts.entry(endpoint.clone()).or_default() += share * steps.count() as f64 / sessions;
        }
    }
    same_mix(&scenario, &counts, "k6, as written");
}

#[test]
fn curl_commands_go_through_the_shop() {
    if !["bash", "curl", "jq", "awk"].into_iter().all(there_is) {
        return;
    }
    let place = Place::new();
    scenario(&place);
    export_all(&place, "s.toml", &[]);
    let shop = shop_for(&place, "k", 5);
    let output =
        Command::new("bash").args(["s.sh", &shop.url()]).env("THINK", "0").current_dir(place.path()).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shop.counts().orders >= 1 && shop.counts().logins_ok >= 1, "{:?}", shop.counts());
}

#[test]
fn the_locust_file_runs() {
    let locust = std::env::var("MYNAH_LOCUST").unwrap_or_else(|_| "locust".to_owned());
    if !there_is(&locust) {
        return;
    }
    let place = Place::new();
    let scenario = scenario(&place);
    export_all(&place, "s.toml", &[]);
    let shop = shop_for(&place, "k", 6);
    let args = ["-f", "s.py", "--headless", "-u", "12", "-r", "12", "--csv", "l", "-t", "60s", "--host"];
    let output = Command::new(&locust)
        .args(args)
        .arg(shop.url())
        .env("SESSIONS", "240")
        .env("THINK", "0")
        .current_dir(place.path())
        .output()
        .unwrap();
    let mut counts = BTreeMap::new();
    let (mut requests, mut failures) = (0.0, 0.0);
    for row in csv::Reader::from_path(place.file("l_stats.csv")).unwrap().records() {
        let row = row.unwrap();
        let number = |column: usize| row[column].parse::<f64>().unwrap();
        if &row[1] == "Aggregated" {
            (requests, failures) = (number(2), number(3));
        } else {
            counts.insert(format!("{} {}", &row[0], &row[1]), number(2));
        }
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(requests > 2000.0 && failures / requests <= 0.01, "{failures} of {requests} failed\n{said}");
    assert!(output.status.success(), "{said}");
    same_mix(&scenario, &counts, "Locust, as run");
    assert!(shop.counts().orders > 20, "{:?}", shop.counts());
}

#[test]
fn the_k6_script_runs() {
    let k6 = std::env::var("MYNAH_K6").unwrap_or_else(|_| "k6".to_owned());
    if !there_is(&k6) {
        return;
    }
    let place = Place::new();
    let scenario = scenario(&place);
    let text = std::fs::read_to_string(place.file("s.toml")).unwrap();
    let thresholds =
        "[[threshold]]\nexpr = \"failure_rate < 1%\"\n[[threshold]]\nexpr = \"GET /items/{id}: p99 < 30s\"\n";
    place.write("s.toml", text + "\n" + thresholds);
    export_all(&place, "s.toml", &[]);
    let shop = shop_for(&place, "k", 7);
    let target = format!("TARGET={}", shop.url());
    let settings = ["-e", &target, "-e", "SESSIONS=240", "-e", "USERS=12", "-e", "THINK=0"];
    runs(
        &place,
        &k6,
        &[&["run", "--quiet", "--out", "json=k.json", "--no-usage-report"], &settings[..], &["s.mjs"]]
            .concat(),
    );
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for line in std::fs::read_to_string(place.file("k.json")).unwrap().lines() {
        let point: Value = serde_json::from_str(line).unwrap();
        if point["type"] == "Point" && point["metric"] == "http_reqs" {
            let name = point["data"]["tags"]["name"].as_str().unwrap().to_owned();
            *counts.entry(name).or_default() += 1.0;
        }
    }
    same_mix(&scenario, &counts, "k6, as run");
    assert!(shop.counts().orders > 20, "{:?}", shop.counts());
}

/// What every entry must have, [HAR 1.2](http://www.softwareishard.com/blog/har-12-spec/).
fn is_har(har: &Value) {
    let log = &har["log"];
    assert_eq!(log["version"], "1.2");
    assert!(log["creator"]["name"].is_string() && log["creator"]["version"].is_string());
    for entry in log["entries"].as_array().unwrap() {
        let (request, response) = (&entry["request"], &entry["response"]);
        assert!(
            entry["startedDateTime"].as_str().unwrap().contains('T') && entry["time"].is_number(),
            "{entry}"
        );
        assert!(entry["cache"].is_object());
        for text in ["method", "url", "httpVersion"] {
            assert!(request[text].is_string(), "{text}: {entry}");
        }
        for text in ["statusText", "httpVersion", "redirectURL"] {
            assert!(response[text].is_string(), "{text}: {entry}");
        }
        assert!(response["status"].is_u64());
        for list in [
            &request["cookies"],
            &request["headers"],
            &request["queryString"],
            &response["cookies"],
            &response["headers"],
        ] {
            let all = list.as_array().unwrap();
            assert!(all.iter().all(|pair| pair["name"].is_string() && pair["value"].is_string()), "{entry}");
        }
        for size in
            [&request["headersSize"], &request["bodySize"], &response["headersSize"], &response["bodySize"]]
        {
            assert!(size.is_i64(), "{entry}");
        }
        assert!(response["content"]["size"].is_u64() && response["content"]["mimeType"].is_string());
        if let Some(data) = request.get("postData") {
            assert!(data["mimeType"].is_string() && data["text"].is_string() && data["params"].is_array());
        }
        for phase in ["send", "wait", "receive"] {
            assert!(entry["timings"][phase].as_f64().unwrap() >= 0.0, "{entry}");
        }
    }
}

#[test]
fn a_recording_survives_the_way_through_har() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "a.mynah", "--unmasked"]).ok();
    place.mynah(&["export", "a.mynah", "--format", "har", "-o", "a.har"]).ok().says("--unmasked");
    is_har(&serde_json::from_str(&std::fs::read_to_string(place.file("a.har")).unwrap()).unwrap());
    place.mynah(&["capture", "a.har", "-o", "b.mynah", "--unmasked"]).ok();
    let told = |file: &str| {
        let mut all: Vec<String> = Vec::new();
        for line in place.mynah(&["inspect", file, "--exchanges", "--json"]).ok().stdout().lines() {
            let one: Value = serde_json::from_str(line).unwrap();
            // a HAR's times are in milliseconds, and its bodies are decoded
            all.push(format!(
                "{} {} {} {} {}",
                one["method"], one["host"], one["target"], one["status"], one["request_body_bytes"]
            ));
        }
        all.sort();
        all
    };
    assert_eq!(told("a.mynah"), told("b.mynah"));
    place
        .mynah(&["export", "a.mynah", "--format", "har", "-o", "e.har.gz", "--include", "status >= 300"])
        .ok();
    assert!(std::fs::read(place.file("e.har.gz")).unwrap().starts_with(&[0x1f, 0x8b]));
}

#[test]
fn scenarios_and_recordings_are_both_taken() {
    let place = Place::new();
    scenario(&place);
    // a recording is grouped first
    export_all(&place, "t.mynah", &["--sessions", "6", "--target", "http://127.0.0.1:1"]);
    valid(&place);
    let text = std::fs::read_to_string(place.file("s.py")).unwrap();
    assert!(
        text.contains("    host = \"http://127.0.0.1:1\"\n") && text.contains("t.mynah (masked)"),
        "{text}"
    );
    place
        .mynah(&["export", "s.toml", "--format", "har", "-o", "s.har", "--sessions", "9"])
        .ok()
        .says("of 240 sessions");
    is_har(&serde_json::from_str(&std::fs::read_to_string(place.file("s.har")).unwrap()).unwrap());
    // wrong usage is told
    place.write("mine.py", "print('mine')\n");
    place
        .mynah(&["export", "s.toml", "--format", "locust", "-o", "mine.py"])
        .exits(2)
        .says("holds something else");
    place
        .mynah(&["export", "s.toml", "--format", "locust", "-o", "s.sessions"])
        .exits(2)
        .says("is an input, too");
    place
        .mynah(&["export", "s.toml", "--format", "k6", "-o", "x", "--target", "example"])
        .exits(2)
        .says("expected a URL");
    place
        .mynah(&["export", "t.mynah", "--format", "har", "-o", "x", "--sessions", "2"])
        .exits(2)
        .says("--include");
    place
        .mynah(&["export", "s.toml", "--format", "gor", "-o", "x", "--target", "http://a"])
        .exits(2)
        .says("--target is for scripts");
    std::fs::remove_file(place.file("s.sessions")).unwrap();
    place.mynah(&["export", "s.toml", "--format", "k6", "-o", "y.mjs"]).exits(3).says("s.sessions");
}

#[test]
fn nothing_of_the_traffic_is_carried_out() {
    let evil = "\"'`${IFS}$(touch pwned)`touch pwned`\\\"\"\"+__import__('os').system('touch pwned')+\"\"\"*/${process.exit(9)}#{1}\u{2028}\u{202e}; touch pwned";
    // a string of JSON is one of TOML
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    let server = Anything::start();
    let place = Place::new();
    let file = format!(
        "version = 1\nname = {evil}\n[[profile]]\nname = {evil}\nweight = 1\n\
         [[profile.step]]\nrequest = \"POST /a'b\\\"c$(touch${{x:-y}}pwned)`touch`\"\nform = {{ {evil} = {evil_value}, a = \"${{x:-1}}\" }}\n\
         headers = {{ X-Evil = {evil}, Cookie = {cookie} }}\n\
         [[profile.step]]\nrequest = \"PUT /b\"\nbody = {evil}\n[[profile.step]]\nrequest = \"GET /c\"\nheaders = {{ X-Value = \"${{x}}\" }}\n\
         [[correlation]]\nname = \"x\"\nfrom = [\"PUT /b json:$['a\\\\'b$(touch pwned)\\\"'][0]\", \"PUT /b input:$(touch pwned)'\\\"\"]\nto = []\n",
        evil = quoted(evil),
        evil_value = quoted(&evil.replace("${", "$ {")),
        cookie = quoted("c=$(touch pwned)'\"`touch pwned`")
    )
    .replace(&quoted(evil), &quoted(&evil.replace("${", "$ {")));
    place.write("s.toml", file);
    export_all(&place, "s.toml", &[]);
    valid(&place);
    if there_is("python3") {
        // every text is there as it was, as a constant of the language
        let look = "import ast; tree = ast.parse(open('s.py').read()); evil = open('evil').read(); \
                    assert any(isinstance(n, ast.Constant) and n.value == evil for n in ast.walk(tree)); \
                    names = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}; \
                    assert not names & {'eval', 'exec', '__import__', 'compile'}, names";
        place.write("evil", evil.replace("${", "$ {"));
        runs(&place, "python3", &["-c", look]);
    }
    if ["bash", "curl"].into_iter().all(there_is) {
        let run = Command::new("bash")
            .args(["s.sh", &server.url()])
            .env("THINK", "0")
            .current_dir(place.path())
            .output()
            .unwrap();
        assert_eq!(
            server.requests(),
            3,
            "{}\n{}",
            String::from_utf8_lossy(&run.stdout),
            String::from_utf8_lossy(&run.stderr)
        );
    }
    let written: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().flatten().map(|file| file.file_name()).collect();
    assert!(!written.iter().any(|name| name.to_string_lossy().contains("pwned")), "{written:?}");
}
