//! Exit codes: decided here and nowhere else.

use std::process::ExitCode;

/// What the command's end tells the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; every gate passed.
    Ok = 0,
    /// A bug of ours.
    Internal = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// An input cannot be read or is not what it claims to be, or a middleware does not work.
    Input = 3,
    /// The target cannot be reached at all.
    Unreachable = 4,
    /// A gate failed.
    Gate = 10,
    /// The generator was the bottleneck.
    Invalid = 11,
    /// Masking is not proven.
    Unproven = 12,
    /// Interrupted; what was measured has been written.
    Interrupted = 130,
}

/// The table in `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done; every gate passed
    1  internal error: a bug
    2  wrong usage or configuration
    3  an input cannot be read or is not what it claims to be (--recover takes what is whole of a damaged recording),
       or a middleware failed
    4  the target cannot be reached at all
   10  a gate failed: a threshold, or something became slower than the baseline
   11  the run is invalid: the generator, not the target, was the bottleneck
   12  masking is not proven: the audit found an original value, or a part had to be withheld and --fail-on-quarantine was
       given
  130  interrupted; what was measured so far has been written";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// An error and the code it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code.
    pub(crate) exit: Exit,
    /// What is said, with its causes.
    pub(crate) error: anyhow::Error,
}

/// What every command comes to.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Gives an error its exit code where it happens: the same I/O error is an input's or an output's.
pub(crate) trait Exits<T> {
    /// The error, ending with `exit`.
    fn exits(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Exits<T> for Result<T, E> {
    fn exits(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}

/// An error with its causes, each said once: many a message holds its cause already.
pub(crate) fn words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// A failure in words.
pub(crate) fn fail(exit: Exit, message: impl Into<String>) -> Failure {
    Failure { exit, error: anyhow::Error::msg(message.into()) }
}

impl From<mynah_traffic::Error> for Failure {
    fn from(error: mynah_traffic::Error) -> Self {
        use mynah_traffic::Error;
        let exit = match &error {
            Error::Config { .. } | Error::Syntax { .. } => Exit::Usage,
            Error::Io { .. }
            | Error::NotA { .. }
            | Error::TooNew { .. }
            | Error::Damaged { .. }
            | Error::Limit(_) => Exit::Input,
        };
        Failure { exit, error: error.into() }
    }
}
