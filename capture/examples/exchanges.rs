//! Lists the exchanges of a capture: `cargo run -p mynah-capture --example exchanges -- FILE`.
//! `count` beside it only counts, which shows how fast reading is.

use std::path::Path;

use mynah_capture::{Options, Source};

fn main() -> Result<(), mynah_capture::Error> {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: exchanges FILE");
        return Ok(());
    };
    let mut source = Source::open(Path::new(&path), &Options::default())?;
    for exchange in &mut source {
        let exchange = exchange?;
        let head = exchange.request_head();
        let (method, target) = head
            .as_ref()
            .map_or(("-", "-"), |head| (head.method().unwrap_or("?"), head.target().unwrap_or("?")));
        let size = |message: &Option<mynah_message::Message>| message.as_ref().map_or(0, |m| m.body.len());
        println!(
            "{}.{} {method} {target} {:?} {}+{} {:?}",
            exchange.connection.id,
            exchange.connection.ordinal,
            exchange.status(),
            size(&exchange.request),
            size(&exchange.response),
            exchange.flags
        );
    }
    eprintln!("{:?}", source.counts());
    source.warnings().iter().for_each(|warning| eprintln!("{warning}"));
    Ok(())
}
