//! What was written of a secret before it was known to be one: where something in it was known already, that was replaced, and the rest
//! stayed. The secret is not found there any more; so what was written is searched for in its stead.

use crate::kind::Kind;
use crate::learned::Match;
use crate::masker::State;
use crate::policy::Policy;
use crate::scan::hints::{NAME, is_of_name};
use crate::scan::layer::splice;
use crate::scan::part::is_telling;
use crate::scan::{Patch, Sink as _};

/// How many former forms of a value are searched for: it has one more each time that something in it is learnt before it is.
const FORMER: usize = 16;

impl State {
    /// Notes of the values from number `fresh` on what was written of them since `since` values were known.
    pub(crate) fn note_former(&mut self, policy: &Policy, fresh: usize, since: usize) {
        let all = self.known.clone();
        let mut forms = Vec::new();
        for (number, value, kind) in all.from_number(fresh) {
            // A web token's claims are masked wherever it is met.
            if kind == Kind::Jwt {
                continue;
            }
            let mut known = fresh;
            for _ in 0..FORMER {
                self.known = all.until(known);
                let matches = self.known.matches(&value);
                let Some(last) = matches.iter().map(Match::number).max() else { break };
                for in_place in [false, true] {
                    let patches = self.sweep(policy, &value, matches.clone(), in_place);
                    if leaves_some(&value, &patches) {
                        forms.push((splice(&value, &patches), number));
                    }
                }
                // Before the last of them was known, it was written otherwise.
                known = last;
                if known < since {
                    break;
                }
            }
        }
        all.note_former(forms);
        self.known = all;
    }
}

/// Whether a secret still shows in part where something in it is replaced. A letter or two tell nothing, nor does a name that stands
/// before what is replaced (`id=…`), as it may elsewhere, too.
fn leaves_some(value: &[u8], patches: &[Patch]) -> bool {
    const FEW: usize = 4;
    let (mut at, mut left) = (0, 0);
    let mut count = |piece: &[u8]| left += piece.iter().filter(|b| is_telling(**b)).count();
    for patch in patches {
        count(without_name(value.get(at..patch.range.start).unwrap_or_default()));
        at = patch.range.end;
    }
    count(value.get(at..).unwrap_or_default());
    left >= FEW
}

/// A text without the name that it ends in, if it ends as what stands before a value does.
fn without_name(text: &[u8]) -> &[u8] {
    let is_mark = |b: &u8| matches!(b, b'=' | b':' | b' ' | b'"' | b'\'' | b'\\');
    let marks = text.iter().rev().take_while(|b| is_mark(b)).count();
    let (before, marks) = text.split_at(text.len() - marks);
    if !marks.iter().any(|b| matches!(b, b'=' | b':')) {
        return text;
    }
    let name = before.iter().rev().take(NAME).take_while(|b| is_of_name(**b)).count();
    &before[..before.len() - name]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Why;

    #[test]
    fn what_stays_of_a_secret_tells_something_or_not() {
        for (value, tells) in [
            ("<k3J9xQ2mLp0Z>-7Kd2", true),
            ("Wx3<k3J9xQ2mLp0Z>y5", true),
            ("<k3J9xQ2mLp0Z>y5", false),
            ("<k3J9xQ2mLp0Z>", false),
            ("id=<k3J9xQ2mLp0Z>", false),
            ("sessionid=<k3J9xQ2mLp0Z>", false),
            (r#"{"sessionid": "<k3J9xQ2mLp0Z>"}"#, false),
            (r#"{"sessionid": "<k3J9xQ2mLp0Z>","n":"Tx9k"}"#, true),
            ("user=annabel&sid=<k3J9xQ2mLp0Z>", true),
            ("sid=<k3J9xQ2mLp0Z>&user=ann", true),
        ] {
            let (start, end) = (value.find('<').unwrap(), value.find('>').unwrap() - 1);
            let value = value.replace(['<', '>'], "");
            let patch = Patch { range: start..end, bytes: Vec::new(), kind: Kind::Token, why: Why::Known };
            assert_eq!(leaves_some(value.as_bytes(), &[patch]), tells, "{value}");
        }
    }
}
