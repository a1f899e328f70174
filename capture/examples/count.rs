//! Counts what an input holds: capture → exchanges, and nothing done with them. What `bench/capture.py` measures.
//!
//! `cargo run --release -p mynah-capture --example count -- FILE`

use std::process::ExitCode;

use mynah_capture::{Options, Source};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: count FILE");
        return ExitCode::from(2);
    };
    let mut source = match Source::open(path.as_ref(), &Options::default()) {
        Ok(source) => source,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(3);
        }
    };
    let (mut requests, mut responses, mut bodies, mut failed) = (0_u64, 0_u64, 0, false);
    for exchange in &mut source {
        match exchange {
            Ok(exchange) => {
                requests += u64::from(exchange.request.is_some());
                responses += u64::from(exchange.response.is_some());
                let messages = [&exchange.request, &exchange.response];
                bodies += messages.into_iter().flatten().map(|message| message.body.len()).sum::<usize>();
            }
            Err(error) => {
                eprintln!("{error}");
                failed = true;
            }
        }
    }
    let counts = source.counts();
    println!("{} packets, {requests} requests, {responses} responses, {bodies} bytes of bodies", counts.seen);
    for warning in source.warnings() {
        eprintln!("{warning}");
    }
    if failed { ExitCode::from(3) } else { ExitCode::SUCCESS }
}
