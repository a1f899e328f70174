//! Names that mean one thing only, whatever stands behind them: `password:…` in a line of a log.

/// Whether a text ends with the name of a secret that means nothing else, so that what follows close behind it is one.
#[inline]
pub(crate) fn is_strong(text: &[u8]) -> bool {
    // Most letters before a colon are others.
    matches!(text.last(), Some(b'd' | b'y' | b't' | b'n' | b'e' | b'D' | b'Y' | b'T' | b'N' | b'E'))
        && is_strong_name(text)
}

fn is_strong_name(text: &[u8]) -> bool {
    const STRONG: [&[u8]; 16] = [
        b"password",
        b"passwd",
        b"pwd",
        b"passwort",
        b"kennwort",
        b"passphrase",
        b"passcode",
        b"secret",
        b"token",
        b"apikey",
        b"api_key",
        b"api-key",
        b"api key",
        b"secretkey",
        b"secret_key",
        b"access_key",
    ];
    STRONG.iter().any(|name| {
        text.len()
            .checked_sub(name.len())
            .and_then(|start| text.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::is_strong;

    #[test]
    fn names_of_other_things_are_not_strong() {
        for text in ["login of ann, Password", "db_password", "API key", "x-api-key", "clientSecret", "pwd"] {
            assert!(is_strong(text.as_bytes()), "{text}");
        }
        for text in ["", "https", "localhost", "user", "password2", "key", "urn", "passwords", "token "] {
            assert!(!is_strong(text.as_bytes()), "{text}");
        }
    }
}
