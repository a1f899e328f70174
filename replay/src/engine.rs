//! Playing sessions: one thread a core, each with its own runtime, users, connections and counts.

mod check;
mod context;
mod crew;
mod deal;
mod drive;
mod library;
mod line;
mod look;
mod peer;
mod protocol;
mod redirect;
mod script;
mod session;
mod setup;
mod step;
mod user;

pub(crate) use context::Context;
pub(crate) use crew::{Hand, Turn};
pub(crate) use deal::{Deal, Seats};
pub(crate) use drive::{End, Job, Shape, thread};
pub(crate) use library::{Ahead, Library};
pub(crate) use peer::Peer;
pub(crate) use script::begin;
pub(crate) use session::{Act, Part};
pub(crate) use setup::Setup;
pub use setup::{Destination, destinations};
pub(crate) use step::{Done, Outcome, perform};
pub(crate) use user::User;
