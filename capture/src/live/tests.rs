//! On the loopback interface, where that is allowed.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use super::*;

/// What is given out within a minute, up to the end.
fn all(live: &mut Live) -> Vec<mynah_traffic::Exchange> {
    let begun = Instant::now();
    let mut exchanges = Vec::new();
    while begun.elapsed() < Duration::from_mins(1) {
        match live.next(Duration::from_millis(100)).unwrap() {
            Next::Exchange(exchange) => exchanges.push(*exchange),
            Next::Nothing => {}
            Next::Ended => return exchanges,
        }
    }
    panic!("it did not end");
}

/// So many exchanges on one connection.
fn talk(listener: &TcpListener, count: usize) {
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut server, _) = listener.accept().unwrap();
            let mut request = [0; 30];
            for _ in 0..count {
                server.read_exact(&mut request).unwrap();
                server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            }
            let _ = server.read(&mut request);
        });
        let mut client = TcpStream::connect(address).unwrap();
        let mut response = [0; 40];
        for i in 0..count {
            client.write_all(format!("GET /{i:03} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
            client.read_exact(&mut response).unwrap();
        }
        client.shutdown(Shutdown::Both).unwrap();
    });
}

#[test]
fn every_packet_is_accounted_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut live = match Live::open(&LiveOptions { ports: vec![port], ..LiveOptions::new("lo") }) {
        Ok(live) => live,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    talk(&listener, 100);
    live.stop().stop();
    let exchanges = all(&mut live);
    let counts = live.counts();
    assert_eq!(exchanges.len(), 100, "{counts:?} {:?}", live.warnings());
    assert!(exchanges.iter().all(|e| e.request.is_some() && e.response.is_some()));
    assert!(exchanges.iter().all(|e| e.times.request_first < e.times.response_first.unwrap()));
    // handshake, 200 messages, goodbyes: acknowledgements travel with data or alone
    assert!(counts.seen >= 205, "{counts:?}");
    assert_eq!(counts.seen, counts.captured + counts.dropped_by_kernel + counts.dropped_by_mynah);
    assert_eq!((counts.gaps, counts.dropped_by_kernel, counts.dropped_by_mynah), (0, 0, 0));
}

#[test]
fn what_cannot_be_opened_says_why() {
    let error = Live::open(&LiveOptions::new("none-such0")).unwrap_err().to_string();
    assert!(error.contains("there is no interface 'none-such0'") || error.contains("setcap"), "{error}");
    let options = LiveOptions { filter: Some("tcp prot 80".into()), ..LiveOptions::new("lo") };
    let error = Live::open(&options).unwrap_err().to_string();
    assert!(error.contains("'tcp prot 80' cannot be used") || error.contains("setcap"), "{error}");
}
