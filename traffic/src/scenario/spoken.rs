//! Steps of other protocols than HTTP: `protocol = "redis"`, `send = "GET user:${user}"`. What such a text means only who speaks the
//! protocol knows; here stands what is the same for all of them.

use bytes::Bytes;
use mynah_message::{Locator, Message};

use super::placeholder::injection;
use super::script::{Expect, Injection, Step};
use super::{Check, InlineStep};
use crate::Error;

/// A text with places for values: what is sent where there is no value, and the value's source where it holds `${…}`.
///
/// # Errors
/// [`Error::Syntax`] when a `${…}` in it cannot be understood. `step`: what is named then.
pub fn fill_places(step: &str, text: &str) -> Result<(String, Option<Injection>), Error> {
    if !text.contains("${") {
        return Ok((text.to_owned(), None));
    }
    let (injection, filled) = injection(step, &Locator::Body, text)?;
    Ok((filled.unwrap_or_else(|| text.to_owned()), Some(injection)))
}

impl InlineStep {
    /// What it sends, as it is written: its request, or its text over another protocol.
    pub fn text(&self) -> &str {
        self.send.as_deref().unwrap_or(&self.request)
    }

    /// The step in the form that is replayed: its text is the body, and its values have no place of their own in it.
    pub(super) fn spoken(&self, endpoint: u32, text: &str, previous: Option<u32>) -> Result<Step, Error> {
        let (text, injection) = fill_places(text, text)?;
        Ok(Step {
            endpoint,
            waits_for: previous,
            think: self.pause()?.mean(),
            request: Message { body: Bytes::from(text), ..Message::default() },
            injections: injection.into_iter().collect(),
            expect: Expect::default(),
            ..Step::default()
        })
    }

    /// That it says what it takes to send it, and nothing that is of another protocol.
    pub(super) fn check_protocol(&self) -> Result<(), String> {
        let Some(protocol) = &self.protocol else {
            return match (&self.send, &self.to, self.request.is_empty()) {
                (Some(_), ..) => Err("has 'send', which goes with protocol = \"NAME\"".to_owned()),
                (None, Some(_), _) => {
                    Err("has 'to', which goes with protocol = \"NAME\"; a request names its \
                                           host: \"GET http://HOST/PATH\""
                        .to_owned())
                }
                (None, None, true) => Err("has no request, such as \"GET /items\"".to_owned()),
                (None, None, false) => Ok(()),
            };
        };
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        if protocol.is_empty() || !protocol.chars().all(fine) {
            return Err(format!(
                "protocol = '{protocol}': letters, digits, '-', '_', '.' and '+' make a name"
            ));
        }
        if protocol.eq_ignore_ascii_case("http") || protocol.eq_ignore_ascii_case("https") {
            return Err(format!("protocol = '{protocol}': over HTTP a step has a request: \"GET /items\""));
        }
        if !self.request.is_empty() {
            return Err(format!(
                "has a request, which is HTTP's, and protocol = '{protocol}'; what is sent over that is send = \"…\""
            ));
        }
        if self.send.as_deref().is_none_or(|send| send.trim().is_empty()) {
            return Err(format!("has protocol = '{protocol}' and nothing to send over it: send = \"…\""));
        }
        if self.to.as_ref().is_some_and(|to| to.contains("${")) {
            return Err("'to' holds a ${…}: where a step goes is known before it begins, and only ${var.NAME} may stand there"
                .to_owned());
        }
        let of_http = [
            ("headers", !self.headers.is_empty()),
            ("form", self.form.is_some()),
            ("json", self.json.is_some()),
            ("body", self.body.is_some()),
            ("expect", self.expect.is_some()),
            ("expect_type", self.expect_type.is_some()),
        ];
        if let Some((key, _)) = of_http.iter().find(|(_, said)| *said) {
            return Err(format!(
                "has '{key}', which is HTTP's; over '{protocol}' there is send, check and extract"
            ));
        }
        if let Some(check) = self.check.iter().find(|check| check.is_of_status()) {
            return Err(format!(
                "check '{check}': an answer over '{protocol}' has no status; it fails where the server says that it has failed"
            ));
        }
        let of_head = |check: &&Check| check.needs_view() && !check.reads_body();
        if let Some(check) = self.check.iter().find(of_head) {
            return Err(format!(
                "check '{check}': an answer over '{protocol}' has no headers, it is all body"
            ));
        }
        if let Some(one) = self.extract.0.iter().find(|one| !one.from.reads_body()) {
            return Err(format!(
                "extract {} = '{}': an answer over '{protocol}' has no headers, it is all body",
                one.name, one.from
            ));
        }
        Ok(())
    }
}
