use proptest::prelude::*;

use super::*;

fn loc(text: &str) -> Locator {
    text.parse().unwrap()
}

#[test]
fn text_form() {
    for text in [
        "header:X-Csrf",
        "header:X#1",
        "header:X#*",
        "cookie:sid",
        "query:page",
        "query:#3",
        "path:2",
        "json:$.items[3].id",
        "json:$.items[*].id",
        "json:$['a b'][0]",
        "form:csrf",
        "multipart:file#1",
        "input:csrf",
        "meta:csrf-token",
        "attr:body@data-csrf#2",
        "link:/items/{}#3",
        "link:/search?cursor={}",
        "location:/orders/{}",
        "script:csrfToken",
        "text:/b#7",
        "xml:/order/@id",
        "body",
    ] {
        assert_eq!(loc(text).to_string(), text);
        let json = serde_json::to_string(&loc(text)).unwrap();
        assert_eq!(serde_json::from_str::<Locator>(&json).unwrap(), loc(text));
    }
    assert_eq!(loc("attr:body@data-csrf#0").to_string(), "attr:body@data-csrf");
    for bad in ["", "x", "nope:x", "path:a", "json:items", "link:/items/3", "attr:body"] {
        let error = bad.parse::<Locator>().unwrap_err().to_string();
        assert!(error.contains("expected"), "{error}");
    }
}

#[test]
fn generalise_and_back() {
    let (wild, indices) = loc("json:$.items[3].tags[0]").generalise();
    assert_eq!(
        (wild.to_string().as_str(), indices.as_slice()),
        ("json:$.items[*].tags[*]", [3, 0].as_slice())
    );
    assert!(wild.has_wildcard() && wild.covers(&loc("json:$.items[12].tags[1]")));
    assert!(!wild.covers(&loc("json:$.items[12].tag")));
    assert_eq!(wild.specialise(&indices), loc("json:$.items[3].tags[0]"));
    let (wild, indices) = loc("input:csrf#2").generalise();
    assert_eq!((wild.to_string().as_str(), indices.as_slice()), ("input:csrf#*", [2].as_slice()));
    assert_eq!(wild.specialise(&[2]), loc("input:csrf#2"));
    assert_eq!(loc("cookie:sid").generalise(), (loc("cookie:sid"), vec![]));
}

#[test]
fn case_and_patterns() {
    assert_eq!(loc("header:x-csrf"), loc("header:X-CSRF"));
    assert_ne!(loc("cookie:sid"), loc("cookie:SID"));
    assert!(loc("link:/u/*/items/{}#*").covers(&loc("link:/u/7/items/{}#1")));
    assert!(!loc("link:/u/*/items/{}#*").covers(&loc("link:/u/items/{}")));
    let mut set = std::collections::HashSet::new();
    assert!(set.insert(loc("header:x-csrf")) && !set.insert(loc("header:X-Csrf")));
}

proptest! {
    #[test]
    fn any_name_round_trips(name in ".*", n in 0usize..20, all: bool) {
        let nth = if all { Nth::All } else { Nth::Index(n) };
        let mut path = JsonPath::root();
        path.push_key(&name);
        path.push_index(n);
        for locator in [
            Locator::Header { name: name.clone(), nth },
            Locator::Query { name: name.clone(), nth },
            Locator::Script { key: name.clone(), nth },
            Locator::Cookie { name: name.clone() },
            Locator::Attr { tag: "a".into(), attr: name.clone(), nth },
            Locator::Link { pattern: format!("{name}{{}}"), nth },
            Locator::Location { pattern: format!("{name}{{}}") },
            Locator::Json { path },
        ] {
            prop_assert_eq!(loc(&locator.to_string()), locator.clone());
            let (wild, indices) = locator.generalise();
            prop_assert!(wild.covers(&locator));
            if !all {
                prop_assert_eq!(wild.specialise(&indices), locator);
            }
        }
    }

    #[test]
    fn parsing_never_panics(text in ".*") {
        let _ = text.parse::<Locator>();
        let _ = format!("json:${text}").parse::<Locator>();
    }
}
