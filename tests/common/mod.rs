//! What the end-to-end tests share: the binary, the fixtures, a shop, and a server that answers anything.

pub mod chromium;
pub mod site;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mynah_shop::{Account, Accounts, Options, Running};
use serde_json::Value;
use tempfile::TempDir;

/// A folder of a test's own, gone at its end.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.folder.path().join(name), content).unwrap();
        self.file(name)
    }

    /// The binary, in this folder.
    pub fn mynah(&self, args: &[&str]) -> Run {
        let mut command = self.command(args);
        Run { output: command.output().unwrap(), line: args.join(" ") }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_mynah"));
        command.args(args);
        command
    }

    /// A program, in this folder, with nothing of ours in its environment but that a run is not invalid where something else keeps this
    /// machine's cores: a test that looks at times says `--late-after`.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .current_dir(self.path())
            .env_remove("MYNAH_KEY_FILE")
            .env_remove("MYNAH_POLICY")
            .env_remove("MYNAH_TARGET")
            .env("MYNAH_LATE_AFTER", "1m")
            .env_remove("COLUMNS");
        command
    }
}

/// What a command came to.
pub struct Run {
    pub output: Output,
    line: String,
}

impl Run {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "mynah {}\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.stdout(),
            self.stderr()
        );
        self
    }

    #[track_caller]
    pub fn ok(self) -> Run {
        self.exits(0)
    }

    /// Asserts that standard error says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Run {
        assert!(self.stderr().contains(text), "mynah {}: '{text}' is not in\n{}", self.line, self.stderr());
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.output.stdout)
            .unwrap_or_else(|error| panic!("mynah {}: {error}\n{}", self.line, self.stdout()))
    }
}

/// What a program under `bench/` says of the binary, and whether it was content; `None` where there is no Python.
pub fn bench(script: &str, args: &[&str]) -> Option<(bool, String)> {
    let run = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("bench").join(script))
        .args(args)
        .args(["--mynah", env!("CARGO_BIN_EXE_mynah")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let Ok(output) = run else {
        println!("skipped: there is no python3");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// A file under `fixtures/`.
pub fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).to_string_lossy().into_owned()
}

pub fn fixture_json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// The folder of public captures beside the checkout, where there is one.
pub fn shared_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        Some(folder)
    } else {
        println!("skipped: there is no ../shared/data here");
        None
    }
}

pub fn run_json(folder: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(Path::new(folder).join("run.json")).unwrap()).unwrap()
}

/// A fresh shop whose accounts are the recorded ones' pseudonyms under this key.
pub fn shop_for(place: &Place, key: &str, seed: u64) -> Running {
    let mut reader = csv::Reader::from_path(fixture("accounts.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let masked = |column: usize, kind: &str| {
        let input: String = rows.iter().flat_map(|row| [&row[column], "\n"]).collect();
        let mut child = place
            .command(&["mask-value", "--key-file", key, "--type", kind])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (emails, passwords) = (masked(0, "email"), masked(1, "password"));
    assert_eq!((emails.len(), passwords.len()), (rows.len(), rows.len()));
    let accounts: Accounts =
        emails.into_iter().zip(passwords).map(|(email, password)| Account::new(email, password)).collect();
    Running::start(Options::new(accounts).seed(seed)).unwrap()
}

/// A server that answers every request with 200, and counts them.
pub struct Anything {
    pub address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Anything {
    pub fn start() -> Anything {
        Anything::after(Duration::ZERO)
    }

    /// Takes so long for each answer.
    pub fn after(delay: Duration) -> Anything {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || serve(stream, delay, &count));
            }
        });
        Anything { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Reads one request after the other; `None` when the client is gone.
fn serve(stream: TcpStream, delay: Duration, count: &AtomicU64) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = BTreeMap::new();
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => head.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
                None => break,
            };
        }
        if head.get("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                let size = u64::from_str_radix(line.trim(), 16).ok()?;
                std::io::copy(&mut (&mut reader).take(size + 2), &mut std::io::sink()).ok()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = head.get("content-length").and_then(|length| length.parse().ok()) {
            std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).ok()?;
        }
        std::thread::sleep(delay);
        count.fetch_add(1, Ordering::SeqCst);
        let body = if first.starts_with("HEAD ") { "" } else { "ok" };
        writer
            .write_all(
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{body}")
                    .as_bytes(),
            )
            .ok()?;
    }
}
