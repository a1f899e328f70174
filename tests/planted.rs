//! Known secrets over every class, encoding and place, planted in realistic traffic by a program that shares no list with mynah:
//! none survives, formats and equalities hold, and little else is masked. With 100,000 of them: `bench/secrets/check.py`.

use std::process::Command;

fn check(plants: &str, seed: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/secrets/check.py");
    let run = Command::new("python3")
        .args([script, "--plants", plants, "--seed", seed, "--mynah", env!("CARGO_BIN_EXE_mynah")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let Ok(output) = run else {
        println!("skipped: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("nothing survived"), "{said}");
}

#[test]
fn two_thousand_known_secrets_do_not_survive() {
    check("2000", "3");
}

#[test]
fn traffic_without_plants_raises_few_false_alarms() {
    check("0", "4");
}
