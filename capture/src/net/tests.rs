use etherparse::PacketBuilder;

use super::*;
use crate::container::Packet;

const PAYLOAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// What was found in frames: from, to, payload, missing.
type Found = Vec<(String, String, Vec<u8>, u32)>;

fn decode_cut(decoder: &mut Decoder, link: u16, data: &[u8], original: usize) -> (Outcome, Found) {
    let mut found = Vec::new();
    let packet = Packet { time: Nanos(1), link, data, original: original as u32 };
    let outcome = decoder.decode(&packet, &mut |segment: Segment<'_>| {
        found.push((
            segment.from.socket().to_string(),
            segment.to.socket().to_string(),
            segment.data.to_vec(),
            segment.missing,
        ));
    });
    (outcome, found)
}

fn decode(link: u16, data: &[u8]) -> (Outcome, Found) {
    decode_cut(&mut Decoder::default(), link, data, data.len())
}

fn expected() -> Found {
    vec![("10.0.0.1:5000".to_owned(), "10.0.0.2:80".to_owned(), PAYLOAD.to_vec(), 0)]
}

fn assert_found(link: u16, data: &[u8], what: &str) {
    assert_eq!(decode(link, data), (Outcome::Segment, expected()), "{what}");
}

fn ip() -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(5000, 80, 7, 1024)
        .ack(9)
        .write(&mut out, PAYLOAD)
        .unwrap();
    out
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An Ethernet header with this EtherType.
fn ethernet(kind: u16) -> Vec<u8> {
    joined(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &kind.to_be_bytes()])
}

/// UDP in IPv4 to this port.
fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4([1, 1, 1, 1], [2, 2, 2, 2], 64).udp(1, port).write(&mut out, payload).unwrap();
    out
}

/// IPv4 around a payload of this protocol.
fn around(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = etherparse::Ipv4Header::new(
        payload.len() as u16,
        64,
        etherparse::IpNumber(protocol),
        [1, 1, 1, 1],
        [2, 2, 2, 2],
    );
    header.unwrap().write(&mut out).unwrap();
    out.extend(payload);
    out
}

#[test]
fn link_layers() {
    let ip = ip();
    let framed = joined(&[&ethernet(0x0800), &ip]);
    assert_found(1, &framed, "Ethernet");
    assert_found(1, &joined(&[&framed, &[0; 9]]), "padding");
    assert_found(1, &joined(&[&ethernet(0x8100), &[0, 5, 8, 0], &ip]), "802.1Q");
    assert_found(1, &joined(&[&ethernet(0x88a8), &[0, 5, 0x81, 0], &[0, 6, 8, 0], &ip]), "QinQ");
    assert_found(1, &joined(&[&ethernet(0x0040), b"\xaa\xaa\x03\0\0\0\x08\0", &ip]), "802.3 with SNAP");
    assert_found(1, &joined(&[&ethernet(0x8864), &[0x11, 0, 0, 1, 0, 60, 0, 0x21], &ip]), "PPPoE");
    assert_found(1, &joined(&[&ethernet(0x8847), &[0, 0x10, 0, 64], &[0, 0x10, 1, 64], &ip]), "MPLS");
    assert_found(
        1,
        &joined(&[&ethernet(0x8847), &[0, 1, 1, 64], &[0; 4], &framed]),
        "MPLS with a control word",
    );
    assert_found(1, &joined(&[&ethernet(0x8847), &[0, 1, 1, 64], &framed]), "MPLS with Ethernet");
    assert_found(0, &joined(&[&[2, 0, 0, 0], &ip]), "NULL");
    assert_found(108, &joined(&[&[0, 0, 0, 2], &ip]), "LOOP");
    assert_found(101, &ip, "RAW");
    assert_found(228, &ip, "IPV4");
    assert_found(9, &joined(&[&[0xff, 3, 0, 0x21], &ip]), "PPP");
    assert_found(9, &joined(&[&[0x21], &ip]), "PPP, one byte");
    assert_found(104, &joined(&[&[0x0f, 0, 8, 0], &ip]), "HDLC");
    assert_found(113, &joined(&[&[0; 14], &[8, 0], &ip]), "SLL");
    assert_found(276, &joined(&[&[8, 0], &[0; 18], &ip]), "SLL2");
    let length = (ip.len() + 4) as u16;
    let little = joined(&[&[2, 0, 0, 5], &[5, 0, 7, 0, 1, 0, 0, 0], &length.to_le_bytes(), &[9, 0], &ip]);
    let big = joined(&[&[2, 0, 0, 5], &[0, 5, 0, 7, 1, 0, 0, 0], &length.to_be_bytes(), &[0, 9], &ip]);
    assert_found(239, &little, "NFLOG");
    assert_found(239, &big, "NFLOG, big-endian");
    assert_eq!(decode(147, &ip).0, Outcome::UnknownLink(147));
    assert_eq!(decode(1, &joined(&[&ethernet(0x0806), &ip])).0, Outcome::Other, "ARP");
}

#[test]
fn tunnels() {
    let ip = ip();
    let framed = joined(&[&ethernet(0x0800), &ip]);
    assert_found(101, &udp(4789, &joined(&[&[8, 0, 0, 0, 0, 0, 1, 0], &framed])), "VXLAN");
    assert_found(101, &udp(6081, &joined(&[&[0, 0, 0x65, 0x58, 0, 0, 1, 0], &framed])), "Geneve");
    assert_found(
        101,
        &udp(6081, &joined(&[&[1, 0, 8, 0, 0, 0, 1, 0], &[0; 4], &ip])),
        "Geneve with an option",
    );
    assert_found(101, &around(47, &joined(&[&[0, 0, 8, 0], &ip])), "GRE");
    assert_found(101, &around(47, &joined(&[&[0x20, 0, 8, 0, 0, 0, 0, 1], &ip])), "GRE with a key");
    assert_found(101, &around(47, &joined(&[&[0, 0, 0x88, 0xbe], &framed])), "ERSPAN I");
    let sequenced = joined(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10, 0, 0, 0, 0, 0, 0, 0], &framed]);
    assert_found(101, &around(47, &sequenced), "ERSPAN II");
    let third = joined(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &[0x20; 11], &[0], &framed]);
    assert_found(101, &around(47, &third), "ERSPAN III");
    assert_found(101, &around(4, &ip), "IP in IP");
    assert_found(101, &around(137, &joined(&[&[0, 0x10, 1, 64], &ip])), "MPLS in IP");
    assert_found(101, &around(51, &joined(&[&[4, 1, 0, 0], &[0; 8], &ip])), "authentication header");
    assert_eq!(decode(101, &around(1, &joined(&[&[3, 3, 0, 0, 0, 0, 0, 0], &ip]))).0, Outcome::Other, "ICMP");
    assert_eq!(decode(101, &udp(53, b"\x08\0\0\0\0\0\0\0")).0, Outcome::Other, "DNS");
}

#[test]
fn a_tower_of_tunnels_ends() {
    let mut data = ip();
    for _ in 0..100 {
        data = around(4, &data);
    }
    assert_eq!(decode(101, &data).0, Outcome::Undecodable);
}

#[test]
fn lengths() {
    let whole = ip();
    // zero, from segmentation offload
    let mut offloaded = whole.clone();
    offloaded[2..4].fill(0);
    assert_found(101, &offloaded, "length zero");
    // cut by the snap length
    let cut = &whole[..whole.len() - 5];
    let (outcome, found) = decode_cut(&mut Decoder::default(), 101, cut, whole.len());
    assert_eq!((outcome, found[0].3, found[0].2.len()), (Outcome::Segment, 5, PAYLOAD.len() - 5));
    let cut = &offloaded[..whole.len() - 5];
    let (_, found) = decode_cut(&mut Decoder::default(), 101, cut, whole.len());
    assert_eq!(found[0].3, 5);
    // cut within the headers
    for length in 0..40 {
        let (outcome, found) = decode(101, &whole[..length]);
        assert_eq!((outcome, found.len()), (Outcome::Undecodable, 0), "{length}");
    }
}

fn ipv6(extensions: &[u8], first: u8, payload: &[u8]) -> Vec<u8> {
    let length = ((extensions.len() + payload.len()) as u16).to_be_bytes();
    let mut out = vec![0x60, 0, 0, 0, length[0], length[1], first, 64];
    out.extend([0xfd; 15]);
    out.push(1);
    out.extend([0xfd; 15]);
    out.push(2);
    out.extend(extensions);
    out.extend(payload);
    out
}

#[test]
fn ipv6_and_its_extension_headers() {
    let ip = ip();
    let tcp = &ip[20..];
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    for (name, extensions, first) in [
        ("plain", Vec::new(), 6),
        ("hop by hop, destination, routing", [options(60), options(43), options(6)].concat(), 0),
        ("atomic fragment", vec![6, 0, 0, 0, 0, 0, 0, 9], 44),
        ("authentication", [[6, 1, 0, 0].as_slice(), &[0; 8]].concat(), 51),
    ] {
        let (outcome, found) = decode(229, &ipv6(&extensions, first, tcp));
        assert_eq!(outcome, Outcome::Segment, "{name}");
        assert_eq!((found[0].2.as_slice(), found[0].3), (PAYLOAD, 0), "{name}");
        assert!(found[0].0.starts_with("[fdfd:"), "{name}: {}", found[0].0);
    }
    let mut jumbo = ipv6(&[], 6, tcp);
    jumbo[4..6].fill(0);
    assert_eq!(decode(229, &jumbo).0, Outcome::Segment);
}

/// Fragments of `payload` in IPv4, eight bytes each.
fn fragments_v4(payload: &[u8], id: u16) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(8);
    payload
        .chunks(8)
        .enumerate()
        .map(|(n, piece)| {
            let mut packet = around(6, piece);
            packet[4..6].copy_from_slice(&id.to_be_bytes());
            let more = u16::from(n + 1 < count) << 13;
            packet[6..8].copy_from_slice(&(more | n as u16).to_be_bytes());
            packet
        })
        .collect()
}

#[test]
fn fragments_in_any_order() {
    let ip = ip();
    let mut pieces = fragments_v4(&ip[20..], 77);
    for turn in 0..pieces.len() {
        pieces.rotate_left(1);
        let mut decoder = Decoder::default();
        let found: Vec<_> = pieces
            .iter()
            .chain(&pieces[..1])
            .flat_map(|piece| decode_cut(&mut decoder, 101, piece, piece.len()).1)
            .collect();
        assert_eq!(found.len(), 1, "{turn}");
        assert_eq!(found[0].2, PAYLOAD);
    }
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for (n, piece) in ip[20..].chunks(16).enumerate() {
        let more = u8::from((n + 1) * 16 < ip.len() - 20);
        let header = [6, 0, ((n * 16) >> 8) as u8, (n * 16) as u8 | more, 0, 0, 0, 9];
        let packet = ipv6(&header, 44, piece);
        found.extend(decode_cut(&mut decoder, 229, &packet, packet.len()).1);
    }
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].2, PAYLOAD);
}

#[test]
fn fragments_that_never_complete_are_bounded() {
    let mut decoder = Decoder::default();
    let ip = ip();
    for id in 0..5000 {
        let piece = &fragments_v4(&ip[20..], id)[0];
        decode_cut(&mut decoder, 101, piece, piece.len());
    }
    // the latest are still there
    let pieces = fragments_v4(&ip[20..], 4999);
    let found: usize =
        pieces[1..].iter().map(|piece| decode_cut(&mut decoder, 101, piece, piece.len()).1.len()).sum();
    assert_eq!(found, 1);
}

#[test]
fn most_frames_are_usual() {
    let framed = joined(&[&ethernet(0x0800), &ip(), &[0; 4]]);
    assert_eq!(ip::usual(&framed).map(|segment| segment.data), Some(PAYLOAD));
    assert!(ip::usual(&joined(&[&ethernet(0x0806), &ip()])).is_none());
    assert!(ip::usual(&joined(&[&ethernet(0x0800), &udp(80, PAYLOAD)])).is_none());
}

proptest::proptest! {
    #[test]
    fn any_bytes_on_any_link(link in 0_u16..300, data: Vec<u8>, cut in 0_usize..100) {
        let _ = decode_cut(&mut Decoder::default(), link, &data, data.len() + cut);
    }

    #[test]
    fn a_usual_frame_is_what_it_is_layer_by_layer(
        changes in proptest::collection::vec((0_usize..80, proptest::prelude::any::<u8>()), 0..3),
        cut in 0_usize..80,
        padding in 0_usize..8,
    ) {
        let mut data = joined(&[&ethernet(0x0800), &ip(), &vec![0; padding]]);
        let length = data.len();
        for (at, value) in changes {
            data[at % length] = value;
        }
        let cut = if cut > 60 { cut.min(length) } else { length };
        let data = &data[..cut];
        let mut slow = Vec::new();
        let mut sink = |segment: Segment<'_>| slow.push(format!("{segment:?}"));
        let mut frame = Frame { time: Nanos(1), cut: (length - cut) as u32, sink: &mut sink };
        let outcome = Decoder::default().layers(&mut frame, Layer::Ethernet, data, 0);
        if let Some(segment) = ip::usual(data) {
            assert_eq!((outcome, slow), (Some(Outcome::Segment), vec![format!("{segment:?}")]));
        }
    }

    #[test]
    fn a_changed_byte_anywhere(at in 0_usize..200, value: u8, which in 0_usize..4) {
        let ip = ip();
        let framed = joined(&[&ethernet(0x0800), &ip]);
        let (link, mut data) = match which {
            0 => (1, framed),
            1 => (101, udp(4789, &joined(&[&[8, 0, 0, 0, 0, 0, 1, 0], &framed]))),
            2 => (229, ipv6(&[44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 9], 0, &ip[20..])),
            _ => (101, around(47, &joined(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10; 8], &framed]))),
        };
        let at = at % data.len();
        data[at] = value;
        let _ = decode(link, &data);
    }
}
