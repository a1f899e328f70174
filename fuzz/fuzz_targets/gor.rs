//! GoReplay's files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah_fuzz::{drain, small};

fuzz_target!(|data: &[u8]| {
    drain(data.to_vec(), &small(), drop);
});
