//! Values in scripts.

/// Escapes for a string of any quote, in JavaScript and in JSON, that stands in a `<script>` element.
pub fn escape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 8);
    for b in crate::json::escape(value) {
        match b {
            b'\'' | b'`' | b'$' | b'<' | b'>' | b'&' => {
                out.extend_from_slice(format!("\\u{b:04x}").as_bytes())
            }
            _ => out.push(b),
        }
    }
    out
}
