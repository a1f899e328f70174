//! What stands between captured traffic and the target: exchanges are looked at, filtered and masked, or left out and counted.

use mynah_masking::{Key, Policy, Report, Stream};
use mynah_traffic::run::Dropped;
use mynah_traffic::scenario::is_safe;
use mynah_traffic::{Exchange, Flag, Masked};

use crate::input::FilterArgs;
use crate::pipeline::Masking;
use crate::unmasked;

/// Values learnt after which masking begins anew under the same key, so that a mirror that runs for weeks keeps its memory: 900
/// bytes each. Pseudonyms stay as they are; what a value is learnt from shows again.
const RENEW: u64 = 200_000;

/// Filters and masks.
pub(super) struct Shield {
    filter: FilterArgs,
    read_only: bool,
    masking: Now,
    /// Of streams that were ended.
    reports: Vec<Report>,
}

enum Now {
    Under { stream: Box<Stream>, key: Key, policy: Box<Policy> },
    Refused,
}

impl Shield {
    /// Bodies were cut at `max_body`.
    pub(super) fn new(masking: Masking, max_body: u64, filter: FilterArgs, read_only: bool) -> Shield {
        let masking = match masking {
            Masking::Under { key, policy, .. } => {
                let policy = Box::new(policy.with_max_body(max_body));
                let stream = Box::new(Stream::new((*policy).clone(), key.clone()));
                Now::Under { stream, key, policy }
            }
            Masking::Refused => Now::Refused,
        };
        Shield { filter, read_only, masking, reports: Vec::new() }
    }

    pub(super) fn masks(&self) -> bool {
        matches!(self.masking, Now::Under { .. })
    }

    /// What may be sent of an exchange; counted under its reason where nothing may. `room`: whether it could be queued; to mask what
    /// cannot would take CPU time from production for nothing.
    pub(super) fn pass(
        &mut self,
        exchange: Exchange,
        room: bool,
        dropped: &mut Dropped,
    ) -> Option<Masked<Exchange>> {
        if let Some(reason) = self.refuses(&exchange, dropped) {
            *reason += 1;
            return None;
        }
        if !room {
            dropped.queue_full += 1;
            return None;
        }
        let had_body = exchange.request.as_ref().is_some_and(|request| !request.body.is_empty());
        let masked = self.mask(exchange);
        let Some(masked) = masked else {
            dropped.filtered += 1;
            return None;
        };
        let kept = masked.get().request.as_ref().is_some_and(|request| !had_body || !request.body.is_empty());
        if !kept {
            dropped.could_not_be_masked += 1;
            return None;
        }
        Some(masked)
    }

    /// Under which reason an exchange is left out as it is.
    fn refuses<'d>(&self, exchange: &Exchange, dropped: &'d mut Dropped) -> Option<&'d mut u64> {
        let Some(head) = exchange.request_head() else { return Some(&mut dropped.no_request_head) };
        let (Some(method), Some(_)) = (head.method(), head.target()) else {
            return Some(&mut dropped.no_request_head);
        };
        if self.read_only && !is_safe(method) || !self.filter.matches(exchange) {
            return Some(&mut dropped.filtered);
        }
        if method == "CONNECT" || exchange.flags.has(Flag::Upgraded) {
            return Some(&mut dropped.left_http);
        }
        let held = exchange.request.as_ref().map_or(0, |request| request.body.len() as u64);
        let cut = [Flag::Truncated, Flag::Gap, Flag::BodyCut].iter().any(|flag| exchange.flags.has(*flag));
        let whole = if head.is_chunked() { !cut } else { head.content_length().unwrap_or(0) == held };
        (!whole).then_some(&mut dropped.not_whole)
    }

    fn mask(&mut self, exchange: Exchange) -> Option<Masked<Exchange>> {
        match &mut self.masking {
            Now::Under { stream, key, policy } => {
                if stream.report().learned >= RENEW {
                    self.reports.push(stream.report().clone());
                    **stream = Stream::new((**policy).clone(), key.clone());
                }
                stream.mask(exchange)
            }
            Now::Refused => Some(unmasked::pass(exchange)),
        }
    }

    /// What masking did.
    pub(super) fn reports(mut self) -> Vec<Report> {
        if let Now::Under { stream, .. } = &self.masking {
            self.reports.push(stream.report().clone());
        }
        self.reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_message::Message;

    fn request(head: &str, body: &str) -> Exchange {
        let head = format!("{}\r\n\r\n", head.replace('\n', "\r\n"));
        let request = Message { head: head.into(), body: body.to_owned().into(), ..Message::default() };
        Exchange { request: Some(request), ..Exchange::default() }
    }

    fn shield(read_only: bool) -> Shield {
        let masking =
            Masking::Under { key: Key::from([7; 32]), policy: Box::new(Policy::built_in()), gate: false };
        Shield::new(masking, 1 << 20, FilterArgs::default(), read_only)
    }

    #[test]
    fn what_cannot_be_sent_is_left_out_under_its_reason() {
        let mut shield = shield(true);
        let mut dropped = Dropped::default();
        let mut upgraded = request("GET /ws HTTP/1.1\nHost: a", "");
        upgraded.flags.set(Flag::Upgraded);
        for (exchange, passes) in [
            (request("GET / HTTP/1.1\nHost: a", ""), true),
            (request("POST / HTTP/1.1\nHost: a\nContent-Length: 1", "x"), false),
            (request("GET / HTTP/1.1\nContent-Length: 7", "abc"), false),
            (Exchange::default(), false),
            (request("HTTP/1.1 200 OK", ""), false),
            (upgraded, false),
        ] {
            assert_eq!(shield.pass(exchange, true, &mut dropped).is_some(), passes);
        }
        let wanted =
            Dropped { filtered: 1, not_whole: 1, no_request_head: 2, left_http: 1, ..Dropped::default() };
        assert_eq!(dropped, wanted);
    }

    #[test]
    fn what_passes_is_masked_and_what_cannot_be_read_does_not_pass() {
        let mut shield = shield(false);
        let mut dropped = Dropped::default();
        let head = "POST /a HTTP/1.1\nHost: a\nCookie: sid=k3J9xQ2mLp0Zq81aWTb7";
        let json = format!("{head}\nContent-Type: application/json\nContent-Length: 28");
        let passed =
            shield.pass(request(&json, "{\"password\":\"hunter2hunter\"}"), true, &mut dropped).unwrap();
        let message = passed.get().request.as_ref().unwrap();
        let text = [&message.head[..], &message.body[..]].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("k3J9xQ"), "{text}");
        let broken = format!("{head}\nContent-Encoding: gzip\nContent-Length: 5");
        assert!(shield.pass(request(&broken, "?????"), true, &mut dropped).is_none());
        assert!(shield.pass(request("GET / HTTP/1.1", ""), false, &mut dropped).is_none());
        assert_eq!(dropped, Dropped { could_not_be_masked: 1, queue_full: 1, ..Dropped::default() });
        assert_eq!(shield.reports().len(), 1);
    }
}
