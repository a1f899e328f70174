//! A body on its way through: passed on as it comes, copied for the recording.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use mynah_traffic::Side;

use super::record::{End, Record};
use super::upstream::Lease;

/// A body.
pub(super) enum Passing {
    /// Of one who is being recorded.
    Through(Through),
    /// The proxy's own.
    Own(Full<Bytes>),
}

/// What passes through.
pub(super) struct Through {
    body: Incoming,
    side: Side,
    /// Given back when the body has ended.
    record: Option<Arc<Record>>,
    /// The connection to the server, of a response.
    lease: Option<Lease>,
}

impl Passing {
    /// A body of `side`; the connection that it comes by is free when it has ended.
    pub(super) fn through(body: Incoming, side: Side, record: Arc<Record>, lease: Option<Lease>) -> Passing {
        let mut through = Through { body, side, record: Some(record), lease };
        if through.body.is_end_stream() {
            through.end(End::Whole);
        }
        Passing::Through(through)
    }

    /// A body that the proxy sends by itself.
    pub(super) fn own(text: impl Into<Bytes>) -> Passing {
        Passing::Own(Full::new(text.into()))
    }
}

impl Through {
    fn end(&mut self, end: End) {
        if let Some(record) = self.record.take() {
            record.end(self.side, end);
        }
        if let (End::Whole, Some(lease)) = (end, self.lease.take()) {
            lease.give_back();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let found = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &found {
            Some(Ok(frame)) => {
                if let Some(record) = &self.record {
                    if let Some(data) = frame.data_ref() {
                        record.data(self.side, data);
                    } else if let Some(fields) = frame.trailers_ref() {
                        record.trailers(self.side, fields);
                    }
                }
                // nothing follows trailers, and nobody asks
                if frame.is_trailers() || self.body.is_end_stream() {
                    self.end(End::Whole);
                }
            }
            Some(Err(error)) => self.end(End::of(error)),
            None => self.end(End::Whole),
        }
        Poll::Ready(found)
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Passing::Through(through) => through.poll(cx),
            Passing::Own(own) => Pin::new(own).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Passing::Through(through) => through.body.is_end_stream(),
            Passing::Own(own) => own.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Passing::Through(through) => through.body.size_hint(),
            Passing::Own(own) => own.size_hint(),
        }
    }
}
