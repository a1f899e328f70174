//! Known secrets over every class, encoding and place, planted in realistic traffic by a program that shares no list with mynah:
//! none survives, formats and equalities hold, and little else is masked. With 100,000 of them: `bench/secrets/check.py`.

use crate::common::bench;

fn check(plants: &str, seed: &str) {
    let Some((content, said)) = bench("secrets/check.py", &["--plants", plants, "--seed", seed]) else {
        return;
    };
    assert!(content, "{said}");
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
