use super::super::visit::is_data;
use super::*;

fn paths(documents: &[&str]) -> Vec<String> {
    let mut tree = Tree::default();
    for document in documents {
        assert_eq!(tree.lay(document.as_bytes(), PATHS, &[]), (Ok(()), None), "{document}");
        tree.tidy();
    }
    let told = |number: u32| {
        let node = &tree.nodes[number as usize];
        let types: Vec<&str> =
            Type::ALL.iter().filter(|t| node.mask() & t.bit() != 0).map(|t| t.name()).collect();
        format!("{}: {} ({})", tree.path(number), types.join("|"), node.answers)
    };
    (0..tree.nodes.len() as u32).filter(|&number| tree.is_live(number)).map(told).collect()
}

#[test]
fn documents_are_laid_over_one_another() {
    let found = paths(&[
        r#"{"items":[{"id":1,"of":null},{"id":"x"}],"a b":true}"#,
        r#"{"items":[],"at":{"2024-05-01":1,"17":[]}}"#,
    ]);
    assert_eq!(
        found,
        [
            "$: object (2)",
            "$.items: array (2)",
            "$.items[*]: object (1)",
            "$.items[*].id: number|string (1)",
            "$.items[*].of: null (1)",
            "$['a b']: boolean (1)",
            "$.at: object (1)",
            "$.at.{*}: number|array (1)",
        ]
    );
}

#[test]
fn keys_that_come_and_go_are_folded_and_those_that_stay_are_not() {
    let word = |n: u32| format!("{}{}", (b'a' + (n % 26) as u8) as char, (b'a' + (n / 26) as u8) as char);
    let documents: Vec<String> = (0..60)
        .map(|n| {
            format!(r#"{{"total":1,"by":{{"{}":{{"n":1}},"{}":{{"n":2}},"sum":3}}}}"#, word(n), word(n + 60))
        })
        .collect();
    let found = paths(&documents.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(found.iter().any(|path| path.starts_with("$.by.{*}.n: number")), "{found:#?}");
    assert!(found.iter().any(|path| path.starts_with("$.by.sum: number (60)")), "{found:#?}");
    assert!(found.len() < 70, "{found:#?}");
}

#[test]
fn what_is_too_much_is_not_looked_at() {
    let key = |n: usize| "k".repeat(n % 60 + 1) + &"q".repeat(n / 60);
    let wide: Vec<String> = (0..1000).map(|n| format!(r#""{}":1"#, key(n))).collect();
    let deep = format!("{}1{}", r#"{"d":"#.repeat(40), "}".repeat(40));
    let wide = format!("{{{}}}", wide.join(","));
    assert_eq!(paths(&[&wide]).len(), PATHS);
    // Of keys that never come back nothing is kept.
    assert!(paths(&[&wide, &deep]).len() < 30);
    assert_eq!(paths(&[&deep]).len(), DEPTH + 1);
}

#[test]
fn names_and_data() {
    for name in ["id", "sha256", "address2", "line_1", "h264", "userId", "iso8601"] {
        assert!(!is_data(name.as_bytes()), "{name}");
    }
    for data in ["1", "2024-05-01", "a@b.example", "u_48211x9", "10.0.0.1", "", &"x".repeat(65)] {
        assert!(is_data(data.as_bytes()), "{data}");
    }
}

#[test]
fn what_is_no_json_is_told() {
    let mut tree = Tree::default();
    assert_eq!(tree.lay(b"<html>", PATHS, &[]).0, Err(0));
    assert_eq!(tree.lay(b"{\"a\":1", PATHS, &[]).0, Err(6));
    assert_eq!(tree.lay(b"  ", PATHS, &[]).0, Err(0));
    assert_eq!(tree.lay(b"{\"a\":1}", PATHS, &[]).0, Ok(()));
}

#[test]
fn keys_are_compared_whole() {
    let long: Vec<u8> = (b'a'..=b'z').collect();
    for len in 0..long.len() {
        let key = &long[..len];
        let other = key.to_vec();
        assert!(same(key, &other));
        assert!(!same(key, &long[..=len]));
        for at in 0..len {
            let mut other = key.to_vec();
            other[at] = b'_';
            assert!(!same(key, &other), "{len} {at}");
        }
    }
}
