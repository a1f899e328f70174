use std::io::{Cursor, Write};
use std::path::Path;

use etherparse::PacketBuilder;

use crate::input::Input;
use crate::{Error, Kind, Options, Source};

/// A pcap file with an exchange on each of so many connections.
fn pcap(connections: u16) -> Vec<u8> {
    let mut file = Vec::new();
    for number in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.extend(number.to_le_bytes());
    }
    let mut time = 0_u32;
    let mut add = |client: bool, port: u16, sequence: u32, acknowledged: u32, data: &[u8]| {
        let (from, to) = if client { ([10, 0, 0, 1], [10, 0, 0, 2]) } else { ([10, 0, 0, 2], [10, 0, 0, 1]) };
        let (source, target) = if client { (port, 80) } else { (80, port) };
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(from, to, 64)
            .tcp(source, target, sequence, 1000)
            .ack(acknowledged)
            .write(&mut frame, data)
            .unwrap();
        time += 1;
        for number in [time, 0, frame.len() as u32, frame.len() as u32] {
            file.extend(number.to_le_bytes());
        }
        file.extend(frame);
    };
    for port in 1..=connections {
        let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        add(true, port, 1, 1, request);
        add(false, port, 1, 1 + request.len() as u32, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    file
}

fn open(bytes: Vec<u8>, options: &Options) -> Result<Source, Error> {
    Source::new(Input::from_reader(Path::new("x.pcap"), Box::new(Cursor::new(bytes)))?, options)
}

fn count(source: &mut Source) -> usize {
    source.map(|exchange| exchange.unwrap()).filter(|exchange| exchange.response.is_some()).count()
}

#[test]
fn exchanges_are_the_same_when_they_are_only_looked_at() {
    let all: Vec<_> = open(pcap(5), &Options::default()).unwrap().map(Result::unwrap).collect();
    let mut source = open(pcap(5), &Options::default()).unwrap();
    assert!(source.current().is_none());
    let mut seen = Vec::new();
    // the last two by the iterator, which may take over at any time
    while seen.len() < 3 {
        source.advance().unwrap().unwrap();
        seen.push(source.current().unwrap().clone());
    }
    seen.extend(source.by_ref().map(Result::unwrap));
    assert_eq!(seen, all);
    assert!(source.advance().is_none() && source.current().is_none());
    assert!(source.warnings().is_empty());
}

#[test]
fn connections_are_numbered_on_from_the_input_before() {
    let options = Options { first_connection: 7, ..Options::default() };
    let mut source = open(pcap(3), &options).unwrap();
    let ids: Vec<u64> = source.by_ref().map(|exchange| exchange.unwrap().connection.id).collect();
    assert_eq!(ids, [7, 8, 9]);
    assert_eq!((source.kind(), source.next_connection()), (Kind::Pcap, 10));
    let counts = source.counts();
    assert_eq!((counts.seen, counts.captured, counts.dropped_by_mynah), (6, 6, 0));
    assert!(source.warnings().is_empty(), "{:?}", source.warnings());
}

#[test]
fn a_cut_file_gives_what_is_whole_and_says_where() {
    let mut bytes = pcap(3);
    let last = bytes.len() - 16 - 54 - 40;
    bytes.truncate(bytes.len() - 1);
    let mut source = open(bytes, &Options::default()).unwrap();
    assert_eq!(count(&mut source), 2);
    let warnings = source.warnings();
    assert!(warnings[0].starts_with(&format!("cut short at byte {last}: ")), "{last} {warnings:?}");
}

#[test]
fn damage_in_a_compressed_file_is_a_warning() {
    let whole = pcap(2000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(&whole).unwrap();
    let gz = encoder.finish().unwrap();
    let zst = zstd::encode_all(&whole[..], -5).unwrap();
    for mut bytes in [gz, zst] {
        assert_eq!(count(&mut open(bytes.clone(), &Options::default()).unwrap()), 2000);
        bytes.truncate(bytes.len() - 9);
        let mut source = open(bytes, &Options::default()).unwrap();
        assert!(count(&mut source) > 500, "{:?}", source.warnings());
        assert!(source.warnings()[0].starts_with("cut short at byte "), "{:?}", source.warnings());
    }
}

#[test]
fn no_http_is_a_warning_and_no_capture_an_error() {
    let mut source = open(pcap(0), &Options::default()).unwrap();
    assert_eq!(count(&mut source), 0);
    assert_eq!(source.warnings(), ["no HTTP in it"]);
    assert!(matches!(open(Vec::new(), &Options::default()), Err(Error::Unrecognised { .. })));
    let error = open(b"some text\n".to_vec(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("text of another kind"), "{error}");
    let cut = pcap(1)[..20].to_vec();
    assert!(matches!(open(cut, &Options::default()), Err(Error::Malformed { .. })));
    assert!(matches!(open(b"\x89MYNAH\r\n".to_vec(), &Options::default()), Err(Error::Unsupported { .. })));
}

#[test]
fn packets_that_are_lost_on_us_are_counted() {
    let mut bytes = pcap(1);
    let mut broken = 1_u32.to_le_bytes().to_vec();
    broken.extend([0; 4]);
    broken.extend([20_u32.to_le_bytes(), 20_u32.to_le_bytes()].concat());
    broken.extend([2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 8, 0, 0x45, 0, 0, 0, 0, 0]);
    bytes.extend(broken);
    let mut source = open(bytes, &Options::default()).unwrap();
    assert_eq!(count(&mut source), 1);
    let counts = source.counts();
    assert_eq!((counts.seen, counts.captured, counts.dropped_by_mynah), (3, 2, 1));
    assert_eq!(source.warnings(), ["1 packet could not be decoded"]);
}

#[test]
fn a_source_can_go_to_another_thread() {
    fn assert_send<T: Send>() {}
    assert_send::<Source>();
}
