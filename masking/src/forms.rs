//! What was written of a secret before it was known to be one: where something in it was known already, that was replaced, and the rest
//! stayed. The secret is not found there any more; so who seals searches for what was written in its stead. Nobody else does: to the audit
//! it is no original, it may stand there for another reason, and no recording must be refused for it.

use std::ops::Range;

use crate::kind::Kind;
use crate::learned::Match;
use crate::masker::State;
use crate::policy::Policy;
use crate::scan::Sink as _;
use crate::scan::hints::{NAME, is_of_name};
use crate::scan::layer::splice;
use crate::scan::settle::{FEW, is_telling};

/// How many forms of a value are searched for: it has one more each time that something in it was learnt before it was. So much more memory
/// somebody may take who sends secrets that contain each other.
const FORMS: usize = 4;

impl State {
    /// Notes what was written of the values from number `fresh` on since `since` values were known.
    pub(crate) fn note_forms(&mut self, policy: &Policy, fresh: usize, since: usize) {
        let mut forms = Vec::new();
        for (number, value, kind) in self.known.values_from(fresh) {
            // A web token's claims are masked wherever it is met.
            if kind == Kind::Jwt {
                continue;
            }
            let mut matches = self.known.matches(&value);
            matches.retain(|m| m.number() < fresh);
            for nth in 0..FORMS {
                let Some(last) = matches.iter().map(Match::number).max() else { break };
                // In what nobody can read it is written in as many bytes as there were.
                for in_place in [false, true] {
                    if leaves_some(&value, &matches) && (nth == 0 || !in_place) {
                        let patches = self.sweep(policy, &value, matches.clone(), in_place);
                        forms.push((splice(&value, &patches), number));
                    }
                }
                if last < since {
                    break;
                }
                // Before the last of them was known, it was written otherwise.
                matches.retain(|m| m.number() < last);
            }
        }
        self.known.note_forms(forms);
    }
}

/// Whether a secret still shows in part where this is replaced in it. A letter or two tell nothing, nor does a name that stands
/// before what is replaced (`id=…`), as it may elsewhere, too.
fn leaves_some(value: &[u8], matches: &[Match]) -> bool {
    let (mut at, mut left) = (0, 0);
    let mut count = |piece: &[u8]| left += piece.iter().filter(|b| is_telling(**b)).count();
    for Range { start, end } in matches.iter().map(|m| m.range.clone()) {
        if start >= at {
            count(without_name(value.get(at..start).unwrap_or_default()));
            at = end;
        }
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
    use crate::learned::Learning;

    #[test]
    fn what_stays_of_a_secret_tells_something_or_not() {
        for (value, tells) in [
            ("k3J9xQ2mLp0Z-7Kd2", true),
            ("Wx3k3J9xQ2mLp0Zy5", true),
            ("k3J9xQ2mLp0Zy5", false),
            ("k3J9xQ2mLp0Z", false),
            ("id=k3J9xQ2mLp0Z", false),
            ("sessionid=k3J9xQ2mLp0Z", false),
            (r#"{"sessionid": "k3J9xQ2mLp0Z"}"#, false),
            (r#"{"sessionid": "k3J9xQ2mLp0Z","n":"Tx9k"}"#, true),
            ("user=annabel&sid=k3J9xQ2mLp0Z", true),
            ("sid=k3J9xQ2mLp0Z&user=ann", true),
        ] {
            let mut learning = Learning::default();
            learning.note(Kind::Token, b"k3J9xQ2mLp0Z");
            let matches = learning.finish().matches(value.as_bytes());
            assert_eq!(matches.len(), 1);
            assert_eq!(leaves_some(value.as_bytes(), &matches), tells, "{value}");
        }
    }
}
