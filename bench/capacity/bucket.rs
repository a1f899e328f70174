//! A server whose capacity is known: a token bucket with a queue in front of it. Standard library only: `rustc -O bucket.rs`.
//!
//! Usage: bucket RATE [BURST] [MILLISECONDS]: answers RATE requests a second, BURST of them at once, each after so many
//! milliseconds; what comes faster waits its turn, in the order in which it came, however long that takes. Prints its address.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

struct Bucket {
    gap: Duration,
    burst: u32,
    /// When the next token is there.
    next: Mutex<Instant>,
}

impl Bucket {
    /// Takes a token: the moment at which it is there.
    fn take(&self) -> Instant {
        let mut next = self.next.lock().unwrap();
        // A full bucket holds so many, and no more are saved.
        let full = Instant::now().checked_sub(self.gap * self.burst.saturating_sub(1)).unwrap_or(*next);
        let token = (*next).max(full);
        *next = token + self.gap;
        token
    }
}

fn serve(stream: TcpStream, bucket: &Bucket, latency: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::with_capacity(2048, stream);
    let mut line = Vec::new();
    loop {
        let mut any = false;
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            if line == b"\r\n" {
                break;
            }
            any = true;
        }
        if !any {
            continue;
        }
        let ready = bucket.take() + latency;
        std::thread::sleep(ready.saturating_duration_since(Instant::now()));
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok").ok()?;
    }
}

fn main() {
    let mut args = std::env::args().skip(1).map(|text| text.parse::<f64>().expect("RATE [BURST] [MILLISECONDS]"));
    let rate = args.next().expect("RATE [BURST] [MILLISECONDS]");
    let burst = args.next().unwrap_or(1.0) as u32;
    let latency = Duration::from_secs_f64(args.next().unwrap_or(0.0) / 1e3);
    let bucket = Bucket { gap: Duration::from_secs_f64(1.0 / rate), burst, next: Mutex::new(Instant::now()) };
    let bucket = Arc::new(bucket);
    let listener = TcpListener::bind("127.0.0.1:0").expect("no port");
    println!("http://{}", listener.local_addr().expect("no address"));
    for stream in listener.incoming().flatten() {
        let bucket = bucket.clone();
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        // A connection that gets no thread is closed.
        let _ = thread.spawn(move || serve(stream, &bucket, latency));
    }
}
