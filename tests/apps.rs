//! Three applications with other habits than the shop's replay without a hand-written rule: recorded through the proxy, masked,
//! profiled, and sent to a fresh server with other secrets and ids.

mod forms;
mod notes;
mod tokens;
mod truth;
pub mod web;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::common::{Place, run_json};
use crate::export::there_is;
use mynah_traffic::scenario::Scenario;
use truth::{Truth, untrue};
use web::{App, Dice, Server};

type Account = (String, String);

const SESSIONS: usize = 60;

fn accounts() -> Vec<Account> {
    let words = ["lamp", "oak", "river", "stone", "cloud"];
    (0..20)
        .map(|n| {
            (
                format!("user{n}.{}@mail.example", words[n % 5]),
                format!("{}-{}-{}", words[n % 5], words[n / 5], 100 + n * 37),
            )
        })
        .collect()
}

/// The accounts as they are in a recording under this key.
fn masked(place: &Place, accounts: &[Account]) -> Vec<Account> {
    let rows: Vec<String> =
        accounts.iter().map(|(email, password)| format!("{email},{password}\n")).collect();
    let csv = format!("email,password\n{}", rows.concat());
    place.write("accounts.csv", csv);
    let columns = ["--csv", "accounts.csv", "--column", "email=email", "--column", "password=password"];
    let run = place.mynah(&[&["mask-value", "--key-file", "k"], &columns[..]].concat()).ok();
    let output = run.stdout();
    let mut reader = csv::Reader::from_reader(output.as_bytes());
    reader.records().map(|row| row.unwrap()).map(|row| (row[0].to_owned(), row[1].to_owned())).collect()
}

/// Records sessions through the proxy.
pub fn record(place: &Place, upstream: &str, options: &[&str], visit: &(dyn Fn(SocketAddr, usize) + Sync)) {
    let mut args = vec!["capture", "--listen", "127.0.0.1:0", "--upstream", upstream, "-o", "t.mynah"];
    args.extend(options);
    let mut child = place.command(&args).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    while !first.starts_with("recording") {
        first.clear();
        assert!(said.read_line(&mut first).unwrap() > 0, "the capture ended");
    }
    let address: SocketAddr = first.split(' ').nth(2).unwrap().parse().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (thread..SESSIONS).step_by(4).for_each(|number| visit(address, number)));
        }
    });
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
}

/// One application through the whole pipeline: the fresh server, to look at its books.
fn replays<A: App>(
    make: fn(&[Account], u64) -> A,
    visit: fn(SocketAddr, &mut Dice, &Account),
    truth: Truth,
    options: &[&str],
) -> Server<A> {
    let place = Place::new();
    let accounts = accounts();
    let recorded = Server::start(make(&accounts, 11));
    record(&place, &recorded.url(), options, &|address, number| {
        visit(address, &mut Dice::new(1000 + number as u64), &accounts[number % accounts.len()]);
    });
    let seeded = if options.contains(&"--unmasked") { accounts } else { masked(&place, &accounts) };
    place.mynah(&["profile", "t.mynah", "-o", "s.toml"]).ok();
    let text = std::fs::read_to_string(place.file("s.toml")).unwrap();
    let (accepted, wrong) = untrue(&Scenario::load(place.file("s.toml")).unwrap(), truth);
    println!("{accepted} correlations, of which not true: {wrong:#?}");
    let fresh = Server::start(make(&seeded, 2_000_003));
    let sent = place.mynah(&[
        "replay",
        "s.toml",
        "--target",
        &fresh.url(),
        "--rate",
        "1x",
        "--for",
        "3s",
        "-o",
        "run",
    ]);
    println!("{}", sent.stdout());
    let run = run_json(&place.file("run"));
    let parity = run["fidelity"]["status_parity"].as_f64().unwrap();
    println!("{} requests, status parity {parity}", run["requests"]);
    assert!(run["requests"].as_u64().unwrap() > 200, "{}", run["requests"]);
    assert!(parity >= 0.99, "parity {parity}: {:#}\n{text}", run["failure_rows"]);
    assert_eq!(run["total"]["mismatches"], 0, "{:#}", run["mismatch_samples"]);
    assert!(wrong.len() * 20 <= accepted, "of {accepted} correlations these are not true: {wrong:#?}");
    assert!(accepted > 0);
    for (number, tool) in ["curl", "locust", "k6"].into_iter().enumerate() {
        let other = Server::start(make(&seeded, 3_000_017 + number as u64));
        exported(&place, tool, &other.url());
    }
    fresh
}

/// The scenario as another tool's script, against another fresh server, where that tool is.
fn exported(place: &Place, tool: &str, target: &str) {
    let named = std::env::var(format!("MYNAH_{}", tool.to_uppercase())).unwrap_or_else(|_| tool.to_owned());
    let wanted: &[&str] = if tool == "curl" { &["bash", "curl", "jq", "awk"] } else { &[&named] };
    if !wanted.iter().all(|tool| there_is(tool)) {
        return;
    }
    place.mynah(&["export", "s.toml", "--format", tool, "-o", "script.py"]).ok();
    let url = format!("TARGET={target}");
    let mut command = match tool {
        "curl" => Command::new("bash"),
        _ => Command::new(&named),
    };
    match tool {
        "curl" => command.args(["script.py", target]),
        "locust" => command.args([
            "-f",
            "script.py",
            "--headless",
            "-u",
            "6",
            "-r",
            "6",
            "-t",
            "30s",
            "--host",
            target,
        ]),
        _ => command.args([
            "run",
            "--no-usage-report",
            "--quiet",
            "-e",
            "THINK=0",
            "-e",
            "SESSIONS=60",
            "-e",
            &url,
            "script.py",
        ]),
    };
    let output = command.env("THINK", "0").env("SESSIONS", "60").current_dir(place.path()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // k6 tells its checks, the others end with another code
    assert!(output.status.success() && !text.contains("✗"), "{tool}:\n{text}");
    std::fs::remove_file(place.file("script.py")).unwrap();
}

#[test]
fn a_token_in_a_cookie_that_goes_back_in_a_header() {
    let fresh = replays(notes::Notes::new, notes::visit, notes::TRUTH, &["--key-file", "k"]);
    assert!(fresh.app.lock().unwrap().saved > 10);
}

#[test]
fn access_tokens_that_end_and_are_refreshed() {
    let fresh = replays(tokens::Tokens::new, tokens::visit, tokens::TRUTH, &["--key-file", "k"]);
    assert!(fresh.app.lock().unwrap().refreshed > 10);
}

#[test]
fn view_states_steps_and_tickets_in_redirects() {
    let fresh = replays(forms::Forms::new, forms::visit, forms::TRUTH, &["--key-file", "k"]);
    assert!(fresh.app.lock().unwrap().handed_in > 10);
}

#[test]
fn unmasked_recordings_replay_as_well() {
    let fresh = replays(forms::Forms::new, forms::visit, forms::TRUTH, &["--unmasked"]);
    assert!(fresh.app.lock().unwrap().handed_in > 10);
    let fresh = replays(notes::Notes::new, notes::visit, notes::TRUTH, &["--unmasked"]);
    assert!(fresh.app.lock().unwrap().saved > 10);
    let fresh = replays(tokens::Tokens::new, tokens::visit, tokens::TRUTH, &["--unmasked"]);
    assert!(fresh.app.lock().unwrap().refreshed > 10);
}
