//! Links in which there is nothing, as interfaces are full of them: their queries are always the same.

use super::{Context, Scanner, inlaid, said};
use crate::detect::Detectors;
use crate::detect::signs::Look;

/// Tells queries from values: those in which there are no pairs that say anything, and those in which there is nothing at all.
pub(super) const QUERY: u32 = 1;
pub(super) const IDLE_QUERY: u32 = 1 << 1;

impl Scanner<'_> {
    /// The query of a URL, if all pairs and character references of the value are in that, and under which sort it is kept when nothing
    /// is in it: those of pictures and the like are always the same.
    pub(super) fn query_by_itself<'v>(
        &self,
        value: &'v [u8],
        context: Context,
        look: &Look<'_>,
    ) -> Option<(u32, &'v [u8])> {
        let signs = look.signs();
        if !signs.may_hold_url() || signs.has_at() || context.depth >= self.policy.depth {
            return None;
        }
        let query = look.query().and_then(|at| value.get(at..))?;
        Some((self.sort_of_short(query, context)? | QUERY, query))
    }

    /// Whether there is nothing in a URL as they are full of: before its query only names and numbers, of which no detector makes
    /// anything, and a query that was looked at before. No finding reaches over the question mark.
    pub(super) fn is_idle_link(&self, value: &[u8], context: Context) -> bool {
        if !value.starts_with(b"http") || context.depth >= self.policy.depth {
            return false;
        }
        let Some((link, query)) = memchr::memchr(b'?', value).and_then(|at| value.split_at_checked(at))
        else {
            return false;
        };
        if !self.is_idle_query(query, context) {
            return false;
        }
        let look = Look::of(link);
        look.is_bare()
            && !look.signs().may_be_enclosed()
            && !said::may_be(link, look.signs())
            && look.possible(context.detectors(self.policy.detectors)) == Detectors::NONE
            && !(look.may_hold_inlaid() && inlaid::may_hold(link))
    }

    /// Whether a query, with its question mark, was looked at before, and there is nothing in it.
    pub(super) fn is_idle_query(&self, query: &[u8], context: Context) -> bool {
        self.sort_of_short(query, context).is_some_and(|sort| self.memo.values.has(sort | IDLE_QUERY, query))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::learned::Learning;
    use crate::memo::Memo;
    use crate::policy::Policy;

    /// How many values are met in one, with what is remembered of others.
    fn met(value: &str, memo: &mut Memo) -> u64 {
        let (policy, mut learning) = (Policy::built_in(), Learning::default());
        let mut scanner = Scanner::new(&policy, &mut learning, memo);
        scanner.value(value.as_bytes(), Context { searched: true, ..Context::new(None) });
        scanner.met
    }

    fn is_idle_link(value: &str, memo: &mut Memo) -> bool {
        let (policy, mut learning) = (Policy::built_in(), Learning::default());
        let context = Context { searched: true, ..Context::new(None) };
        Scanner::new(&policy, &mut learning, memo).is_idle_link(value.as_bytes(), context)
    }

    #[test]
    fn links_with_a_query_that_was_seen_are_idle() {
        let mut memo = Memo::default();
        let first = "https://cdn.shop.example/img/a1b2c3d4e5f60718293a.jpg?w=640&h=480";
        assert_eq!(
            (met(first, &mut memo), met(first, &mut memo), is_idle_link(first, &mut memo)),
            (0, 0, true)
        );
        for (value, idle) in [
            ("https://cdn.shop.example/img/c0ffee0123456789abcd.jpg?w=640&h=480", true),
            ("https://cdn.shop.example/img/c0ffee0123456789abcd.jpg?w=640&h=481", false),
            ("https://ann:abc@cdn.shop.example/img/1.jpg?w=640&h=480", false),
            ("https://shop.example/reset/wJa7rXUtnF3MIK7mDKNGbPxRf1CYz?w=640&h=480", false),
            ("https://8.8.8.99/img/1.jpg?w=640&h=480", false),
        ] {
            assert_eq!(is_idle_link(value, &mut memo), idle, "{value}");
        }
        let token = "https://shop.example/1?token=abcdefgh";
        assert!(met(token, &mut memo) > 0 && !is_idle_link(token, &mut memo));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn in_idle_links_nothing_is_found(
            host in "https?:(//)?([a-z]{3,9}\\.)?[a-z0-9.:-]{3,14}",
            paths in prop::array::uniform2("(/[a-z0-9._+-]{0,26}){0,3}|/[0-9-]{7,20}|/[A-Za-z0-9+/_-]{20,40}"),
            query in "\\?([a-z]{1,5}=[a-z0-9.:+-]{1,12}&?){1,3}|\\?[ -~]{6,30}|\\?[a-z]=[0-9]{7,16}|\\?(u|next)=https?:[a-z./?=]{3,20}",
        ) {
            let mut memo = Memo::default();
            // A query is idle when it was seen twice.
            met(&format!("https://shop.example{query}"), &mut memo);
            for path in paths {
                let value = format!("{host}{path}{query}");
                let idle = is_idle_link(&value, &mut memo);
                let found = met(&value, &mut Memo::default());
                prop_assert!(!idle || found == 0, "{value}");
                prop_assert_eq!(met(&value, &mut memo), found, "{}", value);
            }
        }
    }
}
