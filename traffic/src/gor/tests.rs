use std::io::{self, Read};

use bytes::Bytes;
use mynah_message::Message;
use proptest::prelude::*;

use super::*;
use crate::{Connection, Exchange, Flag, Times};

const MARK: &str = "🐵🙈🙉";

fn read(bytes: &[u8]) -> Vec<Found> {
    Reader::new(bytes, 1 << 20).map(Result::unwrap).collect()
}

fn record(kind: Kind, id: &str, time: u64, latency: Option<u64>, payload: &str) -> Record {
    Record {
        kind,
        id: id.to_owned(),
        time: Some(Nanos(time)),
        latency: latency.map(Nanos),
        payload: payload.into(),
    }
}

fn whole(offset: u64, record: Record) -> Found {
    Found { offset, separated: true, dropped: 0, record: Ok(record) }
}

#[test]
fn both_forms_of_header_are_read() {
    let text =
        format!("1 a1 17\nGET / HTTP/1.1\r\n\r\n\n{MARK}\n2 a1 19 5\nHTTP/1.1 200 OK\r\n\r\nx\n\n{MARK}\n");
    let found = read(text.as_bytes());
    assert_eq!(found[0], whole(0, record(Kind::Request, "a1", 17, None, "GET / HTTP/1.1\r\n\r\n")));
    let at = text.find("2 a1").unwrap() as u64;
    assert_eq!(found[1], whole(at, record(Kind::Response, "a1", 19, Some(5), "HTTP/1.1 200 OK\r\n\r\nx\n")));
    assert_eq!(found.len(), 2);
}

#[test]
fn only_a_line_that_is_the_mark_alone_separates() {
    for payload in [
        format!("a{MARK}"),
        format!("{MARK}b"),
        format!("x\n{MARK} \ny"),
        format!("x\n{MARK}\r\ny"),
        format!("{MARK}{MARK}"),
    ] {
        let text = format!("1 a 1 0\n{payload}\n{MARK}\n1 b 2 0\nnext\n{MARK}\n");
        let found = read(text.as_bytes());
        assert_eq!(found.len(), 2, "{payload:?}");
        assert_eq!(found[0].record.as_ref().unwrap().payload, payload.as_bytes());
        assert!(record(Kind::Request, "a", 1, None, &payload).fits(), "{payload:?}");
    }
    for payload in [
        format!("{MARK}\n"),
        format!("x\n{MARK}"),
        format!("x\n{MARK}\ny"),
        MARK.to_owned(),
        format!("{MARK}{MARK}\n{MARK}"),
    ] {
        let record = record(Kind::Request, "a", 1, None, &payload);
        assert!(!record.fits(), "{payload:?}");
        let error = Writer::new(Vec::new()).write(&record).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn what_is_no_record_costs_only_itself() {
    let text = format!(
        "1 only-two\nx\n{MARK}\n7 a 1 0\nx\n{MARK}\n\n{MARK}\n1 good 12 soon\nGET /\n{MARK}\n3 good never -5\n\n{MARK}\n"
    );
    let found = read(text.as_bytes());
    assert_eq!(found[0].record, Err(Broken::Header));
    assert_eq!((found[1].offset, &found[1].record), (text.find("7 a").unwrap() as u64, &Err(Broken::Type)));
    assert_eq!(found[2].record, Ok(record(Kind::Request, "good", 12, None, "GET /")));
    let last = found[3].record.as_ref().unwrap();
    assert_eq!((last.kind, last.time, last.latency, last.payload.len()), (Kind::Replayed, None, None, 0));
    assert_eq!(found.len(), 4);
}

#[test]
fn the_end_may_be_missing() {
    for (end, separated) in [
        ("", false),
        ("\n", false),
        (&format!("\n{MARK}")[..], true),
        (&format!("\n{MARK}\n"), true),
        (&format!("\n{MARK}\n\r\n\n"), true),
    ] {
        let found = read(format!("1 a 1 0\nbody{end}").as_bytes());
        assert_eq!(found.len(), 1, "{end:?}");
        assert_eq!(found[0].separated, separated, "{end:?}");
        assert!(found[0].record.as_ref().unwrap().payload.starts_with(b"body"));
    }
    assert_eq!(read(b""), []);
    assert_eq!(read(format!("\n\n{MARK}\n").as_bytes()), []);
    assert_eq!(read("\u{feff}1 a 1".as_bytes())[0].record, Ok(record(Kind::Request, "a", 1, None, "")));
}

#[test]
fn payloads_are_bounded() {
    let body = "0123456789".repeat(20_000);
    let text = format!("1 a 1 0\n{body}\n{MARK}\n1 b 1 0\nshort\n{MARK}\n");
    let found: Vec<Found> = Reader::new(text.as_bytes(), 100_000).map(Result::unwrap).collect();
    assert_eq!((found[0].dropped, found[0].record.as_ref().unwrap().payload.len()), (100_000, 100_000));
    assert_eq!((found[1].dropped, found[1].record.as_ref().unwrap().payload.len()), (0, 5));
    let exact: Vec<Found> = Reader::new(text.as_bytes(), 200_000).map(Result::unwrap).collect();
    assert_eq!((exact[0].dropped, exact[0].record.as_ref().unwrap().payload.len()), (0, 200_000));
    let header = format!("1 {} 1 0\nx\n{MARK}\n", "a".repeat(300_000));
    assert_eq!(read(header.as_bytes())[0].record, Err(Broken::Header));
}

#[test]
fn an_error_comes_behind_what_was_read() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    let text = format!("1 a 1 0\nx\n{MARK}\n1 b 2 0\npart");
    let mut reader = Reader::new(text.as_bytes().chain(Fails), 100);
    assert!(reader.next().unwrap().unwrap().separated);
    assert!(!reader.next().unwrap().unwrap().separated);
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

#[test]
fn identifiers_tell_the_connection() {
    let id = Id::parse("9e4c6db07f000001b2d10dd6").unwrap();
    assert_eq!(id.client(), Some("127.0.0.1:40524".parse().unwrap()));
    assert_eq!(id.to_string(), "9e4c6db07f000001b2d10dd6");
    let known = Connection {
        client: Some("127.0.0.1:40524".parse().unwrap()),
        server: Some("10.0.0.1:28080".parse().unwrap()),
        ..Connection::default()
    };
    assert_eq!(Id::of(&known, 0xb2d1_0dd6), id);
    for unknown in [
        Connection { id: 7, ..Connection::default() },
        Connection {
            id: 1 << 40 | 7,
            client: Some("[2001:db8::1]:5000".parse().unwrap()),
            ..Connection::default()
        },
    ] {
        let id = Id::of(&unknown, 9);
        assert_eq!(id.to_string(), "000000000000000700000009");
        assert_eq!(id.client(), None);
    }
    for other in [
        "",
        "b33c9c1a2bae6636d5389a1a47035170c58d367e",
        "9e4c6db07f000001b2d10dg6",
        "+e4c6db07f000001b2d10dd6",
    ] {
        assert_eq!(Id::parse(other), None, "{other}");
    }
}

fn message(head: &str, body: &str, trailers: &str) -> Message {
    Message {
        head: Bytes::from(head.replace('\n', "\r\n")),
        body: Bytes::from(body.to_owned()),
        trailers: Bytes::from(trailers.to_owned()),
    }
}

fn exported(exchange: &Exchange) -> (Vec<Record>, Exported) {
    let mut exporter = Exporter::new(Vec::new());
    exporter.write(exchange).unwrap();
    let done = exporter.exported();
    let bytes = exporter.into_inner();
    (Reader::new(&bytes[..], 1 << 20).map(|found| found.unwrap().record.unwrap()).collect(), done)
}

fn exchange(request: Message, response: Message) -> Exchange {
    let times = Times {
        request_first: Nanos(1_000_000_007),
        request_last: Nanos(1_000_000_010),
        response_first: Some(Nanos(1_000_000_500)),
        response_last: Some(Nanos(1_000_000_503)),
    };
    Exchange { request: Some(request), response: Some(response), times, ..Exchange::default() }
}

#[test]
fn exchanges_are_written_as_they_stood_on_the_wire() {
    let mut one = exchange(
        message("POST /a HTTP/1.1\nHost: h\nContent-Length: 3\n\n", "abc", ""),
        message("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", "0123456789abcdef", "X-Sum: 1\r\n"),
    );
    let (records, done) = exported(&one);
    assert_eq!(done, Exported { exchanges: 1, requests: 1, responses: 1, unfit: 0, partial: 0 });
    let id = "000000000000000000000000";
    assert_eq!(
        records,
        [
            record(
                Kind::Request,
                id,
                1_000_000_007,
                Some(3),
                "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
            ),
            record(
                Kind::Response,
                id,
                1_000_000_500,
                Some(3),
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n"
            ),
        ]
    );
    // of one that was cut short, the end is not told
    one.flags.set(Flag::Truncated);
    let (records, done) = exported(&one);
    assert!(records[1].payload.ends_with(b"\r\n10\r\n0123456789abcdef\r\n"));
    assert_eq!(done.partial, 1);
}

#[test]
fn bodies_that_are_not_there_are_not_made_up() {
    let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n";
    let head = exchange(message("HEAD / HTTP/1.1\n\n", "", ""), message(chunked, "", ""));
    assert!(exported(&head).0[1].payload.ends_with(b"chunked\r\n\r\n"));
    let get = exchange(message("GET / HTTP/1.1\n\n", "", ""), message(chunked, "", ""));
    assert!(exported(&get).0[1].payload.ends_with(b"\r\n\r\n0\r\n\r\n"));
    let mut lone = get.clone();
    (lone.request, lone.times.request_last) = (None, Nanos(0));
    assert_eq!(exported(&lone).0.len(), 1);
}

#[test]
fn what_the_format_cannot_hold_is_left_out_and_counted() {
    let body = format!("x\n{MARK}\ny");
    let (records, done) =
        exported(&exchange(message("GET / HTTP/1.1\n\n", "", ""), message("HTTP/1.1 200 OK\n\n", &body, "")));
    assert_eq!((records.len(), done.unfit, done.exchanges), (0, 1, 0));
}

/// Payloads made of what matters to the format.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(MARK.as_bytes().to_vec()),
        Just("🐵🙈".as_bytes().to_vec()),
        Just(b"1 a 1 0\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in prop::collection::vec((0..3_u8, "[0-9a-f]{1,40}", 1_u64.., any::<u64>(), payload()), 0..6)) {
        let kinds = [Kind::Request, Kind::Response, Kind::Replayed];
        let records: Vec<Record> = records
            .into_iter()
            .map(|(kind, id, time, latency, payload)| Record {
                kind: kinds[usize::from(kind)],
                id,
                time: Some(Nanos(time)),
                latency: Some(Nanos(latency)),
                payload,
            })
            .filter(Record::fits)
            .collect();
        let mut writer = Writer::new(Vec::new());
        for record in &records {
            writer.write(record).unwrap();
        }
        let bytes = writer.into_inner();
        let found: Vec<Record> = Reader::new(&bytes[..], 1 << 20)
            .map(|found| {
                let found = found.unwrap();
                assert!(found.separated && found.dropped == 0);
                found.record.unwrap()
            })
            .collect();
        prop_assert_eq!(found, records);
    }

    #[test]
    fn any_bytes_are_read_without_panic(parts in prop::collection::vec(payload(), 0..10), limit in 0_u64..50) {
        let bytes = parts.concat();
        for found in Reader::new(&bytes[..], limit) {
            let found = found.unwrap();
            prop_assert!(found.record.map_or(true, |record| record.payload.len() as u64 <= limit));
        }
    }
}
