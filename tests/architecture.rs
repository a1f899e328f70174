//! The house stands as drawn: stages use `traffic` and `message`, never each other.

use std::path::Path;

/// Crates that a crate's manifest names, tests included.
fn dependencies(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("Cargo.toml");
    let manifest: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .filter(|name| name.starts_with("mynah"))
        .collect()
}

#[test]
fn stages_stand_on_traffic_and_message_only() {
    for stage in ["capture", "masking", "grouping", "replay", "report"] {
        for name in dependencies(stage) {
            assert!(
                ["mynah-traffic", "mynah-message"].contains(&name.as_str()),
                "{stage} must not depend on {name}"
            );
        }
    }
    assert_eq!(dependencies("traffic"), ["mynah-message"]);
    assert_eq!(dependencies("message"), [""; 0]);
    assert_eq!(
        dependencies("fixtures/shop"),
        [""; 0],
        "the shop is the other side: it knows nothing of mynah"
    );
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for folder in [
        ".",
        "message",
        "traffic",
        "capture",
        "masking",
        "grouping",
        "replay",
        "report",
        "fixtures/shop",
        "examples/redis",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{folder}");
    }
}
