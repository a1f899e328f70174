//! HAR files become scenarios: the bundled one from Chromium, and every browser-made one among the public ones.

use crate::common::{Anything, Place, fixture, run_json, shared_data, shop_for};

#[test]
fn the_bundled_har_is_captured_profiled_and_replayed() {
    let place = Place::new();
    place.mynah(&["capture", &fixture("shop-chromium.har"), "-o", "t.mynah", "--key-file", "k"]).ok();
    place.mynah(&["profile", "t.mynah", "-o", "s.toml"]).ok();
    let shop = shop_for(&place, "k", 77);
    place
        .mynah(&[
            "replay",
            "s.toml",
            "--target",
            &shop.url(),
            "--users",
            "20",
            "--for",
            "10s",
            "--think-time",
            "x0.1",
            "-o",
            "run",
        ])
        .ok();
    let run = run_json(&place.file("run"));
    assert!(run["requests"].as_u64().unwrap() > 100, "{}", run["requests"]);
    assert!(
        run["fidelity"]["status_parity"].as_f64().unwrap() > 0.9,
        "{}\n{}",
        run["fidelity"],
        run["failure_rows"]
    );
    assert!(shop.counts().logins_ok > 0 && shop.counts().orders > 0, "{:?}", shop.counts());
}

/// Entries of a HAR, and how many of them never went over HTTP (`data:`, `blob:`, extensions).
fn entries(path: &std::path::Path) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(path).ok()?;
    let har: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let entries = har["log"]["entries"].as_array()?;
    let local = entries
        .iter()
        .filter(|entry| !entry["request"]["url"].as_str().unwrap_or_default().starts_with("http"))
        .count();
    Some((entries.len() as u64, local as u64))
}

#[test]
fn every_public_har_is_captured_profiled_and_replayed() {
    let Some(data) = shared_data() else { return };
    let server = Anything::start();
    let mut table = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(data.join("har"))
        .unwrap()
        .flatten()
        .flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten())
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "har"))
        .collect();
    files.sort();
    assert!(files.len() > 10);
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let place = Place::new();
        let text = path.to_string_lossy();
        let Some((all, local)) = entries(path) else {
            let run = place.mynah(&["capture", &text, "-o", "t.mynah"]).exits(3);
            table.push(format!("{name:45} refused: {}", run.stderr().trim()));
            continue;
        };
        place.mynah(&["capture", &text, "-o", "t.mynah"]).ok();
        let summary = place.mynah(&["inspect", "t.mynah", "--json"]).ok().json();
        let exchanges = summary["exchanges"].as_u64().unwrap();
        assert_eq!(
            exchanges,
            all - local,
            "{name}: {all} entries, {local} of them not over HTTP: {}",
            summary["warnings"]
        );
        let before = server.requests();
        let profile =
            place.mynah(&["profile", "t.mynah", "-o", "s.toml", "--keep-static", "--keep-third-party"]);
        if profile.stderr().contains(&format!("all {exchanges} exchanges are left out: {exchanges} upgrades"))
        {
            table.push(format!(
                "{name:45} {all:>3} entries, {exchanges:>3} exchanges, all of them WebSocket upgrades"
            ));
            profile.exits(3);
            continue;
        }
        profile.ok();
        let scenario: toml::Table = std::fs::read_to_string(place.file("s.toml")).unwrap().parse().unwrap();
        let steps = scenario["recorded"]["exchanges"].as_integer().unwrap() as u64;
        place
            .mynah(&[
                "replay",
                "s.toml",
                "--target",
                &server.url(),
                "--once",
                "--think-time",
                "0",
                "-o",
                "run",
            ])
            .ok();
        let run = run_json(&place.file("run"));
        let sent = run["requests"].as_u64().unwrap();
        // This server hands out no tokens: a step that wants one is not sent, and counts as failed.
        let unsent: u64 = run["failure_rows"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["error"].as_str().unwrap().starts_with("no value for"))
            .map(|row| row["occurrences"].as_u64().unwrap())
            .sum();
        assert_eq!(sent - unsent, server.requests() - before, "{name}: what the run counts is what arrived");
        assert!(sent > 0 && sent <= steps, "{name}: {sent} sent of {steps} steps");
        table.push(format!(
            "{name:45} {all:>3} entries, {exchanges:>3} exchanges, {steps:>3} steps, {sent:>3} sent"
        ));
    }
    println!("{}", table.join("\n"));
}
