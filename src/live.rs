//! What live sources have in common: which traffic is taken, for how long, and what a person sees meanwhile.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::str::FromStr;
use std::time::{Duration, Instant};

use mynah_capture::{Feed, Next};
use mynah_grouping::SessionKey;
use mynah_message::{Limits, Locator, View};
use mynah_traffic::units::{format_bytes, format_duration, parse_duration, parse_size};
use mynah_traffic::{Exchange, Nanos};

use crate::exit::{Exit, Failure};
use crate::input::FilterArgs;
use crate::pipeline::Made;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::{interrupt, terminal};

/// How long a wait for the next exchange may last: timed work is done in between.
const WAIT: Duration = Duration::from_millis(100);

/// What can be said of live traffic, whatever it comes from.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Live traffic")]
pub(crate) struct LiveArgs {
    /// Keep this share of the clients, all of their exchanges or none, such as 10%.
    #[arg(long, value_name = "SHARE", requires = "source")]
    sample: Option<Share>,

    /// What tells clients apart for --sample: cookie:NAME, header:NAME or query:NAME. Exchanges without it, and
    /// without this option all, go by the client's address.
    #[arg(long, value_name = "KEY", requires = "sample")]
    session_key: Option<SessionKey>,

    /// End after this time. Without it: with Ctrl-C.
    #[arg(long = "for", value_name = "TIME", requires = "source", value_parser = parse_span)]
    duration: Option<Nanos>,

    /// Begin a new recording when one has this size; they are numbered (site-0001.mynah).
    #[arg(long, value_name = "SIZE", requires = "source", value_parser = parse_max_size)]
    pub(crate) max_size: Option<u64>,
}

pub(crate) fn parse_span(text: &str) -> Result<Nanos, String> {
    match parse_duration(text) {
        Ok(Nanos(0)) => Err("at least a moment, such as 10s".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// A recording smaller than this is not worth its seal.
const LEAST: u64 = 64 << 10;

fn parse_max_size(text: &str) -> Result<u64, String> {
    let size = parse_size(text).map_err(|error| error.to_string())?;
    if size < LEAST { Err(format!("at least {}", format_bytes(LEAST))) } else { Ok(size) }
}

/// A share of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(f64);

impl Share {
    /// From 0 to 1.
    pub(crate) fn of_one(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit) = match text.trim().strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text.trim(), 1.0),
        };
        match number.parse::<f64>().map(|number| number / unit) {
            Ok(share) if share > 0.0 && share <= 1.0 => Ok(Share(share)),
            _ => Err("expected a share above 0 and up to 100%, such as 10% or 0.1".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

/// Decides by client, the same for all exchanges of one, in every process.
struct Sample {
    share: Share,
    key: Option<Locator>,
}

impl Sample {
    fn takes(&self, exchange: &Exchange) -> bool {
        let mut hasher = DefaultHasher::new();
        match self.key_of(exchange) {
            Some(key) => hasher.write(key.as_bytes()),
            None => match exchange.connection.client {
                Some(client) => hasher.write(client.ip().to_string().as_bytes()),
                None => hasher.write_u64(exchange.connection.id),
            },
        }
        (hasher.finish() as f64 / u64::MAX as f64) < self.share.0
    }

    fn key_of(&self, exchange: &Exchange) -> Option<String> {
        let (locator, request) = (self.key.as_ref()?, exchange.request.as_ref()?);
        View::open(request, &Limits::default()).ok()?.extract(locator)
    }
}

/// Records what a feed gives until it ends, the time is over or somebody asks for the end.
pub(crate) fn record(
    feed: &mut dyn Feed,
    mut recorder: Recorder,
    args: &LiveArgs,
    filter: &FilterArgs,
) -> Result<Vec<Made>, Failure> {
    let stop = feed.stop();
    let on_signal = feed.stop();
    interrupt::on_interrupt("what has been captured is masked, audited and sealed", move || {
        on_signal.stop();
    })?;
    let sample = args.sample.map(|share| Sample {
        share,
        // Both are written alike.
        key: args.session_key.as_ref().and_then(|key| key.to_string().parse().ok()),
    });
    let begun = Instant::now();
    let mut tally = Tally { name: feed.name(), begun, exchanges: 0 };
    let until = args.duration.map_or_else(|| "Ctrl-C".to_owned(), how_long);
    terminal::say(format!("recording {} until {until}", tally.name));
    let mut progress = Progress::new(tally.name.clone());
    let stop_in_time = || {
        if args.duration.is_some_and(|duration| begun.elapsed() >= duration.as_duration()) {
            stop.stop();
        }
    };
    let failed = loop {
        stop_in_time();
        match feed.next(WAIT) {
            Ok(Next::Exchange(exchange)) => {
                if sample.as_ref().is_none_or(|sample| sample.takes(&exchange)) && filter.matches(&exchange) {
                    if let Err(failure) = recorder.write(*exchange) {
                        break Some(failure);
                    }
                    tally.exchanges += 1;
                }
            }
            Ok(Next::Nothing) => {}
            Ok(Next::Ended) => break None,
            Err(error) => break Some(Failure { exit: Exit::Input, error: error.into() }),
        }
        if let Err(failure) = recorder.tick(|| feed.counts()) {
            break Some(failure);
        }
        progress.now_and_then(|| tally.line(feed, &recorder));
    };
    if let Some(failure) = failed.as_ref().filter(|_| feed.is_in_the_way()) {
        let why = crate::exit::words(&failure.error);
        terminal::warn(format!("{why}; nothing is recorded any more, traffic is passed on"));
        while matches!(feed.next(WAIT), Ok(Next::Exchange(_) | Next::Nothing)) {
            stop_in_time();
        }
    }
    progress.text("masking what was learnt late, auditing, sealing");
    let warnings = feed.warnings();
    let mut made = recorder.end(&feed.counts(), warnings.clone());
    drop(progress);
    for warning in warnings {
        terminal::warn(warning);
    }
    if let Some(failure) = failed {
        // What came before is sealed all the same.
        if let Ok(made) = &made {
            made.iter().for_each(crate::pipeline::tell);
        }
        made = Err(failure);
    }
    made
}

fn how_long(duration: Nanos) -> String {
    format!("{} have passed, or Ctrl-C", format_duration(duration))
}

/// The statistics line.
struct Tally {
    name: String,
    begun: Instant,
    exchanges: u64,
}

impl Tally {
    fn line(&self, feed: &dyn Feed, recorder: &Recorder) -> String {
        let (counts, spent) = (feed.counts(), self.begun.elapsed());
        let rate = self.exchanges as f64 / spent.as_secs_f64().max(0.001);
        format!(
            "{}, {}: {} ({rate:.0}/s), {} on disk; seen {}, dropped {} by the kernel and {} by mynah, {}",
            self.name,
            format_duration(Nanos(spent.as_secs() * Nanos::PER_SECOND)),
            terminal::plural(self.exchanges, "exchange"),
            format_bytes(recorder.bytes()),
            counts.seen,
            counts.dropped_by_kernel,
            counts.dropped_by_mynah,
            terminal::plural(counts.gaps, "gap"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read() {
        for (text, share) in [("10%", 0.1), ("0.25", 0.25), ("100%", 1.0), (" 5 ", f64::NAN), ("0", f64::NAN)]
        {
            let read = text.parse::<Share>();
            assert!(if share.is_nan() { read.is_err() } else { read == Ok(Share(share)) }, "{text}");
        }
    }

    #[test]
    fn a_sample_keeps_clients_whole_and_about_the_share() {
        let sample = Sample { share: Share(0.25), key: None };
        let from = |a: u8, b: u8, port: u16| Exchange {
            connection: mynah_traffic::Connection {
                client: Some(([10, 0, a, b], port).into()),
                ..Default::default()
            },
            ..Exchange::default()
        };
        let mut kept = 0;
        for (a, b) in (0..8).flat_map(|a| (0..250).map(move |b| (a, b))) {
            let takes = sample.takes(&from(a, b, 1000));
            assert_eq!(takes, sample.takes(&from(a, b, 2000)));
            kept += u32::from(takes);
        }
        assert!((400..600).contains(&kept), "{kept} of 2000");
    }

    #[test]
    fn the_session_key_decides_where_it_is_there() {
        let sample = Sample { share: Share(0.5), key: "cookie:sid".parse().ok() };
        let with = |sid: u32, port: u16| Exchange {
            request: Some(mynah_message::Message {
                head: format!("GET / HTTP/1.1\r\nCookie: sid=s{sid}\r\n\r\n").into(),
                ..Default::default()
            }),
            connection: mynah_traffic::Connection {
                client: Some(([10, 0, 0, 1], port).into()),
                ..Default::default()
            },
            ..Exchange::default()
        };
        let kept = (0..1000).filter(|&sid| sample.takes(&with(sid, 1))).count();
        assert!((400..600).contains(&kept), "{kept} of 1000");
    }
}
