use super::*;
use crate::Limits;

fn message(head: &str, body: &[u8]) -> Message {
    Message { head: head.replace('\n', "\r\n").into(), body: body.to_vec().into(), ..Message::default() }
}

fn edit(part: Part, span: Range<usize>, bytes: &str) -> Edit {
    Edit { part, span, bytes: bytes.into() }
}

fn apply(message: &Message, edits: Vec<Edit>) -> Result<Message, Error> {
    patch(&View::open(message, &Limits::default()).unwrap(), edits)
}

#[test]
fn lengths_and_codings_follow() {
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
        let head = format!(
            "HTTP/1.1 200 OK\nContent-Encoding: {coding}\nContent-Length: 999\nContent-Type: application/json\n\n"
        );
        let plain = message(&head, b"");
        let codings = codings(&Head::parse(&plain.head).unwrap()).unwrap();
        let packed = encode_content(&codings, br#"{ "a" : "x", "b":1e400 , "b":2}"#).unwrap();
        let m = message(&head, &packed);
        let view = View::open(&m, &Limits::default()).unwrap();
        let leaf = &view.find(&"json:$.a".parse().unwrap())[0];
        let patched = patch(&view, vec![leaf.edit(b"longer \"value\"")]).unwrap();
        let again = View::open(&patched, &Limits::default()).unwrap();
        assert_eq!(again.body(), br#"{ "a" : "longer \"value\"", "b":1e400 , "b":2}"#);
        assert_eq!(again.head().content_length(), Some(patched.body.len() as u64));
        // Putting back what was there is no edit: the very bytes stay.
        assert_eq!(patch(&view, vec![leaf.edit(b"x")]).unwrap(), m);
        assert_eq!(patch(&view, vec![]).unwrap(), m);
    }
}

#[test]
fn head_edits_leave_the_body_alone() {
    let m = message("GET /a HTTP/1.1\nContent-Length: 99\n\n", b"body");
    let patched = apply(&m, vec![edit(Part::Head, 5..6, "bcd")]).unwrap();
    assert_eq!(patched, message("GET /bcd HTTP/1.1\nContent-Length: 99\n\n", b"body"));
}

#[test]
fn wrong_edits_are_refused() {
    let m = message("GET / HTTP/1.1\n\n", b"0123456789");
    let body = |span, text| edit(Part::Body, span, text);
    assert!(matches!(apply(&m, vec![body(8..11, "")]), Err(Error::EditOutside { end: 11, len: 10, .. })));
    #[allow(clippy::reversed_empty_ranges, reason = "it is to be refused")]
    let backwards = body(5..4, "");
    assert!(matches!(apply(&m, vec![backwards]), Err(Error::EditOutside { .. })));
    assert!(matches!(
        apply(&m, vec![body(2..5, "a"), body(4..6, "b")]),
        Err(Error::EditOverlap { at: 4, .. })
    ));
    assert!(matches!(
        apply(&m, vec![body(2..2, "a"), body(2..2, "b")]),
        Err(Error::EditOverlap { at: 2, .. })
    ));
    assert!(matches!(
        apply(&m, vec![body(0..9, "a"), body(1..2, "b"), body(3..4, "c")]),
        Err(Error::EditOverlap { .. })
    ));
    let twice = apply(&m, vec![body(6..7, "y"), body(2..5, "a"), body(2..5, "a"), body(5..5, "+")]).unwrap();
    assert_eq!(&twice.body[..], b"01a+5y789");
}

#[test]
fn chunked_has_no_length_and_digests_follow() {
    let head = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Digest: sha-256=:AAAA:, sha-512=:BB==:, md5=:x:\n\
        Digest: SHA-256=AAAA\nContent-MD5: x\nX: y\n\n";
    let patched = apply(&message(head, b"hello"), vec![edit(Part::Body, 0..5, "hello world")]).unwrap();
    let text = String::from_utf8(patched.head.to_vec()).unwrap();
    let sha256 = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=";
    assert!(text.contains(&format!("Content-Digest: sha-256=:{sha256}:, sha-512=:MJ7MSJwS")), "{text}");
    assert!(text.contains(", md5=:XrY7u+Ae7tCTyyK7j1rNww==:\r\n"), "{text}");
    let rest =
        format!("\r\nDigest: SHA-256={sha256}\r\nContent-MD5: XrY7u+Ae7tCTyyK7j1rNww==\r\nX: y\r\n\r\n");
    assert!(text.contains(&rest), "{text}");
    assert!(!text.contains("Content-Length"));
}

#[test]
fn framing() {
    let fixed = |head: &str, body: &[u8]| {
        String::from_utf8(fix_framing(message(head, body)).head.to_vec()).unwrap().replace("\r\n", "\n")
    };
    assert_eq!(
        fixed("HTTP/1.1 200 OK\ncontent-length:9\n\n", b"abc"),
        "HTTP/1.1 200 OK\ncontent-length:3\n\n"
    );
    for same in [
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 9\n\n",
        "not http",
    ] {
        assert_eq!(fixed(same, b"abc"), same);
    }
    let of_head = "HTTP/1.1 200 OK\nContent-Length: 9\n\n";
    assert_eq!(fixed(of_head, b""), of_head);
    assert_eq!(
        fixed("POST / HTTP/1.1\nContent-Length: 9\n\n", b""),
        "POST / HTTP/1.1\nContent-Length: 0\n\n"
    );
}

#[test]
fn a_body_by_itself_is_patched_as_with_its_head() {
    let packed = crate::encode_content(&[crate::Coding::Gzip], b"a secret").unwrap();
    for (head, body) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-MD5: x\r\nDigest: unknown=x\r\n\r\n",
            &b"a secret"[..],
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 8\r\n\r\n", b"a secret"),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", &packed),
        ("HTTP/1.1 200 OK\r\n\r\n", b"a secret"),
    ] {
        let message = Message { head: head.into(), body: body.to_vec().into(), ..Message::default() };
        let view = View::open(&message, &Limits::default()).unwrap();
        let edit = |bytes: &[u8]| vec![Edit { part: Part::Body, span: 2..8, bytes: bytes.to_vec() }];
        let (whole, decoded) = patch_decoded(&view, edit(b"pseudonym")).unwrap();
        let alone = patch_body(&view, edit(b"pseudonym")).unwrap().unwrap();
        assert_eq!((&alone.body, Some(&alone.decoded)), (&whole.body, decoded.as_ref()));
        let framed = patch(&View::open_head(&message).unwrap(), alone.framing).unwrap();
        assert_eq!(framed.head, whole.head);
        assert_eq!(patch_body(&view, edit(b"secret")).unwrap(), None);
        let in_head = vec![Edit { part: Part::Head, span: 0..1, bytes: Vec::new() }];
        assert!(patch_body(&view, in_head).is_err());
    }
}
