//! Everything there is of each exchange: what a search for a secret must be able to see.

use std::io::Write;

use mynah_message::{Limits, Message, Part, View};
use mynah_traffic::units::format_time;

use super::Stopped;
use crate::input::Inputs;

/// Writes every exchange: heads as they are, bodies decompressed, and under them each value that is written in another
/// way than it reads (percent-encoded, escaped), decoded.
pub(super) fn dump(inputs: &Inputs, out: &mut impl Write) -> Result<(), Stopped> {
    for (number, exchange) in inputs.open()?.enumerate() {
        let exchange = exchange?;
        let address = |address: Option<std::net::SocketAddr>| {
            address.map_or("?".to_owned(), |address| address.to_string())
        };
        let flags: Vec<&str> = exchange.flags.iter().map(mynah_traffic::Flag::name).collect();
        writeln!(
            out,
            "=== exchange {number}  {}  {} -> {}  connection {}/{}  {}",
            format_time(exchange.times.request_first),
            address(exchange.connection.client),
            address(exchange.connection.server),
            exchange.connection.id,
            exchange.connection.ordinal,
            flags.join(" "),
        )?;
        message(out, "request", exchange.request.as_ref())?;
        message(out, "response", exchange.response.as_ref())?;
        for span in &exchange.sensitive {
            let part = if span.in_body { "body" } else { "head" };
            writeln!(
                out,
                "--- masked: {} in {:?} {part}, bytes {}..{}",
                span.kind,
                span.side,
                span.start,
                span.start + span.len
            )?;
        }
    }
    Ok(())
}

fn message(out: &mut impl Write, name: &str, message: Option<&Message>) -> Result<(), Stopped> {
    let Some(message) = message else { return Ok(writeln!(out, "--- no {name}")?) };
    writeln!(out, "--- {name}")?;
    out.write_all(&message.head)?;
    match View::open(message, &Limits::default()) {
        Ok(view) => {
            out.write_all(view.body())?;
            if !view.body().is_empty() {
                writeln!(out)?;
            }
            let mut failed = None;
            view.leaves(&mut |leaf| {
                let written = match leaf.part {
                    Part::Head => message.head.get(leaf.span.clone()),
                    Part::Body => view.body().get(leaf.span.clone()),
                };
                if failed.is_none() && written != Some(leaf.value.as_ref()) {
                    failed = write!(out, "    {} = ", leaf.locator)
                        .and_then(|()| out.write_all(&leaf.value))
                        .and_then(|()| writeln!(out))
                        .err();
                }
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        Err(error) => {
            writeln!(out, "--- body cannot be decoded ({error}); as it is:")?;
            out.write_all(&message.body)?;
            writeln!(out)?;
        }
    }
    if !message.trailers.is_empty() {
        out.write_all(&message.trailers)?;
    }
    Ok(())
}
