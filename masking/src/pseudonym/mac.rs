//! Addresses of network interfaces: another one, written alike.

use super::permute::permute;
use crate::detect::mac::is_mac;
use crate::key::SubKey;

/// All bits but the two that say who gave it out and whether it is for a group
/// ([IEEE 802, §8.2.2](https://standards.ieee.org/products-programs/regauth/)). `None` when the value is none.
pub(super) fn mac(key: &SubKey, value: &[u8]) -> Option<Vec<u8>> {
    const ALL: u64 = (1 << 48) - 1;
    if !is_mac(value) {
        return None;
    }
    let nibble = |b: &u8| char::from(*b).to_digit(16).map(u64::from);
    let plain = value.iter().filter_map(nibble).fold(0, |n, d| n << 4 | d);
    // The two bits are the lowest of the first byte.
    let flags = plain >> 40 & 3;
    let rest = plain >> 42 << 40 | plain & ((1 << 40) - 1);
    let mut other = rest;
    let number = loop {
        other = permute(key, &[flags as u8], 1 << 46, other);
        let number = other >> 40 << 42 | flags << 40 | other & ((1 << 40) - 1);
        // Neither all devices nor none.
        if number != 0 && number != ALL {
            break number;
        }
    };
    let upper = value.iter().any(u8::is_ascii_uppercase) && !value.iter().any(u8::is_ascii_lowercase);
    let digits = if upper { format!("{number:012X}") } else { format!("{number:012x}") };
    let mut digits = digits.bytes();
    Some(value.iter().map(|b| if b.is_ascii_hexdigit() { digits.next().unwrap_or(*b) } else { *b }).collect())
}
