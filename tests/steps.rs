//! What a person writes by hand: names, tags, beginnings and ends, weights, waits, rows, extraction, checks; each as it arrives at a
//! server.

use std::collections::BTreeMap;
use std::time::Instant;

mod files;

use serde_json::Value;

use crate::common::site::{Request, Site, reply};
use crate::common::{Place, Run, run_json};

/// Answers by the path: a page, JSON, a redirect, an error.
fn answer(request: &Request, number: usize) -> String {
    let (status, kind, fields, body) = match request.path().rsplit('/').next().unwrap_or("") {
        "login" if request.line.starts_with("POST") => {
            ("303 See Other", "text/plain", String::new(), String::new())
        }
        "login" => (
            "200 OK",
            "text/html",
            format!("Set-Cookie: sid=s{number}\r\n"),
            format!("<form><input name=csrf value='c{number}'></form>Thanks, order-{number} order-0"),
        ),
        "data" | "items" => (
            "200 OK",
            "application/json",
            String::new(),
            format!("{{\"token\":\"t{number}\",\"total\":3,\"items\":[{{\"id\":{number}}},{{\"id\":8}}]}}"),
        ),
        "made" => ("302 Found", "text/plain", format!("Location: /orders/{number}\r\n"), String::new()),
        "gone" => ("404 Not Found", "text/plain", String::new(), "no".to_owned()),
        _ => ("200 OK", "text/plain", String::new(), "ok".to_owned()),
    };
    reply(status, &format!("Content-Type: {kind}\r\n{fields}"), &body)
}

const HEAD: &str = "version = 1\nname = \"hand\"\n";

/// Writes a scenario and plays it with these flags; the run, and what came.
fn play(place: &Place, text: &str, flags: &[&str]) -> (Run, Site) {
    place.write("s.toml", format!("{HEAD}{text}"));
    let site = Site::start(answer);
    let args = ["replay", "s.toml", "--target", &site.url()];
    let threads: &[&str] = if flags.contains(&"--threads") { &[] } else { &["--threads", "2"] };
    let once = flags.contains(&"--trace");
    let out: &[&str] = if once { &[] } else { &["-o", "run", "--force"] };
    let run = place.mynah(&[&args[..], threads, flags, out].concat());
    (run, site)
}

fn trace(place: &Place, text: &str, flags: &[&str]) -> (Run, Site) {
    play(place, text, &[&["--once", "--trace"], flags].concat())
}

fn names(run: &Value) -> Vec<String> {
    let name = |one: &Value| format!("{} {}", one["method"].as_str().unwrap(), one["name"].as_str().unwrap());
    let mut names: Vec<String> = run["endpoints"].as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn names_group_and_tags_choose() {
    let place = Place::new();
    let text = "[[profile]]\nname = \"a\"\ntags = [\"all\"]\n[[profile.step]]\nrequest = \"GET /item/1?x=1\"\nname = \"an item\"\n\
        tags = [\"read\", \"smoke\"]\n[[profile.step]]\nrequest = \"GET /item/2\"\nname = \"an item\"\ntags = [\"read\"]\n\
        [[profile.step]]\nrequest = \"POST /buy\"\ntags = [\"write\"]\n[[profile]]\nname = \"b\"\n[[profile.step]]\nrequest = \"GET /b\"\n\
        [[threshold]]\nexpr = \"GET an item: failure_rate < 1%\"\n";
    let rate = ["--rate", "20/s", "--for", "1s"];
    play(&place, text, &rate).0.ok();
    let run = run_json(&place.file("run"));
    assert_eq!(names(&run), ["GET /b", "GET an item", "POST /buy"]);
    assert_eq!(run["thresholds"][0]["ok"], true);
    let (run, site) = trace(&place, text, &["--tag", "smoke"]);
    assert!(run.ok().stdout().contains("name  an item"));
    assert_eq!(site.lines(), ["GET /item/1?x=1"]);
    let (_, site) = trace(&place, text, &["--tag", "all", "--skip-tag", "write"]);
    assert_eq!(site.lines(), ["GET /item/1?x=1", "GET /item/2"]);
    let (_, site) = trace(&place, text, &["--skip-tag", "all"]);
    assert_eq!(site.lines(), ["GET /b"]);
    let (run, _) = trace(&place, text, &["--tag", "smok"]);
    run.exits(2).says("tag 'smok': no profile and no step has it (there are: all, read, smoke, write); did you mean 'smoke'?");
    let (run, _) = trace(&place, text, &["--tag", "smoke", "--skip-tag", "read"]);
    run.exits(2).says("nothing is left to play");
}

const LIFE: &str = "[[profile]]\nname = \"a\"\n[[profile.on_start]]\nrequest = \"GET /login\"\nextract = { csrf = \"input:csrf\" }\n\
    [[profile.step]]\nrequest = \"GET /work?csrf=${csrf}\"\nthink = \"100ms\"\n[[profile.on_stop]]\nrequest = \"GET /bye?csrf=${csrf}\"\n";

#[test]
fn users_begin_and_end_once_and_keep_what_they_have() {
    let place = Place::new();
    let (run, site) = play(&place, LIFE, &["--users", "3", "--for", "2s"]);
    run.ok();
    let mut by_user: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let kept = site.kept();
    assert_eq!(kept.iter().filter(|one| one.line == "GET /login").count(), 3);
    for one in kept.iter().filter(|one| one.line != "GET /login") {
        by_user.entry(one.field("cookie").to_owned()).or_default().push(one.line.clone());
    }
    assert_eq!(by_user.len(), 3, "each user has its cookie for all its sessions: {by_user:?}");
    for (cookie, targets) in &by_user {
        let csrf = cookie.replace("sid=s", "c");
        let (bye, work) = targets.split_last().unwrap();
        assert_eq!(*bye, format!("GET /bye?csrf={csrf}"));
        assert!(
            work.len() > 3 && work.iter().all(|one| *one == format!("GET /work?csrf={csrf}")),
            "{targets:?}"
        );
    }
    let run = run_json(&place.file("run"));
    assert_eq!((run["failures"].as_u64(), run["requests"].as_u64()), (Some(0), Some(kept.len() as u64)));
    // Where sessions arrive each is a new user's.
    let (run, site) = play(&place, LIFE, &["--rate", "10/s", "--for", "1s"]);
    run.ok();
    let counts = site.counts();
    let count =
        |what: &str| counts.iter().filter(|(target, _)| target.contains(what)).map(|(_, n)| n).sum::<usize>();
    assert!(
        count("login") > 0 && count("login") == count("work") && count("work") == count("bye"),
        "{counts:?}"
    );
    assert!(counts.iter().all(|(target, n)| target == "GET /login" || *n == 1), "{counts:?}");
}

#[test]
fn a_session_that_is_cut_off_still_ends() {
    let place = Place::new();
    let text = LIFE.replace("100ms", "1h");
    let (run, site) = play(&place, &text, &["--users", "2", "--for", "1s"]);
    run.ok();
    let counts = site.counts();
    assert_eq!((counts["GET /login"], counts.len()), (2, 3), "{counts:?}");
    assert!(counts.keys().filter(|target| target.starts_with("GET /bye?csrf=c")).count() == 2, "{counts:?}");
}

#[test]
fn the_trace_shows_beginning_and_end() {
    let place = Place::new();
    let (run, site) = trace(&place, LIFE, &[]);
    let said = run.ok().stdout();
    assert!(
        said.contains("1/3  on_start  GET ")
            && said.contains("3/3  on_stop  GET ")
            && said.contains("keeps csrf = c1"),
        "{said}"
    );
    assert_eq!(site.lines(), ["GET /login", "GET /work?csrf=c1", "GET /bye?csrf=c1"]);
}

const WEIGHTED: &str = "[[profile]]\nname = \"a\"\norder = \"weighted\"\nsteps_per_session = 10\n[[profile.step]]\nrequest = \"GET /a\"\nweight = 3\n\
    [[profile.step]]\nrequest = \"GET /b\"\n[[profile.step]]\nrequest = \"GET /never\"\nweight = 0\n";

#[test]
fn steps_are_drawn_by_weight_and_the_same_by_the_same_seed() {
    let place = Place::new();
    let drawn = |flags: &[&str]| {
        let (run, site) = play(&place, WEIGHTED, &[&["--rate", "40/s", "--for", "2s"], flags].concat());
        run.ok();
        site.counts()
    };
    let counts = drawn(&[]);
    let (a, b) = (counts["GET /a"], counts["GET /b"]);
    assert!((a + b) % 10 == 0 && a + b > 300 && counts.len() == 2, "{counts:?}");
    assert!((a as f64 / (a + b) as f64 - 0.75).abs() < 0.06, "{counts:?}");
    assert_eq!(drawn(&["--threads", "1"]), counts, "whatever the threads");
    assert_ne!(drawn(&["--seed", "2"]), counts);
    let mut shards: BTreeMap<String, usize> = BTreeMap::new();
    for shard in ["1/2", "2/2"] {
        for (target, count) in drawn(&["--shard", shard]) {
            *shards.entry(target).or_default() += count;
        }
    }
    assert_eq!(shards, counts, "whatever the shards");
    // Without an end, users go on until the run ends; sessions that arrive cannot.
    let endless = WEIGHTED.replace("steps_per_session = 10\n", "wait = \"constant 50ms\"\n");
    let (run, site) = play(&place, &endless, &["--users", "2", "--for", "2s"]);
    run.ok();
    assert!(site.lines().len() > 20, "{:?}", site.counts());
    assert_eq!(run_json(&place.file("run"))["profiles"][0]["sessions"], 2);
    play(&place, &endless, &["--rate", "1/s", "--for", "1s"])
        .0
        .exits(2)
        .says("give it steps_per_session = 10");
}

#[test]
fn some_profiles_have_a_number_of_users() {
    let place = Place::new();
    let profile = |name: &str, rest: &str| {
        format!(
            "[[profile]]\nname = \"{name}\"\n{rest}wait = \"constant 100ms\"\n[[profile.step]]\nrequest = \"GET /{name}\"\nheaders = {{ U = \"${{vary.u}}\" }}\n[[profile.on_start]]\nrequest = \"GET /start-{name}\"\n"
        )
    };
    let text = format!(
        "{}{}{}[vary.u]\nmake = \"{{n}}\"\n",
        profile("fixed", "users = 3\n"),
        profile("x", "weight = 2\n"),
        profile("y", "")
    );
    play(&place, &text, &["--users", "9", "--for", "1s"]).0.ok();
    let (run, site) = play(&place, &text, &["--users", "9", "--for", "1s"]);
    run.ok();
    let counts = site.counts();
    assert_eq!(
        (counts["GET /start-fixed"], counts["GET /start-x"], counts["GET /start-y"]),
        (3, 4, 2),
        "{counts:?}"
    );
    play(&place, &text, &["--users", "2", "--for", "1s"]).0.exits(2).says("want 3 together, and there are 2");
    let (run, _) = play(&place, &text, &["--rate", "5/s", "--for", "1s"]);
    run.ok().says("profile 'fixed': 'users' is for users who come back");
}

#[test]
fn users_keep_their_pace() {
    let place = Place::new();
    let times = |wait: &str, flags: &[&str]| {
        let text = format!(
            "[[profile]]\nname = \"a\"\nwait = \"{wait}\"\n[[profile.step]]\nrequest = \"GET /one\"\n[[profile.step]]\nrequest = \"GET /two\"\nthink = \"50ms..150ms\"\n"
        );
        let (run, site) = play(&place, &text, &[&["--users", "1", "--for", "4s"], flags].concat());
        run.ok();
        let kept = site.kept();
        let of = |target: &str| {
            let at: Vec<Instant> = kept.iter().filter(|one| one.line == target).map(|one| one.at).collect();
            at.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect::<Vec<f64>>()
        };
        of("GET /one")
    };
    // A busy machine may be late, even with the first: what lies between is a little shorter then, but not all of it.
    for (wait, least) in [
        ("pacing 500ms", 0.5),
        ("throughput 2/s", 0.5),
        ("constant 400ms", 0.45),
        ("between 300ms 400ms", 0.35),
    ] {
        let gaps = times(wait, &[]);
        let all: f64 = gaps.iter().sum();
        assert!(gaps.len() >= 2 && all >= least * gaps.len() as f64 - 0.4, "{wait}: {gaps:?}");
        assert!(gaps.len() <= (4.0 / least) as usize, "{wait}: {gaps:?}");
    }
    let gaps = times("between 1s 2s", &["--think-time", "0"]);
    assert!(gaps.len() > 20, "a flag takes pauses away: {gaps:?}");
}

const PEOPLE: &str = "email,name\na@x.example,Ann\nb@x.example,Bob\nc@x.example,Cyd\n";

#[test]
fn each_session_has_its_row() {
    let place = Place::new();
    place.write("people.csv", PEOPLE);
    let text = |pick: &str| {
        format!(
            "[[profile]]\nname = \"a\"\n[[profile.step]]\nrequest = \"GET /hi?who=${{data.people.name}}-${{data.people.email}}\"\n[[profile.step]]\nrequest = \"POST /hi\"\njson = '{{\"name\": \"${{data.people.name}}\"}}'\n[[profile]]\nname = \"other\"\n[[profile.step]]\nrequest = \"GET /other\"\n[data.people]\nfile = \"people.csv\"\npick = \"{pick}\"\n"
        )
    };
    for pick in ["cycle", "shuffle"] {
        let (run, site) = play(&place, &text(pick), &["--rate", "60/s", "--for", "2s"]);
        run.ok();
        let counts = site.counts();
        let who: Vec<usize> = ["Ann-a%40x.example", "Bob-b%40x.example", "Cyd-c%40x.example"]
            .iter()
            .map(|who| {
                let found = |target: &&String| target.replace("%40", "@").ends_with(&who.replace("%40", "@"));
                counts.iter().filter(|(target, _)| found(target)).map(|(_, count)| *count).sum()
            })
            .collect();
        let (most, least) = (who.iter().max().unwrap(), who.iter().min().unwrap());
        assert!(
            *least > 10 && most - least <= 1,
            "rows go round among the sessions that have one: {counts:?}"
        );
        let kept = site.kept();
        let names =
            |name: &str| kept.iter().filter(|one| one.body == format!("{{\"name\": \"{name}\"}}")).count();
        assert_eq!([names("Ann"), names("Bob"), names("Cyd")], [who[0], who[1], who[2]], "one row a session");
    }
    let (run, site) = play(&place, &text("once"), &["--rate", "30/s", "--for", "1s"]);
    run.ok();
    assert_eq!(
        site.counts()
            .iter()
            .filter(|(target, _)| target.starts_with("GET /hi"))
            .map(|(_, n)| n)
            .sum::<usize>(),
        3
    );
    let run = run_json(&place.file("run"));
    let reasons = run["reasons"].to_string();
    assert!(
        reasons.contains("sessions were not begun: [data.people] has 3 rows, and each is sent once"),
        "{reasons}"
    );
    assert_eq!(run["profiles"][0]["sessions"], 3);
    // Users who have nothing left end the run.
    let alone = text("once")
        .replace("[[profile]]\nname = \"other\"\n[[profile.step]]\nrequest = \"GET /other\"\n", "");
    let begun = Instant::now();
    let (run, site) = play(&place, &alone, &["--users", "2", "--for", "10m"]);
    run.ok();
    assert_eq!(site.lines().len(), 6);
    assert!(begun.elapsed().as_secs() < 300);
}

#[test]
fn who_began_with_a_row_keeps_it() {
    let place = Place::new();
    place.write("people.csv", PEOPLE);
    let text = "[[profile]]\nname = \"a\"\nwait = \"constant 100ms\"\n[[profile.on_start]]\nrequest = \"GET /login?as=${data.people.name}\"\n[[profile.step]]\nrequest = \"GET /me?as=${data.people.name}\"\n[data.people]\nfile = \"people.csv\"\n";
    let (run, site) = play(&place, text, &["--users", "3", "--for", "1s"]);
    run.ok();
    let kept = site.kept();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for one in kept.iter().filter(|one| one.line.starts_with("GET /me")) {
        let name = one.line.split_once("as=").unwrap().1;
        assert_eq!(*seen.entry(one.field("cookie")).or_insert(name), name, "{kept:?}");
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn values_are_taken_from_answers_and_sent() {
    let place = Place::new();
    let text = "[[profile]]\nname = \"a\"\n[[profile.step]]\nrequest = \"GET /login\"\nextract = { csrf = \"css:input[name=csrf]@value\", id = 'regex:order-(\\d+)' }\n\
        [[profile.step]]\nrequest = \"GET /data\"\nextract = { token = \"json:$.token\", items = \"json:$.items[*].id\", maybe = { from = \"json:$.none\", optional = true } }\n\
        [[profile.step]]\nrequest = \"POST /made\"\nexpect = 302\nheaders = { Authorization = \"Bearer ${token}:${csrf}\" }\njson = '{\"id\": ${items[1]}, \"both\": \"${id}/${id[1]}\"}'\nextract = { place = \"header:Location\" }\n\
        [[profile.step]]\nrequest = \"GET /see/${id}-${items}?at=${place}&m=${maybe:-none}\"\n";
    let (run, site) = trace(&place, text, &[]);
    let said = run.ok().stdout();
    let kept = site.kept();
    assert_eq!(kept[2].field("authorization"), "Bearer t2:c1");
    assert_eq!(kept[2].body, "{\"id\": 8, \"both\": \"1/0\"}");
    assert_eq!(kept[3].line.replace("%2F", "/"), "GET /see/1-2?at=/orders/3&m=none");
    assert!(said.contains("keeps token = t2") && said.contains("keeps items = 2 (1 of 2)"), "{said}");
    let (run, site) = trace(&place, &text.replace("json:$.token", "json:$.tokn"), &[]);
    let said = run.exits(10).stdout();
    assert!(said.contains("why   extract token: there is nothing at json:$.tokn"), "{said}");
    assert!(said.contains("why   no value for Bearer ${token}:${csrf}"), "{said}");
    assert_eq!(site.lines().len(), 2, "what has no value is not sent");
}

#[test]
fn checks_judge_answers() {
    let place = Place::new();
    let step =
        |request: &str, check: &str| format!("[[profile.step]]\nrequest = \"{request}\"\ncheck = {check}\n");
    let text = format!(
        "[[profile]]\nname = \"a\"\n{}{}{}{}",
        step(
            "GET /data",
            "[\"status == 200\", \"json:$.items[0].id exists\", \"json:$.total > 0\", \"header:Content-Type contains json\", \"time < 60s\"]"
        ),
        step("GET /login", "[\"body contains 'Thanks'\", 'regex:order-\\d+', \"css:form > input exists\"]"),
        step("GET /gone", "[\"status == 404\"]"),
        step("GET /data?2", "[\"json:$.total > 0\", \"json:$.total == 4\", \"body lacks token\"]"),
    );
    let (run, _) = trace(&place, &text, &[]);
    let said = run.exits(10).stdout();
    assert!(
        said.contains("3 of 4 steps right") && said.contains("why   check 'json:$.total == 4': got 3"),
        "{said}"
    );
    assert!(
        said.contains("holds css:form > input exists") && said.contains("fails body lacks token"),
        "{said}"
    );
    let (run, _) = play(
        &place,
        &text,
        &["--rate", "10/s", "--for", "1s", "--threshold", "GET /data: failure_rate < 60%"],
    );
    run.ok();
    let run = run_json(&place.file("run"));
    assert_eq!(run["failure_rows"][0]["error"], "check 'json:$.total == 4': got 3");
    assert_eq!(run["failure_rows"].as_array().unwrap().len(), 1);
}
