//! The same scenario against nginx over each protocol: the same statuses, and figures for all of them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Place, run_json};

const SCENARIO: &str = r#"
version = 1
name = "protocols"

[[profile]]
name = "visitor"
weight = 1
[[profile.step]]
request = "GET /page"
headers = { User-Agent = "test", Accept-Encoding = "gzip", Connection = "keep-alive" }
expect = 200
[[profile.step]]
request = "GET /items/${id}?q=a%20b"
headers = { Cookie = "a=1; b=2" }
expect = 200
[[profile.step]]
request = "GET /missing"
expect = 404
[[profile.step]]
request = "POST /taken"
body = "some text"
expect = 201
[[profile.step]]
request = "HEAD /page"
expect = 200
[[profile.step]]
request = "GET /moved"
expect = 302
[[profile.step]]
request = "GET /long"
expect = 200

[[correlation]]
name = "id"
from = ["GET /page json:$.id"]
to = []
[[endpoint]]
match = "GET /items/{id}"
"#;

const CONFIGURATION: &str = r#"
daemon off; master_process off; pid PLACE/pid; error_log PLACE/error.log;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path PLACE; proxy_temp_path PLACE; fastcgi_temp_path PLACE; uwsgi_temp_path PLACE;
  scgi_temp_path PLACE; default_type application/json; root PLACE; http2_max_concurrent_streams 4;
  ssl_certificate PLACE/localhost.crt; ssl_certificate_key PLACE/localhost.key; ssl_protocols TLSv1.3;
  server {
    listen 127.0.0.1:PLAIN; listen 127.0.0.1:CLEAR http2; listen 127.0.0.1:TLS1 ssl; listen 127.0.0.1:TLS2 ssl http2;
    listen unix:PLACE/socket;
    keepalive_requests 20;
    location = /page { return 200 '{"id":"a17"}'; }
    location = /items/a17 { if ($args != "q=a%20b") { return 400; } if ($http_cookie != "a=1; b=2") { return 400; } return 200 '{}'; }
    location = /taken { return 201; }
    location = /moved { return 302 /page; }
    location = /long { try_files /long.bin =500; }
    location / { return 404; }
  }
}
"#;

/// nginx with a port for each protocol.
struct Nginx {
    child: Child,
    ports: BTreeMap<&'static str, u16>,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// `None` where there is none.
    fn start(place: &Place) -> Option<Nginx> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/tests/data");
        for name in ["localhost.crt", "localhost.key"] {
            std::fs::copy(data.join(name), place.path().join(name)).unwrap();
        }
        place.write("long.bin", vec![b'x'; 3 << 20]);
        let sockets: BTreeMap<&'static str, TcpListener> = ["PLAIN", "CLEAR", "TLS1", "TLS2"]
            .map(|name| (name, TcpListener::bind("127.0.0.1:0").unwrap()))
            .into();
        let ports: BTreeMap<&'static str, u16> =
            sockets.iter().map(|(name, socket)| (*name, socket.local_addr().unwrap().port())).collect();
        drop(sockets);
        let mut text = CONFIGURATION.replace("PLACE", &place.path().to_string_lossy());
        for (name, port) in &ports {
            text = text.replace(name, &port.to_string());
        }
        let file = place.write("nginx.conf", text);
        let begun = place
            .program("nginx")
            .args(["-c", &file, "-p", &place.path().to_string_lossy()])
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = begun else {
            println!("skipped: there is no nginx here");
            return None;
        };
        let mut nginx = Nginx { child, ports };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", nginx.ports["PLAIN"])).is_err() {
            let ended = nginx.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(place.path().join("error.log")).unwrap_or_default();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(20), "{ended:?} {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(nginx)
    }
}

/// What a run over one protocol comes to.
fn played(place: &Place, target: &str, flags: &[&str]) -> Value {
    let load = ["--users", "4", "--for", "1s", "--think-time", "0", "-o", "run", "--force"];
    let args = [&["replay", "s.toml", "--target", target], &load[..], flags].concat();
    place.mynah(&args).ok();
    run_json(&place.file("run"))
}

#[test]
fn nginx_answers_alike_whatever_is_spoken() {
    let place = Place::new();
    place.write("s.toml", SCENARIO);
    let Some(nginx) = Nginx::start(&place) else { return };
    let port = |name: &str| nginx.ports[name];
    let clear = |name: &str| format!("http://127.0.0.1:{}", port(name));
    let tls = |name: &str| format!("https://localhost:{}", port(name));
    let socket = format!("unix:{}", place.file("socket"));
    let ways: [(String, &[&str], &str); 7] = [
        (clear("PLAIN"), &[], "HTTP/1.1"),
        (clear("CLEAR"), &["--http", "2"], "h2"),
        (tls("TLS1"), &["--insecure"], "HTTP/1.1"),
        (tls("TLS2"), &["--insecure"], "h2"),
        (tls("TLS2"), &["--insecure", "--http", "2"], "h2"),
        (tls("TLS2"), &["--insecure", "--http", "1.1"], "HTTP/1.1"),
        (socket, &[], "HTTP/1.1"),
    ];
    for (target, flags, protocol) in ways {
        let document = played(&place, &target, flags);
        let told = format!("{target} {flags:?}: {document:#}");
        assert_eq!(document["failures"], 0, "{told}");
        // nginx closes connections after so many requests: over both versions that costs nobody a request.
        let requests = document["requests"].as_u64().unwrap();
        assert!(requests > 100 && document["total"]["connections"].as_u64().unwrap() > 4, "{told}");
        let spoken = document["total"]["protocols"].as_object().unwrap();
        assert_eq!(spoken.keys().collect::<Vec<_>>(), [protocol], "{told}");
        assert_eq!(spoken[protocol], requests, "{told}");
        for endpoint in document["endpoints"].as_array().unwrap() {
            let wanted = match endpoint["name"].as_str().unwrap() {
                "/missing" => "404",
                "/taken" => "201",
                "/moved" => "302",
                _ => "200",
            };
            let statuses = endpoint["status"].as_object().unwrap();
            assert_eq!(statuses.keys().collect::<Vec<_>>(), [wanted], "{told}");
            for figure in ["p50", "p99", "max"] {
                assert!(endpoint["service_time_ms"][figure].as_f64().unwrap() > 0.0, "{told}");
            }
        }
        assert!(document["bytes_in"].as_u64().unwrap() > 3 << 20, "{told}");
        let handshakes = document["total"]["tls_ms"]["max"].as_f64().unwrap();
        assert_eq!(handshakes > 0.0, target.starts_with("https"), "{told}");
    }
    // Redirects that are followed, over both.
    let lenient = SCENARIO.replace("expect = 302", "expect = 200");
    place.write("s.toml", lenient);
    for (target, flags) in [
        (clear("PLAIN"), &["--follow-redirects", "3"][..]),
        (clear("CLEAR"), &["--http", "2", "--follow-redirects", "3"]),
    ] {
        let document = played(&place, &target, flags);
        assert_eq!(document["failures"], 0, "{target}: {document:#}");
    }
}

#[test]
fn what_cannot_be_spoken_is_told_before_anything_is_sent() {
    let place = Place::new();
    place.write("s.toml", SCENARIO);
    let Some(nginx) = Nginx::start(&place) else { return };
    let run = |target: &str, flags: &[&str], code: i32| {
        let args =
            [&["replay", "s.toml", "--target", target, "--users", "1", "--for", "1s", "-o", "run"], flags]
                .concat();
        place.mynah(&args).exits(code)
    };
    let clear = format!("http://127.0.0.1:{}", nginx.ports["PLAIN"]);
    run(&clear, &["--http", "2"], 4).says("does not speak HTTP/2 in the clear");
    let tls = format!("https://localhost:{}", nginx.ports["TLS1"]);
    run(&tls, &["--insecure", "--http", "2"], 4).says("no version of HTTP that --http offers");
    run(&tls, &["--insecure", "--tls-max", "1.2"], 4).says("TLS: ");
    run(&clear, &["--http", "3"], 2).says("expected auto, 1.1 or 2");
    run(&tls, &["--ca", "gone.pem"], 2).says("gone.pem");
    run(&tls, &["--cert", "localhost.crt"], 2).says("--key");
    run(&clear, &["--bind", "192.0.2.1"], 2).says("no address of this machine");
    run("unix:nowhere.sock", &[], 4);
}
