//! A server that keeps what it is asked, and answers as a test says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came; or an answer, as a test's own client reads it.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Instant,
    /// `GET /items/1`, or an answer's `HTTP/1.1 200 OK`.
    pub line: String,
    /// With the first line.
    pub head: String,
    pub body: String,
}

impl Request {
    /// Path and query.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or("")
    }

    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or("")
    }

    /// The first field of that name, empty where there is none.
    pub fn field(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }

    /// All of it.
    pub fn text(&self) -> String {
        format!("{}{}", self.head, self.body)
    }
}

/// An answer written out. `fields`: whole lines.
pub fn reply(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The plainest answer.
pub fn ok() -> String {
    reply("200 OK", "Content-Type: text/html\r\n", "ok")
}

/// Reads one message; `None` when the other side is gone.
pub fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let mut request = Request { at: Instant::now(), line, head, body: String::new() };
    let mut body = vec![0; request.field("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}

/// The server, for as long as the test.
pub struct Site {
    pub address: SocketAddr,
    kept: Arc<Mutex<Vec<Request>>>,
}

impl Site {
    /// `answer`: to a request that is the n-th (from 1), written out.
    pub fn start(answer: impl Fn(&Request, usize) -> String + Send + Sync + 'static) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (all, answer) = (kept.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer) = (all.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &all, answer.as_ref()));
            }
        });
        Site { address, kept }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn kept(&self) -> Vec<Request> {
        self.kept.lock().unwrap().clone()
    }

    /// What came since the last time.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.kept.lock().unwrap())
    }

    pub fn lines(&self) -> Vec<String> {
        self.kept().into_iter().map(|request| request.line).collect()
    }

    /// Requests by first line.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.lines().into_iter().fold(BTreeMap::new(), |mut counts, line| {
            *counts.entry(line).or_default() += 1;
            counts
        })
    }

    /// Waits until so many came, for a minute at most.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        for _ in 0..1200 {
            if self.kept.lock().unwrap().len() >= count {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{} requests of {count} came", self.kept().len());
    }
}

fn serve(
    stream: TcpStream,
    kept: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request, usize) -> String,
) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        let number = {
            let mut kept = kept.lock().ok()?;
            kept.push(request.clone());
            kept.len()
        };
        writer.write_all(answer(&request, number).as_bytes()).ok()?;
    }
}
