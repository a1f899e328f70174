//! IP addresses: prefix-preserving, so that two clients of one network are still that.
//!
//! Each bit is flipped or not by a keyed function of the bits before it (Xu, Fan, Ammar and Moon, "Prefix-preserving IP address
//! anonymization", 2002), here AES-256 under a sub-key. Private and link-local addresses stay in their ranges. Of public IPv4
//! addresses the first byte is permuted among the bytes that public addresses begin with, so that no address becomes a private
//! one; prefixes of a byte and more are preserved. What is no host's address stays.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};

use super::permute::permute;
use crate::detect::ip;
use crate::key::SubKey;

/// Another address of the same sort; one-to-one.
pub(super) fn address(key: &SubKey, address: IpAddr) -> IpAddr {
    if !ip::is_hosts(address) {
        return address;
    }
    match address {
        IpAddr::V4(v4) => IpAddr::V4(v4_address(key, v4)),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V6(v4_address(key, v4).to_ipv6_mapped()),
            None => IpAddr::V6(v6_address(key, v6)),
        },
    }
}

/// The same, written alike; `None` for what is no host's address.
pub(super) fn ip(key: &SubKey, value: &[u8]) -> Option<Vec<u8>> {
    let plain = ip::parse(value).filter(|a| ip::is_hosts(*a))?;
    let text = address(key, plain).to_string();
    let upper = value.iter().any(|b| matches!(b, b'A'..=b'F')) && !value.iter().any(u8::is_ascii_lowercase);
    Some(if upper { text.to_ascii_uppercase() } else { text }.into_bytes())
}

/// First bytes under which there are ranges of more than one sort, with the second bytes that are private there.
fn private_seconds(first: u8) -> Option<std::ops::RangeInclusive<u8>> {
    Some(match first {
        100 => 64..=127, // RFC 6598
        169 => 254..=254,
        172 => 16..=31,
        192 => 168..=168,
        _ => return None,
    })
}

fn v4_address(key: &SubKey, v4: Ipv4Addr) -> Ipv4Addr {
    let [first, second, _, _] = v4.octets();
    // How many bits stay or are permuted, and what they become.
    let (kept, top) = if first == 10 || first >= 240 {
        (8, [first, second])
    } else if let Some(private) = private_seconds(first) {
        // Within or without the private range, and never from one to the other.
        let inside = private.contains(&second);
        let set: Vec<u8> = (0..=255).filter(|b| private.contains(b) == inside).collect();
        (16, [first, among(key, &[b'2', first, u8::from(inside)], &set, second)])
    } else {
        let public = |b: &u8| *b > 0 && *b != 10 && *b != 127 && private_seconds(*b).is_none();
        let set: Vec<u8> = (0..224).filter(public).collect();
        (8, [among(key, b"1", &set, first), second])
    };
    let plain = u128::from(u32::from(v4)) << 96;
    let bits = flip(key, b'4', plain, kept, 32) >> 96;
    let [_, b, c, d] = (bits as u32).to_be_bytes();
    Ipv4Addr::new(top[0], if kept == 16 { top[1] } else { b }, c, d)
}

/// The byte's place in a permutation of the set.
fn among(key: &SubKey, tweak: &[u8], set: &[u8], byte: u8) -> u8 {
    let place = set.iter().position(|b| *b == byte);
    let other = place.map(|place| permute(key, tweak, set.len() as u64, place as u64) as usize);
    other.and_then(|other| set.get(other)).copied().unwrap_or(byte)
}

fn v6_address(key: &SubKey, v6: Ipv6Addr) -> Ipv6Addr {
    let plain = u128::from(v6);
    let kept = match v6.segments()[0] {
        0x2000..=0x3fff => 3,
        // Link-local: the rest of the prefix is zero.
        0xfe80..=0xfebf => 64,
        0xfc00..=0xfdff => 8,
        // A translator's prefix, with an IPv4 address behind it.
        _ => 16,
    };
    Ipv6Addr::from(flip(key, b'6', plain, kept, 128))
}

/// Flips bits from `from` to `to`, each by what stands before it. Were none flipped, the last one is.
fn flip(key: &SubKey, sort: u8, plain: u128, from: u32, to: u32) -> u128 {
    let cipher = Aes256::new(key.bytes().into());
    let mut out = plain;
    for bit in from..to {
        let above = if bit == 0 { 0 } else { plain >> (128 - bit) << (128 - bit) };
        // The prefix, and where it ends: a one behind it.
        let mut block = (above | 1 << (127 - bit)).to_be_bytes();
        block[15] ^= if sort == b'4' { 0x44 } else { 0 };
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        let last_resort = bit + 1 == to && out == plain;
        if block[0] & 1 == 1 || last_resort {
            out ^= 1 << (127 - bit);
        }
    }
    out
}
