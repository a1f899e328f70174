//! The example against a server in this process, and against a real one where there is one.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail with it")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_redis::{Redis, resp};
use mynah_replay::{Error, LoadModel, Loading, Options, Prepared, Stop, run};
use mynah_traffic::Nanos;
use mynah_traffic::run::{RunDocument, RunFolder, Verdict};
use mynah_traffic::scenario::{Arrivals, Rate};

fn load(path: &Path) -> Result<Prepared, Error> {
    Prepared::load_with(path, &Loading { protocols: vec![Arc::new(Redis)], ..Loading::default() })
}

/// A scenario of one profile that sends these commands, each with its check.
fn prepared(to: &str, commands: &[(&str, &str)]) -> Result<Prepared, Error> {
    let folder = tempfile::tempdir().unwrap();
    let steps = commands.iter().map(|(send, check)| {
        let check = if check.is_empty() { String::new() } else { format!("check = ['{check}']\n") };
        format!("[[profile.step]]\nprotocol = 'redis'\nto = '{to}'\nsend = '{send}'\n{check}")
    });
    let steps: String = steps.collect();
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, format!("version = 1\nname = 't'\n[[profile]]\nname = 'a'\n{steps}")).unwrap();
    load(&path)
}

fn play(prepared: &Prepared, options: &Options) -> RunDocument {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = RunFolder::create(folder.path()).unwrap();
    let document = run(prepared, options, &run_folder, &Stop::new(), &mut |_| {}).unwrap();
    folder.close().unwrap();
    document
}

fn once() -> Options {
    Options { load: LoadModel::Once, request_timeout: Duration::from_millis(300), ..Options::default() }
}

/// A server that answers with what stands behind the first word of each command: `SAY +OK`.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    let mut inbox = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream.read(&mut bytes).unwrap_or(0);
        if read == 0 {
            return;
        }
        inbox.extend_from_slice(&bytes[..read]);
        while let Ok(Some((resp::Value::List(words), used))) = resp::parse(&inbox) {
            let word = |at: usize| match words.get(at) {
                Some(resp::Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
                _ => String::new(),
            };
            let (command, text) = (word(0), word(1));
            inbox.drain(..used);
            match command.as_str() {
                // Byte by byte, as slow networks do.
                "DRIP" => {
                    for byte in text.bytes() {
                        let _ = stream.write_all(&[byte]);
                        let _ = stream.flush();
                    }
                }
                "CLOSE" => {
                    let _ = stream.write_all(text.as_bytes());
                    return;
                }
                "NEVER" => {}
                "AUTH" => {
                    let _ = stream.write_all(b"-WRONGPASS no such user\r\n");
                }
                _ => {
                    let _ = stream.write_all(text.as_bytes());
                }
            }
        }
    }
}

#[test]
fn answers_are_read_checked_and_counted() {
    let to = format!("redis://{}", server());
    let commands = [
        ("SAY \"+OK\\r\\n\"", "body == OK"),
        ("SAY \"$5\\r\\nhello\\r\\n\"", "body contains ell"),
        ("DRIP \"*2\\r\\n$1\\r\\na\\r\\n:7\\r\\n\"", "json:$[1] == 7"),
        ("SAY \"$-1\\r\\n\"", "size == 0"),
        ("SAY \":3\\r\\n\"", "body > 4"),
    ];
    let document = play(&prepared(&to, &commands).unwrap(), &once());
    assert_eq!((document.requests, document.failures), (5, 1), "{:?}", document.failure_rows);
    assert_eq!(document.failure_rows[0].error, "check 'body > 4': it is not so");
    assert_eq!(document.total.protocols, BTreeMap::from([("redis".to_owned(), 5)]));
    assert_eq!(document.total.connections, 1);
    assert_eq!(document.bytes_in, 5 + 11 + 15 + 5 + 4);
}

#[test]
fn rude_servers() {
    let to = format!("redis://{}", server());
    for (command, kind, text) in [
        ("CLOSE \"\"", "closed", "connection closed before an answer came"),
        ("CLOSE \"$5\\r\\nhel\"", "truncated", "connection closed in the middle of an answer"),
        ("NEVER", "timeout", "timeout after 300ms"),
        (
            "SAY \"HTTP/1.1 400 Bad Request\\r\\n\"",
            "protocol",
            "not redis: byte 0 is H, expected one of + - : $ *",
        ),
        ("SAY \"+OK\\r\\n+more\\r\\n\"", "protocol", "not redis: more came than the answer"),
        ("SAY \"-WRONGTYPE not a list\\r\\n\"", "error_reply", "WRONGTYPE not a list"),
    ] {
        let document = play(&prepared(&to, &[(command, ""), ("SAY \"+OK\\r\\n\"", "")]).unwrap(), &once());
        assert_eq!((document.requests, document.failures), (2, 1), "{command}: {:?}", document.failure_rows);
        assert_eq!(document.generator.errors, BTreeMap::from([(kind.to_owned(), 1)]), "{command}");
        assert_eq!(document.failure_rows[0].error, text, "{command}");
    }
}

#[test]
fn mistakes_are_told_before_a_run() {
    for (command, why) in
        [("GET \"a", "a \" is not closed"), ("subscribe news", "SUBSCRIBE is answered without end")]
    {
        let said = prepared("redis://127.0.0.1:1", &[(command, "")]).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
    let to = format!("redis://me:secret@{}", server());
    let prepared = prepared(&to, &[("GET a", "")]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run_folder = RunFolder::create(folder.path()).unwrap();
    let error = run(&prepared, &once(), &run_folder, &Stop::new(), &mut |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Unreachable { .. }), "{text}");
    assert!(text.contains("WRONGPASS no such user") && !text.contains("secret"), "{text}");
}

/// A real server, for as long as this lives.
struct Real {
    child: Child,
    _folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Real {
    /// `None` where there is none to be started.
    fn start() -> Option<Real> {
        // Another process may take the port in between: then it is tried again.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let child = Command::new("redis-server")
                .args([
                    "--port",
                    &port.to_string(),
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                ])
                .arg("--dir")
                .arg(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let Ok(child) = child else {
                println!("skipped: there is no redis-server on the path");
                return None;
            };
            let mut real = Real { child, _folder: folder, port };
            let until = Instant::now() + Duration::from_secs(20);
            while Instant::now() < until && real.child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(real);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("redis-server does not start");
    }

    /// What it says of itself.
    fn info(&self, section: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut out = Vec::new();
        resp::command(&["INFO", section], &mut out);
        stream.write_all(&out).unwrap();
        let mut inbox = Vec::new();
        let mut bytes = [0; 4096];
        loop {
            let read = stream.read(&mut bytes).unwrap();
            inbox.extend_from_slice(&bytes[..read]);
            if let Some((value, _)) = resp::parse(&inbox).unwrap() {
                return String::from_utf8(value.body()).unwrap();
            }
        }
    }

    /// Calls by command.
    fn calls(&self) -> BTreeMap<String, u64> {
        let info = self.info("commandstats");
        let line = |line: &str| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_ascii_uppercase(), rest.split(',').next()?.parse().ok()?))
        };
        info.lines().filter_map(line).filter(|(name, _)| name != "INFO").collect()
    }
}

#[test]
fn what_a_real_server_counts_is_what_the_run_says() {
    let Some(real) = Real::start() else { return };
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenario.toml");
    let prepared = load(&path).unwrap();
    let to = format!("redis://127.0.0.1:{}/1", real.port);
    let options = Options {
        protocol_targets: vec![("redis".to_owned(), to.parse().unwrap())],
        load: LoadModel::Open { rate: Rate::Requests(1000.0) },
        arrivals: Arrivals::Uniform,
        duration: Some(Nanos(2_000_000_000)),
        ..Options::default()
    };
    let document = play(&prepared, &options);
    assert_eq!((document.requests, document.failures), (2000, 0), "{:?}", document.failure_rows);
    assert_ne!(document.verdict, Verdict::Fail, "{:?}", document.reasons);
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for endpoint in &document.endpoints {
        let command = match endpoint.name.as_str() {
            "log in" => "SET",
            "read" => "GET",
            "latest" => "LRANGE",
            other => other.split(' ').next().unwrap(),
        };
        *counted.entry(command.to_owned()).or_default() += endpoint.requests;
    }
    let mut calls = real.calls();
    // One for each connection: those of the run, and the one that was tried before it.
    assert_eq!(calls.remove("SELECT"), Some(document.total.connections + 1));
    assert_eq!(calls, counted);
    // Names with a space and with quotes in them are one argument each.
    assert!(real.info("keyspace").contains("db1:"), "{}", real.info("keyspace"));
    let wrong = self::prepared(&to, &[("SET k v", "body == OK"), ("LPUSH k v", "")]).unwrap();
    let document = play(&wrong, &once());
    assert_eq!(document.generator.errors, BTreeMap::from([("error_reply".to_owned(), 1)]));
    assert!(document.failure_rows[0].error.starts_with("WRONGTYPE "), "{:?}", document.failure_rows);
}
