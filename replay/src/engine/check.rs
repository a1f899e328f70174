//! Whether an answer is right.

use mynah_traffic::scenario::Expect;
use mynah_traffic::shape::{Claims, Unlike};

/// An answer that was held against those that were recorded of its endpoint.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    pub(crate) claims: &'a Claims,
    pub(crate) unlike: Option<Unlike>,
}

/// What an answer is held to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Right,
    /// In words.
    Wrong(String),
    /// The right status class, another shape.
    Unlike {
        wanted: String,
        got: String,
    },
}

/// Judges by the recorded answer. `inline`: the step was written by hand, and without a word on it any error is wrong.
pub(crate) fn judge(
    expect: &Expect,
    inline: bool,
    status: u16,
    content_type: &[u8],
    held: Option<Held<'_>>,
) -> Judged {
    match expect.status {
        Some(wanted) if wanted / 100 != status / 100 => {
            let said = if inline { "wanted" } else { "recorded" };
            return Judged::Wrong(format!("status {status}, {said} {wanted}"));
        }
        None if inline && status >= 400 => {
            return Judged::Wrong(format!("status {status}, wanted one below 400"));
        }
        _ => {}
    }
    let (claims, unlike) = held.map_or((None, None), |held| (Some(held.claims), held.unlike));
    if let Some(Unlike { wanted, got }) = unlike {
        return Judged::Unlike { wanted, got };
    }
    let Some(wanted) = expect.content_type.as_deref().filter(|wanted| wanted.as_bytes() != content_type)
    else {
        return Judged::Right;
    };
    // These have no body that could have a type.
    if matches!(status, 100..=199 | 204 | 304) {
        return Judged::Right;
    }
    let got = std::str::from_utf8(content_type).unwrap_or("");
    let got = got.split(';').next().unwrap_or("").trim();
    // Of an endpoint that answers now this, now that, which it was to be this time is chance.
    if got.eq_ignore_ascii_case(wanted) || claims.is_some_and(|claims| claims.knows(got)) {
        return Judged::Right;
    }
    let got = if got.is_empty() { "no content type" } else { got };
    Judged::Unlike { wanted: wanted.to_owned(), got: got.to_ascii_lowercase() }
}

/// Whether a status was recorded and this one is of its class.
pub(crate) fn parity(expect: &Expect, status: Option<u16>) -> Option<bool> {
    expect.status.map(|wanted| status.is_some_and(|status| wanted / 100 == status / 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_then_type() {
        let html = b"Text/HTML; charset=utf-8";
        let expect = |status, kind: Option<&str>| Expect {
            status,
            content_type: kind.map(str::to_owned),
            body_bytes: 0,
        };
        let judge = |expect: &Expect, inline, status, kind: &[u8]| judge(expect, inline, status, kind, None);
        let wrong = |text: &str| Judged::Wrong(text.to_owned());
        assert_eq!(judge(&expect(Some(201), None), false, 204, html), Judged::Right);
        assert_eq!(judge(&expect(Some(201), None), false, 403, html), wrong("status 403, recorded 201"));
        assert_eq!(judge(&expect(Some(303), None), true, 200, html), wrong("status 200, wanted 303"));
        assert_eq!(judge(&expect(None, None), false, 500, html), Judged::Right);
        assert_eq!(judge(&expect(None, None), true, 500, html), wrong("status 500, wanted one below 400"));
        assert_eq!(judge(&expect(Some(200), Some("text/html")), false, 200, html), Judged::Right);
        let unlike = Judged::Unlike { wanted: "application/json".into(), got: "text/html".into() };
        assert_eq!(judge(&expect(Some(200), Some("application/json")), false, 200, html), unlike);
        assert_eq!(judge(&expect(Some(200), Some("image/png")), false, 204, b""), Judged::Right);
    }
}
