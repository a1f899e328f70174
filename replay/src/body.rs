//! A request's body as hyper takes it: all at once, with a length or chunked.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// The whole body in one piece.
#[derive(Debug)]
pub(crate) struct Body {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
    chunked: bool,
}

impl Body {
    pub(crate) fn empty() -> Body {
        Body { data: None, trailers: None, chunked: false }
    }

    /// Framed by `Content-Length`.
    pub(crate) fn full(data: Bytes) -> Body {
        Body { data: Some(data).filter(|data| !data.is_empty()), trailers: None, chunked: false }
    }

    /// Framed by chunks, even when it is empty.
    pub(crate) fn chunked(data: Bytes, trailers: Option<HeaderMap>) -> Body {
        Body { data: Some(data), trailers, chunked: true }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let frame = this.data.take().map(Frame::data).or_else(|| this.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.chunked {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
        }
    }
}
