//! Canaries in every place a value can stand in are in nothing that mynah writes or says: recordings, exports, profiles,
//! reports, logs at their loudest, temporary files, and errors about input that is broken around them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::Place;

/// Each place has its own, so that it shows which one got out. All end so.
const TAIL: &str = "Kq7Zr2Xw9Lm4Tb";

fn canary(place: &str) -> String {
    format!("{place}-{TAIL}")
}

/// A session with a canary in every place, as GoReplay writes it.
fn traffic() -> String {
    let c = canary;
    let base64 = |text: &str| -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut out = String::new();
        for chunk in text.as_bytes().chunks(3) {
            let bits =
                chunk.iter().fold(0_u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            out.extend((0..=chunk.len()).map(|i| char::from(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63])));
        }
        out
    };
    let jwt = format!(
        "{}.{}.{}",
        base64(r#"{"alg":"HS256","typ":"JWT"}"#),
        base64(&format!(r#"{{"sub":"{}","email":"jwt-{TAIL}@mail.example"}}"#, c("claim"))),
        base64(&c("signature"))
    );
    let page = format!(
        r#"<!doctype html><html><head><meta name="csrf-token" content="{}"><title>Hello mail-{TAIL}@mail.example</title>
<script>window.config = {{apiToken: "{}", user: {{"email": "script-{TAIL}@mail.example"}}}};</script></head>
<body data-session-token="{}"><!-- password={} --><form><input type="hidden" name="csrf" value="{}">
<a href="/reset?token={}">reset</a> ann.text-{TAIL}@mail.example</form></body></html>"#,
        c("meta"),
        c("script"),
        c("attribute"),
        c("comment"),
        c("input"),
        c("link")
    );
    let json = format!(
        r#"{{"password":"{}","nested":[{{"apiKey":"{}"}}],"payload":"{}","note":"{{\"secret\":\"{}\"}}","mail":"json-{TAIL}@mail.example"}}"#,
        c("json"),
        c("deep"),
        base64(&format!(r#"{{"token":"{}"}}"#, c("base64"))),
        c("string")
    );
    let graphql = format!(
        r#"{{"query":"mutation {{ login(password: \"{}\") {{ id }} }}","variables":{{"password":"{}"}}}}"#,
        c("argument"),
        c("variable")
    );
    let xml = format!(
        r#"<?xml version="1.0"?><o><password>{}</password><p token="{}"/></o>"#,
        c("element"),
        c("xmlattr")
    );
    let parts = format!(
        "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{}\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n{{\"secret\":\"{}\"}}\r\n--b--\r\n",
        c("part"),
        c("file")
    );
    let exchanges = [
        (
            format!(
                "GET /a/{jwt}?token={}&mail=query-{TAIL}%40mail.example HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer {}\r\nCookie: sid={}; other={}\r\nX-Api-Key: {}\r\nX-Mail: head-{TAIL}@mail.example\r\nReferer: http://shop.example/x?session={}\r\n\r\n",
                c("query"),
                c("bearer"),
                c("sid"),
                c("cookie"),
                c("header"),
                c("referer")
            ),
            response(
                "text/html",
                &page,
                &format!(
                    "Set-Cookie: sid={}; Path=/\r\nLocation: /next?code=1&access_token={}\r\n",
                    c("setcookie"),
                    c("location")
                ),
            ),
        ),
        (
            request(
                "/form",
                "application/x-www-form-urlencoded",
                &format!("user=form-{TAIL}%40mail.example&password={}", c("form")),
            ),
            response("application/json", &json, ""),
        ),
        (request("/json", "application/json", &json), response("application/json", &graphql, "")),
        (request("/graphql", "application/json", &graphql), response("text/xml", &xml, "")),
        (
            request("/soap", "text/xml", &xml),
            response("text/plain", &format!("Dear plain-{TAIL}@mail.example,"), ""),
        ),
        (request("/upload", "multipart/form-data; boundary=b", &parts), response("text/html", &page, "")),
        // Broken in ways that errors and warnings speak of.
        (
            request("/broken", "application/json", &format!("{{\"password\":\"{}\",,,", c("broken"))),
            response("application/json", "{}", "Content-Encoding: gzip\r\n"),
        ),
    ];
    let mut out = String::new();
    for (i, (request, response)) in exchanges.iter().enumerate() {
        let at = 1_760_000_000_000_000_000_u64 + i as u64 * 1_000_000_000;
        for (kind, time, message) in [(1, at, request), (2, at + 5_000_000, response)] {
            let _ = write!(out, "{kind} {i:024x} {time} 0\n{message}\n🐵🙈🙉\n");
        }
    }
    out
}

fn request(path: &str, media: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn response(media: &str, body: &str, fields: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// As it is, in capitals or not, backwards never.
fn has_canary(bytes: &[u8]) -> bool {
    let tail = TAIL.to_ascii_lowercase();
    memchr::memmem::find(&bytes.to_ascii_lowercase(), tail.as_bytes()).is_some()
}

#[track_caller]
fn quiet(what: &str, bytes: &[u8]) {
    if has_canary(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let at = text.to_ascii_lowercase().find(&TAIL.to_ascii_lowercase()).unwrap_or(0);
        let from = text.floor_char_boundary(at.saturating_sub(80));
        panic!("{what}: …{}…", &text[from..text.ceil_char_boundary((at + 40).min(text.len()))]);
    }
}

fn loud(place: &Place, args: &[&str]) -> Output {
    let output =
        place.command(args).env("MYNAH_LOG", "trace").env("TMPDIR", place.file("tmp")).output().unwrap();
    quiet(&format!("{args:?} stdout"), &output.stdout);
    quiet(&format!("{args:?} stderr"), &output.stderr);
    output
}

fn folder_is_quiet(folder: &Path, but: &[&str]) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            folder_is_quiet(&path, but);
        } else if !but.iter().any(|name| path.ends_with(name)) {
            quiet(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn no_canary_is_in_anything_that_is_written_or_said() {
    let place = Place::new();
    std::fs::create_dir(place.file("tmp")).unwrap();
    let traffic = traffic();
    assert!(has_canary(traffic.as_bytes()));
    place.write("in.gor", &traffic);
    let made = loud(&place, &["-vvv", "capture", "in.gor", "-o", "a.mynah", "--report", "report.json"]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    for args in [
        &["inspect", "a.mynah", "--dump"][..],
        &["inspect", "a.mynah", "--exchanges", "--json"],
        &["inspect", "a.mynah", "--sessions", "--json"],
        &["export", "a.mynah", "--format", "gor", "-o", "out.gor"],
        &["profile", "a.mynah", "-o", "a.toml"],
    ] {
        let output = loud(&place, args);
        assert_eq!(output.status.code(), Some(0), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
    }
    // The dump shows what is in the recording, and that the search above looks at the right thing.
    let dump = String::from_utf8(loud(&place, &["inspect", "a.mynah", "--dump"]).stdout).unwrap();
    assert!(dump.contains("/graphql") && dump.contains("csrf-token") && dump.contains("mutation"), "{dump}");
    folder_is_quiet(place.path(), &["in.gor"]);
}

#[test]
fn errors_about_broken_input_do_not_quote_it() {
    let place = Place::new();
    std::fs::create_dir(place.file("tmp")).unwrap();
    let traffic = traffic();
    let bytes = traffic.as_bytes();
    let mut broken: Vec<(String, Vec<u8>)> = vec![
        (
            "in.har".into(),
            format!("{{\"log\":{{\"entries\":[{{\"request\":{{\"password\":\"{}\"}}}}]}}}}", canary("har"))
                .into(),
        ),
        ("not.har".into(), format!("{{\"log\":{{\"entries\":[{{\"token\": {}", canary("har")).into()),
        (
            "access.log".into(),
            format!("1.2.3.4 - - [x] \"GET /?token={} HTTP/1.1\" 200\n", canary("log")).into(),
        ),
        ("text".into(), canary("text").into()),
        ("key".into(), canary("key").into()),
    ];
    for part in 1..12 {
        broken.push((format!("cut{part}.gor"), bytes[..bytes.len() * part / 12].to_vec()));
    }
    for (name, content) in &broken {
        place.write(name, content);
        loud(&place, &["-vvv", "capture", name, "-o", "broken.mynah", "--log-host", "shop.example"]);
        loud(&place, &["-vvv", "inspect", name]);
        loud(&place, &["-vvv", "profile", name, "-o", "broken.toml"]);
    }
    loud(&place, &["capture", "in.har", "-o", "x.mynah", "--key-file", "key"]);
    let names: Vec<&str> = broken.iter().map(|(name, _)| name.as_str()).collect();
    folder_is_quiet(place.path(), &names);
}

/// What comes by a pipe is kept until it was read twice: not so that somebody else could read it.
#[cfg(target_os = "linux")]
#[test]
fn what_is_kept_of_standard_input_cannot_be_read() {
    let place = Place::new();
    std::fs::create_dir(place.file("tmp")).unwrap();
    let mut child = place
        .command(&["capture", "-", "-o", "a.mynah"])
        .env("TMPDIR", place.file("tmp"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let traffic = traffic();
    input.write_all(traffic.as_bytes()).unwrap();
    input.flush().unwrap();
    // The pipe stays open: what was written is in the spool, and nothing else has begun.
    let wanted = traffic.len() as u64;
    let until = Instant::now() + Duration::from_secs(30);
    let spooled = loop {
        let files =
            std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().flatten().map(|fd| fd.path());
        let kept = files.filter_map(|fd| std::fs::read_link(&fd).ok().map(|to| (fd, to)));
        let mut spool = kept.filter(|(_, to)| to.to_string_lossy().ends_with("(deleted)"));
        if let Some((fd, _)) =
            spool.find(|(fd, _)| std::fs::metadata(fd).is_ok_and(|meta| meta.len() >= wanted))
        {
            break std::fs::read(fd).unwrap();
        }
        assert!(Instant::now() < until, "nothing was kept");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(spooled.len() as u64, wanted);
    assert!(!has_canary(&spooled) && memchr::memmem::find(&spooled, b"HTTP/1.1").is_none());
    drop(input);
    assert!(child.wait().unwrap().success());
    folder_is_quiet(place.path(), &[]);
}
