//! One HTTP/1 connection, driven by whoever has a request on it.
//!
//! hyper's connection is a future of its own. It is polled inside the exchange rather than in a task beside it, which saves
//! two wake-ups a request and leaves an idle connection without a task; that the server has closed it is noticed when it is
//! to be used again.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::wire::{Meter, Wire};
use super::{Failure, Kind, Place};
use crate::body::Body;
use crate::pace::Clock;

/// Of a body that is looked into, this much is kept.
const KEPT_BODY: usize = 16 << 20;

/// A connection to a target.
pub(crate) struct Connection {
    send: http1::SendRequest<Body>,
    driver: Pin<Box<http1::Connection<TokioIo<Wire>, Body>>>,
    over: bool,
    meter: Rc<Meter>,
    clock: Clock,
    /// Whether a request was answered on it before.
    pub(crate) used: bool,
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Empty unless it was asked for.
    pub(crate) body: Bytes,
    /// When the socket took the request's first byte.
    pub(crate) started: u64,
    /// When the last byte was here.
    pub(crate) ended: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// An exchange that failed.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    /// Nothing of a response had come.
    pub(crate) unanswered: bool,
    /// Not a byte of the request was taken.
    pub(crate) unsent: bool,
    pub(crate) bytes_out: u64,
}

impl Connection {
    /// Connects. `title_case`: how header names are written on it.
    pub(crate) async fn open(place: &Place, title_case: bool, clock: Clock) -> Result<Connection, Failure> {
        let stream = place.stream().await?;
        let meter = Rc::new(Meter::default());
        let io = TokioIo::new(Wire::new(stream, meter.clone(), clock));
        let mut builder = http1::Builder::new();
        // What was recorded did pass between two programs that understood each other.
        builder
            .title_case_headers(title_case)
            .http09_responses(false)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        let (send, driver) =
            builder.handshake(io).await.map_err(|error| Failure::new(Kind::Protocol, error.to_string()))?;
        Ok(Connection { send, driver: Box::pin(driver), over: false, meter, clock, used: false })
    }

    /// Lets hyper do what it can; whether the connection is still there.
    fn poll_driver(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.over && self.driver.as_mut().poll(cx).is_ready() {
            self.over = true;
        }
        !self.over
    }

    /// Whether another request can go over it: waits until hyper is ready for one, which after a complete exchange it is
    /// at once.
    pub(crate) async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            let open = self.poll_driver(cx);
            match self.send.poll_ready(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(open),
                Poll::Ready(Err(_)) => Poll::Ready(false),
                Poll::Pending if !open => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Sends a request and reads its answer to the end. `keep_body`: whether the body is wanted or only its end.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Body>,
        keep_body: bool,
    ) -> Result<Answer, Broken> {
        let meter = self.meter.clone();
        let (was_in, was_out) = (meter.bytes_in.get(), meter.bytes_out.get());
        meter.started.set(None);
        let broken = |failure| Broken {
            failure,
            unanswered: meter.bytes_in.get() == was_in,
            unsent: meter.bytes_out.get() == was_out,
            bytes_out: meter.bytes_out.get() - was_out,
        };
        let mut response = pin!(self.send.try_send_request(request));
        let (driver, over) = (&mut self.driver, &mut self.over);
        let mut poll_driver = |cx: &mut Context<'_>| {
            if !*over && driver.as_mut().poll(cx).is_ready() {
                *over = true;
            }
        };
        let response = poll_fn(|cx| {
            poll_driver(cx);
            response.as_mut().poll(cx)
        })
        .await
        .map_err(|error| broken(Failure::exchange(error.error())))?;
        let (parts, body) = response.into_parts();
        let body = read_body(body, keep_body, &mut poll_driver)
            .await
            .map_err(|failure| Broken { unanswered: false, ..broken(failure) })?;
        self.used = true;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            started: meter.started.get().unwrap_or(0),
            ended: self.clock.now(),
            bytes_in: meter.bytes_in.get() - was_in,
            bytes_out: meter.bytes_out.get() - was_out,
        })
    }
}

async fn read_body(
    mut body: Incoming,
    keep: bool,
    poll_driver: &mut impl FnMut(&mut Context<'_>),
) -> Result<Bytes, Failure> {
    let mut kept = BytesMut::new();
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    loop {
        let frame = poll_fn(|cx| {
            poll_driver(cx);
            Pin::new(&mut body).poll_frame(cx)
        })
        .await;
        match frame {
            None => return Ok(kept.freeze()),
            Some(Err(error)) => return Err(Failure::exchange(&error)),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref().filter(|_| keep) {
                    let room = KEPT_BODY.saturating_sub(kept.len()).min(data.len());
                    kept.extend_from_slice(&data[..room]);
                }
            }
        }
    }
}
