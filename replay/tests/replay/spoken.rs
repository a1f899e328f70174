//! Another protocol than HTTP, by the trait: lines of text, over which everything is counted as over HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mynah_replay::protocol::{Connection, Failure, LocalBoxFuture, Protocol, Reply, Request, Url, dial};
use mynah_replay::{Error, LoadModel, Loading, Options, Prepared, Stop, TraceStep, run, trace};
use mynah_traffic::Nanos;
use mynah_traffic::run::{RunDocument, RunFolder, Verdict};
use mynah_traffic::scenario::{Chosen, Rate};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

use crate::{LATE_AFTER, SECOND, server};

/// The protocol: parts with a bar between them, answered by a line.
struct Lines;

struct Line(BufStream<TcpStream>);

impl Protocol for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn parse(&self, send: &str) -> Result<Vec<String>, String> {
        if send.contains('|') {
            return Err("a bar is what parts are joined with".to_owned());
        }
        Ok(send.split(' ').map(str::to_owned).collect())
    }

    fn connect<'a>(&'a self, to: &'a Url) -> LocalBoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async move {
            let stream = dial(to, 7).await?;
            match to.path() {
                "/refused" => Err(Failure::Refused("no room for you".to_owned())),
                "/slow" => std::future::pending().await,
                _ => Ok(Box::new(Line(BufStream::new(stream))) as Box<dyn Connection>),
            }
        })
    }
}

impl Connection for Line {
    fn exchange<'a>(&'a mut self, request: Request<'a>) -> LocalBoxFuture<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let line = request.parts.join("|") + "\n";
            if line.matches('\n').count() > 1 {
                return Err(Failure::Unsendable("it is more than one line".to_owned()));
            }
            self.0.write_all(line.as_bytes()).await?;
            self.0.flush().await?;
            self.0.fill_buf().await?;
            let first_byte = Some(Instant::now());
            let mut body = Vec::new();
            self.0.read_until(b'\n', &mut body).await?;
            let (bytes_in, bytes_out) = (body.len() as u64, line.len() as u64);
            if body.pop() != Some(b'\n') {
                return Err(Failure::closed(bytes_in as usize));
            }
            if body.starts_with(b"\0") {
                return Err(Failure::Malformed("a zero byte, expected text".to_owned()));
            }
            let error = body.strip_prefix(b"ERR ").map(|text| String::from_utf8_lossy(text).into_owned());
            Ok(Reply { body, error, first_byte, bytes_in, bytes_out })
        })
    }

    fn is_open(&mut self) -> bool {
        let nothing = self.0.get_ref().try_read(&mut [0]);
        nothing.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// What answers lines: connections, and what came over each.
#[derive(Clone)]
struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn start() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let peer = Peer { address, connections: Arc::default(), lines: Arc::default() };
        let own = peer.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                own.connections.fetch_add(1, Ordering::SeqCst);
                let lines = own.lines.clone();
                std::thread::spawn(move || {
                    let reader = BufReader::new(stream.try_clone().unwrap());
                    for line in reader.lines().map_while(Result::ok) {
                        lines.lock().unwrap().push(line.clone());
                        let (command, rest) = line.split_once('|').unwrap_or((&line, ""));
                        let answer = match command {
                            "close" => "",
                            "half" => "abc",
                            "never" => {
                                std::thread::sleep(Duration::from_secs(30));
                                ""
                            }
                            "zero" => "\0\n",
                            "fail" => "ERR no such thing\n",
                            "json" => "{\"id\": 17, \"tags\": [\"a\", \"b\"]}\n",
                            _ => &format!("{rest}\n"),
                        };
                        let _ = stream.write_all(answer.as_bytes());
                        if ["close", "half", "bye"].contains(&command) {
                            let _ = stream.shutdown(Shutdown::Both);
                            return;
                        }
                    }
                });
            }
        });
        peer
    }

    fn url(&self) -> String {
        format!("lines://{}", self.address)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn load(folder: &Path, toml: &str) -> Result<Prepared, Error> {
    let path = folder.join("scenario.toml");
    std::fs::write(&path, format!("version = 1\nname = \"t\"\n{toml}")).unwrap();
    Prepared::load_with(&path, &Loading { protocols: vec![Arc::new(Lines)], ..Loading::default() })
}

/// One profile whose steps send these; `more` stands in each.
fn steps(peer: &Peer, texts: &[&str], more: &str) -> String {
    let step = |text: &&str| {
        format!(
            "[[profile.step]]\nprotocol = 'lines'\nto = '{}'\nsend = '{text}'\nname = '{}'\n{more}\n",
            peer.url(),
            text.split(' ').next().unwrap()
        )
    };
    format!("[[profile]]\nname = 'a'\n{}", texts.iter().map(step).collect::<String>())
}

fn options() -> Options {
    Options { load: LoadModel::Once, late_after: LATE_AFTER, ..Options::default() }
}

fn play(prepared: &Prepared, options: &Options) -> RunDocument {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = RunFolder::create(folder.path()).unwrap();
    let document = run(prepared, options, &run_folder, &Stop::new(), &mut |_| {}).unwrap();
    let logged = run_folder.intervals().unwrap().totals().unwrap();
    let of = |kind: &str| -> u64 {
        logged.iter().filter(|(tag, _)| tag.ends_with(kind)).map(|(_, histogram)| histogram.len()).sum()
    };
    let waited = document.generator.errors.get("timeout").copied().unwrap_or_default();
    assert_eq!(of(".response"), of(".first_byte") + waited, "a timeout counts with what it waited");
    assert_eq!(of(".first_byte"), document.total.protocols.values().sum::<u64>());
    assert_eq!(of("connect"), document.total.connections);
    assert!(document.total.status.is_empty(), "no status of another protocol's is made up");
    folder.close().unwrap();
    document
}

fn played(peer: &Peer, texts: &[&str], more: &str, options: &Options) -> RunDocument {
    let folder = tempfile::tempdir().unwrap();
    play(&load(folder.path(), &steps(peer, texts, more)).unwrap(), options)
}

#[test]
fn a_session_is_played_and_counted() {
    let peer = Peer::start();
    let document = played(&peer, &["one x", "two y", "one z"], "", &options());
    assert_eq!(peer.lines(), ["one|x", "two|y", "one|z"]);
    assert_eq!(peer.connections.load(Ordering::SeqCst), 2, "the probe's, and the user's");
    assert_eq!((document.requests, document.failures, document.verdict), (3, 0, Verdict::Pass));
    assert_eq!(document.total.protocols, BTreeMap::from([("lines".to_owned(), 3)]));
    assert_eq!((document.bytes_out, document.bytes_in), (18, 6));
    let names: Vec<_> =
        document.endpoints.iter().map(|one| (one.method.as_str(), one.name.as_str(), one.requests)).collect();
    assert_eq!(names, [("lines", "one", 2), ("lines", "two", 1)]);
    assert_eq!(document.target, peer.url());
    assert_eq!(document.total.connections, 1);
    assert!(document.total.response_time_ms.max > 0.0 && document.total.connect_ms.max > 0.0);
    assert!(document.total.first_byte_ms.max <= document.total.service_time_ms.max);
}

#[test]
fn rates_users_and_thresholds_hold_as_for_http() {
    let peer = Peer::start();
    let open = Options {
        load: LoadModel::Open { rate: Rate::Requests(300.0) },
        arrivals: mynah_traffic::scenario::Arrivals::Uniform,
        duration: Some(SECOND),
        threads: 2,
        thresholds: ["lines one: p99 < 1us", "lines one: failure_rate < 1%", "connect.p99 < 10s"]
            .map(|expr| expr.parse().unwrap())
            .into(),
        ..options()
    };
    let document = played(&peer, &["one x", "two y"], "", &open);
    assert_eq!((document.requests, document.failures), (300, 0), "{:?}", document.failure_rows);
    assert_eq!(document.arrivals.scheduled_requests, Some(300));
    assert_eq!(document.thresholds.iter().map(|one| one.ok).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(document.verdict, Verdict::Fail);
    let peer = Peer::start();
    let closed = Options {
        load: LoadModel::Closed { users: 3, spawn_rate: 0.0 },
        duration: Some(Nanos(300_000_000)),
        threads: 2,
        ..options()
    };
    let document = played(&peer, &["one x", "two y"], "", &closed);
    assert_eq!(peer.connections.load(Ordering::SeqCst), 1 + 3, "each user keeps its own");
    assert!(document.requests > 6 && document.failures == 0, "{:?}", document.failure_rows);
    assert_eq!(document.requests, peer.lines().len() as u64);
}

#[test]
fn values_checks_and_extraction() {
    let peer = Peer::start();
    let to = peer.url();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("people.csv"), "name\nAda|Love lace\n").unwrap();
    let step = |rest: &str| format!("[[profile.step]]\nprotocol = 'lines'\nto = '{to}'\n{rest}\n");
    let toml = [
        "[data.people]\nfile = 'people.csv'\n[[profile]]\nname = 'a'\n".to_owned(),
        step("send = 'echo <${data.people.name}>'\nextract = { who = 'regex:<(.*)>' }\ncheck = ['body contains Love']"),
        step("send = 'json'\nextract = { id = 'json:$.id', tag = 'json:$.tags[*]' }\ncheck = ['json:$.id == 17', 'size > 5']"),
        step("send = 'echo ${id}-${tag[1]} ${who}'\ncheck = ['body == \"17-b|Ada|Love lace\"', 'time < 10s']"),
        step("send = 'echo x'\nname = 'unlike'\ncheck = ['body == y', 'time < 10s']"),
        step("send = 'echo x'\nname = 'missing'\nextract = { none = 'json:$.none' }"),
        step("send = 'echo ${none}'\nname = 'none'"),
        step("send = 'echo ${none:-instead}'\nname = 'default'\ncheck = ['body == instead']"),
    ]
    .concat();
    let prepared = load(folder.path(), &toml).unwrap();
    let document = play(&prepared, &options());
    let lines = peer.lines();
    assert_eq!(lines[..3], ["echo|<Ada|Love lace>", "json", "echo|17-b|Ada|Love lace"]);
    assert_eq!(lines.last().map(String::as_str), Some("echo|instead"));
    let failed: BTreeMap<&str, &str> =
        document.failure_rows.iter().map(|row| (row.name.as_str(), row.error.as_str())).collect();
    let wanted = [
        ("unlike", "check 'body == y': it is not so"),
        ("missing", "extract none: there is nothing at json:$.none"),
        ("none", "no value for ${none}"),
    ];
    assert_eq!(failed, BTreeMap::from(wanted));
    let name = &document.endpoints.iter().find(|one| one.name.starts_with("echo <")).unwrap().name;
    assert_eq!(name, "echo <${data.people.name}>", "by its text as written");
    // The same, told.
    let mut told: Vec<TraceStep> = Vec::new();
    let summary = trace(&prepared, &options(), &mut |step| told.push(step)).unwrap();
    assert_eq!((summary.steps, summary.ok), (7, 4));
    assert_eq!(told[2].url, format!("{to} echo 17-b Ada|Love lace → 17-b|Ada|Love lace"));
    assert_eq!((told[2].method.as_str(), told[2].got, told[2].wanted), ("lines", None, None));
    assert!(told[2].ms > 0.0 && told[2].checked.iter().all(|(_, holds)| *holds));
    assert_eq!(told[2].injected[0].from, "${id}-${tag[1]}");
    assert_eq!(told[0].extracted, [("who".to_owned(), "Ada|Love lace".to_owned())]);
}

#[test]
fn rude_servers_are_failures_by_kind_and_the_next_request_gets_another_connection() {
    for (rude, kind, text) in [
        ("close", "closed", "connection closed before an answer came"),
        ("half", "truncated", "connection closed in the middle of an answer"),
        ("never", "timeout", "timeout after 200ms"),
        ("zero", "protocol", "not lines: a zero byte, expected text"),
        ("fail", "error_reply", "no such thing"),
    ] {
        let peer = Peer::start();
        let options = Options { request_timeout: Duration::from_millis(200), ..options() };
        let document = played(&peer, &[rude, "fine x"], "", &options);
        assert_eq!((document.requests, document.failures), (2, 1), "{rude}: {:?}", document.failure_rows);
        assert_eq!(document.generator.errors, BTreeMap::from([(kind.to_owned(), 1)]), "{rude}");
        assert_eq!(
            (document.failure_rows[0].name.as_str(), document.failure_rows[0].error.as_str()),
            (rude, text)
        );
        let connections = if kind == "error_reply" { 2 } else { 3 };
        assert_eq!(peer.connections.load(Ordering::SeqCst), connections, "{rude}");
    }
}

#[test]
fn a_connection_that_was_closed_between_two_requests_costs_none() {
    let peer = Peer::start();
    let document = played(&peer, &["bye x", "fine y"], "think = '200ms'", &options());
    assert_eq!((document.requests, document.failures), (2, 0), "{:?}", document.failure_rows);
    assert_eq!(peer.connections.load(Ordering::SeqCst), 3);
}

#[test]
fn what_cannot_be_sent_is_not_sent() {
    let peer = Peer::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.csv"), "t\n\"a\nb\"\n").unwrap();
    let data = "[data.d]\nfile = 'd.csv'\n";
    let prepared =
        load(folder.path(), &(data.to_owned() + &steps(&peer, &["two ${data.d.t}", "one"], ""))).unwrap();
    let document = play(&prepared, &options());
    assert_eq!((document.requests, document.failures), (2, 1));
    assert_eq!(document.failure_rows[0].error, "it is more than one line");
    assert_eq!(document.generator.errors, BTreeMap::new());
    assert_eq!(peer.connections.load(Ordering::SeqCst), 2, "the connection is as good as before");
}

#[test]
fn both_protocols_in_one_session() {
    let server = server::Server::start(|_| server::Reply::new(200, "application/json", b"{\"id\": 5}"));
    let peer = Peer::start();
    let folder = tempfile::tempdir().unwrap();
    let toml = format!(
        "[[profile]]\nname = 'a'\n[[profile.step]]\nrequest = 'GET /x'\nextract = {{ id = 'json:$.id' }}\n\
         [[profile.step]]\nprotocol = 'lines'\nto = '{}'\nsend = 'echo ${{id}}'\nextract = {{ back = 'body' }}\n\
         [[profile.step]]\nrequest = 'GET /y/${{back}}'\n",
        peer.url()
    );
    let prepared = load(folder.path(), &toml).unwrap();
    let options = Options { target: Some(server.url().parse().unwrap()), ..options() };
    let run_folder = RunFolder::create(folder.path().join("run")).unwrap();
    let document = run(&prepared, &options, &run_folder, &Stop::new(), &mut |_| {}).unwrap();
    assert_eq!((document.requests, document.failures), (3, 0), "{:?}", document.failure_rows);
    let counts = [("HTTP/1.1".to_owned(), 2), ("lines".to_owned(), 1)];
    assert_eq!(document.total.protocols, BTreeMap::from(counts));
    assert_eq!(document.total.status, BTreeMap::from([(200, 2)]));
    assert_eq!((peer.lines(), server.seen()[1].target.as_str()), (vec!["echo|5".to_owned()], "/y/5"));
}

#[test]
fn where_it_goes_is_known_and_reached_before_anything_is_sent() {
    let peer = Peer::start();
    let folder = tempfile::tempdir().unwrap();
    let toml = steps(&peer, &["one x"], "");
    let prepared = load(folder.path(), &toml).unwrap();
    let said = |options: &Options| {
        let run_folder = RunFolder::create(folder.path().join("run")).unwrap();
        run(&prepared, options, &run_folder, &Stop::new(), &mut |_| {}).unwrap_err()
    };
    let to = |name: &str, url: &str| Options {
        protocol_targets: vec![(name.to_owned(), url.parse().unwrap())],
        connect_timeout: Duration::from_millis(200),
        ..options()
    };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, why) in [
        (format!("lines://u:secret@{closed}"), "refused"),
        (format!("{}/refused", peer.url()), "no room for you"),
        (format!("{}/slow", peer.url()), "no connection within 0.2 s"),
    ] {
        let error = said(&to("lines", &url));
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(why) && !text.contains("secret"), "{text}");
    }
    let text = said(&to("line", &peer.url())).to_string();
    assert!(text.contains("no step of the scenario speaks it"), "{text}");
    // Said elsewhere, it is not asked what the scenario says.
    let other = Peer::start();
    let document = play(&prepared, &to("lines", &other.url()));
    assert_eq!((document.failures, peer.lines().len(), other.lines().len()), (0, 0, 1));
    // Recorded traffic does not go back to where it is from.
    let recorded = "[recorded]\nmasked = true\nexchanges = 1\nsessions = 1\nduration_s = 1.0\nsessions_per_s = 1.0\n\
                    hosts = ['redis.internal']\n";
    let prepared = load(folder.path(), &(recorded.to_owned() + &toml)).unwrap();
    let run_folder = RunFolder::create(folder.path().join("run")).unwrap();
    let options = to("lines", "lines://redis.internal:1");
    let error = run(&prepared, &options, &run_folder, &Stop::new(), &mut |_| {}).unwrap_err();
    assert!(matches!(&error, Error::Refused { host } if host == "redis.internal"), "{error}");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let said = |step: &str| {
        let text = load(folder.path(), &format!("[[profile]]\nname = \"a\"\n[[profile.step]]\n{step}\n"))
            .unwrap_err()
            .to_string();
        assert!(text.contains("scenario.toml"), "{text}");
        text
    };
    for (step, wanted) in [
        ("protocol = 'linse'\nsend = 'x'", "speaks (it speaks: HTTP, lines); did you mean 'lines'?"),
        (
            "protocol = 'lines'\nsend = 'a|b'",
            ":7:8: profile 'a': step 'a|b': a bar is what parts are joined with",
        ),
        ("protocol = 'lines'\nsend = 'x'\nto = 'nowhere'", "'to' is no URL (relative URL"),
        ("protocol = 'lines'\nsend = 'x'\nto = '${where}'", "known before it begins"),
        ("protocol = 'lines'", "nothing to send over it"),
        ("protocol = 'lines'\nsend = 'x'\nrequest = 'GET /'", "has a request, which is HTTP's"),
        ("protocol = 'HTTP'\nsend = 'x'", "over HTTP a step has a request"),
        ("protocol = 'li nes'\nsend = 'x'", "make a name"),
        ("protocol = 'lines'\nsend = 'x'\nheaders = { A = 'b' }", "has 'headers', which is HTTP's"),
        ("protocol = 'lines'\nsend = 'x'\nexpect = 200", "has 'expect', which is HTTP's"),
        (
            "protocol = 'lines'\nsend = 'x'\ncheck = ['status == 200']",
            "check 'status == 200': an answer over 'lines' has no status",
        ),
        ("protocol = 'lines'\nsend = 'x'\ncheck = ['header:A exists']", "has no headers"),
        ("protocol = 'lines'\nsend = 'x'\nextract = { a = 'cookie:sid' }", "has no headers"),
        ("protocol = 'lines'\nsend = '${nme}'", "'${nme}' is no correlation"),
        ("protocol = 'lines'\nsend = '${a b'", "has ${ without }"),
        ("protocol = 'lines'\nsend = 'x ${script.b:-two words}'", "has ${ without }"),
        ("request = 'GET /'\nto = 'lines://a'", "has 'to', which goes with protocol"),
        ("send = 'x'", "has 'send', which goes with protocol"),
        ("name = 'x'", "has no request"),
    ] {
        let text = said(step);
        assert!(text.contains(wanted), "{step}\n{text}");
    }
    // A program that speaks HTTP alone.
    let path = folder.path().join("scenario.toml");
    let toml = "version = 1\nname = 't'\n[[profile]]\nname = 'a'\n[[profile.step]]\nprotocol = 'redis'\nsend = 'GET a'\n";
    std::fs::write(&path, toml).unwrap();
    let error = Prepared::load(&path).unwrap_err();
    assert!(
        matches!(error, Error::Traffic(mynah_traffic::Error::Config { place: Some((7, 8)), .. })),
        "{error:?}"
    );
    assert!(error.to_string().ends_with(
        "step 'GET a': protocol 'redis' is not one that this program speaks (it speaks: HTTP); programs of one's own add \
         others, see docs/protocols.md"
    ), "{error}");
}

/// Answers without a wait, out of nothing.
struct Instantly;

impl Protocol for Instantly {
    fn name(&self) -> &'static str {
        "instantly"
    }

    fn parse(&self, send: &str) -> Result<Vec<String>, String> {
        Ok(vec![send.to_owned()])
    }

    fn connect<'a>(&'a self, _: &'a Url) -> LocalBoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(std::future::ready(Ok(Box::new(Instantly) as Box<dyn Connection>)))
    }
}

impl Connection for Instantly {
    fn exchange<'a>(&'a mut self, _: Request<'a>) -> LocalBoxFuture<'a, Result<Reply, Failure>> {
        Box::pin(std::future::ready(Ok(Reply::default())))
    }
}

#[test]
fn what_never_waits_does_not_keep_a_run_from_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    let steps = "[[profile.step]]\nprotocol = 'instantly'\nto = 'instantly:x'\nsend = 'x'\n".repeat(3);
    std::fs::write(&path, format!("version = 1\nname = 't'\n[[profile]]\nname = 'a'\n{steps}")).unwrap();
    let speaking = Loading { protocols: vec![Arc::new(Instantly)], ..Loading::default() };
    let prepared = Prepared::load_with(&path, &speaking).unwrap();
    let closed = Options {
        load: LoadModel::Closed { users: 2, spawn_rate: 0.0 },
        duration: Some(Nanos(200_000_000)),
        threads: 1,
        ..options()
    };
    let (out, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = out.send(play(&prepared, &closed));
    });
    let document = ended.recv_timeout(Duration::from_secs(30)).expect("the run does not end");
    assert!(document.requests > 3 && document.failures == 0, "{:?}", document.failure_rows);
}

#[test]
fn only_what_reads_leaves_other_protocols_out() {
    let peer = Peer::start();
    let folder = tempfile::tempdir().unwrap();
    load(folder.path(), &steps(&peer, &["one x"], "")).unwrap();
    let chosen = Chosen { read_only: true, ..Chosen::default() };
    let speaking = Loading { chosen, protocols: vec![Arc::new(Lines)], ..Loading::default() };
    let path = folder.path().join("scenario.toml");
    let error = Prepared::load_with(&path, &speaking).unwrap_err();
    assert!(error.to_string().contains("nothing is left"), "{error}");
}
