//! What `run.json` has besides, where a run was live traffic mirrored: how far behind it was, what was left out, and where the
//! target answered otherwise than production.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Latency;
use crate::recording::CaptureCounts;

/// How a mirror did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MirrorFigures {
    /// What was listened to: `interface eth0`, `proxy 127.0.0.1:8080 to http://127.0.0.1:3000`.
    pub source: String,
    /// Share of the sessions that was asked for, 0–1.
    pub rate: f64,
    /// Requests were to be sent so long after they were captured, seconds.
    pub delay_s: f64,
    /// What would have been sent later than so long after its time was left out, seconds.
    pub max_lag_s: f64,
    /// Whether it was sent masked.
    pub masked: bool,
    /// Exchanges that the capture gave.
    pub exchanges: u64,
    /// Of those, handed to the sending threads; each was sent, or is under `dropped` as `too_late`, `queue_full` or `at_end`.
    pub handed_over: u64,
    /// Requests that were sent, whether they were answered or not.
    pub sent: u64,
    /// Sessions that were mirrored.
    pub sessions: u64,
    /// First byte sent − last byte of the request captured. With no `delay_s` the production server's own time is in it, since a
    /// request is known whole with its session only when it was answered.
    pub lag_ms: Latency,
    /// First byte sent − last byte of production's answer captured: what mynah and its queues added.
    pub own_lag_ms: Latency,
    /// Exchanges that were not sent, by reason.
    pub dropped: Dropped,
    /// Most exchanges that waited at one time.
    pub waited_exchanges: u64,
    /// Most bytes that waited at one time.
    pub waited_bytes: u64,
    /// Answers of the target for which production's status is known.
    pub compared: u64,
    /// Of those, with another status code than production's.
    pub differ: u64,
    /// Where, most frequent first.
    pub differences: Vec<StatusDifference>,
    /// What the capture saw and lost.
    pub capture: CaptureFigures,
}

/// Exchanges that a mirror did not send. One counts under the first reason that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// Of sessions that are not in the sample.
    pub sampled_out: u64,
    /// By `--include`, `--exclude`, `--read-only` or a `reject` rule of the policy, or with nowhere to go.
    pub filtered: u64,
    /// Sent by a mirror itself.
    pub own: u64,
    /// The request was not seen, or its head cannot be read.
    pub no_request_head: u64,
    /// The request's body was not captured whole, or is longer than is kept.
    pub not_whole: u64,
    /// The connection left HTTP (a WebSocket, a tunnel).
    pub left_http: u64,
    /// A part of the request could not be read for masking, or the policy has it withheld.
    pub could_not_be_masked: u64,
    /// It would have been sent later than was allowed.
    pub too_late: u64,
    /// The session's queue, or all of them together, had no room.
    pub queue_full: u64,
    /// It was still waiting when the mirroring was ended, or came after that.
    pub at_end: u64,
}

impl Dropped {
    /// Each reason in words, with its count.
    pub fn reasons(&self) -> [(&'static str, u64); 10] {
        [
            ("sampled out", self.sampled_out),
            ("filtered", self.filtered),
            ("sent by a mirror", self.own),
            ("no request head", self.no_request_head),
            ("not whole", self.not_whole),
            ("left HTTP", self.left_http),
            ("could not be masked", self.could_not_be_masked),
            ("too late", self.too_late),
            ("queue full", self.queue_full),
            ("left at the end", self.at_end),
        ]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.reasons().iter().map(|(_, count)| count).sum()
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Dropped) {
        self.sampled_out += other.sampled_out;
        self.filtered += other.filtered;
        self.own += other.own;
        self.no_request_head += other.no_request_head;
        self.not_whole += other.not_whole;
        self.left_http += other.left_http;
        self.could_not_be_masked += other.could_not_be_masked;
        self.too_late += other.too_late;
        self.queue_full += other.queue_full;
        self.at_end += other.at_end;
    }
}

/// Answers of one endpoint whose status was not production's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct StatusDifference {
    /// `GET /items/{id}`
    pub endpoint: String,
    /// Production's status.
    pub recorded: u16,
    /// The target's.
    pub got: u16,
    /// How often.
    pub count: u64,
}

/// What the capture saw and lost: packets where an interface was listened to, exchanges where it was a reverse proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptureFigures {
    /// `captured + dropped_by_kernel + dropped_by_mynah`
    pub seen: u64,
    /// Of those, taken.
    pub captured: u64,
    /// The kernel had no room for.
    pub dropped_by_kernel: u64,
    /// Mynah could not keep up with, or could not decode.
    pub dropped_by_mynah: u64,
    /// Holes in reassembled streams.
    pub gaps: u64,
    /// Flows given up to stay within the memory limit.
    pub evicted: u64,
}

impl From<&CaptureCounts> for CaptureFigures {
    fn from(counts: &CaptureCounts) -> Self {
        CaptureFigures {
            seen: counts.seen,
            captured: counts.captured,
            dropped_by_kernel: counts.dropped_by_kernel,
            dropped_by_mynah: counts.dropped_by_mynah,
            gaps: counts.gaps,
            evicted: counts.evicted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_once() {
        let one = Dropped {
            sampled_out: 1,
            filtered: 2,
            own: 4,
            no_request_head: 8,
            not_whole: 16,
            left_http: 32,
            could_not_be_masked: 64,
            too_late: 128,
            queue_full: 256,
            at_end: 512,
        };
        assert_eq!(one.total(), 1023);
        let mut both = one.clone();
        both.add(&one);
        assert_eq!(both.total(), 2046);
        assert!(both.reasons().iter().zip(one.reasons()).all(|(two, one)| two.1 == 2 * one.1));
    }
}
