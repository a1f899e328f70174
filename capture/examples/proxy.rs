//! Runs the reverse proxy by itself and counts: `proxy LISTEN UPSTREAM`. A line on standard input, or its end, stops it.

use std::io::{BufRead, stdin};
use std::time::Duration;

use mynah_capture::{Error, Feed, Next, Proxy, ProxyOptions};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(upstream)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: proxy LISTEN UPSTREAM");
        return Ok(());
    };
    let mut proxy = Proxy::listen(&ProxyOptions::new(listen, upstream))?;
    eprintln!("{}", proxy.name());
    let stop = proxy.stop();
    std::thread::spawn(move || {
        let _ = stdin().lock().read_line(&mut String::new());
        stop.stop();
    });
    while !matches!(proxy.next(Duration::from_secs(1))?, Next::Ended) {}
    println!("{:?}", proxy.counts());
    proxy.warnings().iter().for_each(|warning| println!("{warning}"));
    Ok(())
}
