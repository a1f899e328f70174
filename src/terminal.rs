//! What the terminal can show.

use std::io::{IsTerminal, Write as _};

fn color_wanted() -> bool {
    // https://no-color.org: any value but the empty one.
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether standard error takes colour.
pub(crate) fn stderr_color() -> bool {
    color_wanted() && std::io::stderr().is_terminal()
}

/// Whether standard output takes colour.
pub(crate) fn stdout_color() -> bool {
    color_wanted() && std::io::stdout().is_terminal()
}

/// Columns of the terminal that standard output goes to, when it is one; or what `COLUMNS` says.
pub(crate) fn stdout_width() -> Option<u16> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse::<u16>().ok());
    if let Some(columns) = said.filter(|columns| *columns > 0) {
        return Some(columns.max(40));
    }
    if !std::io::stdout().is_terminal() {
        return None;
    }
    console::Term::stdout().size_checked().map(|(_, columns)| columns)
}

/// `error:`, in red where that shows.
pub(crate) fn error_word() -> &'static str {
    if stderr_color() { "\x1b[1;31merror:\x1b[0m" } else { "error:" }
}

/// A line on standard error; one that cannot be written (a full disk) costs nothing else.
fn line(text: &impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says something to the person, apart from the output proper.
pub(crate) fn say(text: impl std::fmt::Display) {
    line(&text);
}

/// Warns the person.
pub(crate) fn warn(text: impl std::fmt::Display) {
    let word = if stderr_color() { "\x1b[1;33mwarning:\x1b[0m" } else { "warning:" };
    line(&format_args!("{word} {text}"));
}

/// `1 session`, `2 sessions`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A command as a person would type it: arguments with odd characters in quotes.
pub(crate) fn shell_line(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b))
    };
    let quoted: Vec<String> = words
        .iter()
        .map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) })
        .collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::shell_line;

    #[test]
    fn odd_words_are_quoted() {
        let words = ["mynah", "replay", "a b", "p99 < 5ms", "it's", ""].map(str::to_owned);
        assert_eq!(shell_line(&words), r"mynah replay 'a b' 'p99 < 5ms' 'it'\''s' ''");
    }
}
