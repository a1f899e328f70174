//! What is sent where, said before it is, and asked about where it leaves this machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _};

use mynah_replay::{Destination, Options, Prepared, Target, destinations};

use crate::exit::{Exit, Exits, Failure};
use crate::{driving, output, terminal};

/// By target: the recorded hosts, and requests by method.
type ByTarget = BTreeMap<String, (Vec<String>, BTreeMap<String, u64>, bool)>;

/// `against`: the targets that sessions go to in turn, where there are two.
fn gathered(prepared: &Prepared, options: &Options, against: &[Target]) -> Result<ByTarget, Failure> {
    let options = match against.first() {
        Some(first) => &Options { target: Some(first.clone()), ..options.clone() },
        None => options,
    };
    let mut by_target = ByTarget::new();
    for Destination { recorded, target, methods } in
        destinations(prepared, options).map_err(driving::failure)?
    {
        let targets = if against.is_empty() { vec![&target] } else { against.iter().collect() };
        for target in targets {
            let (hosts, all, here) = by_target.entry(target.to_string()).or_default();
            *here = target.is_loopback();
            if !recorded.is_empty() {
                hosts.push(recorded.clone());
            }
            for (method, count) in &methods {
                *all.entry(method.clone()).or_default() += count;
            }
        }
    }
    Ok(by_target)
}

fn lines(by_target: &ByTarget) -> String {
    let mut text = String::new();
    for (target, (hosts, methods, _)) in by_target {
        let all: u64 = methods.values().sum();
        let shares: Vec<String> = methods
            .iter()
            .map(|(method, count)| format!("{method} {:.1}%", 100.0 * *count as f64 / all.max(1) as f64))
            .collect();
        let _ = write!(text, "sends       to {target}: {}", shares.join(", "));
        if !hosts.is_empty() {
            let more = hosts.len().saturating_sub(3);
            let told = hosts.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let _ = write!(text, "; recorded as {told}");
            if more > 0 {
                let _ = write!(text, " and {more} more");
            }
        }
        text.push('\n');
    }
    text
}

/// Prints it.
pub(crate) fn print(prepared: &Prepared, options: &Options, against: &[Target]) -> Result<(), Failure> {
    output::print(&lines(&gathered(prepared, options, against)?))
}

/// Whether it may be sent: what stays on this machine may, and nobody is asked who is not there.
pub(crate) fn agreed(prepared: &Prepared, options: &Options, against: &[Target]) -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    let by_target = gathered(prepared, options, against)?;
    if by_target.values().all(|(_, _, here)| *here) {
        return Ok(true);
    }
    for line in lines(&by_target).lines() {
        terminal::say(line);
    }
    terminal::say("go on? [y/N] (--yes does not ask)");
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).exits(Exit::Usage)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
