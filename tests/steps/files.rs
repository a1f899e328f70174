//! What stands around the steps: variables, other files, rewrites; what `mynah init` writes and scripts do not say; and mistakes, each with its
//! message.

use serde_json::Value;

use super::{HEAD, LIFE, PEOPLE, answer, play, trace};
use crate::common::site::Site;
use crate::common::{Place, fixture, run_json};

#[test]
fn variables_stand_anywhere_and_are_replaced() {
    let place = Place::new();
    let text = "[variables]\nbase = \"/v1\"\nhost = \"x.example\"\n[[profile]]\nname = \"a\"\n[[profile.step]]\nrequest = \"GET ${var.base}/a/${var.base}\"\nheaders = { X = \"${var.host}${var.none:-!}\" }\ncheck = [\"body contains '${var.word:-ok}'\"]\n";
    let (run, site) = trace(&place, text, &[]);
    run.ok();
    assert_eq!((site.lines(), site.kept()[0].field("x")), (vec!["GET /v1/a//v1".to_owned()], "x.example!"));
    let (_, site) = trace(&place, text, &["--var", "base=/v3"]);
    assert_eq!(site.lines(), ["GET /v3/a//v3"]);
    let site = Site::start(answer);
    let mut command = place.command(&["replay", "s.toml", "--target", &site.url(), "--once", "--trace"]);
    assert!(command.env("MYNAH_VAR_BASE", "/v4").output().unwrap().status.success());
    assert_eq!(site.lines(), ["GET /v4/a//v4"]);
    trace(&place, text, &["--var", "bse=/v3"])
        .0
        .exits(2)
        .says("no variable 'bse' in [variables] (there are: base, host); did you mean 'base'?");
}

#[test]
fn other_files_bring_their_profiles() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("flows")).unwrap();
    place.write("flows/people.csv", PEOPLE);
    place.write("flows/other.toml", format!("{HEAD}[variables]\nbase = \"/o\"\n[load]\nthink_time = \"10ms\"\n[[profile]]\nname = \"buyer\"\nweight = 1\n[[profile.step]]\nrequest = \"GET ${{var.base}}/${{data.people.name}}\"\n[[profile]]\nname = \"looker\"\nweight = 3\n[[profile.step]]\nrequest = \"GET /look\"\n[data.people]\nfile = \"people.csv\"\n"));
    let own = "[[profile]]\nname = \"own\"\nweight = 80\n[[profile.step]]\nrequest = \"GET /own\"\n";
    let (run, site) = play(
        &place,
        &format!("{own}[[use]]\nfile = \"flows/other.toml\"\nweight = 20\n"),
        &["--rate", "100/s", "--for", "2s", "--var", "base=/p"],
    );
    run.ok();
    let run = run_json(&place.file("run"));
    let share = |name: &str| {
        let all = run["profiles"].as_array().unwrap();
        let of = |one: &Value| one["sessions"].as_f64().unwrap();
        of(all.iter().find(|one| one["name"] == name).unwrap()) / all.iter().map(of).sum::<f64>()
    };
    assert!(
        (share("own") - 0.8).abs() < 0.04 && (share("looker") - 0.15).abs() < 0.04,
        "{}",
        run["profiles"]
    );
    assert!(site.counts().contains_key("GET /p/Ann"), "{:?}", site.counts());
    let (_, site) = trace(
        &place,
        "[[profile]]\nname = \"mine\"\nuse = \"flows/other.toml#buyer\"\n[[profile.on_stop]]\nrequest = \"GET /bye\"\n",
        &[],
    );
    assert_eq!(site.lines(), ["GET /o/Ann", "GET /bye"]);
    for (text, wanted) in [
        (
            "[[profile]]\nname = \"looker\"\n[[profile.step]]\nrequest = \"GET /\"\n[[use]]\nfile = \"flows/other.toml\"\n",
            "two profiles are called 'looker': one here, one in flows/other.toml",
        ),
        (
            "[[profile]]\nname = \"a\"\nuse = \"flows/other.toml#byer\"\n",
            "has no profile 'byer' (there are: buyer, looker); did you mean 'buyer'?",
        ),
        ("[[profile]]\nname = \"a\"\nuse = \"s.toml#a\"\n", "files use each other in a circle"),
        ("[[use]]\nfile = \"none.toml\"\n", "uses none.toml: No such file"),
        (
            "[data.people]\nfile = \"x.csv\"\n[[use]]\nfile = \"flows/other.toml\"\n",
            "[data] 'people' is here and in flows/other.toml, and they differ",
        ),
    ] {
        trace(&place, text, &[]).0.exits(2).says(wanted);
    }
}

#[test]
fn requests_are_rewritten_on_their_way() {
    let place = Place::new();
    let text = "[rewrite]\nheaders = { X-Test = \"1\", X-Own = \"scenario\" }\nhost = \"inner.example\"\npath = [\"^/v1/=/v2/\"]\n[[profile]]\nname = \"a\"\n[[profile.step]]\nrequest = \"GET /v1/a?b=/v1/\"\n";
    let (run, site) = trace(&place, text, &[]);
    run.ok();
    let kept = site.kept();
    assert_eq!(
        (kept[0].line.as_str(), kept[0].field("host"), kept[0].field("x-test")),
        ("GET /v2/a?b=/v1/", "inner.example", "1")
    );
    let (_, site) = trace(
        &place,
        text,
        &["--rewrite-path", "/v2/(.)=/w/$1", "--set-header", "X-Own: flag", "--host", "target"],
    );
    let kept = site.kept();
    assert_eq!((kept[0].line.as_str(), kept[0].field("x-own")), ("GET /w/a?b=/v1/", "flag"));
    assert!(site.url().ends_with(kept[0].field("host")), "{}", kept[0].head);
    trace(&place, text, &["--rewrite-path", "("]).0.exits(2).says("PATTERN=REPLACEMENT");
}

#[test]
fn init_writes_what_plays() {
    let place = Place::new();
    let site = Site::start(answer);
    place
        .mynah(&["init", &format!("{}/login?x=1", site.url()), "-o", "new.toml"])
        .ok()
        .says("wrote       new.toml");
    assert!(site.lines().is_empty(), "nothing is fetched");
    place.mynah(&["replay", "new.toml", "--target", &site.url(), "--once", "--trace"]).ok();
    place
        .mynah(&[
            "replay",
            "new.toml",
            "--target",
            &site.url(),
            "--for",
            "1s",
            "--think-time",
            "100ms",
            "-o",
            "run",
        ])
        .ok();
    assert!(site.lines().len() > 2 && site.lines().iter().all(|target| target == "GET /login?x=1"));
    place.mynah(&["init", &site.url(), "-o", "new.toml"]).exits(2).says("is not written over");
    place.mynah(&["init", &format!("{}/gone", site.url()), "-o", "probed.toml", "--probe"]).ok();
    assert!(std::fs::read_to_string(place.file("probed.toml")).unwrap().contains("\nexpect = 404"));
    place.mynah(&["init", "ftp://x", "-o", "other.toml"]).exits(2);
    assert!(!place.path().join("other.toml").exists());
    // Every commented line is one that could stand there.
    let text = std::fs::read_to_string(place.file("new.toml")).unwrap();
    for key in [
        "users", "tags", "order", "wait", "use", "name", "think", "headers", "check", "extract", "file",
        "pick", "base", "make", "path",
    ] {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("# ")?.starts_with(&format!("{key} = ")).then(|| &line[2..]));
        let line = line.unwrap_or_else(|| panic!("{key} is not shown"));
        let own = line.split("  ").next().unwrap();
        assert!(own.parse::<toml::Table>().is_ok(), "{line}");
    }
}

#[test]
fn what_scripts_do_not_say_is_told() {
    let place = Place::new();
    place.write("people.csv", PEOPLE);
    let text = format!(
        "{HEAD}{LIFE}[[profile]]\nname = \"w\"\norder = \"weighted\"\nsteps_per_session = 3\nwait = \"pacing 1s\"\nusers = 2\n[[profile.step]]\nname = \"an item\"\nrequest = \"GET /x/${{data.people.name}}?q=${{data.people.name}}-${{data.people.email}}\"\ncheck = [\"status == 200\"]\n[data.people]\nfile = \"people.csv\"\n[rewrite]\npath = [\"a=b\"]\n"
    );
    place.write("s.toml", text);
    for format in ["locust", "k6", "curl"] {
        let run = place.mynah(&["export", "s.toml", "--format", format, "-o", "out", "--force"]);
        let run = if run.stderr().contains("--force") {
            place.mynah(&["export", "s.toml", "--format", format, "-o", &format!("out.{format}")])
        } else {
            run
        };
        let said = run.ok().stderr();
        for wanted in [
            "on_start and on_stop are played in every session",
            "not drawn by their weights",
            "wait = \"pacing 1s\" is not in it",
            "users = 2 is not in it",
            "1 checks are not in it",
            "is sent as it is written",
            "several values in one",
            "[rewrite] is not in it",
        ] {
            assert!(said.contains(wanted), "{format}: '{wanted}' is not in\n{said}");
        }
        let script = std::fs::read_to_string(place.file(&format!("out.{format}"))).unwrap();
        assert!(format == "curl" || script.contains("an item"), "{script}");
        assert!(script.contains("login") && script.contains("bye") && script.contains("csrf"), "{script}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    let place = Place::new();
    place.write("people.csv", PEOPLE);
    let step =
        |rest: &str| format!("[[profile]]\nname = \"a\"\n[[profile.step]]\nrequest = \"GET /\"\n{rest}\n");
    for (text, wanted) in [
        (step("chek = []"), "s.toml:7:1: unknown key 'chek'; did you mean 'check'?".to_owned()),
        (step("check = [\"status = 200\"]"), "s.toml:7:".to_owned()),
        (step("check = [\"statsu == 200\"]"), "did you mean 'status'?".to_owned()),
        (step("extract = { a = \"jsn:$.a\" }"), "did you mean 'json:'?".to_owned()),
        (step("extract = { a = \"regex:(\" }"), "unclosed group".to_owned()),
        (step("extract = { a = { form = \"json:$.a\" } }"), "did you mean 'from'?".to_owned()),
        (step("think = \"5s..1s\""), "the first of a range is the smaller one".to_owned()),
        (step("weight = 3"), "say order = \"weighted\"".to_owned()),
        (step("headers = { X = \"${tokn}\" }\nextract = { token = \"body\" }"), "s.toml:6:11: profile 'a': '${tokn}' is no correlation, and no step of the profile extracts it; did you mean '${token}'?".to_owned()),
        (step("headers = { X = \"${data.peple.name}\" }\n[data.people]\nfile = \"people.csv\""), "there is no [data.peple]; did you mean 'data.people'?".to_owned()),
        (step("headers = { X = \"${data.people.nam}\" }\n[data.people]\nfile = \"people.csv\""), "people.csv: there is no column 'nam' (there are: email, name); did you mean 'name'?".to_owned()),
        (step("headers = { X = \"${data.people.name}\" }\n[data.people]\nfile = \"none.csv\""), "none.csv: ".to_owned()),
        (step("json = '{\"a\": 1${x:-2}}'"), "outside of quotes is a whole value".to_owned()),
        (step("headers = { X = \"${var.x}\" }"), "there is no 'x' in [variables]".to_owned()),
        ("[[profile]]\nname = \"a\"\nwait = \"pace 1s\"\n[[profile.step]]\nrequest = \"GET /\"\n".to_owned(), "s.toml:5:8: ".to_owned()),
        ("[[profile]]\nname = \"a\"\norder = \"random\"\n[[profile.step]]\nrequest = \"GET /\"\n".to_owned(), "s.toml:5:".to_owned()),
        ("[[profile]]\nname = \"a\"\nsteps_per_session = 3\n[[profile.step]]\nrequest = \"GET /\"\n".to_owned(), "steps_per_session goes with order".to_owned()),
        (format!("{}[rewrite]\npath = [\"/v1\"]\n", step("")), "PATTERN=REPLACEMENT".to_owned()),
    ] {
        trace(&place, &text, &[]).0.exits(2).says(&wanted);
    }
}

#[test]
fn the_page_shows_what_plays() {
    let place = Place::new();
    place.write("people.csv", "email,password\na@x.example,secret\n");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenarios.md")).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    place.write("page.toml", example);
    let site = Site::start(answer);
    place.mynah(&["replay", "page.toml", "--target", &site.url(), "--once", "--trace"]).ok();
    assert_eq!(
        site.lines(),
        ["GET /login", "POST /login", "GET /v2/items", "GET /v2/items/3-8", "POST /logout"]
    );
    assert_eq!(site.kept()[1].body, "csrf=c1&email=a%40x.example&password=secret");
}

#[test]
fn recorded_users_have_tags_beginnings_and_ends_too() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok();
    let scenario = std::fs::read_to_string(place.file("shop.toml")).unwrap();
    let from = scenario.lines().find(|line| line.starts_with("sessions_from = ")).unwrap();
    let more = "tags = [\"smoke\"]\nusers = 2\nwait = \"pacing 500ms\"\n[[profile.on_start]]\nrequest = \"GET /hello\"\n\
        [[profile.on_stop]]\nrequest = \"GET /bye\"\nname = \"goodbye\"\n";
    place.write("shop.toml", scenario.replacen(from, &format!("{from}\n{more}"), 1));
    let site = Site::start(answer);
    let target = &site.url();
    let args = ["replay", "shop.toml", "--target", target, "--tag", "smoke", "--users", "2", "--for", "2s"];
    place.mynah(&[&args[..], &["--think-time", "0", "-o", "run"]].concat()).ok();
    let counts = site.counts();
    assert_eq!((counts["GET /hello"], counts["GET /bye"]), (2, 2), "{counts:?}");
    assert!(counts.len() > 5, "{counts:?}");
    let run = run_json(&place.file("run"));
    let profiles = run["profiles"].as_array().unwrap();
    // Each has a session every half a second, and begins none late to make up for it.
    let sessions = profiles[0]["sessions"].as_u64().unwrap();
    assert!(profiles.len() == 1 && (2..=10).contains(&sessions), "{}", run["profiles"]);
}
