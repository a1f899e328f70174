//! The values within a URL that a response hands out, and the patterns that find them again.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use super::Want;
use crate::target::{Parts, segments};
use crate::{Encoding, percent};

/// A path segment or query value of a URL.
pub(crate) struct Piece<'a> {
    pub(crate) pattern: Cow<'a, str>,
    pub(crate) value: Cow<'a, [u8]>,
    /// Within the URL's text.
    pub(crate) span: Range<usize>,
    pub(crate) encoding: Encoding,
}

/// Whether a URL is taken apart: it has a path segment or a query value, and is not so long that the patterns, each of
/// which holds most of it, would take far more room than the message.
pub(crate) fn divides(url: &[u8]) -> bool {
    let count = |wanted: u8, of: &[u8]| memchr::memchr_iter(wanted, of).count();
    let most = |wanted: u8, most: usize| url.len() <= most || count(wanted, url) <= most;
    if url.len() > 8192 || !most(b'/', 64) || !most(b'&', 256) {
        return false;
    }
    let parts = Parts::reference(url);
    url[parts.path].iter().any(|&b| b != b'/')
        || parts.query.is_some_and(|q| url[q].iter().any(|&b| b != b'&'))
}

/// Hands out each path segment and each query value with its pattern; where no more than names is wanted, without the path in it.
pub(crate) fn pieces<'a>(
    url: &'a [u8],
    want: Want,
    emit: &mut dyn FnMut(Piece<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if !divides(url) {
        return ControlFlow::Continue(());
    }
    let parts = Parts::reference(url);
    let path = &url[parts.path.clone()];
    let detail = want.has(Want::DETAIL);
    let text = if detail { String::from_utf8_lossy(path) } else { Cow::Borrowed("") };
    for segment in segments(path, parts.path.start) {
        if segment.span.is_empty() {
            continue;
        }
        let pattern = if detail {
            let before = String::from_utf8_lossy(&url[parts.path.start..segment.span.start]);
            let after = String::from_utf8_lossy(&url[segment.span.end..parts.path.end]);
            Cow::Owned([&before, "{}", &after].concat())
        } else {
            Cow::Borrowed("{}")
        };
        emit(Piece { pattern, value: segment.value, span: segment.span, encoding: Encoding::Percent })?;
    }
    let Some(query) = parts.query else { return ControlFlow::Continue(()) };
    for pair in percent::pairs(&url[query.clone()], query.start) {
        let name = String::from_utf8_lossy(&url[pair.name_span.clone()]);
        let equals = if pair.name_span.end < pair.value_span.start { "=" } else { "" };
        emit(Piece {
            pattern: Cow::Owned([&text, "?", &name, equals, "{}"].concat()),
            value: pair.value,
            span: pair.value_span,
            encoding: Encoding::FormPercent,
        })?;
    }
    ControlFlow::Continue(())
}
