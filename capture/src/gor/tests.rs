use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use mynah_message::Message;
use mynah_traffic::gor::Exporter;
use proptest::prelude::*;

use super::*;
use crate::Source;

const T: u64 = 1_700_000_000_000_000_000;
const SEP: &str = "\n🐵🙈🙉\n";
const ID: &str = "9e4c6db07f000001b2d10dd6";

fn open(bytes: Vec<u8>, options: &Options) -> Source {
    Source::new(Input::from_reader(Path::new("x.gor"), Box::new(Cursor::new(bytes))).unwrap(), options)
        .unwrap()
}

fn read(text: &str) -> (Vec<Exchange>, Source) {
    let mut source = open(text.as_bytes().to_vec(), &Options::default());
    (source.by_ref().map(Result::unwrap).collect(), source)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

#[test]
fn records_are_paired_by_their_identifier() {
    let other = "9e4c6db07f000001b2d10f35";
    let text = format!("1 {ID} {T} 5{SEP}");
    assert_eq!(read(&text).1.warnings(), ["1 record without HTTP skipped"]);
    let (later, answer) = (T + 10, T + 20);
    let text = format!(
        "1 {ID} {T} 5\n{}{SEP}1 {other} {later} 0\n{}{SEP}2 {other} {answer} 7\nHTTP/1.1 204 None\r\n\r\n{SEP}\
         3 {ID} {answer} 7\nHTTP/1.1 500 No\r\n\r\n{SEP}\
         2 {ID} {answer} 9\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{SEP}",
        get("/a"),
        get("/b")
    );
    let (exchanges, source) = read(&text);
    assert_eq!(
        exchanges.iter().map(|e| e.status().unwrap()).collect::<Vec<_>>(),
        [204, 200],
        "in order of completion"
    );
    let first = &exchanges[1];
    assert_eq!(first.response.as_ref().unwrap().body, "abc", "the chunked coding is undone");
    assert_eq!(
        first.times,
        Times {
            request_first: Nanos(T),
            request_last: Nanos(T + 5),
            response_first: Some(Nanos(T + 20)),
            response_last: Some(Nanos(T + 29)),
        }
    );
    assert!(first.flags.is_empty(), "{:?}", first.flags);
    assert_eq!(first.connection.client, Some("127.0.0.1:40524".parse().unwrap()));
    assert_eq!(exchanges[0].connection.id, first.connection.id, "one connection");
    assert_eq!((exchanges[0].connection.ordinal, first.connection.ordinal), (0, 1));
    assert_eq!(source.warnings(), ["1 response to a replayed request (type 3) skipped"]);
    assert_eq!((source.counts().seen, source.counts().captured), (5, 4));
}

#[test]
fn old_forms_are_read() {
    let sha = "b33c9c1a2bae6636d5389a1a47035170c58d367e";
    let text = format!(
        "1 {sha} {T}\n{}{SEP}2 {sha} 4000\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{SEP}",
        get("/")
    );
    let (exchanges, source) = read(&text);
    let times = exchanges[0].times;
    assert_eq!((times.request_first, times.request_last), (Nanos(T), Nanos(T)));
    assert_eq!((times.response_first, times.response_last), (Some(Nanos(T + 4000)), Some(Nanos(T + 4000))));
    assert_eq!(exchanges[0].connection.client, None);
    assert!(source.warnings().is_empty(), "{:?}", source.warnings());
}

#[test]
fn what_is_wrong_costs_only_itself_and_is_told() {
    let text = format!(
        "1 {ID} {T} 0\n{}{SEP}1 short\nx{SEP}9 a {T} 0\nx{SEP}1 b - 0\n{}{SEP}1 c {T} 0\nnot http at all{SEP}2 d {T} 0\nHTTP/1.1 200 OK\r\n\r\nalone",
        get("/a"),
        get("/b")
    );
    let (exchanges, source) = read(&text);
    let seen: Vec<_> = exchanges
        .iter()
        .map(|e| (e.request.is_some(), e.response.is_some(), e.times.request_first))
        .collect();
    assert_eq!(seen, [(true, false, Nanos(T)), (true, false, Nanos(T)), (false, true, Nanos(T))]);
    assert!(exchanges[0].flags.has(Flag::NoResponse) && exchanges[2].flags.has(Flag::NoRequest));
    let at = text.find("1 short").unwrap();
    let last = text.find("2 d").unwrap();
    assert_eq!(
        source.warnings(),
        [
            format!("cut short: no separator behind the last record, at byte {last}; it was kept"),
            format!(
                "2 records that cannot be read, the first at byte {at}: expected a header '<type> <id> <timestamp>'"
            ),
            "1 record without HTTP skipped".to_owned(),
            "1 record without a time that can be read: the one before it was taken".to_owned(),
        ]
    );
}

#[test]
fn partial_payloads_are_flagged() {
    let text = format!(
        "1 {ID} {T} 0\n{}{SEP}2 {ID} {T} 9\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc{SEP}",
        get("/")
    );
    let (exchanges, _) = read(&text);
    assert_eq!(exchanges[0].response.as_ref().unwrap().body, "abc");
    assert!(exchanges[0].flags.has(Flag::Truncated) && !exchanges[0].flags.has(Flag::BodyCut));
    let long = "x".repeat(5 << 20);
    let text = format!(
        "1 {ID} {T} 0\n{}{SEP}2 {ID} {T} 9\nHTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{long}{SEP}",
        get("/")
    );
    let (exchanges, _) = read(&text);
    assert!(exchanges[0].flags.has(Flag::Truncated) && exchanges[0].flags.has(Flag::BodyCut));
    let mut source = open(text.into_bytes(), &Options { max_body: 100, ..Options::default() });
    let exchange = source.next().unwrap().unwrap();
    assert_eq!(exchange.response.unwrap().body.len(), 100);
    assert!(exchange.flags.has(Flag::BodyCut));
}

#[test]
fn interim_responses_do_not_take_the_place_of_the_final_one() {
    let text = format!(
        "1 {ID} {T} 0\n{}{SEP}2 {ID} {T} 0\nHTTP/1.1 100 Continue\r\n\r\n{SEP}2 {ID} {T} 0\nHTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n{SEP}",
        get("/")
    );
    let (exchanges, _) = read(&text);
    assert_eq!((exchanges.len(), exchanges[0].status()), (1, Some(201)));
    assert_eq!(exchanges[0].flags.iter().collect::<Vec<_>>(), [Flag::Interim]);
}

#[test]
fn pipelined_requests_in_one_record_are_exchanges_of_their_own() {
    let answers = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    let text = format!("1 {ID} {T} 0\n{}{}{SEP}2 {ID} {T} 0\n{answers}{SEP}", get("/a"), get("/b"));
    let (exchanges, _) = read(&text);
    assert_eq!(exchanges.iter().map(|e| e.status().unwrap()).collect::<Vec<_>>(), [200, 404]);
}

#[test]
fn memory_is_bounded() {
    let text = (0..1000)
        .map(|n| format!("1 {n:024x} {T} 0\n{}{SEP}", get(&format!("/{n}"))))
        .collect::<Vec<_>>()
        .concat();
    let mut source = open(text.into_bytes(), &Options { memory: 10_000, ..Options::default() });
    let targets: Vec<String> =
        source.by_ref().map(|e| e.unwrap().request_head().unwrap().target().unwrap().to_owned()).collect();
    assert_eq!(targets, (0..1000).map(|n| format!("/{n}")).collect::<Vec<_>>());
    assert!(source.counts().evicted > 900);
}

#[test]
fn a_file_without_any_record_is_an_error() {
    let text = format!("1 {ID} nothing\n{SEP}");
    assert!(Input::from_reader(Path::new("x"), Box::new(Cursor::new(text.into_bytes()))).is_err());
    let text = format!("1 {ID} 5 5\n");
    assert_eq!(read(&text).0.len(), 0);
}

/// Exchanges as captures give them.
fn exchange() -> impl Strategy<Value = Exchange> {
    let body = prop_oneof![
        Just(Vec::new()),
        Just("x🐵🙈🙉\n🐵".as_bytes().to_vec()),
        Just(b"a\r\n\r\nGET / HTTP/1.1\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 1..60)
    ];
    let message = (body, any::<bool>(), any::<bool>());
    (
        0..4_u8,
        "/[a-z0-9/?=&%]{0,12}",
        message.clone(),
        message,
        200..599_u16,
        prop::array::uniform4(any::<u32>()),
        any::<bool>(),
    )
        .prop_map(|(kind, target, request, response, status, offsets, answered)| {
            let [a, b, c, d] = offsets.map(u64::from);
            let method = ["GET", "HEAD", "POST", "DELETE"][usize::from(kind)];
            let request_body = if kind == 2 { request.0 } else { Vec::new() };
            let mut head = format!("{method} {target} HTTP/1.1\r\nHost: shop\r\n");
            frame(&mut head, &request_body, request.1 && kind == 2, kind == 2);
            let bodiless = kind == 1 || status == 204 || status == 304;
            let response_body = if bodiless { Vec::new() } else { response.0 };
            let mut answer = format!("HTTP/1.1 {status} X\r\n");
            frame(&mut answer, &response_body, response.1, response.2 || !bodiless);
            let first = T + a;
            let times = Times {
                request_first: Nanos(first),
                request_last: Nanos(first + b),
                response_first: answered.then_some(Nanos(first + b + c)),
                response_last: answered.then_some(Nanos(first + b + c + d)),
            };
            let message = |head: String, body: Vec<u8>| Message {
                head: head.into(),
                body: body.into(),
                trailers: Bytes::new(),
            };
            let mut flags = mynah_traffic::Flags::default();
            if !answered {
                flags.set(Flag::NoResponse);
            }
            Exchange {
                request: Some(message(head, request_body)),
                response: answered.then(|| message(answer, response_body)),
                times,
                flags,
                ..Exchange::default()
            }
        })
}

fn frame(head: &mut String, body: &[u8], chunked: bool, framed: bool) {
    if chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    } else if framed || !body.is_empty() {
        head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
}

fn export(exchanges: &[Exchange]) -> Vec<u8> {
    let mut exporter = Exporter::new(Vec::new());
    for exchange in exchanges {
        exporter.write(exchange).unwrap();
    }
    exporter.into_inner()
}

proptest! {
    #[test]
    fn what_is_exported_is_read_again(mut exchanges in prop::collection::vec(exchange(), 1..8)) {
        // those without response come last in a file that is read: nothing tells earlier that there is none
        exchanges.sort_by_key(|exchange| exchange.response.is_none());
        let bytes = export(&exchanges);
        let mut source = open(bytes, &Options::default());
        let again: Vec<Exchange> = source.by_ref().map(|e| Exchange { connection: Connection::default(), ..e.unwrap() }).collect();
        prop_assert_eq!(again, exchanges);
        prop_assert!(source.warnings().is_empty());
    }
}

/// Several files, together.
fn together(texts: &[String]) -> (Vec<Exchange>, Source) {
    let inputs = texts.iter().enumerate().map(|(number, text)| {
        let name = format!("x_{number}.gor");
        Input::from_reader(Path::new(&name), Box::new(Cursor::new(text.clone().into_bytes()))).unwrap()
    });
    let mut source = Source::gor(inputs.collect(), &Options::default()).unwrap();
    (source.by_ref().map(Result::unwrap).collect(), source)
}

#[test]
fn files_are_read_together_by_time() {
    let other = "9e4c6db07f000001b2d10f35";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let record = |kind: u8, id: &str, at: u64, payload: &str| {
        let time = T + at;
        format!("{kind} {id} {time} 0\n{payload}{SEP}")
    };
    let one = record(1, ID, 0, &get("/a")) + &record(1, other, 30, &get("/b"));
    let two = record(2, ID, 10, answer) + &record(2, other, 40, answer);
    // the later file first: its responses stand before their requests on the command line
    for texts in [[two.clone(), one.clone()], [one, two]] {
        let (exchanges, source) = together(&texts);
        let targets: Vec<_> =
            exchanges.iter().map(|e| e.request_head().unwrap().target().unwrap().to_owned()).collect();
        assert_eq!(targets, ["/a", "/b"]);
        assert!(exchanges.iter().all(|exchange| exchange.flags.is_empty()), "{exchanges:?}");
        assert_eq!((source.counts().seen, source.warnings().len()), (4, 0));
    }
}

#[test]
fn records_without_a_time_keep_their_place() {
    let text =
        |path: &str, id: &str| format!("1 {id} 0\n{}{SEP}2 {id} 0\nHTTP/1.1 204 x\r\n\r\n{SEP}", get(path));
    let (exchanges, _) = together(&[text("/a", ID), text("/b", "9e4c6db07f000001b2d10f35")]);
    let targets: Vec<_> =
        exchanges.iter().map(|e| e.request_head().unwrap().target().unwrap().to_owned()).collect();
    assert_eq!(targets, ["/a", "/b"]);
}
