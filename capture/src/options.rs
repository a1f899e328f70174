use mynah_traffic::Nanos;

/// Limits of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes kept of one message's body; the rest is counted and dropped. 16 MiB.
    pub max_body: u64,
    /// Bytes that reassembly may hold over all flows. Beyond it the flow that was silent for longest is given up. 512 MiB.
    pub memory: u64,
    /// Bytes that one flow may hold of segments that wait for an earlier one, and of requests that wait for their
    /// response. Beyond it a hole is declared lost. 16 MiB.
    pub flow_memory: u64,
    /// Number of the first connection, so that connections stay unique over several inputs
    /// (see [`Source::next_connection`](crate::Source::next_connection)). 0.
    pub first_connection: u64,
    /// A flow without a packet for this long, on the packets' clock, has ended. 10 minutes.
    pub idle: Nanos,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_body: 16 << 20,
            memory: 512 << 20,
            flow_memory: 16 << 20,
            first_connection: 0,
            idle: Nanos(600 * Nanos::PER_SECOND),
        }
    }
}
