//! The one place where `--unmasked` is obeyed: exchanges go into the recording as they were captured.

use mynah_traffic::{Exchange, Masked, Provenance};

/// Lets an exchange pass without masking. The recording says so for ever.
pub(crate) fn pass(exchange: Exchange) -> Masked<Exchange> {
    #[expect(clippy::disallowed_methods, reason = "this is the file behind --unmasked")]
    Masked::assume(exchange, Provenance::Unmasked)
}
