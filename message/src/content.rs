//! Content codings, undone and done again. [RFC 9110 §8.4](https://www.rfc-editor.org/rfc/rfc9110#section-8.4),
//! [RFC 7932](https://www.rfc-editor.org/rfc/rfc7932) (br), [RFC 8878](https://www.rfc-editor.org/rfc/rfc8878) (zstd).

use std::borrow::Cow;
use std::io::{self, Read, Write};

use crate::{Error, Head, Limits};

/// A content coding that can be undone and done again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Coding {
    /// `gzip`, `x-gzip`
    Gzip,
    /// `deflate`: read as zlib or raw, written as zlib.
    Deflate,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

/// The codings in the order in which they were applied; `identity` is left out.
///
/// # Errors
/// [`Error::UnknownCoding`].
pub fn codings(head: &Head<'_>) -> Result<Vec<Coding>, Error> {
    let mut found = Vec::new();
    for value in head.get_all("content-encoding") {
        for coding in value.split(',').map(|c| c.trim().to_ascii_lowercase()) {
            found.push(match coding.as_str() {
                "" | "identity" | "none" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                "zstd" => Coding::Zstd,
                _ => return Err(Error::UnknownCoding { coding }),
            });
        }
    }
    Ok(found)
}

/// Undoes the codings that `head` names, under limits. An empty body (of a HEAD response, say) stays empty whatever the
/// head says; a body without codings is borrowed.
///
/// # Errors
/// [`Error::UnknownCoding`], [`Error::Coding`] when the body is damaged or cut off, [`Error::TooLarge`].
pub fn decode_content<'b>(head: &Head<'_>, body: &'b [u8], limits: &Limits) -> Result<Cow<'b, [u8]>, Error> {
    if body.is_empty() {
        return Ok(Cow::Borrowed(body));
    }
    let mut data = Cow::Borrowed(body);
    for coding in codings(head)?.into_iter().rev() {
        data = Cow::Owned(decode_one(coding, &data, body.len(), limits)?);
    }
    Ok(data)
}

/// Undoes one coding, under limits.
///
/// # Errors
/// [`Error::Coding`] when the data is damaged or cut off, [`Error::TooLarge`].
pub fn decode_coding(coding: Coding, data: &[u8], limits: &Limits) -> Result<Vec<u8>, Error> {
    decode_one(coding, data, data.len(), limits)
}

fn decode_one(coding: Coding, data: &[u8], encoded: usize, limits: &Limits) -> Result<Vec<u8>, Error> {
    const RATIO_FREE: u64 = 1 << 20;
    let limit = limits.decoded_bytes.min(limits.ratio.saturating_mul(encoded as u64).max(RATIO_FREE));
    let mut out = Vec::new();
    let read = match coding {
        Coding::Gzip => gunzip(data, limit, &mut out),
        Coding::Deflate => inflate(data, limit, &mut out),
        Coding::Brotli => take(brotli::Decompressor::new(data, 1 << 14), limit, &mut out),
        Coding::Zstd => zstd::stream::read::Decoder::with_buffer(data).and_then(|d| take(d, limit, &mut out)),
    };
    if out.len() as u64 > limit {
        return Err(Error::TooLarge { encoded, limit });
    }
    match read {
        Ok(()) => Ok(out),
        Err(e) => Err(Error::Coding { coding: coding.name(), detail: e.to_string() }),
    }
}

/// Reads at most one byte more than `limit` in total.
fn take(reader: impl Read, limit: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let room = (limit + 1).saturating_sub(out.len() as u64);
    reader.take(room).read_to_end(out).map(|_| ())
}

fn gunzip(data: &[u8], limit: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let mut rest = data;
    loop {
        let mut decoder = flate2::bufread::GzDecoder::new(rest);
        take(&mut decoder, limit, out)?;
        if out.len() as u64 > limit {
            return Ok(());
        }
        // Several members in a row are one stream; padding after them is ignored, as clients do.
        rest = decoder.into_inner();
        if !rest.starts_with(b"\x1f\x8b") {
            return Ok(());
        }
    }
}

fn inflate(data: &[u8], limit: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let zlib = match data {
        [a, b, ..] => a & 0x0f == 8 && (u16::from(*a) << 8 | u16::from(*b)) % 31 == 0,
        _ => false,
    };
    // "deflate" means zlib, but raw deflate is sent under that name too; a raw stream can look like zlib.
    if zlib {
        let read = take(flate2::bufread::ZlibDecoder::new(data), limit, out);
        if read.is_ok() {
            return read;
        }
        let mut raw = Vec::new();
        if take(flate2::bufread::DeflateDecoder::new(data), limit, &mut raw).is_ok() {
            *out = raw;
            return Ok(());
        }
        return read;
    }
    take(flate2::bufread::DeflateDecoder::new(data), limit, out)
}

/// Applies codings in the given order.
///
/// # Errors
/// [`Error::Coding`] when a codec refuses.
pub fn encode_content(codings: &[Coding], data: &[u8]) -> Result<Vec<u8>, Error> {
    let mut data = Cow::Borrowed(data);
    for &coding in codings {
        let done = encode_one(coding, &data)
            .map_err(|e| Error::Coding { coding: coding.name(), detail: e.to_string() })?;
        data = Cow::Owned(done);
    }
    Ok(data.into_owned())
}

fn encode_one(coding: Coding, data: &[u8]) -> io::Result<Vec<u8>> {
    let out = Vec::with_capacity(data.len() / 3 + 64);
    match coding {
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            encoder.write_all(data)?;
            encoder.finish()
        }
        Coding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(out, flate2::Compression::default());
            encoder.write_all(data)?;
            encoder.finish()
        }
        Coding::Brotli => {
            // Quality 5, window 2^22: what servers use for dynamic content.
            let mut encoder = brotli::CompressorWriter::new(out, 1 << 14, 5, 22);
            encoder.write_all(data)?;
            encoder.flush()?;
            Ok(encoder.into_inner())
        }
        Coding::Zstd => zstd::stream::encode_all(data, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    fn head(coding: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").into_bytes()
    }

    fn decode(coding: &str, body: &[u8], limits: &Limits) -> Result<Vec<u8>, Error> {
        let head = head(coding);
        decode_content(&Head::parse(&head).unwrap(), body, limits).map(Cow::into_owned)
    }

    #[test]
    fn round_trips() {
        let text = b"hello hello hello ".repeat(100);
        for coding in ALL {
            for data in [text.as_slice(), b"", b"x"] {
                let packed = encode_content(&[coding], data).unwrap();
                assert_eq!(decode(coding.name(), &packed, &Limits::default()).unwrap(), data, "{coding:?}");
            }
            let packed = encode_content(&[coding], &text).unwrap();
            assert!(
                decode(coding.name(), &packed[..packed.len() / 2], &Limits::default()).is_err(),
                "{coding:?}"
            );
            assert!(decode(coding.name(), b"\xff\xff\xff\xff\xffgarbage", &Limits::default()).is_err());
            assert_eq!(decode(coding.name(), b"", &Limits::default()).unwrap(), b"");
        }
        let stacked = encode_content(&[Coding::Gzip, Coding::Brotli], &text).unwrap();
        assert_eq!(decode("x-gzip, identity,BR", &stacked, &Limits::default()).unwrap(), text);
        assert!(matches!(decode("compress", b"x", &Limits::default()), Err(Error::UnknownCoding { .. })));
    }

    #[test]
    fn raw_deflate_and_members() {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"raw deflate").unwrap();
        let raw = encoder.finish().unwrap();
        assert_eq!(decode("deflate", &raw, &Limits::default()).unwrap(), b"raw deflate");
        let two = [
            encode_content(&[Coding::Gzip], b"one ").unwrap(),
            encode_content(&[Coding::Gzip], b"two").unwrap(),
            b"\0\0".to_vec(),
        ]
        .concat();
        assert_eq!(decode("gzip", &two, &Limits::default()).unwrap(), b"one two");
    }

    #[test]
    fn limits_hold() {
        let zeros = vec![0; 3 << 20];
        for coding in ALL {
            let packed = encode_content(&[coding], &zeros).unwrap();
            let ratio = Limits { ratio: 10, ..Limits::default() };
            assert!(
                matches!(decode(coding.name(), &packed, &ratio), Err(Error::TooLarge { .. })),
                "{coding:?}"
            );
            let size = Limits { decoded_bytes: 2 << 20, ratio: u64::MAX, ..Limits::default() };
            assert!(
                matches!(decode(coding.name(), &packed, &size), Err(Error::TooLarge { .. })),
                "{coding:?}"
            );
            let wide = Limits { ratio: u64::MAX, ..Limits::default() };
            assert_eq!(decode(coding.name(), &packed, &wide).unwrap().len(), zeros.len());
            // Below a mebibyte no ratio is too high.
            let packed = encode_content(&[coding], &zeros[..1 << 20]).unwrap();
            assert!(decode(coding.name(), &packed, &Limits { ratio: 1, ..Limits::default() }).is_ok());
        }
    }
}
