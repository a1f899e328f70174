//! Load that changes over time: what is asked for is what is sent, what is asked wrongly is told, and `--preview` sends nothing.

use crate::common::{Anything, Place, fixture, run_json};

const SCENARIO: &str = r#"
version = 1
name = "two"
[load]
rate = "5/s"
[[profile]]
name = "looks"
weight = 3
[[profile.step]]
request = "GET /a"
[[profile]]
name = "buys"
weight = 1
[[profile.step]]
request = "GET /b"
[[profile.step]]
request = "POST /b"
think = "100ms"
"#;

fn with(load: &str) -> String {
    SCENARIO.replace("rate = \"5/s\"", load)
}

#[test]
fn stages_send_what_they_say() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO);
    let server = Anything::start();
    let url = server.url();
    let line = ["replay", &scenario, "--target", &url, "--stage", "1s:60/s", "--stage", "1s:=20/s"];
    place.mynah(&[&line[..], &["--arrivals", "uniform", "-o", "run"]].concat()).ok();
    let run = run_json(&place.file("run"));
    assert_eq!(run["arrivals"]["model"], "open");
    assert_eq!(run["arrivals"]["scheduled"], 50, "30 on the way up, 20 of the plateau");
    let asked = run["arrivals"]["asked"].as_str().unwrap();
    assert_eq!(asked, "stages 1s:60/s, 1s:=20/s (on average 25 sessions/s), uniform arrivals");
    let sent = run["requests"].as_u64().unwrap();
    assert!((60..=65).contains(&sent), "{sent} requests of 50 sessions, a quarter of which make two");
    assert!(server.requests() >= sent, "{} arrived", server.requests());
    // The same in the scenario, in two shards of the one timetable.
    let scenario =
        place.write("stages.toml", with("stages = [\"1s:60/s\", \"1s:=20/s\"]\narrivals = \"uniform\""));
    let line = ["replay", &scenario, "--target", &url];
    let mut all = 0;
    for (shard, folder) in [("1/2", "one"), ("2/2", "other")] {
        place.mynah(&[&line[..], &["--shard", shard, "-o", folder]].concat()).ok();
        all += run_json(&place.file(folder))["requests"].as_u64().unwrap();
    }
    assert_eq!(all, sent);
}

#[test]
fn users_come_and_go() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO.replace("100ms", "5ms"));
    let server = Anything::after(std::time::Duration::from_millis(20));
    let url = server.url();
    let line =
        ["replay", &scenario, "--target", &url, "--stage", "0s:2", "--stage", "1s:4", "--stage", "1s:0"];
    place.mynah(&[&line[..], &["-o", "run"]].concat()).ok();
    let run = run_json(&place.file("run"));
    assert_eq!(run["arrivals"]["model"], "closed");
    assert_eq!(run["arrivals"]["asked"], "stages 0:2, 1s:4, 1s:0");
    // Three and a half user-seconds on the way up and two and a half on the way down, at 50 requests a second each at most, and one
    // that each is at as it leaves; none that was begun is given up.
    let requests = run["requests"].as_u64().unwrap();
    assert!((4..=304).contains(&requests), "{requests}");
    let users: Vec<u64> =
        run["seconds"].as_array().unwrap().iter().map(|second| second["users"].as_u64().unwrap()).collect();
    assert!(users.iter().all(|users| *users <= 4), "{users:?}");
    assert_eq!(run["failures"], 0);
}

#[test]
fn a_preview_draws_and_sends_nothing() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO);
    place.write("day.csv", "t,sessions/s\n0,10\n30s,50\n60,0\n");
    let preview = |args: &[&str]| {
        let run = place.mynah(&[&["replay", &scenario, "--preview"], args].concat()).ok();
        assert!(run.stdout().contains("nothing was sent"), "{}", run.stdout());
        run.stdout()
    };
    let text = preview(&[
        "--stage",
        "30s:10/s",
        "--stage",
        "1m:50/s",
        "--stage",
        "30s:0/s",
        "--arrivals",
        "uniform",
    ]);
    assert!(text.contains("for 2m\n") && text.contains('█'), "{text}");
    assert!(text.contains("50 sessions/s at the peak; 2700 sessions begin, 3375 requests in all"), "{text}");
    let text = preview(&["--stage", "30s:100"]);
    assert!(text.contains("100 users at the most; at most"), "{text}");
    let text = preview(&["--shape", "day.csv", "--arrivals", "uniform"]);
    assert!(text.contains("for 1m\n") && text.contains("1650 sessions begin"), "{text}");
    let text = preview(&["--requests", "100/s", "--for", "10s", "--arrivals", "uniform"]);
    assert!(text.starts_with("100 requests/s, uniform arrivals"), "{text}");
    assert!(text.contains("1000 requests in all, those of about 800 sessions"), "{text}");
    for shape in ["spike:10..80/s@5s+5s", "steps:10/s..100/s/10", "sine:10..50/10s"] {
        preview(&["--shape", shape, "--for", "20s"]);
    }
}

#[test]
fn the_recorded_shape_and_speed() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop.pcap"), "-o", "shop.mynah"]).ok();
    place.mynah(&["profile", "shop.mynah", "-o", "shop.toml"]).ok();
    let sessions = |args: &[&str]| {
        let text = place.mynah(&[&["replay", "shop.toml", "--preview"], args].concat()).ok().stdout();
        let before = text.split(" sessions begin").next().unwrap();
        (before.rsplit(' ').next().unwrap().parse::<u64>().unwrap(), text)
    };
    let (once, text) = sessions(&["--shape", "recorded", "--arrivals", "uniform"]);
    assert!(text.starts_with("the recorded shape (on average"), "{text}");
    let (thrice, text) = sessions(&["--shape", "recorded", "--rate", "3x", "--arrivals", "uniform"]);
    assert!(text.starts_with("3x the recorded shape") && once > 10, "{once} {text}");
    assert!(thrice.abs_diff(3 * once) <= 3, "{thrice} {once}");
    // Twice as fast: as many, in half the time.
    let (fast, text) = sessions(&["--shape", "recorded", "--speed", "2x", "--arrivals", "uniform"]);
    assert!(fast.abs_diff(once) <= 1 && text.contains("at 2x the recorded speed"), "{fast} {once} {text}");
    let (gaps, text) = sessions(&["--arrivals", "recorded", "--rate", "1x"]);
    assert!(text.contains("recorded arrivals") && gaps.abs_diff(once) <= 1, "{gaps} {once} {text}");
    place
        .mynah(&["replay", "shop.toml", "--preview", "--shape", "recorded", "--arrivals", "recorded"])
        .exits(2)
        .says("have the recorded shape in them already");
}

#[test]
fn what_does_not_go_together_is_told() {
    let place = Place::new();
    let scenario = place.write("two.toml", SCENARIO);
    place.write("bad.csv", "t,sessions/s\n0,10\n30s,fast\n");
    for (args, says) in [
        (&["--stage", "30s"][..], "expected TIME:LEVEL"),
        (&["--stage", "x:10/s"], "before the colon: duration 'x'"),
        (
            &["--stage", "30s:10/s", "--stage", "30s:10"],
            "stage 30s:10/s is of sessions/s and stage 30s:10 of users",
        ),
        (&["--stage", "30s:10/s", "--rate", "10/s"], "cannot be used with"),
        (&["--stage", "30s:10", "--rate", "10/s"], "cannot be used with"),
        (&["--stage", "30s:10", "--users", "10"], "cannot be used with"),
        (&["--stage", "30s:10", "--arrivals", "uniform"], "uniform arrivals go with sessions that arrive"),
        (&["--stage", "30s:10/s", "--for", "10s"], "leave --for out"),
        (&["--stage", "30s:0/s"], "zero all the time"),
        (&["--shape", "spike:1/s..9/s"], "expected BASE..PEAK@AT+LENGTH"),
        (&["--shape", "spike:1/s..9/s@1m+1s", "--for", "10s"], "after the run's end"),
        (&["--shape", "sine:1/s..9/s/10s", "--rate", "10/s"], "take one away"),
        (&["--shape", "bad.csv"], "bad.csv, line 3: level 'fast'"),
        (&["--shape", "wave"], "expected spike:"),
        (&["--shape", "recorded"], "when its sessions began"),
        (&["--arrivals", "recorded"], "when its sessions began"),
        (&["--arrivals", "often"], "'poisson', 'uniform' or 'recorded'"),
        (&["--requests", "10x"], "requests each second"),
        (&["--speed", "0x"], "how many times as fast"),
        (&["--stage", "1h:1000000/s"], "more than a timetable holds"),
        (&["--stage", "1h:9000000"], "more than one machine can be"),
    ] {
        place.mynah(&[&["replay", &scenario, "--preview"], args].concat()).exits(2).says(says);
    }
    let both = place.write("both.toml", with("rate = \"5/s\"\nstages = [\"1s:5/s\"]"));
    place.mynah(&["replay", &both, "--preview"]).exits(2).says("[load] has both rate and stages");
    let wrong = place.write("wrong.toml", with("stages = [\"1s:5/s\", \"soon:5/s\"]"));
    place.mynah(&["replay", &wrong, "--preview"]).exits(2).says("wrong.toml:5:").says("stage 'soon:5/s'");
}
