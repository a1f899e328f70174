//! Bytes as hex digits.

/// Two digits a byte; letters in lower case, unless `upper`.
pub fn encode(bytes: &[u8], upper: bool) -> Vec<u8> {
    let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    bytes.iter().flat_map(|b| [digits[usize::from(b >> 4)], digits[usize::from(b & 15)]]).collect()
}

/// The same as text, in lower case.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&encode(bytes, false)).into_owned()
}
