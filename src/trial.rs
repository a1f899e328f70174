//! `mynah mask --try`: one message on the screen, before and after.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use mynah_masking::trial::{Change, Trial, attempt};

use crate::capture::MaskingArgs;
use crate::exit::{Exit, Exits, Failure, Outcome, fail};
use crate::{output, pipeline, terminal};

/// Values are cut to this many characters in the table; --json has all of them.
const WIDTH: usize = 44;
/// More than this is no message that somebody looks at.
const LARGEST: u64 = 64 << 20;

/// Masks the message in a file and shows what was done.
pub(crate) fn run(path: &Path, args: &MaskingArgs, json: bool) -> Outcome {
    let policy = args.policy()?;
    if policy.k().is_some() {
        terminal::warn(
            "--k counts clients in a recording: of one message it says nothing, and is left out here",
        );
    }
    let policy = if policy.k().is_some() { policy.with_k(0) } else { policy };
    let text = read(path).map_err(|error| mynah_traffic::Error::io(path, error)).exits(Exit::Input)?;
    if text.len() as u64 > LARGEST {
        return Err(fail(Exit::Input, format!("{}: more than 64 MiB; expected one message", path.display())));
    }
    let key = pipeline::key(args.key_file.as_deref())?;
    let trial = attempt(&text, policy, &key).map_err(|error| Failure {
        exit: Exit::Input,
        error: anyhow::Error::from(error).context(path.display().to_string()),
    })?;
    let shown = if json {
        serde_json::to_string_pretty(&trial).exits(Exit::Internal)? + "\n"
    } else {
        render(&trial)
    };
    output::print(&shown).map(|()| Exit::Ok)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    }
    Ok(text)
}

fn render(trial: &Trial) -> String {
    let mut out = String::new();
    let columns = |change: &Change| [change.place.clone(), change.rule.clone(), cut(&change.before)];
    let width = |column: usize, least: usize| {
        trial.changes.iter().map(|c| columns(c)[column].chars().count()).max().unwrap_or(0).max(least)
    };
    let widths = [width(0, 5), width(1, 4), width(2, 6)];
    let mut side = "";
    for change in &trial.changes {
        if change.side != side {
            let _ =
                writeln!(out, "{}{}", if side.is_empty() { "" } else { "\n" }, change.side.to_uppercase());
            let _ = writeln!(
                out,
                "{:<a$}  {:<b$}  {:<c$}     after",
                "place",
                "rule",
                "before",
                a = widths[0],
                b = widths[1],
                c = widths[2]
            );
            side = change.side;
        }
        let [place, rule, before] = columns(change);
        let after = if change.after.is_empty() { "(nothing)".to_owned() } else { cut(&change.after) };
        let line = format!(
            "{place:<a$}  {rule:<b$}  {before:<c$}  -> {after}",
            a = widths[0],
            b = widths[1],
            c = widths[2]
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if trial.changes.is_empty() {
        out.push_str("nothing in it is sensitive under this policy\n");
    }
    for withheld in &trial.withheld {
        let _ = writeln!(out, "\nwithheld: {withheld}");
    }
    if let Some(rule) = &trial.rejected {
        let _ = writeln!(out, "\nthe whole exchange would be left out: rule {rule}");
    }
    for message in [&trial.request, &trial.response].into_iter().flatten() {
        let _ = writeln!(out, "\n{}", message.replace("\r\n", "\n").trim_end());
    }
    out
}

/// One line of at most so many characters.
fn cut(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= WIDTH {
        return line;
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}
