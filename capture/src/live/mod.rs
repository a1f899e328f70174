//! Sniffing on an interface, through libpcap.
//!
//! A thread of its own reads packets and assembles them; finished exchanges wait in a bounded queue. When that is full the thread
//! waits, the kernel's ring fills, and what finds no room there is counted by the kernel: nothing is lost without a count.
//! `seen = captured + dropped by the kernel + dropped by mynah` holds at the end by the kernel's own figures: after they are
//! read for the last time, the ring is read up to the packet that they speak of.

mod books;
mod filter;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use mynah_traffic::Nanos;
use mynah_traffic::recording::CaptureCounts;
use pcap::{Active, Capture, Device, Precision};

use self::books::{Books, Sight};
use crate::assembly::Assembly;
use crate::container::Packet;
use crate::feed::Queue;
use crate::{Error, Feed, Next, Options, Stop};

/// The longest packet taken whole: the largest that segmentation offload hands over, with room.
const SNAP: i32 = 262_144;
/// After how long the kernel hands over a block of the ring that is not full.
const RETIRE: Duration = Duration::from_millis(20);
/// How long nothing is looked at when nothing was there. libpcap's own wait is of no use: with TPACKET_V3 it has no end on a quiet
/// interface, so that neither the end of a flow by silence nor our own would ever come.
const NAP: Duration = Duration::from_millis(5);
/// How often the kernel is asked for its figures. They are 32 bits wide: at ten million packets a second they turn over in seven minutes.
const ASK: Duration = Duration::from_millis(500);
/// How long the ring is read on after the end was asked for.
const DRAIN: Duration = Duration::from_secs(5);
/// Of the memory that may be held, the share of exchanges that wait to be written.
const QUEUE_SHARE: u64 = 8;
/// The ring must fit a C `int`.
const MAX_RING: u64 = i32::MAX as u64;

/// What to sniff.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The interface: `eth0`, `lo`, or `any` for all.
    pub interface: String,
    /// TCP ports; none means all.
    pub ports: Vec<u16>,
    /// An expression as of `tcpdump`, see pcap-filter(7). With ports, both must hold.
    pub filter: Option<String>,
    /// Bytes of the kernel's ring. 64 MiB.
    pub ring: u64,
    /// Take packets that are meant for other machines, too (a mirror port's).
    pub promiscuous: bool,
    /// Limits; `memory` is for reassembly and waiting exchanges together.
    pub limits: Options,
}

impl LiveOptions {
    /// Everything on this interface.
    pub fn new(interface: impl Into<String>) -> LiveOptions {
        LiveOptions {
            interface: interface.into(),
            ports: Vec::new(),
            filter: None,
            ring: 64 << 20,
            promiscuous: false,
            limits: Options::default(),
        }
    }
}

/// The traffic of an interface.
#[derive(Debug)]
pub struct Live {
    interface: String,
    queue: Arc<Queue>,
    books: Arc<Books>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Opens the interface and begins to listen. Privileges are not needed any more when this returns.
    ///
    /// # Errors
    /// [`Error::Live`] when the interface is not there or may not be listened on, or the filter cannot be understood.
    pub fn open(options: &LiveOptions) -> Result<Live, Error> {
        let (capture, sight) = open(options)?;
        let waiting = options.limits.memory / QUEUE_SHARE;
        let limits = Options { memory: options.limits.memory - waiting, ..options.limits };
        let (queue, books, stop) = (Queue::new(waiting), Arc::new(Books::new(sight)), Stop::default());
        let listener = Listener {
            interface: options.interface.clone(),
            link: linktype(capture.get_datalink().0),
            capture,
            assembly: Assembly::new(&limits),
            queue: Arc::clone(&queue),
            books: Arc::clone(&books),
            stop: stop.clone(),
            delivered: 0,
        };
        let thread = std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || listener.run())
            .map_err(|error| failed(&options.interface, &format!("no thread can be started: {error}")))?;
        Ok(Live { interface: options.interface.clone(), queue, books, stop, thread: Some(thread) })
    }
}

impl Feed for Live {
    fn next(&mut self, wait: Duration) -> Result<Next, Error> {
        let next = self.queue.next(wait);
        if !matches!(next, Ok(Next::Exchange(_) | Next::Nothing))
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
        next
    }

    fn counts(&self) -> CaptureCounts {
        self.books.counts()
    }

    fn warnings(&self) -> Vec<String> {
        self.books.warnings()
    }

    fn name(&self) -> String {
        format!("interface {}", self.interface)
    }

    fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.stop();
        self.queue.abandon();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn failed(interface: &str, message: &str) -> Error {
    Error::Live { what: format!("interface {interface}"), message: message.to_owned() }
}

/// Opens and filters.
fn open(options: &LiveOptions) -> Result<(Capture<Active>, Sight), Error> {
    let name = options.interface.as_str();
    let explain = |error: &pcap::Error| failed(name, &advice(name, error));
    let ring = i32::try_from(options.ring.min(MAX_RING)).unwrap_or(i32::MAX);
    let inactive = Capture::from_device(name)
        .map_err(|error| explain(&error))?
        .promisc(options.promiscuous)
        .snaplen(SNAP)
        .buffer_size(ring)
        .timeout(i32::try_from(RETIRE.as_millis()).unwrap_or(i32::MAX));
    let inactive = if NANOSECONDS { inactive.precision(Precision::Nano) } else { inactive };
    let mut capture = inactive.open().and_then(Capture::setnonblock).map_err(|error| explain(&error))?;
    let mut refused = None;
    for expression in filter::expressions(&options.ports, options.filter.as_deref()) {
        match capture.filter(&expression, true) {
            Ok(()) => {
                tracing::debug!(interface = name, filter = expression, "listening");
                return Ok((capture, sight(name)));
            }
            Err(error) => {
                let expression = options.filter.as_deref().unwrap_or(&expression);
                refused = Some(failed(
                    name,
                    &format!("the filter '{expression}' cannot be used: {}", said(&error)),
                ));
            }
        }
    }
    refused.map_or_else(|| Ok((capture, sight(name))), Err)
}

fn sight(interface: &str) -> Sight {
    let loopback = |device: &Device| device.name == interface && device.flags.is_loopback();
    if interface == "any" {
        Sight::Mixed
    } else if cfg!(target_os = "linux") && Device::list().is_ok_and(|devices| devices.iter().any(loopback)) {
        Sight::Twice
    } else {
        Sight::Once
    }
}

/// Whether times come in nanoseconds: asked for where libpcap always gives them.
const NANOSECONDS: bool = cfg!(target_os = "linux");

/// The error's own words.
fn said(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(words) => words.clone(),
        other => other.to_string(),
    }
}

/// What the system said, and what helps.
fn advice(interface: &str, error: &pcap::Error) -> String {
    let words = said(error);
    let lower = words.to_lowercase();
    if lower.contains("permission") || lower.contains("not permitted") {
        return format!(
            "may not be listened on ({words}); run as root (with --user NAME to drop it once the interface is open), or give the \
             program the right: sudo setcap cap_net_raw+ep $(command -v mynah)"
        );
    }
    if lower.contains("no such device") {
        let names = Device::list()
            .map(|devices| devices.into_iter().map(|device| device.name).collect::<Vec<_>>().join(", "))
            .unwrap_or_default();
        return format!("there is no interface '{interface}'; there are: {names}");
    }
    words
}

/// libpcap's own numbers (DLT) differ from those in files (LINKTYPE) for raw IP only, among what is decoded here.
/// <https://www.tcpdump.org/linktypes.html>
fn linktype(dlt: i32) -> u16 {
    match dlt {
        12 | 14 => 101,
        other => u16::try_from(other).unwrap_or(u16::MAX),
    }
}

/// The thread that listens.
struct Listener {
    interface: String,
    capture: Capture<Active>,
    link: u16,
    assembly: Assembly,
    queue: Arc<Queue>,
    books: Arc<Books>,
    stop: Stop,
    /// Packets that libpcap has given.
    delivered: u64,
}

impl Listener {
    fn run(mut self) {
        let mut asked = Instant::now();
        let mut how = Ok(());
        while !self.stop.asked() {
            if let Err(error) = self.step() {
                how = Err(error);
                break;
            }
            if asked.elapsed() >= ASK {
                asked = Instant::now();
                self.ask();
                self.books.write(self.assembly.counts());
            }
        }
        if how.is_ok() {
            self.drain();
        }
        while self.assembly.finish() {
            self.hand_over();
        }
        self.books.close(&self.assembly, self.delivered);
        self.queue.end(how);
    }

    /// Takes one packet, or takes a nap. Whether one was there.
    fn step(&mut self) -> Result<bool, Error> {
        match self.capture.next_packet() {
            Ok(packet) => {
                self.delivered += 1;
                let seconds = u64::try_from(packet.header.ts.tv_sec).unwrap_or_default();
                let fraction = u64::try_from(packet.header.ts.tv_usec).unwrap_or_default();
                let fraction = if NANOSECONDS { fraction } else { fraction * 1000 };
                self.assembly.packet(&Packet {
                    time: Nanos(seconds.saturating_mul(Nanos::PER_SECOND).saturating_add(fraction)),
                    link: self.link,
                    data: packet.data,
                    original: packet.header.len,
                });
                self.hand_over();
                Ok(true)
            }
            Err(pcap::Error::TimeoutExpired) => {
                std::thread::sleep(NAP);
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                self.assembly.quiet(Nanos::from(now));
                self.hand_over();
                Ok(false)
            }
            Err(error) => Err(failed(&self.interface, &said(&error))),
        }
    }

    fn hand_over(&mut self) {
        while let Some(exchange) = self.assembly.pop() {
            self.queue.push(Box::new(exchange));
        }
    }

    /// Asks the kernel for its figures.
    fn ask(&mut self) {
        if let Ok(stat) = self.capture.stats() {
            self.books.kernel(stat.received, stat.dropped, stat.if_dropped);
        }
    }

    /// Reads the ring up to where the kernel's figures stand now.
    fn drain(&mut self) {
        self.ask();
        let begun = Instant::now();
        let mut heard = begun;
        let target = match self.books.sight() {
            Sight::Once => self.books.passed(),
            // how many there are is not known: as many as come before it is quiet, or time is up
            Sight::Twice | Sight::Mixed => u64::MAX,
        };
        while self.delivered < target && begun.elapsed() < DRAIN && heard.elapsed() < 5 * RETIRE {
            match self.step() {
                Ok(true) => heard = Instant::now(),
                // the last block may not have been handed over yet
                Ok(false) => {}
                Err(_) => break,
            }
        }
        if self.books.sight() == Sight::Once {
            self.books.unread(target.saturating_sub(self.delivered));
        } else {
            self.ask();
        }
    }
}
