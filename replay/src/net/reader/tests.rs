use proptest::prelude::*;

use super::*;

const ALL: Ask = Ask { head_only: false, keep_head: true, keep: Keep::All };

/// What comes of a stream in these pieces: the answer, what was used of the stream, or the fault.
fn read(ask: Ask, pieces: &[&[u8]]) -> Result<(Answer, usize), Fault> {
    let mut reader = Reader::new();
    reader.begin(ask, Vec::new());
    let mut before = 0;
    for piece in pieces {
        if let Some(used) = reader.feed(piece)? {
            return Ok((reader.answer, before + used));
        }
        before += piece.len();
    }
    reader.end()?;
    Ok((reader.answer, before))
}

fn whole(text: &str) -> Result<(Answer, usize), Fault> {
    read(ALL, &[text.as_bytes()])
}

fn body(text: &str) -> String {
    String::from_utf8(whole(text).unwrap().0.body).unwrap()
}

#[test]
fn each_framing_ends_where_it_should() {
    assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd"), "abc");
    assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\ncontent-length:3\r\n\r\nabcd"), "abc");
    assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nto the end"), "to the end");
    assert_eq!(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nto the end"), "to the end");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0A \nde\r\n\
                   6789ab\n0\r\nX: y\r\nZ: 1\r\n\r\n";
    assert_eq!(body(chunked), "abcde\r\n6789ab");
    assert_eq!(whole(&format!("{chunked}HTTP")).unwrap().1, chunked.len());
    for head in ["204 No Content", "304 Not Modified", "101 Switching Protocols"] {
        let text = format!("HTTP/1.1 {head}\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(whole(&format!("{text}abc")).unwrap().1, text.len());
    }
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(read(Ask { head_only: true, ..ALL }, &[text.as_bytes()]).unwrap().1, text.len());
}

#[test]
fn interim_responses_are_passed_over() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\nSet-Cookie: a=b\r\n\r\n\
                HTTP/1.1 201 Created\r\nContent-Length: 2\r\nSet-Cookie: c=d\r\n\r\nok";
    let (answer, used) = whole(text).unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), used), (201, b"ok".as_slice(), text.len()));
    assert_eq!(answer.set_cookies, [b"c=d"]);
    assert!(answer.head.starts_with(b"HTTP/1.1 201"));
}

#[test]
fn what_is_lenient_is_read() {
    let text = "\r\nHTTP/1.1 200\nContent-Type : text/html;\r\n charset=utf-8\nno header at all\nContent-Length: 1\n\nx";
    let (answer, _) = whole(text).unwrap();
    assert!(answer.content_type.starts_with(b"text/html;"), "{answer:?}");
    assert_eq!(answer.body, b"x");
}

#[test]
fn connections_are_kept_as_the_version_says() {
    let keep = |text: &str| whole(text).unwrap().0.keep_alive;
    assert!(keep("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(!keep("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n"));
    assert!(!keep("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert!(keep("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n"));
    assert!(!keep("HTTP/1.1 200 OK\r\n\r\n"));
    assert!(!keep("HTTP/1.1 101 X\r\n\r\n"));
    assert!(!keep("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    assert!(!keep(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ));
}

#[test]
fn what_would_be_a_guess_is_a_fault() {
    let malformed = |text: &str| assert!(matches!(whole(text), Err(Fault::Malformed(_))), "{text}");
    let endless = |text: &str| assert!(matches!(whole(text), Err(Fault::Endless(_))), "{text}");
    for length in ["-1", "1\r\nContent-Length: 2", "1, 2", "", "0x10", "99999999999999999999", "+1"] {
        malformed(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc"));
    }
    for chunks in ["11111111111111111\r\n", "\r\n", "x\r\n", "-1\r\n", "1\r\nabc", "1\r\na\rb", "0\r\n\rx"] {
        malformed(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
    }
    malformed("SSH-2.0-OpenSSH_9.6\r\n");
    malformed("HTTP/2 200\r\n\r\n");
    endless(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(HEAD_LIMIT)));
    endless(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(FIELD_LIMIT + 1)));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    endless(&format!("{chunked}1;{}\r\n", "x".repeat(70_000)));
    endless(&format!("{chunked}0\r\n{}", "X: y\r\n".repeat(20_000)));
    endless(&"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(2_000));
    assert!(
        whole(&format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(255))).is_ok()
    );
}

#[test]
fn an_early_end_is_told() {
    assert_eq!(whole(""), Err(Fault::Ended));
    for (text, place) in [
        ("HTTP/1.1 200 OK\r\nContent-Le", "head"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "body"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "head"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "body"),
    ] {
        let cut = whole(text).unwrap_err();
        assert!(matches!(cut, Fault::Cut(cut) if cut.contains(place)), "{text}: {cut:?}");
    }
}

#[test]
fn another_protocol_is_named() {
    let said = |bytes: &[u8]| match read(ALL, &[bytes]) {
        Err(Fault::Malformed(words)) => words,
        other => panic!("{other:?}"),
    };
    assert!(said(b"\x15\x03\x03\x00\x02\x02\x46").contains("https://"));
    assert!(said(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80").contains("--http 2"));
    assert!(said(b"SSH-2.0-OpenSSH_9.6\r\n").contains("HTTP/1"));
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("Content-Length: 5\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        Just("Connection: close\n".to_owned()),
        Just("Set-Cookie: a=b; Path=/\r\n".to_owned()),
        Just("Content-Type: text/html\r\n  folded\r\n".to_owned()),
        "[A-Za-z: \\x00-\\x1f]{0,12}\r?\n",
    ];
    let head = (
        prop_oneof![
            Just(""),
            Just("HTTP/1.1 100 Continue\r\n\r\n"),
            Just("\r\n"),
            Just("HTTP/1.1 103 X\nLink: x\n\n")
        ],
        prop_oneof![
            Just("HTTP/1.1 200 OK\r\n"),
            Just("HTTP/1.0 404 \n"),
            Just("HTTP/1.1 204\r\n"),
            Just("HTTP")
        ],
        proptest::collection::vec(line, 0..5),
    );
    let tail = prop_oneof![
        Just(b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nmore".to_vec()),
        Just(b"hello and more".to_vec()),
        Just(b"3\r\nabc\r\n1F\nto".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    (head, tail).prop_map(|((interim, status, lines), tail)| {
        [interim.as_bytes(), status.as_bytes(), lines.concat().as_bytes(), b"\r\n", &tail].concat()
    })
}

proptest! {
    #[test]
    fn however_it_is_cut_it_reads_the_same(
        stream in streams(),
        cuts in proptest::collection::vec(0usize..200, 0..8),
        each in any::<bool>(),
        head_only in any::<bool>(),
    ) {
        let ask = Ask { head_only, ..ALL };
        let expected = read(ask, &[&stream]);
        let pieces: Vec<&[u8]> = if each {
            stream.chunks(1).collect()
        } else {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
        };
        let cut = read(ask, &pieces);
        // Where it is malformed is the same; which of two faults in it is met first may not be.
        let malformed = |read: &Result<_, Fault>| matches!(read, Err(Fault::Malformed(_) | Fault::Endless(_)));
        if !(malformed(&expected) && malformed(&cut)) {
            prop_assert_eq!(expected, cut);
        }
    }

    #[test]
    fn any_bytes_at_all_are_taken_within_bounds(
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        begin in prop_oneof![Just(""), Just("HTTP/1.1 200 OK\r\n"), Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")],
        size in 1usize..100,
    ) {
        let stream = [begin.as_bytes(), &bytes].concat();
        let mut reader = Reader::new();
        reader.begin(ALL, Vec::new());
        for piece in stream.chunks(size) {
            if !matches!(reader.feed(piece), Ok(None)) {
                break;
            }
            prop_assert!(reader.pending.len() <= HEAD_LIMIT);
            prop_assert!(reader.answer.body.len() <= stream.len());
        }
        let _ = reader.end();
    }
}
