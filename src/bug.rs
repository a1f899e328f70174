//! What a panic says. Its own words may quote what was being worked on, a captured password say, so they are left out.

use std::panic::PanicHookInfo;

/// Panics tell their place from now on, and nothing else.
pub(crate) fn say_where_only() {
    std::panic::set_hook(Box::new(|info| {
        crate::terminal::say(format_args!("{} {}", crate::terminal::error_word(), words(info)));
    }));
}

fn words(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    format!(
        "mynah has a bug{place}. Please report this line with the command line; what the program said there is left out, as it \
         may quote captured traffic"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    #[test]
    fn nothing_of_a_value_is_said() {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| *heard.lock().unwrap() = super::words(info)));
        let secret = std::hint::black_box("correct-horse-é-staple");
        let caught = std::panic::catch_unwind(|| secret[..15].len());
        std::panic::set_hook(before);
        assert!(caught.is_err());
        let said = said.lock().unwrap().clone();
        assert!(said.contains("src/bug.rs:") && !said.contains("horse"), "{said}");
    }
}
