//! Names with `*` for any characters, none too.

/// A text in which `*` stands for any characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Glob {
    text: String,
    fold: bool,
}

impl Glob {
    /// Compares as it is written.
    pub(crate) fn exact(text: &str) -> Glob {
        Glob { text: text.to_owned(), fold: false }
    }

    /// Compares without regard to ASCII case.
    pub(crate) fn folded(text: &str) -> Glob {
        Glob { text: text.to_ascii_lowercase(), fold: true }
    }

    /// As it was written; where case does not matter, in lower case.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it takes in that text.
    pub(crate) fn fits(&self, text: &str) -> bool {
        if self.fold {
            return fits(self.text.as_bytes(), text.to_ascii_lowercase().as_bytes());
        }
        fits(self.text.as_bytes(), text.as_bytes())
    }
}

/// Goes back to the last star only: linear in practice, never worse than the product of the lengths.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(b) if text.get(t) == Some(b) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, from)) = back else { return false };
                back = Some((star, from + 1));
                p = star;
                t = from + 1;
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, fit) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("/v1/*", "/v1/a/b", true),
            ("*x*y", "axbxcy", true),
            ("abc", "ABC", false),
        ] {
            assert_eq!(Glob::exact(pattern).fits(text), fit, "{pattern} {text}");
        }
        assert!(Glob::folded("X-*").fits("x-trace") && !Glob::exact("X-*").fits("x-trace"));
    }
}
