//! Whether what is met comes again.

/// Whether it is worth while to look things up: where hardly any comes again only some are, to see whether that changes.
#[derive(Default)]
pub(crate) struct Worth {
    asked: u64,
    /// How often those looked up were known of late, in parts of 2¹⁶.
    share: u32,
}

impl Worth {
    /// Of how many one is looked up at least.
    const SOME: u64 = 8;
    /// From this share on all are.
    const ENOUGH: u32 = (1 << 16) / 32;

    /// Whether the next one is to be looked up.
    pub(crate) fn look(&mut self) -> bool {
        self.asked += 1;
        // The first ones say whether any come again at all.
        self.asked.is_multiple_of(Worth::SOME) || self.asked < 256 || self.share >= Worth::ENOUGH
    }

    /// Whether one was known that was looked up.
    pub(crate) fn note(&mut self, known: bool) {
        self.share = self.share - self.share / 64 + if known { 1 << 10 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_looked_up_where_they_come_again() {
        let mut worth = Worth::default();
        let looked = |worth: &mut Worth, bodies: u64, known: bool| {
            let looks = (0..bodies).filter(|_| worth.look().then(|| worth.note(known)).is_some());
            looks.count() as u64
        };
        looked(&mut worth, 256, false);
        assert_eq!(looked(&mut worth, 800, false), 100);
        // Some three of those that are looked up are known, and then all are.
        assert!(looked(&mut worth, 800, true) > 770);
        assert!(looked(&mut worth, 800, false) < 300 && worth.share < Worth::ENOUGH);
        assert!((0..100).all(|_| worth.look() || worth.asked % Worth::SOME != 0));
    }
}
