use super::*;

fn all(body: &[u8]) -> (Vec<(String, String)>, End) {
    let mut found = Vec::new();
    let end = scan(body, 512, &mut |v| {
        assert_eq!(&body[v.span.clone()], v.raw);
        found.push((v.path.to_owned(), String::from_utf8_lossy(&unescape(v.raw)).into_owned()));
        ControlFlow::Continue(())
    });
    (found, end)
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn oddities_are_read() {
    let body = b"\xef\xbb\xbf { \"a\" : 1e400 , \"a\":\"x\\u00e9\\ud83d\\ude00\", \"n\":123456789012345678901234567890,\"e\":{},\"l\":[null,[true],],}\n[\"2nd\"]\n7 8";
    let (found, end) = all(body);
    assert_eq!(end, End::Whole);
    assert_eq!(
        found,
        pairs(&[
            ("$.a", "1e400"),
            ("$.a", "x\u{e9}\u{1f600}"),
            ("$.n", "123456789012345678901234567890"),
            ("$.l[0]", "null"),
            ("$.l[1][0]", "true"),
            ("$1[0]", "2nd"),
            ("$2", "7"),
            ("$3", "8"),
        ])
    );
    assert_eq!(all(b")]}',\n{\"a\":1}").0, pairs(&[("$.a", "1")]));
    assert_eq!(all(b"").1, End::Whole);
}

#[test]
fn garbage_stops_it_after_what_it_had() {
    assert_eq!(all(b"{\"a\":1,oops}"), (pairs(&[("$.a", "1")]), End::Garbage(7)));
    assert_eq!(all(b"{\"a\":\"cut o"), (pairs(&[("$.a", "cut o")]), End::Garbage(5)));
    assert_eq!(all(b"{\"a\":1"), (pairs(&[("$.a", "1")]), End::Garbage(6)));
    assert_eq!(all(b"[1 2]"), (pairs(&[("$[0]", "1")]), End::Garbage(3)));
    assert_eq!(all(b"[1}"), (pairs(&[("$[0]", "1")]), End::Garbage(2)));
    assert_eq!(all(b"<html>").1, End::Garbage(0));
    let deep = [b"[".repeat(513), b"]".repeat(513)].concat();
    assert_eq!(all(&deep).1, End::Garbage(512));
    assert_eq!(all(&deep[1..1025]).1, End::Whole);
}

#[test]
fn lone_surrogates_stay_apart() {
    let one = unescape(b"\\ud800x").into_owned();
    let two = unescape(b"\\udc00\\ud800").into_owned();
    assert_ne!(one[..3], two[..3]);
    assert_eq!(escape(&one), b"\\ud800x");
    assert_eq!(escape(&two), b"\\udc00\\ud800");
    assert_eq!(&*unescape(b"\\u12\\q\\"), b"\\u12\\q\\");
}

#[test]
fn numbers() {
    for good in ["0", "-1", "10.50", "1e400", "-0.1E-7"] {
        assert!(is_number(good.as_bytes()), "{good}");
    }
    for bad in ["", "-", "01", "1.", ".5", "1e", "+1", "1x", "NaN"] {
        assert!(!is_number(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn a_walk_tells_of_keys_and_nesting() {
    #[derive(Default)]
    struct Log(String);
    impl<'a> Events<'a> for Log {
        fn document(&mut self) {
            self.0.push('|');
        }

        fn open(&mut self, array: bool) {
            self.0.push(if array { '[' } else { '{' });
        }

        fn close(&mut self) {
            self.0.push(')');
        }

        fn key(&mut self, raw: &'a [u8]) -> bool {
            self.0.push_str(&String::from_utf8_lossy(raw));
            raw != b"stop"
        }

        fn element(&mut self) {
            self.0.push(',');
        }

        fn value(&mut self, _: Kind, raw: &'a [u8], span: Range<usize>) -> ControlFlow<()> {
            assert_eq!(raw.len(), span.len());
            self.0.push('=');
            ControlFlow::Continue(())
        }
    }
    let walked = |text: &str| {
        let mut log = Log::default();
        let end = walk(text.as_bytes(), 8, &mut log);
        (log.0, end)
    };
    assert_eq!(
        walked(r#"{"a":[1,{"b":"x"},[]],"c":null} 7"#),
        ("|{a[,=,{b=),[))c=)|=".to_owned(), End::Whole)
    );
    assert_eq!(walked(r#"{"a":1,"stop":2}"#), ("|{a=stop".to_owned(), End::Garbage(7)));
}

#[test]
fn what_was_opened_is_closed_however_deep() {
    // Without a period that a word has.
    let array = |n: usize| n.is_multiple_of(3) || n % 7 == 2;
    for depth in [1, 63, 64, 65, 128, 129, 200] {
        let open: String = (0..depth).map(|n| if array(n) { "[" } else { "{\"k\":" }).collect();
        let ends: Vec<u8> = (0..depth).rev().map(|n| if array(n) { b']' } else { b'}' }).collect();
        let whole = [open.as_bytes(), b"1", &ends].concat();
        assert_eq!(all(&whole).1, End::Whole, "{depth}");
        for (at, end) in ends.iter().enumerate() {
            let mut wrong = whole.clone();
            let at = open.len() + 1 + at;
            wrong[at] = if *end == b']' { b'}' } else { b']' };
            assert_eq!(all(&wrong).1, End::Garbage(at), "{depth}");
        }
    }
}
