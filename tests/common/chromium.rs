//! A headless Chromium, driven by its DevTools over a pipe: what a page does to a browser, not what it looks as if it did.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Nothing a page does takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser, ended with its test.
pub struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// What it said while an answer was waited for.
    said: VecDeque<Value>,
    session: String,
    number: u64,
    _profile: tempfile::TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
    pub script: bool,
}

/// What a page did.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What was written to the console or thrown, or refused by the page's policy.
    pub complaints: Vec<String>,
    /// What was asked for besides the page itself.
    pub requests: Vec<String>,
}

/// The browser's program; `None` (and a line that says so) where there is none.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("MYNAH_CHROMIUM") {
        return Some(named.into());
    }
    let names =
        ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/Applications/Google Chrome.app/Contents/MacOS".into());
    let found = folders
        .iter()
        .flat_map(|folder| names.iter().chain(&["Google Chrome"]).map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: there is no Chromium (MYNAH_CHROMIUM names one)");
    }
    found
}

impl Chromium {
    /// Starts one, where it is installed.
    pub fn start() -> Option<Chromium> {
        let program = program()?;
        let profile = tempfile::tempdir().unwrap();
        // DevTools are spoken on file descriptors 3 and 4: the shell lays our pipes there.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser = Chromium {
            child,
            to,
            from,
            said: VecDeque::new(),
            session: String::new(),
            number: 0,
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached =
            browser.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Runtime", "Log", "Page", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        let number = self.number;
        let answer = self.wait(method, |message| message["id"] == number);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left).unwrap_or_else(|error| panic!("{what}: {error}"));
            if wanted(&message) {
                return message;
            }
            self.said.push_back(message);
        }
    }

    /// Loads a page and tells what it did until it was at rest.
    pub fn load(&mut self, page: &Path, look: Look) -> Loaded {
        let scheme = if look.dark { "dark" } else { "light" };
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": !look.script}));
        self.call(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": look.width < 500}),
        );
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
        self.navigate("about:blank");
        self.said.clear();
        let url = format!("file://{}", page.display());
        self.navigate(&url);
        // What a script began once the page stood has been said by the time that this is answered.
        self.call(
            "Runtime.evaluate",
            &json!({"expression": "new Promise(done => setTimeout(done, 150))", "awaitPromise": look.script}),
        );
        let mut loaded = Loaded::default();
        for message in self.said.drain(..) {
            let params = &message["params"];
            match message["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                    loaded.complaints.push(params.to_string());
                }
                "Network.requestWillBeSent" | "Network.webSocketCreated" => {
                    let asked =
                        params["request"]["url"].as_str().or(params["url"].as_str()).unwrap_or_default();
                    if asked != url {
                        loaded.requests.push(asked.to_owned());
                    }
                }
                _ => {}
            }
        }
        loaded
    }

    /// Goes there, and waits until it is loaded.
    fn navigate(&mut self, url: &str) {
        self.said.retain(|message| message["method"] != "Page.loadEventFired");
        self.call("Page.navigate", &json!({"url": url}));
        let came = |message: &Value| message["method"] == "Page.loadEventFired";
        if !self.said.iter().any(came) {
            self.wait("the page's load", came);
        }
    }

    /// What an expression comes to in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let result = self.call("Runtime.evaluate", &params);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// The page on paper.
    pub fn pdf(&mut self) -> usize {
        let made = self.call("Page.printToPDF", &json!({"preferCSSPageSize": true}));
        made["data"].as_str().unwrap_or_default().len()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends its own children when it is told to; the kill is for one that does not listen.
        let close = json!({"id": 0, "method": "Browser.close"});
        let _ = self.to.write_all(format!("{close}\0").as_bytes());
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
