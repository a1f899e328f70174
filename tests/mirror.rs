//! Live traffic mirrored onto a target: through the reverse proxy, and from the loopback interface where that is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::common::site::{Request, Site, ok, read, reply};
use crate::common::{Anything, Place, run_json};

/// One connection of a client.
struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn to(address: SocketAddr) -> Client {
        let writer = TcpStream::connect(address).unwrap();
        Client { reader: BufReader::new(writer.try_clone().unwrap()), writer }
    }

    /// Sends a request and reads the answer.
    fn send(&mut self, line: &str, fields: &str, body: &str) -> Request {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let text = format!("{line} HTTP/1.1\r\nHost: shop.example\r\n{fields}{length}\r\n{body}");
        self.writer.write_all(text.as_bytes()).unwrap();
        read(&mut self.reader).expect("an answer")
    }

    fn get(&mut self, target: &str, fields: &str) -> Request {
        self.send(&format!("GET {target}"), fields, "")
    }
}

/// A mirror that is under way, into the folder `run`.
struct Mirror {
    child: Child,
    said: BufReader<ChildStderr>,
    /// Where clients go to.
    address: SocketAddr,
}

impl Mirror {
    /// As a reverse proxy before a server.
    fn proxy(place: &Place, server: &str, target: &str, more: &[&str]) -> Mirror {
        let args =
            ["mirror", "--listen", "127.0.0.1:0", "--upstream", server, "--target", target, "-o", "run"];
        let (mut mirror, first) = Mirror::begin(place, &[&args, more].concat());
        let words: Vec<&str> = first.split(' ').collect();
        assert_eq!(words.first(), Some(&"mirroring"), "{first}");
        mirror.address = words[2].parse().unwrap();
        mirror
    }

    /// On the loopback interface; `None` where that is not allowed.
    fn sniff(place: &Place, server: SocketAddr, target: &str, more: &[&str]) -> Option<Mirror> {
        let port = server.port().to_string();
        let args = ["mirror", "-i", "lo", "--port", &port, "--target", target, "-o", "run"];
        let (mut mirror, first) = Mirror::begin(place, &[&args, more].concat());
        if !first.starts_with("mirroring") {
            println!("skipped: {first}");
            let known = ["may not be listened on", "unexpected argument"];
            assert!(known.iter().any(|known| first.contains(known)), "{first}");
            mirror.child.wait().unwrap();
            return None;
        }
        mirror.address = server;
        Some(mirror)
    }

    fn begin(place: &Place, args: &[&str]) -> (Mirror, String) {
        let mut child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        said.read_line(&mut first).unwrap();
        (Mirror { child, said, address: ([127, 0, 0, 1], 1).into() }, first)
    }

    fn interrupt(self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.end()
    }

    /// Waits for the end: the exit code, and everything that was said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

/// What was dropped for this reason.
fn dropped(run: &Value, reason: &str) -> u64 {
    run["mirror"]["dropped"][reason].as_u64().unwrap()
}

/// Every exchange was sent or is under one of the reasons.
#[track_caller]
fn adds_up(run: &Value) {
    let mirror = &run["mirror"];
    let lost: u64 =
        mirror["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    let (exchanges, sent) = (mirror["exchanges"].as_u64().unwrap(), mirror["sent"].as_u64().unwrap());
    assert_eq!(exchanges, sent + lost, "{mirror}");
    assert_eq!(run["requests"].as_u64(), Some(sent), "what was sent is what the run counts");
}

const SECRET: &str = "k3J9xQ2mLp0Zq81aWTb7";

#[test]
fn sessions_arrive_whole_in_order_masked_and_with_the_targets_own_cookies() {
    for how in ["proxy", "sniff"] {
        let place = Place::new();
        let login = |name: &'static str| {
            move |request: &Request, _| {
                let user = request.target().rsplit('/').next().unwrap_or("");
                let set = if request.target().starts_with("/login") {
                    format!("Set-Cookie: sid={name}{user}x8Kq2mLp0Zq81aWTb7; Path=/; HttpOnly\r\n")
                } else {
                    String::new()
                };
                reply("200 OK", &set, "ok")
            }
        };
        let (production, target) = (Site::start(login("prod")), Site::start(login("target")));
        let mirror = match how {
            "proxy" => Mirror::proxy(&place, &production.url(), &target.url(), &[]),
            _ => match Mirror::sniff(&place, production.address, &target.url(), &[]) {
                Some(mirror) => mirror,
                None => continue,
            },
        };
        let address = mirror.address;
        std::thread::scope(|scope| {
            for user in 0..8 {
                scope.spawn(move || {
                    let mut client = Client::to(address);
                    let body = format!("{{\"email\":\"ann{user}@example.org\",\"password\":\"{SECRET}\"}}");
                    let fields = "Content-Type: application/json\r\nOrigin: http://shop.example\r\n";
                    client.send(&format!("POST /login/{user}"), fields, &body);
                    let cookie = format!("Cookie: sid=prod{user}x8Kq2mLp0Zq81aWTb7\r\n");
                    let fields = format!("{cookie}Authorization: Bearer {SECRET}\r\n");
                    for n in 0..20 {
                        client.get(&format!("/items/{n}?user={user}"), &fields);
                    }
                });
            }
        });
        target.wait_for(8 * 21);
        let (code, said) = mirror.interrupt();
        assert_eq!(code, Some(130), "{said}");
        let asked = target.kept();
        assert_eq!(asked.len(), 8 * 21);
        assert!(asked.iter().all(|request| request.field("x-mynah-mirror") == "1"));
        for request in &asked {
            let text = request.text();
            assert!(!text.contains(SECRET) && !text.contains("example.org"), "{text}");
            assert!(!text.contains("sid=prod"), "{text}");
        }
        for user in 0..8 {
            let own = format!("sid=target{user}x8Kq2mLp0Zq81aWTb7");
            let mine: Vec<&str> =
                asked.iter().filter(|r| r.field("cookie") == own).map(Request::target).collect();
            let wanted: Vec<String> = (0..20).map(|n| format!("/items/{n}?user={user}")).collect();
            assert_eq!(mine, wanted);
        }
        let logins: Vec<&Request> = asked.iter().filter(|request| request.line.starts_with("POST")).collect();
        assert_eq!(logins.len(), 8);
        assert!(logins.iter().all(|request| request.field("origin") == target.url()), "{logins:?}");
        let run = run_json(&place.file("run"));
        adds_up(&run);
        let mirrored = &run["mirror"];
        assert_eq!((run["interrupted"].as_bool(), mirrored["masked"].as_bool()), (Some(true), Some(true)));
        assert_eq!((mirrored["sessions"].as_u64(), mirrored["sent"].as_u64()), (Some(8), Some(168)));
        assert_eq!((mirrored["compared"].as_u64(), mirrored["differ"].as_u64()), (Some(168), Some(0)));
        assert!(mirrored["lag_ms"]["max"].as_f64() >= mirrored["own_lag_ms"]["max"].as_f64());
        let names: BTreeSet<&str> =
            run["endpoints"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, BTreeSet::from(["/items/{id}", "/login/{id}"]));
        assert!(said.contains("168 of 168 exchanges") && said.contains("8 sessions"), "{said}");
        assert!(place.path().join("run/report.html").exists());
        let page = place.mynah(&["report", "run"]).ok().stdout();
        assert!(page.contains("sent after the request was captured"), "{page}");
    }
}

#[test]
fn a_share_of_the_sessions_is_mirrored_and_each_of_them_whole() {
    let place = Place::new();
    let (production, target) = (Anything::start(), Site::start(|_, _| ok()));
    let more = ["--rate", "40%", "--session-key", "header:X-Session", "--unmasked"];
    let args = [
        "mirror",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &production.url(),
        "--target",
        &target.url(),
        "-o",
        "run",
    ];
    let (mut mirror, first) = Mirror::begin(&place, &[&args[..], &more].concat());
    assert!(first.contains("--unmasked: secrets and personal data are sent to the target"), "{first}");
    let mut line = String::new();
    mirror.said.read_line(&mut line).unwrap();
    let address: SocketAddr = line.split(' ').nth(2).unwrap().parse().unwrap();
    for round in 0..3 {
        // each time over other connections
        for session in 0..60 {
            Client::to(address).get(&format!("/{session}/{round}"), &format!("X-Session: s{session}\r\n"));
        }
    }
    // The last of a session that is in the sample, whichever it is, is sent by the end.
    let (code, said) = mirror.interrupt();
    assert_eq!(code, Some(130), "{said}");
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in target.kept() {
        let (session, round) = request.target()[1..].split_once('/').unwrap();
        seen.entry(session.to_owned()).or_default().push(round.to_owned());
    }
    assert!((8..45).contains(&seen.len()), "{} of 60", seen.len());
    assert!(seen.values().all(|rounds| *rounds == ["0", "1", "2"]), "{seen:?}");
    let run = run_json(&place.file("run"));
    adds_up(&run);
    assert_eq!(dropped(&run, "sampled_out"), 180 - 3 * seen.len() as u64);
    assert_eq!(run["mirror"]["masked"].as_bool(), Some(false));
}

#[test]
fn a_target_that_stalls_costs_neither_memory_nor_production_anything() {
    let place = Place::new();
    let production = Anything::start();
    let target = Site::start(|_, _| {
        std::thread::sleep(Duration::from_mins(2));
        ok()
    });
    let more =
        ["--max-queue", "50", "--max-lag", "1s", "--timeout", "3s", "--session-key", "header:X-Session"];
    let mirror = Mirror::proxy(&place, &production.url(), &target.url(), &more);
    let address = mirror.address;
    let mut client = Client::to(address);
    for n in 0..400 {
        client.get(&format!("/items/{n}"), &format!("X-Session: {}\r\n", n % 20));
    }
    assert_eq!(production.requests(), 400, "each was answered");
    drop(client);
    let (code, said) = mirror.interrupt();
    assert_eq!(code, Some(130), "{said}");
    let run = run_json(&place.file("run"));
    adds_up(&run);
    assert!(dropped(&run, "queue_full") >= 100, "{}", run["mirror"]);
    assert!(dropped(&run, "too_late") > 0, "{}", run["mirror"]);
    let waited = run["mirror"]["waited_exchanges"].as_u64().unwrap();
    assert!((20..=50).contains(&waited), "{waited}");
    let reasons = run["reasons"].to_string();
    assert!(reasons.contains("for want of room"), "{reasons}");
    assert_eq!(run["generator"]["errors"]["timeout"].as_u64(), run["mirror"]["sent"].as_u64());
}

#[test]
fn other_answers_than_productions_are_told_by_endpoint_and_fail_a_threshold() {
    let place = Place::new();
    let production = Site::start(|_, _| ok());
    let target = Site::start(|request, _| {
        let wrong = request.target().starts_with("/items/");
        reply(if wrong { "404 Not Found" } else { "201 Created" }, "", "ok")
    });
    let threshold = ["--threshold", "failure_rate < 1%", "--read-only", "--for", "5s"];
    let exclude = ["--exclude", "path contains health", "--endpoint", "GET /items/{name}"];
    let mirror =
        Mirror::proxy(&place, &production.url(), &target.url(), &[&threshold[..], &exclude].concat());
    let mut client = Client::to(mirror.address);
    for n in 0..5 {
        client.get(&format!("/items/lamp{n}"), "");
        client.get("/about", "");
        client.get("/health", "");
        client.send("POST /items", "Content-Type: text/plain\r\n", "x");
    }
    drop(client);
    let (code, said) = mirror.end();
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("5 x GET /items/{name}: 200 → 404"), "{said}");
    let run = run_json(&place.file("run"));
    adds_up(&run);
    assert_eq!((run["failures"].as_u64(), dropped(&run, "filtered")), (Some(5), 10));
    let differences = run["mirror"]["differences"].as_array().unwrap();
    let of = |n: usize, part: &str| differences[n][part].to_string();
    assert_eq!(differences.len(), 2, "{differences:?}");
    let (one, other) = if of(0, "endpoint").contains("items") { (0, 1) } else { (1, 0) };
    assert_eq!((of(one, "got"), of(one, "count")), ("404".to_owned(), "5".to_owned()));
    assert_eq!((of(other, "recorded"), of(other, "got")), ("200".to_owned(), "201".to_owned()));
}

#[test]
fn when_a_threshold_ends_the_mirroring_clients_are_still_served() {
    let place = Place::new();
    let production = Anything::start();
    let target = Site::start(|_, _| reply("500 Internal Server Error", "", ""));
    let threshold = ["--threshold", "failure_rate < 50% abort after 1s"];
    let mut mirror = Mirror::proxy(&place, &production.url(), &target.url(), &threshold);
    let (address, over) = (mirror.address, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::to(address);
            while !over.load(Ordering::SeqCst) {
                client.get("/items/1", "");
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut line = String::new();
        while !line.contains("nothing is mirrored any more") {
            line.clear();
            assert!(mirror.said.read_line(&mut line).unwrap() > 0, "it ended");
        }
        over.store(true, Ordering::SeqCst);
    });
    let mut client = Client::to(address);
    for _ in 0..10 {
        assert!(client.get("/items/2", "").line.contains("200"));
    }
    drop(client);
    let (code, said) = mirror.interrupt();
    assert_eq!(code, Some(130), "{said}");
    let run = run_json(&place.file("run"));
    adds_up(&run);
    assert!(dropped(&run, "at_end") >= 10 && run["verdict"] == "fail", "{}", run["mirror"]);
    assert_eq!(run["mirror"]["exchanges"].as_u64(), Some(production.requests()));
    assert!(!target.kept().iter().any(|request| request.target() == "/items/2"));
}

const SCENARIO: &str = r#"
version = 1
name = "shop"
[[profile]]
name = "a"
weight = 1
[[profile.step]]
request = "GET /form"
[[correlation]]
name = "csrf"
from = ["GET /form json:$.csrf"]
to = ["POST /form json:$.csrf"]
[[correlation]]
name = "token"
from = ["POST /form json:$.token"]
to = ["GET /me header:Authorization"]
format = "Bearer {}"
[[endpoint]]
match = "GET /me"
"#;

#[test]
fn values_that_the_target_hands_out_take_the_place_of_productions() {
    let place = Place::new();
    let handing = |name: &'static str| {
        move |request: &Request, _| {
            let user = request.field("x-user");
            let body = match request.line.split(' ').next() {
                Some("POST") => format!("{{\"token\":\"{name}-token-{user}-q81aWTb7x8Kq2mLp\"}}"),
                _ => format!("{{\"csrf\":\"{name}-csrf-{user}-x8Kq2mLp0Zq81aWTb7\"}}"),
            };
            reply("200 OK", "Content-Type: application/json\r\n", &body)
        }
    };
    let (production, target) = (Site::start(handing("prod")), Site::start(handing("target")));
    let scenario = place.write("shop.toml", SCENARIO);
    let mirror = Mirror::proxy(&place, &production.url(), &target.url(), &["--scenario", &scenario]);
    for user in 0..3 {
        let mut client = Client::to(mirror.address);
        let own = format!("X-User: {user}\r\n");
        let value = |answer: &Request, name: &str| {
            let json: Value = serde_json::from_str(&answer.body).unwrap();
            json[name].as_str().unwrap().to_owned()
        };
        let csrf = value(&client.get("/form", &own), "csrf");
        let body = format!("{{\"csrf\":\"{csrf}\",\"n\":1}}");
        let form = format!("{own}Content-Type: application/json\r\n");
        let token = value(&client.send("POST /form", &form, &body), "token");
        client.get("/me", &format!("{own}Authorization: Bearer {token}\r\n"));
    }
    target.wait_for(9);
    let (code, said) = mirror.interrupt();
    assert_eq!(code, Some(130), "{said}");
    for request in target.kept() {
        let user = request.field("x-user");
        if request.line.starts_with("POST") {
            let wanted = format!("{{\"csrf\":\"target-csrf-{user}-x8Kq2mLp0Zq81aWTb7\",\"n\":1}}");
            assert_eq!(request.body, wanted);
        } else if request.target() == "/me" {
            let wanted = format!("Bearer target-token-{user}-q81aWTb7x8Kq2mLp");
            assert_eq!(request.field("authorization"), wanted);
        }
    }
    adds_up(&run_json(&place.file("run")));
}

#[test]
fn nothing_is_mirrored_back_at_where_it_comes_from() {
    let place = Place::new();
    let server = Anything::start();
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = own.local_addr().unwrap().to_string();
    let url = server.url();
    let proxy = |listen: &str, target: &str| {
        place.mynah(&["mirror", "--listen", listen, "--upstream", &url, "--target", target, "-o", "run"])
    };
    // That somebody listens there already is not what is told.
    proxy(&free, &format!("http://{free}")).exits(2).says("where this mirror itself listens");
    proxy("127.0.0.1:0", &url).exits(2).says("is the captured server").says("--allow-recorded-host");
    let port = server.address.port().to_string();
    if cfg!(feature = "live") {
        let sniff = place.mynah(&["mirror", "-i", "lo", "--port", &port, "--target", &url, "-o", "run"]);
        sniff.exits(2).says("its port is captured");
    }
    assert_eq!(server.requests(), 0);
    assert!(!place.path().join("run").exists(), "nothing was begun");
}

#[test]
fn a_mirror_passes_over_what_a_mirror_sent() {
    let place = Place::new();
    let (production, target) = (Anything::start(), Site::start(|_, _| ok()));
    let mirror = Mirror::proxy(&place, &production.url(), &target.url(), &[]);
    let mut client = Client::to(mirror.address);
    client.get("/one", "x-mynah-mirror: 1\r\n");
    client.get("/two", "");
    target.wait_for(1);
    drop(client);
    let (_, said) = mirror.interrupt();
    let paths: Vec<String> = target.kept().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(paths, ["/two"], "{said}");
    let run = run_json(&place.file("run"));
    adds_up(&run);
    assert_eq!(dropped(&run, "own"), 1);
}

#[test]
fn what_cannot_be_is_told_before_anything_is_opened() {
    let place = Place::new();
    let target = ["--target", "http://127.0.0.1:9"];
    let mirror = |args: &[&str]| place.mynah(&[&["mirror"], args].concat());
    mirror(&target).exits(2).says("what is mirrored? add -i IFACE");
    mirror(&[&target[..], &["site.pcap"]].concat()).exits(2).says("live traffic is mirrored, no files");
    let live = ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"];
    mirror(&live).exits(2).says("where do requests go?");
    for (more, says) in [
        (&["--rate", "0"][..], "expected a share"),
        (&["--k", "3"], "--k needs a file"),
        (&["--unmasked", "--strict"], "cannot be used with"),
        (&["--session-key", "sid"], "--session-key"),
        (&["--scenario", "none.toml"], "none.toml"),
        (&["--port", "80"], "cannot be used with"),
    ] {
        if cfg!(feature = "live") || more[0] != "--port" {
            mirror(&[&target[..], &live, more].concat())
                .exits(if more[0] == "--scenario" { 3 } else { 2 })
                .says(says);
        }
    }
    // Nobody listens on the discard port.
    mirror(&[
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        "http://127.0.0.1:10",
        "--target",
        "http://127.0.0.1:9",
    ])
    .exits(4)
    .says("cannot reach http://127.0.0.1:9");
}
