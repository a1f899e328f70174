//! The container under both of mynah's binary files: `[length u32][kind u8][crc32c u32][payload]`, integers little-endian,
//! the check over length, kind and payload, the payload one zstd block.

use std::io::{self, Read, Write};

/// Bytes before a frame's payload.
pub(crate) const HEADER: usize = 9;
/// A compressed payload longer than this is damage, not data.
const MAX_PAYLOAD: u32 = 256 << 20;
/// An unpacked payload longer than this is refused.
pub(crate) const MAX_UNPACKED: usize = 1 << 30;
/// zstd's level 1 keeps up with capture; higher ones gain little on text this small.
const LEVEL: i32 = 1;

/// Why a frame could not be read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The system failed; nothing is known of the file.
    Io(io::Error),
    /// The file ends inside the frame.
    Torn(String),
    /// The bytes are not what was written.
    Corrupt(String),
}

fn check(length: [u8; 4], kind: u8, payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&length);
    let crc = crc32c::crc32c_append(crc, &[kind]);
    crc32c::crc32c_append(crc, payload)
}

/// A packed payload's buffer is kept from frame to frame up to this size.
const KEPT: usize = 4 << 20;

/// Writes frames: the compressor and its tables are made once, not for each frame.
pub(crate) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    payload: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> io::Result<Packer> {
        Ok(Packer { compressor: zstd::bulk::Compressor::new(LEVEL)?, payload: Vec::new() })
    }

    /// Writes one frame and returns its whole length in bytes.
    pub(crate) fn write(&mut self, out: &mut impl Write, kind: u8, unpacked: &[u8]) -> io::Result<u64> {
        self.payload.clear();
        self.payload.reserve(zstd::zstd_safe::compress_bound(unpacked.len()));
        self.compressor.compress_to_buffer(unpacked, &mut self.payload)?;
        let length = put(out, kind, unpacked, &self.payload);
        if self.payload.capacity() > KEPT {
            self.payload = Vec::new();
        }
        length
    }
}

/// Writes one frame and returns its whole length in bytes.
pub(crate) fn write(out: &mut impl Write, kind: u8, unpacked: &[u8]) -> io::Result<u64> {
    put(out, kind, unpacked, &zstd::bulk::compress(unpacked, LEVEL)?)
}

fn put(out: &mut impl Write, kind: u8, unpacked: &[u8], payload: &[u8]) -> io::Result<u64> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|&length| length <= MAX_PAYLOAD && unpacked.len() <= MAX_UNPACKED)
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a frame is limited to 256 MiB packed, 1 GiB unpacked",
            )
        })?;
    let length = length.to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&[kind])?;
    out.write_all(&check(length, kind, payload).to_le_bytes())?;
    out.write_all(payload)?;
    Ok((HEADER + payload.len()) as u64)
}

/// One frame as read.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    /// The payload, unpacked.
    pub(crate) bytes: Vec<u8>,
    /// The frame's whole length in the file.
    pub(crate) length: u64,
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while have < buffer.len() {
        match input.read(&mut buffer[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

/// Reads the next frame; `None` at a clean end of the file.
pub(crate) fn read(input: &mut impl Read) -> Result<Option<Frame>, Broken> {
    Unpacker::default().read(input, Vec::new())
}

/// Reads frames: the decompressor, its tables and the packed payload's buffer are made once, not for each frame.
#[derive(Default)]
pub(crate) struct Unpacker {
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
    payload: Vec<u8>,
}

impl Unpacker {
    /// Reads the next frame; `None` at a clean end of the file. What was allocated for `room` is used again.
    pub(crate) fn read(&mut self, input: &mut impl Read, room: Vec<u8>) -> Result<Option<Frame>, Broken> {
        let Some((kind, length)) = packed(input, &mut self.payload)? else { return Ok(None) };
        let bytes = self
            .unpack(room)
            .map_err(|error| Broken::Corrupt(format!("a frame cannot be decompressed: {error}")))?;
        if self.payload.capacity() > KEPT {
            self.payload = Vec::new();
        }
        Ok(Some(Frame { kind, bytes, length: HEADER as u64 + u64::from(length) }))
    }

    fn unpack(&mut self, mut room: Vec<u8>) -> io::Result<Vec<u8>> {
        room.clear();
        // as much at once as it says it needs, when that is no more than an ordinary frame does; whatever is odd goes the slow way
        let says = zstd::zstd_safe::get_frame_content_size(&self.payload).ok().flatten();
        let Some(size) = says.and_then(|size| usize::try_from(size).ok()).filter(|&size| size <= KEPT) else {
            return unpack(&self.payload);
        };
        if room.capacity() > KEPT {
            room = Vec::new();
        }
        room.reserve(size);
        let decompressor = match &mut self.decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(zstd::bulk::Decompressor::new()?),
        };
        match decompressor.decompress_to_buffer(&self.payload, &mut room) {
            Ok(_) => Ok(room),
            Err(_) => unpack(&self.payload),
        }
    }
}

/// Reads the next frame into `payload`, as it is packed, and says its kind and the payload's length.
fn packed(input: &mut impl Read, payload: &mut Vec<u8>) -> Result<Option<(u8, u32)>, Broken> {
    let mut header = [0; HEADER];
    match fill(input, &mut header).map_err(Broken::Io)? {
        0 => return Ok(None),
        HEADER => {}
        have => {
            return Err(Broken::Torn(format!(
                "the file ends after {have} of a frame header's {HEADER} bytes"
            )));
        }
    }
    let [l0, l1, l2, l3, kind, c0, c1, c2, c3] = header;
    let length_bytes = [l0, l1, l2, l3];
    let length = u32::from_le_bytes(length_bytes);
    if length > MAX_PAYLOAD {
        return Err(Broken::Corrupt(format!(
            "a frame says it is {length} bytes long; the limit is {MAX_PAYLOAD}"
        )));
    }
    // Not allocated by what the header says: a damaged length must not cost memory that the file cannot fill.
    payload.clear();
    input.take(u64::from(length)).read_to_end(payload).map_err(Broken::Io)?;
    if payload.len() < length as usize {
        return Err(Broken::Torn(format!(
            "the file ends after {} of a frame's {length} bytes",
            payload.len()
        )));
    }
    if check(length_bytes, kind, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Broken::Corrupt("a frame's checksum does not match its bytes".to_owned()));
    }
    Ok(Some((kind, length)))
}

fn unpack(payload: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(payload)?.take(MAX_UNPACKED as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_UNPACKED {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it unpacks to more than 1 GiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_of_many_frames_reads_what_one_of_each_does() {
        let (long, random): (Vec<u8>, Vec<u8>) = (vec![7; KEPT + 1], (0..=255).cycle().take(5000).collect());
        let mut file = Vec::new();
        let contents = [&b"hello"[..], b"", &long, &random];
        for (kind, bytes) in (0..).zip(contents) {
            write(&mut file, kind, bytes).unwrap();
        }
        // packed in two pieces, which no writer of ours does
        let two =
            [zstd::bulk::compress(b"one ", LEVEL).unwrap(), zstd::bulk::compress(b"two", LEVEL).unwrap()]
                .concat();
        put(&mut file, 9, b"", &two).unwrap();
        let (mut input, mut unpacker, mut room) = (file.as_slice(), Unpacker::default(), Vec::new());
        for (kind, bytes) in (0..).zip(contents).chain([(9, &b"one two"[..])]) {
            let frame = unpacker.read(&mut input, std::mem::take(&mut room)).unwrap().unwrap();
            assert_eq!((frame.kind, frame.bytes.as_slice()), (kind, bytes));
            room = frame.bytes;
        }
        assert!(unpacker.read(&mut input, room).unwrap().is_none());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let mut file = Vec::new();
        write(&mut file, 7, b"hello hello hello").unwrap();
        let whole = read(&mut file.as_slice()).unwrap().unwrap();
        assert_eq!(
            (whole.kind, whole.bytes.as_slice(), whole.length),
            (7, b"hello hello hello".as_slice(), file.len() as u64)
        );
        for bit in 0..file.len() * 8 {
            let mut bad = file.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&mut bad.as_slice()).is_err(), "bit {bit}");
        }
        for cut in 1..file.len() {
            assert!(matches!(read(&mut &file[..cut]), Err(Broken::Torn(_))), "cut at {cut}");
        }
        assert!(read(&mut [].as_slice()).unwrap().is_none());
    }
}
