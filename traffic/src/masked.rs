//! The proof, carried in the type, that a value went through masking.

/// How an exchange came to be called masked. Stored in a recording's header for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// A masking policy was applied.
    Policy,
    /// The user refused masking with `--unmasked`: originals are inside.
    Unmasked,
}

/// A value that may be written to disk: masked, or knowingly not.
///
/// The recording's writer takes nothing else. The one constructor is barred by clippy's `disallowed-methods` outside the
/// masking crate and the one file of the command that stands behind `--unmasked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked<T> {
    value: T,
    provenance: Provenance,
}

impl<T> Masked<T> {
    /// States that `value` is masked as `provenance` says. Only masking may say so.
    pub fn assume(value: T, provenance: Provenance) -> Self {
        Masked { value, provenance }
    }

    /// What a recording that was opened holds went through this type when it was written.
    pub(crate) fn from_recording(value: T, provenance: Provenance) -> Self {
        Masked { value, provenance }
    }

    /// Changes the value and keeps the proof. For a change that is made of masked values only: what middleware, which saw
    /// nothing else, made of them. Barred like [`assume`](Masked::assume).
    #[must_use]
    pub fn rewrite(mut self, change: impl FnOnce(&mut T)) -> Self {
        change(&mut self.value);
        self
    }

    /// How it came to be called masked.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The value, to read.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// The value, without the proof.
    pub fn into_inner(self) -> T {
        self.value
    }
}
