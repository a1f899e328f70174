use proptest::prelude::*;

use super::*;

fn json(body: &str) -> Answer<'_> {
    Answer {
        content_type: b"application/json; charset=utf-8",
        body: body.as_bytes(),
        length: body.len() as u64,
        ..Answer::default()
    }
}

fn page(body: &str) -> Answer<'_> {
    Answer { content_type: b"text/html", ..json(body) }
}

/// What an answer has against it after these.
fn against(recorded: &[String], answer: &Answer<'_>) -> Option<String> {
    let mut shape = Shape::default();
    for body in recorded {
        shape.note(&json(body));
    }
    let claims = Claims::of(&shape);
    shape.blank().check(answer, &claims).1.map(|unlike| format!("{}, recorded {}", unlike.got, unlike.wanted))
}

fn items(n: usize) -> String {
    let note = if n.is_multiple_of(3) { String::new() } else { format!(r#","note":"n{n}""#) };
    let sale = if n.is_multiple_of(4) { "null".to_owned() } else { n.to_string() };
    format!(
        r#"{{"items":[{{"id":{n},"name":"a","sale":{sale}{note}}}],"total":{n},"at":"2026-01-{n}","stock":{{"{n}":{n}}}}}"#
    )
}

#[test]
fn what_changed_is_named() {
    let recorded: Vec<String> = (0..30).map(items).collect();
    let like = |body: &str| against(&recorded, &json(body));
    let fine = [
        // Identifiers, times, what is optional or null, empty and longer lists, unknown keys, another order.
        r#"{"items":[{"id":70,"name":"b","sale":null}],"total":7,"at":"x","stock":{"991":1,"992":2}}"#,
        r#"{"items":[],"total":0,"at":"","stock":[]}"#,
        "[]",
        r#"{"stock":{},"new":{"a":1},"at":"","total":1e9,"items":[{"name":"b","id":1,"sale":2,"more":[]},{"id":1,"name":"","sale":1}]}"#,
    ];
    for body in fine {
        assert_eq!(like(body), None, "{body}");
    }
    for (body, said) in [
        (
            r#"{"items":[{"ident":1,"name":"a","sale":1}],"total":1,"at":"","stock":{}}"#,
            "no $.items[*].id, recorded $.items[*].id",
        ),
        (r#"{"items":[],"at":"","stock":{}}"#, "no $.total, recorded $.total"),
        (
            r#"{"items":[],"total":"1","at":"","stock":{}}"#,
            "a string at $.total, recorded a number at $.total",
        ),
        (r#"{"items":[],"total":1,"at":null,"stock":{}}"#, "null at $.at, recorded a string at $.at"),
        (
            r#"{"items":[{"id":1,"name":"a","sale":"1"}],"total":1,"at":"","stock":{}}"#,
            "a string at $.items[*].sale, recorded null or a number at $.items[*].sale",
        ),
        (
            r#"{"items":{"0":1},"total":1,"at":"","stock":{}}"#,
            "an object at $.items, recorded an array at $.items",
        ),
        (
            r#"{"items":[],"total":1,"at":"","stock":{"5":"many"}}"#,
            "a string at $.stock.{*}, recorded a number at $.stock.{*}",
        ),
        (r#"{"items":[],"total":1"#, "something else from byte 21 on, recorded JSON"),
        ("", "an empty one, recorded a body"),
    ] {
        assert_eq!(like(body).as_deref(), Some(said), "{body}");
    }
    let error = page("<html>Sorry</html>");
    assert_eq!(against(&recorded, &error).as_deref(), Some("text/html, recorded application/json"));
}

#[test]
fn few_answers_claim_little() {
    let recorded = |count: usize| (1..=count).map(items).collect::<Vec<_>>();
    let renamed = r#"{"total":"1"}"#;
    assert_eq!(against(&recorded(1), &json(renamed)), None);
    assert_eq!(against(&recorded(1), &page("<html>")), None);
    assert_eq!(
        against(&recorded(6), &json(renamed)).as_deref(),
        Some("a string at $.total, recorded a number at $.total")
    );
    assert_eq!(against(&recorded(19), &json("{}")), None);
    assert_eq!(against(&recorded(20), &json("{}")).as_deref(), Some("no $.items, recorded $.items"));
    assert_eq!(against(&recorded(19), &json("")), None);
}

#[test]
fn pages_have_a_band_of_sizes() {
    let mut shape = Shape::default();
    let pages: Vec<String> = (0..30).map(|n| "x".repeat(4000 + n)).collect();
    for body in &pages {
        shape.note(&page(body));
    }
    let claims = Claims::of(&shape);
    let check = |bytes: usize| {
        let body = "y".repeat(bytes);
        shape
            .blank()
            .check(&page(&body), &claims)
            .1
            .map(|unlike| format!("{} for {}", unlike.got, unlike.wanted))
    };
    assert_eq!((check(1000), check(68_000)), (None, None));
    assert_eq!(check(999).as_deref(), Some("999 bytes for 1000 to 68560 bytes"));
    assert_eq!(check(70_000).as_deref(), Some("70000 bytes for 1000 to 68560 bytes"));
    // What was not kept counts by its length.
    let long = Answer { length: 70_001, ..page("") };
    assert!(shape.blank().check(&long, &claims).1.is_some());
}

#[test]
fn codings_are_undone() {
    let bodies: Vec<String> = (0..25).map(items).collect();
    let packed: Vec<Vec<u8>> = bodies
        .iter()
        .map(|body| mynah_message::encode_content(&[Coding::Gzip], body.as_bytes()).unwrap())
        .collect();
    let gzip = |body| Answer { content_encoding: b"gzip", body, length: body.len() as u64, ..json("") };
    let mut shape = Shape::default();
    for body in &packed {
        shape.note(&gzip(body));
    }
    let claims = Claims::of(&shape);
    let mut blank = shape.blank();
    assert_eq!(blank.check(&gzip(&packed[3]), &claims), (Looked::Json, None));
    assert_eq!(blank.check(&json(&bodies[3]), &claims), (Looked::Json, None));
    let (looked, unlike) = blank.check(&gzip(b"\x1f\x8bno"), &claims);
    assert_eq!((looked, unlike.unwrap().wanted.as_str()), (Looked::Damaged, "JSON"));
    let large = Answer { length: LOOKED_INTO as u64 + 1, ..json("{}") };
    assert_eq!(blank.check(&large, &claims), (Looked::TooLarge, None));
}

#[test]
fn other_types_know_json_when_they_see_it() {
    let mut shape = Shape::default();
    (0..20).for_each(|n| shape.note(&page(&items(n))));
    let claims = Claims::of(&shape);
    let unlike = shape.blank().check(&page("<p>Sorry</p>"), &claims).1.unwrap();
    assert_eq!(unlike.wanted, "JSON");
}

#[test]
fn two_halves_are_the_whole() {
    let (mut one, mut other, mut whole) = (Shape::default(), Shape::default(), Shape::default());
    for n in 0..40 {
        let body = items(n);
        whole.note(&json(&body));
        if n % 2 == 0 { one.note(&json(&body)) } else { other.note(&json(&body)) }
    }
    one.absorb(&other);
    assert_eq!((one.answers(), one.paths()), (whole.answers(), whole.paths()));
    let missing = r#"{"items":[{"id":1}],"total":1,"at":"","stock":{}}"#;
    let check = |shape: &Shape| shape.blank().check(&json(missing), &Claims::of(shape)).1;
    assert_eq!(check(&one), check(&whole));
}

#[test]
fn half_a_document_has_no_paths() {
    let mut shape = Shape::default();
    let whole = items(1);
    shape.note(&json(&whole));
    let before: Vec<_> = shape.values().collect();
    for end in 1..whole.len() {
        shape.note(&json(&whole[..end]));
    }
    shape.note(&json("{\"items\":[1],,"));
    assert_eq!((shape.json(), shape.values().collect::<Vec<_>>()), (1, before));
}

#[test]
fn what_comes_again_is_counted_as_often() {
    let mut learnt = Shape::default();
    (0..20).for_each(|n| learnt.note(&json(&items(n))));
    let claims = Claims::of(&learnt);
    let (odd, long) = (r#"{"items":7}"#.to_owned(), format!("[{}1]", "1,".repeat(Last::KEPT)));
    let (mut checked, mut alone) = (learnt.blank(), learnt.blank());
    let told: Vec<_> = [0, 0, 1, 0, 0, 0, 9, 9, 9, 8, 8, 0, 7, 7, 7, 0, 0]
        .into_iter()
        .map(|which| {
            let body = match which {
                9 => odd.clone(),
                8 => long.clone(),
                7 => "<p>no JSON</p>".to_owned(),
                n => items(n),
            };
            let answer = if which == 7 { page(&body) } else { json(&body) };
            // This one never sees the same one again.
            alone.last = Last::default();
            let told = alone.check(&answer, &claims);
            assert_eq!(checked.check(&answer, &claims), told);
            told.1.map(|unlike| unlike.got)
        })
        .collect();
    assert_eq!((&told[0], &told[6], &told[7]), (&None, &told[8], &told[8]));
    assert!(told[8].is_some() && told[10].is_some() && told[14].is_some(), "{told:?}");
    checked.settle();
    checked.settle();
    let counts = |shape: &Shape| {
        let types: Vec<(String, u64)> = shape.media_types().map(|(name, n)| (name.to_owned(), n)).collect();
        (shape.answers(), shape.json(), types, shape.values().collect::<Vec<_>>(), shape.sizes)
    };
    assert_eq!(counts(&checked), counts(&alone));
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\\u{e9}]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]{1,2}|[0-9]{1,3}|\"\n", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_it_was_learnt_from_has_nothing_against_it(
        documents in prop::collection::vec(value(), 1..40),
        times in 1_usize..20,
    ) {
        let mut shapes = Shapes::default();
        let bodies: Vec<String> = documents.iter().map(ToString::to_string).collect();
        for _ in 0..times {
            for body in &bodies {
        shapes.note(3, 201, &json(body));
    }
        }
        let shape = shapes.get(3, 2).unwrap();
        let claims = Claims::of(shape);
        let mut blank = shape.blank();
        for body in &bodies {
            prop_assert_eq!(blank.check(&json(body), &claims), (Looked::Json, None), "{}", body);
        }
        // The same through a file.
        let code = ShapeCode::new(3, 2, shape);
        let (_, _, back) = code.read().unwrap();
        prop_assert_eq!(back.paths(), shape.paths());
        let claims = Claims::of(&back);
        let mut blank = back.blank();
        for body in &bodies {
            prop_assert_eq!(blank.check(&json(body), &claims).1, None);
        }
    }

    #[test]
    fn no_body_is_too_odd(body in prop::collection::vec(any::<u8>(), 0..200), start in 0_usize..4) {
        let text = [["{", "[", "\"", ""][start].as_bytes(), &body].concat();
        let answer = Answer { body: &text, length: text.len() as u64, ..json("") };
        let mut shape = Shape::default();
        (0..25).for_each(|n| shape.note(&json(&items(n))));
        let claims = Claims::of(&shape);
        shape.blank().check(&answer, &claims);
        shape.note(&answer);
    }
}
