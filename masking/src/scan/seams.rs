//! What stands between two values of a JSON body: brackets, commas and keys. The objects of an interface have the same keys in the same
//! order, so that the same bytes come again and again, mostly behind the same: what they say is found out once.

use mynah_message::json::{Leap, Nesting};

use super::pieces::{Behind, Known, Piece, Pieces};
use crate::memo::NameInfo;

/// No longer one is kept, and none that takes more steps: all take four megabytes at most.
const LONGEST: usize = 256;
const MOST_STEPS: usize = 16;

/// One step on the way from value to value, behind the brackets that close.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) does: Does,
    /// What a key says; nothing in all other steps.
    pub(super) key: NameInfo,
}

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Does {
    /// An array begins.
    OpenArray,
    /// An object begins.
    OpenObject,
    /// An element of the array follows.
    Element,
    /// A key.
    Key,
}

impl Step {
    pub(super) fn key(key: NameInfo) -> Step {
        Step { does: Does::Key, key }
    }
}

impl From<Does> for Step {
    fn from(does: Does) -> Step {
        Step { does, key: NameInfo::default() }
    }
}

/// The bytes between two values, and what they say.
pub(super) struct Seam {
    piece: Piece,
    /// Of one that has no brackets in it, and in which a key stands: what that says.
    pub(super) key: Option<NameInfo>,
    /// Whether all keys in it are plain, so that nothing in it gives itself away.
    pub(super) plain: bool,
    /// What came behind it: the last one, and the one before that.
    pub(super) next: [u32; 2],
    pub(super) leap: Leap,
    /// The containers that close, and the one that is then the innermost: whether they are arrays, the innermost lowest.
    around: u64,
    pub(super) steps: Box<[Step]>,
}

impl Seam {
    /// Whether it stands at the beginning of a text in containers like these, with a string, a number or a literal behind it.
    #[inline]
    fn fits(&self, rest: &[u8], nesting: Nesting, depth: usize) -> bool {
        self.piece.begins(rest)
            && rest.get(self.leap.len).is_some_and(|b| BEGINS[usize::from(*b)])
            && if self.key.is_some() { nesting.arrays & 1 == 0 } else { self.is_allowed(nesting, depth) }
    }

    /// Whether it can stand in such containers.
    fn is_allowed(&self, nesting: Nesting, depth: usize) -> bool {
        let Leap { closes, opens, .. } = self.leap;
        nesting.depth > closes as usize
            && nesting.depth + opens as usize <= depth.min(Nesting::KNOWN - 1) + closes as usize
            && (nesting.arrays ^ self.around) << (63 - closes) == 0
    }
}

/// What strings, numbers and literals begin with.
const BEGINS: [bool; 256] = {
    let mut begins = [false; 256];
    let mut at = 0;
    while at < 256 {
        begins[at] = matches!(at as u8, b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n');
        at += 1;
    }
    begins
};

impl Known for Seam {
    fn piece(&self) -> &Piece {
        &self.piece
    }

    fn sort(&self) -> u8 {
        sort_of(self.around, self.leap.closes as usize)
    }
}

/// Of the container in which it begins the bytes say only how they close it.
fn sort_of(around: u64, closes: usize) -> u8 {
    (around ^ closes as u64) as u8
}

/// All that were met. Where keys are data, most never come again.
#[derive(Default)]
pub(crate) struct Seams(Pieces<Seam>);

/// What a seam said that was read step by step.
pub(super) struct Told<'s> {
    /// The containers in which it begins.
    pub(super) nesting: Nesting,
    /// How many of them it closes, before all else.
    pub(super) closes: usize,
    pub(super) steps: &'s [Step],
    /// Whether all keys in it are plain.
    pub(super) plain: bool,
}

impl Seams {
    /// The seams that came behind one.
    pub(super) fn after(&self, behind: Behind) -> [u32; 2] {
        self.0.get(behind.0).map_or([Behind::NOWHERE; 2], |seam| seam.next)
    }

    /// The seam that a text begins with, if it is one of these two.
    #[inline]
    pub(super) fn next(
        &self,
        [one, two]: [u32; 2],
        rest: &[u8],
        nesting: Nesting,
        depth: usize,
    ) -> Option<(Behind, &Seam)> {
        let fits = |at: u32| {
            let seam = self.0.get(at)?;
            seam.fits(rest, nesting, depth).then_some((Behind(at), seam))
        };
        fits(one).or_else(|| fits(two))
    }

    /// Takes note of a seam.
    pub(super) fn note(&mut self, behind: &mut Behind, bytes: &[u8], told: &Told<'_>) {
        let Told { nesting, closes, steps, plain } = *told;
        let before = std::mem::take(behind);
        let opens =
            steps.iter().filter(|step| matches!(step.does, Does::OpenArray | Does::OpenObject)).count();
        let known = nesting.depth.max(nesting.depth - closes + opens) < Nesting::KNOWN;
        if bytes.len() > LONGEST || steps.len() > MOST_STEPS || closes >= nesting.depth || !known {
            return;
        }
        let around = nesting.arrays & (u64::MAX >> (63 - closes));
        let opened = steps.iter().fold(0, |opened, step| match step.does {
            Does::OpenArray => opened << 1 | 1,
            Does::OpenObject => opened << 1,
            Does::Element | Does::Key => opened,
        });
        let same = |seam: &Seam| seam.around == around && seam.leap.closes as usize == closes;
        let make = |piece| Seam {
            piece,
            key: match steps {
                [Step { does: Does::Key, key }] if closes == 0 => Some(*key),
                _ => None,
            },
            leap: Leap { len: bytes.len(), closes: closes as u32, opens: opens as u32, opened },
            around,
            steps: steps.into(),
            plain,
            next: [Behind::NOWHERE; 2],
        };
        let Some(at) = self.0.number(sort_of(around, closes), bytes, same, make) else { return };
        if let Some(last) = self.0.get_mut(before.0)
            && last.next[0] != at
        {
            last.next = [at, last.next[0]];
        }
        behind.0 = at;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::learned::Learning;
    use crate::memo::Memo;
    use crate::policy::Policy;
    use crate::scan::Scanner;

    /// JSON whose keys say something of their values and of those beside them, as it is written and as it should not be.
    fn json() -> impl Strategy<Value = String> {
        let scalar = prop::sample::select(vec![
            r#""ann@mail.example""#,
            r#""Ann Rossi""#,
            r#""k3J9xQ2mLp0Zr8""#,
            r#""a \"b\" c""#,
            "\"password\"",
            "\"",
            "4111111111111111",
            "12.5",
            "true",
            "null",
            "nul",
        ]);
        let key = prop::sample::select(vec![
            "name",
            "customer",
            "email",
            "password",
            "id",
            "price",
            "value",
            "label",
            "x1",
            "a@b.example",
            "t\\u0061g",
        ]);
        let space = prop::sample::select(vec!["", "", "", " ", "\n  "]);
        scalar.prop_map(str::to_owned).prop_recursive(4, 40, 5, move |inner| {
            let member = (key.clone(), space.clone(), inner.clone());
            let object = prop::collection::vec(member, 0..5).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(k, s, v)| format!("\"{k}\":{s}{v}")).collect();
                format!("{{{}}}", members.join(","))
            });
            let array = (prop::collection::vec(inner, 0..4), space.clone(), any::<bool>()).prop_map(
                |(values, s, more)| format!("[{}{s}{}]", values.join(","), if more { "," } else { "" }),
            );
            prop_oneof![object, array]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn what_was_read_before_changes_nothing(texts in prop::collection::vec(json(), 2..6), end in "[]},]{0,2}") {
            let policy = Policy::built_in();
            let mut memo = Memo::default();
            // Each three times: a seam is kept when it comes again.
            for text in texts.iter().chain(&texts).chain(&texts) {
                let body = format!("{text}{end}");
                let (mut learning, mut other, mut fresh) = (Learning::default(), Learning::default(), Memo::default());
                let (_, steps, coverage) = Scanner::new(&policy, &mut learning, &mut memo).document(body.as_bytes(), &[]);
                let (_, wanted, read) = Scanner::new(&policy, &mut other, &mut fresh).document(body.as_bytes(), &[]);
                prop_assert_eq!((format!("{steps:?}"), coverage), (format!("{wanted:?}"), read), "{}", body);
                let listed = |learning: Learning| { let mut all = learning.finish().listed(); all.sort(); all };
                prop_assert_eq!(listed(learning), listed(other), "{}", body);
            }
        }
    }
}
