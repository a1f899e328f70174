//! The TCP and HTTP/1 parts of the checklist of what a capture must survive.

use mynah_traffic::{Exchange, Nanos};

use super::wire::{CLIENT, SERVER, Sent, Wire, all_shown, run};
use crate::Options;

const A: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const B: &str = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
const ONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
const TWO: &str = "HTTP/1.1 201 OK\r\nContent-Length: 3\r\n\r\ntwo";

fn assert_shown(wire: &Wire, expected: &[&str]) {
    assert_eq!(all_shown(&wire.run()), expected);
}

/// Two exchanges on one connection, closed in order.
fn plain() -> Wire {
    let mut wire = Wire::new();
    wire.client(A).server(ONE).client(B).server(TWO).fin(CLIENT).fin(SERVER);
    wire
}

const PLAIN: &[&str] = &["GET /a → 200 \"one\" []", "GET /b → 201 \"two\" []"];

#[test]
fn keep_alive_with_times_and_identity() {
    let exchanges = plain().run();
    assert_eq!(all_shown(&exchanges), PLAIN);
    let first = &exchanges[0];
    assert_eq!(first.connection.client.unwrap().to_string(), "10.0.0.1:40000");
    assert_eq!(first.connection.server.unwrap().to_string(), "10.0.0.2:80");
    assert_eq!((first.connection.id, first.connection.ordinal), (0, 0));
    assert_eq!(exchanges[1].connection.ordinal, 1);
    assert_eq!(first.times.request_first, Nanos(5000));
    assert_eq!(first.times.response_last, Some(Nanos(6000)));
}

#[test]
fn one_byte_a_segment_and_all_in_one() {
    let mut wire = Wire::new();
    for byte in format!("{A}{B}").bytes() {
        wire.client([byte]);
    }
    for byte in format!("{ONE}{TWO}").bytes() {
        wire.server([byte]);
    }
    assert_shown(&wire, PLAIN);
    let mut wire = Wire::new();
    wire.client(format!("{A}{B}")).server(format!("{ONE}{TWO}"));
    assert_shown(&wire, PLAIN);
}

#[test]
fn times_are_those_of_the_first_and_last_byte() {
    let mut wire = Wire::new();
    wire.client(&A[..4]).client(&A[4..]).server(&ONE[..9]).server(&ONE[9..20]).server(&ONE[20..]);
    let times = wire.run()[0].times;
    let at = |n: usize| wire.sent[n].time;
    assert_eq!((times.request_first, times.request_last), (at(3), at(4)));
    assert_eq!((times.response_first, times.response_last), (Some(at(5)), Some(at(7))));
}

#[test]
fn begins_without_handshake() {
    let mut wire = Wire::midway();
    wire.client(A).server(ONE);
    assert_shown(&wire, &["GET /a → 200 \"one\" [mid-stream]"]);
    // with a response, and its request before the capture
    let mut wire = Wire::midway();
    wire.server(ONE).client(B).server(TWO);
    assert_shown(&wire, &["- → 200 \"one\" [no-request mid-stream]", "GET /b → 201 \"two\" [mid-stream]"]);
    // in the middle of a body
    let mut wire = Wire::midway();
    wire.server("dle of a body").client(B).server(TWO);
    assert_shown(&wire, &["GET /b → 201 \"two\" [mid-stream]"]);
}

#[test]
fn handshakes_of_every_kind() {
    // reordered
    let mut wire = plain();
    wire.sent.swap(0, 1);
    assert_shown(&wire, PLAIN);
    // the request before its SYN
    let mut wire = plain();
    let request = wire.sent.remove(3);
    wire.sent.insert(0, request);
    assert_shown(&wire, PLAIN);
    // only half of it captured
    for lost in [0, 1, 2] {
        let mut wire = plain();
        wire.sent.remove(lost);
        assert_shown(&wire, PLAIN);
    }
    // SYN again, with another number
    let mut wire = Wire::midway();
    wire.push(CLIENT, b"").syn = true;
    wire.last().acknowledged = None;
    wire.next = [77_000, 88_000];
    wire.handshake();
    wire.client(A).server(ONE);
    assert_shown(&wire, &PLAIN[..1]);
}

#[test]
fn data_in_the_handshake() {
    // in the SYN (Fast Open), acknowledged with it
    let mut wire = Wire::midway();
    wire.push(CLIENT, A.as_bytes()).syn = true;
    wire.last().acknowledged = None;
    wire.next[CLIENT] += 1 + A.len() as u32;
    wire.push(SERVER, ONE.as_bytes()).syn = true;
    wire.next[SERVER] += 1 + ONE.len() as u32;
    wire.client(B).server(TWO);
    assert_shown(&wire, PLAIN);
    // in the SYN, refused and sent again
    let mut wire = Wire::midway();
    wire.push(CLIENT, A.as_bytes()).syn = true;
    wire.last().acknowledged = None;
    wire.next[CLIENT] += 1;
    wire.push(SERVER, b"").syn = true;
    wire.next[SERVER] += 1;
    wire.client(A).server(ONE);
    assert_shown(&wire, &PLAIN[..1]);
}

#[test]
fn segments_out_of_order() {
    let mut wire = Wire::new();
    wire.client(&A[..10]).client(&A[10..20]).client(&A[20..]);
    wire.server(&ONE[..30]).server(&ONE[30..]).client(B).server(TWO);
    for (one, two) in [(3, 4), (4, 5), (3, 5), (6, 7), (5, 6), (8, 9)] {
        let mut wire = wire.clone();
        wire.sent.swap(one, two);
        assert_eq!(all_shown(&wire.run()), PLAIN, "{one} {two}");
    }
}

#[test]
fn retransmissions() {
    let again = |at: usize, change: fn(&mut Sent)| {
        let mut wire = plain();
        let mut copy = wire.sent[at].clone();
        change(&mut copy);
        wire.sent.insert(at + 1, copy.clone());
        assert_eq!(all_shown(&wire.run()), PLAIN, "{copy:?}");
        // and once more, much later
        wire.sent.insert(wire.sent.len() - 2, copy);
        assert_eq!(all_shown(&wire.run()), PLAIN);
    };
    for at in [3, 4, 5] {
        again(at, |_| ());
        again(at, |copy| copy.data.truncate(4));
        again(at, |copy| copy.data.fill(b'x'));
        again(at, |copy| {
            copy.data.drain(..5);
            copy.sequence += 5;
        });
    }
    // longer: the copy brings what comes next as well
    let mut wire = Wire::new();
    wire.client(&A[..5]);
    wire.next[CLIENT] -= 5;
    wire.client(A).server(ONE).client(B).server(TWO);
    assert_shown(&wire, PLAIN);
}

#[test]
fn the_first_copy_of_a_byte_wins() {
    let mut wire = Wire::new();
    wire.client(A);
    // early: bytes 10.. of the response; then all of it with other content from there on
    wire.next[SERVER] += 40;
    wire.push(SERVER, &ONE.as_bytes()[40..]);
    wire.next[SERVER] -= 40;
    let other = format!("{}XXX", &ONE[..ONE.len() - 3]);
    wire.server(other);
    let shown = all_shown(&wire.run());
    assert_eq!(ONE.len(), 41);
    assert_eq!(shown, ["GET /a → 200 \"XXe\" []"]);
}

#[test]
fn every_packet_twice() {
    let mut wire = plain();
    wire.sent = wire.sent.iter().flat_map(|sent| [sent.clone(), sent.clone()]).collect();
    assert_shown(&wire, PLAIN);
}

#[test]
fn sequence_numbers_wrap() {
    for before in [0, 1, 5, 29, 30, 60] {
        let mut wire = Wire::numbered(0_u32.wrapping_sub(before), 0_u32.wrapping_sub(before + 20));
        wire.client(A).server(ONE).client(B).server(TWO).fin(SERVER).fin(CLIENT);
        assert_eq!(all_shown(&wire.run()), PLAIN, "{before}");
        wire.sent.swap(3, 4);
        assert_eq!(all_shown(&wire.run()), PLAIN, "{before}, reordered");
    }
}

#[test]
fn keep_alive_probes_and_repeated_goodbyes() {
    let mut wire = Wire::new();
    wire.client(A).server(ONE);
    for probe in [&b""[..], b"x"] {
        wire.next[CLIENT] -= 1;
        wire.push(CLIENT, probe);
        wire.next[CLIENT] += 1;
        wire.push(SERVER, b"");
    }
    wire.client(B).server(TWO).fin(SERVER).fin(CLIENT);
    let fin = wire.sent[wire.sent.len() - 2].clone();
    wire.sent.extend([fin.clone(), fin]);
    assert_shown(&wire, PLAIN);
}

#[test]
fn ports_are_used_again() {
    let mut wire = plain();
    for start in [900_000, 1_000_000_000, 3_000_000_000] {
        wire.next = [start, start + 7];
        wire.handshake();
        wire.client(A).server(ONE);
    }
    // and without a captured handshake, behind a goodbye
    wire.fin(CLIENT).fin(SERVER);
    wire.next = [2_000_000_000, 5];
    wire.client(B).server(TWO);
    let exchanges = wire.run();
    assert_eq!(exchanges.len(), 6);
    let ids: Vec<u64> = exchanges.iter().map(|exchange| exchange.connection.id).collect();
    assert_eq!(ids, [0, 0, 1, 2, 3, 4]);
}

#[test]
fn resets() {
    let mut wire = Wire::new();
    wire.client(A).server(&ONE[..40]);
    wire.push(SERVER, b"some text").rst = true;
    assert_shown(&wire, &["GET /a → 200 \"on\" [truncated reset]"]);
    let mut wire = Wire::new();
    wire.client(A);
    wire.push(SERVER, b"").rst = true;
    assert_shown(&wire, &["GET /a → - [no-response reset]"]);
    // behind a whole exchange it changes nothing
    let mut wire = Wire::new();
    wire.client(A).server(ONE);
    wire.push(CLIENT, b"").rst = true;
    assert_shown(&wire, &PLAIN[..1]);
    // far from the stream it is somebody else's
    let mut wire = Wire::new();
    wire.client(A);
    wire.push(SERVER, b"").rst = true;
    wire.last().sequence = 3_000_000_000;
    wire.server(ONE);
    assert_shown(&wire, &PLAIN[..1]);
}

/// An idle exchange chain long enough for a hole to be given up.
fn chain(wire: &mut Wire) {
    wire.wait(Nanos(2 * Nanos::PER_SECOND));
    wire.client(B).server(TWO);
}

#[test]
fn a_hole_in_a_body() {
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01").lose(SERVER, 5).server("789");
    chain(&mut wire);
    assert_shown(&wire, &["GET /a → 200 \"01789\" [gap]", PLAIN[1]]);
}

#[test]
fn a_hole_at_the_end_of_a_body() {
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01").lose(SERVER, 8);
    chain(&mut wire);
    assert_shown(&wire, &["GET /a → 200 \"01\" [truncated gap]", PLAIN[1]]);
}

#[test]
fn a_hole_in_a_chunk() {
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n01").lose(SERVER, 5);
    wire.server("789\r\n0\r\n\r\n");
    chain(&mut wire);
    assert_shown(&wire, &["GET /a → 200 \"01789\" [gap]", PLAIN[1]]);
    // across a boundary, the framing is lost; the next response is found all the same
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n01").lose(SERVER, 15);
    wire.server("789\r\n0\r\n\r\n");
    chain(&mut wire);
    assert_shown(&wire, &["GET /a → 200 \"01\" [truncated gap]", PLAIN[1]]);
}

#[test]
fn a_hole_in_a_head() {
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\nServer: x\r\nCont").lose(SERVER, 15).server("3\r\n\r\none");
    chain(&mut wire);
    assert_shown(&wire, &["GET /a → 200 \"\" [truncated gap]", PLAIN[1]]);
    let mut wire = Wire::new();
    wire.client(&A[..20]).lose(CLIENT, A.len() - 20).server(ONE);
    chain(&mut wire);
    assert_shown(&wire, &["GET /a → 200 \"one\" [truncated gap]", PLAIN[1]]);
}

#[test]
fn a_lost_request_and_a_lost_response() {
    let mut wire = Wire::new();
    wire.lose(CLIENT, A.len()).server(ONE);
    chain(&mut wire);
    assert_shown(&wire, &["- → 200 \"one\" [no-request]", PLAIN[1]]);
    let mut wire = Wire::new();
    wire.client(A).lose(SERVER, ONE.len());
    chain(&mut wire);
    assert_shown(&wire, &["GET /a → - [gap no-response]", PLAIN[1]]);
    // both, in the middle of a chain
    let mut wire = Wire::new();
    wire.client(A).server(ONE).lose(CLIENT, 50).lose(SERVER, 60);
    chain(&mut wire);
    assert_shown(&wire, PLAIN);
    // of several in flight, the first response
    let mut wire = Wire::new();
    wire.client(format!("{A}{A}{B}")).lose(SERVER, ONE.len());
    wire.push(CLIENT, b"");
    wire.wait(Nanos(2 * Nanos::PER_SECOND)).server(ONE).server(TWO);
    assert_shown(
        &wire,
        &["GET /a → - [gap no-response]", "GET /a → 200 \"one\" [gap]", "GET /b → 201 \"two\" [gap]"],
    );
}

#[test]
fn a_hole_that_fills_late_is_none() {
    let mut wire = Wire::new();
    wire.client(&A[..9]).client(&A[9..]).server(ONE).client(B).server(TWO);
    let late = wire.sent.remove(3);
    wire.sent.insert(6, late);
    assert_shown(&wire, PLAIN);
}

#[test]
fn holes_are_counted() {
    let mut wire = Wire::new();
    wire.client(A).server(&ONE[..39]).lose(SERVER, 1).server(&ONE[40..]);
    chain(&mut wire);
    let (_, statistics) = run(&wire.sent, &Options::default());
    assert_eq!((statistics.gaps, statistics.evicted), (1, 0));
}

#[test]
fn only_one_side_is_captured() {
    let mut wire = plain();
    wire.sent.retain(|sent| sent.by_client);
    assert_shown(&wire, &["GET /a → - [no-response]", "GET /b → - [no-response]"]);
    let mut wire = plain();
    wire.sent.retain(|sent| !sent.by_client);
    assert_shown(&wire, &["- → 200 \"one\" [no-request]", "- → 201 \"two\" [no-request]"]);
}

#[test]
fn what_the_snap_length_cut_is_a_hole() {
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01");
    wire.last().missing = 8;
    wire.lose(SERVER, 8).client(B).server(TWO);
    assert_shown(&wire, &["GET /a → 200 \"01\" [truncated gap]", PLAIN[1]]);
}

#[test]
fn silence_ends_a_flow_on_the_packets_clock() {
    let mut wire = Wire::new();
    wire.client(A);
    wire.wait(Nanos(601 * Nanos::PER_SECOND)).server(ONE);
    let shown = all_shown(&wire.run());
    assert_eq!(shown, ["GET /a → - [no-response]", "- → 200 \"one\" [no-request mid-stream]"]);
    let mut wire = Wire::new();
    wire.client(A);
    wire.wait(Nanos(599 * Nanos::PER_SECOND)).server(ONE);
    assert_shown(&wire, &PLAIN[..1]);
}

#[test]
fn the_end_of_the_capture_flushes() {
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\n\r\nsome");
    assert_shown(&wire, &["GET /a → 200 \"some\" [truncated close-delimited]"]);
    wire.fin(SERVER);
    assert_shown(&wire, &["GET /a → 200 \"some\" [close-delimited]"]);
    let mut wire = Wire::new();
    wire.client(A).server("HTTP/1.1 200 OK\r\nContent-Len");
    assert_shown(&wire, &["GET /a → 200 \"\" [truncated]"]);
    let mut wire = Wire::new();
    wire.client("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf").fin(CLIENT);
    assert_shown(&wire, &["POST / \"half\" → - [truncated no-response]"]);
}

fn exchange_on(wire: &mut Wire, request: &str, response: &str) -> Vec<Exchange> {
    wire.client(request).server(response).client(B).server(TWO);
    wire.run()
}

#[test]
fn responses_without_body() {
    for (request, response) in [
        ("HEAD /h HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
        ("GET /h HTTP/1.1\r\n\r\n", "HTTP/1.1 304 Same\r\nContent-Length: 99\r\n\r\n"),
        ("GET /h HTTP/1.1\r\n\r\n", "HTTP/1.1 204 None\r\n\r\n"),
        ("GET /h HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let shown = all_shown(&exchange_on(&mut Wire::new(), request, response));
        assert_eq!(shown[1], PLAIN[1], "{request}");
        assert!(shown[0].ends_with("\"\" []"), "{shown:?}");
    }
}

#[test]
fn interim_responses_are_a_flag() {
    let response = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let request = "POST /p HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi";
    let shown = all_shown(&exchange_on(&mut Wire::new(), request, response));
    assert_eq!(shown, ["POST /p \"hi\" → 200 \"\" [interim]", PLAIN[1]]);
}

#[test]
fn upgrades_and_tunnels() {
    let upgraded = "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x01\x02 GET / HTTP/1.1\r\n\r\n";
    assert_eq!(
        all_shown(&exchange_on(&mut Wire::new(), A, upgraded)),
        ["GET /a → 101 \"\" [upgraded]"],
        "frames are not parsed"
    );
    let connect = "CONNECT host:443 HTTP/1.1\r\n\r\n";
    let tunnel = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    assert_eq!(
        all_shown(&exchange_on(&mut Wire::new(), connect, tunnel)),
        ["CONNECT host:443 → 200 \"\" [upgraded]"]
    );
    // the client does not wait, and is refused
    let mut wire = Wire::new();
    wire.client(format!("{connect}{B}"));
    wire.server("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno").server(TWO);
    assert_shown(&wire, &["CONNECT host:443 → 407 \"no\" []", PLAIN[1]]);
}

#[test]
fn chunks_trailers_and_what_stands_in_bodies() {
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    4;ext=\"1\"\r\nabcd\r\n10\r\n0\r\n\r\nHTTP/1.1 20\r\n0\r\nX-Sum: 5\r\n\r\n";
    let exchanges = exchange_on(&mut Wire::new(), A, response);
    assert_eq!(all_shown(&exchanges), ["GET /a → 200 \"abcd0\\r\\n\\r\\nHTTP/1.1 20\" []", PLAIN[1]]);
    assert_eq!(exchanges[0].response.as_ref().unwrap().trailers, "X-Sum: 5\r\n");
    let inner = format!("POST /x HTTP/1.1\r\nContent-Length: {}\r\n\r\n{B}", B.len());
    let shown = all_shown(&exchange_on(&mut Wire::new(), &inner, ONE));
    assert_eq!(shown.len(), 2, "a request in a body is no request: {shown:?}");
}

#[test]
fn odd_heads() {
    for request in [
        "GET /a HTTP/1.1\nHost: h\n\n",
        "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: h\r\nX-Long: a\r\n\tb\r\n\r\n",
        "GET /a HTTP/1.0\r\n\r\n",
    ] {
        let exchanges = exchange_on(&mut Wire::new(), request, ONE);
        assert_eq!(all_shown(&exchanges), PLAIN, "{request:?}");
        assert_eq!(exchanges[0].request.as_ref().unwrap().head, request.trim_start_matches("\r\n"));
    }
    let shown = all_shown(&exchange_on(&mut Wire::new(), "BREW http://h/pot HTTP/1.1\r\nA b\r\n\r\n", ONE));
    assert_eq!(shown[0], "BREW http://h/pot → 200 \"one\" [malformed]");
}

#[test]
fn ambiguous_framing_is_decided_and_flagged() {
    let request =
        "POST /p HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZ\r\n0\r\n\r\n";
    let shown = all_shown(&exchange_on(&mut Wire::new(), request, ONE));
    assert_eq!(shown, ["POST /p \"Z\" → 200 \"one\" [ambiguous-framing]", PLAIN[1]]);
}

#[test]
fn an_early_answer() {
    let mut wire = Wire::new();
    wire.client("POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
    wire.server("HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n").client("cd").client(B).server(TWO);
    assert_shown(&wire, &["POST /p \"abcd\" → 413 \"\" [early-response]", PLAIN[1]]);
}

#[test]
fn junk_makes_no_messages() {
    let mut wire = Wire::new();
    wire.client(A).server(ONE).client("T / HTTP\n\n").client(B).server("\0\0 noise \x7f").server(TWO);
    let shown = all_shown(&wire.run());
    assert_eq!(shown, [PLAIN[0], "GET /b → 201 \"two\" [junk]"]);
    let mut wire = Wire::new();
    wire.server("SSH-2.0-OpenSSH_9\r\n").client("SSH-2.0-PuTTY\r\n").server([0_u8, 0, 1, 20, 7]);
    let (exchanges, statistics) = run(&wire.sent, &Options::default());
    assert_eq!((exchanges.len(), statistics.other), (0, 1));
}

#[test]
fn other_protocols_are_counted() {
    let mut tls = Wire::new();
    tls.client(b"\x16\x03\x01\x02\x00\x01\x00").server(b"\x16\x03\x03\x00\x7a\x02");
    let mut http2 = Wire::new();
    http2.port = 40_001;
    http2.sent.iter_mut().for_each(|sent| sent.port = 40_001);
    http2.client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").server(b"\0\0\x06\x04\0\0\0\0\0");
    tls.sent.extend(http2.sent);
    let (exchanges, statistics) = run(&tls.sent, &Options::default());
    assert_eq!((exchanges.len(), statistics.tls, statistics.http2, statistics.other), (0, 1, 1, 0));
}

#[test]
fn bodies_beyond_the_limit_are_cut() {
    let options = Options { max_body: 4, ..Options::default() };
    let mut wire = Wire::new();
    wire.client(A)
        .server("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        .server("def")
        .client(B)
        .server(TWO);
    let (exchanges, _) = run(&wire.sent, &options);
    assert_eq!(all_shown(&exchanges), ["GET /a → 200 \"abcd\" [body-cut]", PLAIN[1]]);
}

#[test]
fn half_open_flows_stay_within_the_memory_limit() {
    let options = Options { memory: 1 << 20, ..Options::default() };
    let mut sent = Vec::new();
    for port in 1..20_000 {
        let mut wire = Wire::midway();
        wire.port = port;
        wire.now = u64::from(port);
        wire.handshake();
        wire.client(&A[..20]);
        sent.extend(wire.sent);
    }
    let (exchanges, statistics) = run(&sent, &options);
    assert!(statistics.evicted > 15_000, "{statistics:?}");
    assert_eq!(exchanges.len(), 19_999, "what was in hand comes out, marked");
}

#[test]
fn a_flow_that_never_completes_stays_within_its_limit() {
    let options = Options { memory: 8 << 20, flow_memory: 1 << 20, max_body: 1 << 20, ..Options::default() };
    let mut wire = Wire::new();
    // a hole that nobody acknowledges, and much behind it
    wire.client(A).server("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n").lose(SERVER, 1);
    let block = vec![b'x'; 60_000];
    for _ in 0..300 {
        wire.server(&block);
    }
    wire.sent.iter_mut().filter(|sent| sent.by_client).for_each(|sent| sent.acknowledged = None);
    let (exchanges, statistics) = run(&wire.sent, &options);
    assert_eq!((statistics.gaps, statistics.evicted), (1, 0));
    assert_eq!(exchanges[0].response.as_ref().unwrap().body.len(), 1 << 20);
}

#[test]
fn requests_that_nobody_answers_are_let_go() {
    let options = Options { flow_memory: 4096, max_body: 4096, ..Options::default() };
    let mut wire = Wire::new();
    for _ in 0..2000 {
        wire.client(A);
    }
    let (exchanges, _) = run(&wire.sent, &options);
    assert_eq!(exchanges.len(), 2000);
}
