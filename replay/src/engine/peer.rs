//! Where steps of other protocols go: found, held against what may be sent to, and reached once before a run begins.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::timeout;
use url::{Host, Url};

use super::setup::allow;
use crate::net::Failure as NetFailure;
use crate::prepared::Plan;
use crate::protocol::{Connection, Failure, Protocol};
use crate::{Error, Options};

/// A protocol and an address.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) protocol: Arc<dyn Protocol>,
    /// The protocol's number among those of the program.
    pub(crate) number: usize,
    url: Url,
    connect_timeout: Duration,
}

impl Peer {
    /// Those of a plan, each of which answers.
    pub(super) fn all(plan: &Plan, options: &Options) -> Result<Vec<Peer>, Error> {
        let known = |name: &str| plan.peers.iter().any(|peer| name_of(plan, peer.protocol) == name);
        if let Some((name, _)) = options.protocol_targets.iter().find(|(name, _)| !known(name)) {
            return Err(Error::Config(format!(
                "a target for protocol '{name}': no step of the scenario speaks it"
            )));
        }
        let mut peers = Vec::with_capacity(plan.peers.len());
        for peer in &plan.peers {
            let Some(protocol) = plan.protocols.get(peer.protocol) else { continue };
            let name = protocol.name();
            let said = options.protocol_targets.iter().find(|(known, _)| known == name).map(|(_, url)| url);
            let url = said.or(peer.to.as_ref()).cloned().ok_or_else(|| {
                Error::Config(format!(
                    "there is nowhere to send steps of protocol '{name}': they need to = \"{name}://HOST:PORT\""
                ))
            })?;
            let local = match url.host() {
                None => true,
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
                Some(Host::Domain(_)) => crate::target::is_local(url.host_str().unwrap_or_default()),
            };
            allow(url.host_str().unwrap_or_default(), local, plan, options)?;
            let connect_timeout = options.connect_timeout;
            peers.push(Peer { protocol: protocol.clone(), number: peer.protocol, url, connect_timeout });
        }
        probe(&peers)?;
        Ok(peers)
    }

    /// Makes a connection.
    pub(super) async fn dial(&self) -> Result<Box<dyn Connection>, NetFailure> {
        match timeout(self.connect_timeout, self.protocol.connect(&self.url)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(failure)) => Err(failure.counted(self.protocol.name(), true)),
            Err(_) => Err(NetFailure::connect_timeout(self.connect_timeout)),
        }
    }

    /// Its URL without what one logs in with.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.url.clone();
        // A URL that cannot have these has none to show.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        url.to_string()
    }
}

fn name_of(plan: &Plan, protocol: usize) -> &str {
    plan.protocols.get(protocol).map_or("", |protocol| protocol.name())
}

/// Makes a connection to each and drops it.
fn probe(peers: &[Peer]) -> Result<(), Error> {
    if peers.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Engine(format!("no runtime: {error}")))?;
    LocalSet::new().block_on(&runtime, async {
        for peer in peers {
            let source = match timeout(peer.connect_timeout, peer.protocol.connect(&peer.url)).await {
                Ok(Ok(_)) => continue,
                Ok(Err(Failure::Io(error))) => error,
                Ok(Err(failure)) => io::Error::other(failure.to_string()),
                Err(_) => {
                    let why = format!("no connection within {} s", peer.connect_timeout.as_secs_f64());
                    io::Error::new(io::ErrorKind::TimedOut, why)
                }
            };
            return Err(Error::Unreachable { target: peer.shown(), source });
        }
        Ok(())
    })
}
