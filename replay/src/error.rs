//! What can keep a replay from being run.

/// Why a replay could not be prepared or run. A target that answers badly is no error: that is a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection to a target could be made before anything was sent.
    #[error("cannot reach {target}: {source}; is it running, and is the address right?")]
    Unreachable {
        /// The target's URL.
        target: String,
        /// What the system or the TLS library said of the last attempt.
        source: std::io::Error,
    },
    /// An option, the scenario or one of its files asks for what cannot be.
    #[error("{0}")]
    Config(String),
    /// The scenario or its session file cannot be read, or a run folder cannot be written.
    #[error(transparent)]
    Traffic(#[from] mynah_traffic::Error),
    /// The target is a host that the recording was made from.
    #[error(
        "refused: {host} is a host of the recording; sending recorded traffic back at it could harm what is in \
         production (--allow-recorded-host if that is meant)"
    )]
    Refused {
        /// The target's host.
        host: String,
    },
    /// A sending thread could not be set up, or died.
    #[error("the generator failed: {0}")]
    Engine(String),
}
