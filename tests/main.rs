//! End-to-end tests that drive the built binary against real servers on loopback: one file a capability, one program,
//! so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    unreachable_pub,
    reason = "these are tests"
)]

#[cfg(unix)]
mod apps;
mod architecture;
mod canary;
mod capacity;
mod common;
mod edits;
mod exit_codes;
mod export;
mod gates;
mod gor;
mod grouping;
mod har;
mod hooks;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod live;
mod masking_policy;
mod middleware;
#[cfg(unix)]
mod mirror;
mod pipeline;
mod planted;
#[cfg(unix)]
mod protocols;
mod report_forms;
mod report_pages;
#[cfg(unix)]
mod rude_servers;
mod safety;
mod scenarios;
mod secrets;
#[cfg(unix)]
mod self_check;
#[cfg(unix)]
mod shapes;
mod shards;
mod signing;
mod stages;
mod stdin;
mod steps;
mod streaming;
