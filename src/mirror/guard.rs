//! Nothing is mirrored back at what it was captured from, and no mirrored request is mirrored again.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

use mynah_replay::{MARK, Options, Target};
use mynah_traffic::Exchange;

use crate::exit::{Exit, Failure, fail};

/// What is looked out for.
pub(super) struct Guard {
    /// Of the targets.
    addresses: HashSet<SocketAddr>,
    /// Their names, but for this machine's own.
    hosts: HashSet<String>,
    allowed: bool,
}

fn addresses(host: &str, port: u16) -> Vec<SocketAddr> {
    // What cannot be looked up is told by whoever connects to it.
    (host, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether this machine has that address.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

impl Guard {
    /// For the targets of these options.
    pub(super) fn new(options: &Options) -> Guard {
        let targets = || options.target.iter().chain(options.map.iter().map(|(_, target)| target));
        Guard {
            addresses: targets()
                .flat_map(|target| addresses(&target.host, target.port))
                .map(canonical)
                .collect(),
            hosts: targets()
                .filter(|target| !target.is_loopback())
                .map(|target| target.authority().to_ascii_lowercase())
                .collect(),
            allowed: options.allow_recorded_host,
        }
    }

    /// Refuses targets that are the captured server, as far as that shows from the arguments of a reverse proxy.
    pub(super) fn check_proxy(&self, listen: &str, upstream: &str) -> Result<(), Failure> {
        let all = listen.strip_prefix(':').map(|port| format!("[::]:{port}"));
        let listens = all.as_deref().unwrap_or(listen).to_socket_addrs().into_iter().flatten();
        for own in listens.map(canonical) {
            let meets = |target: &&SocketAddr| {
                target.port() == own.port()
                    && (target.ip() == own.ip() || own.ip().is_unspecified() && is_local(target.ip()))
            };
            if let Some(target) = self.addresses.iter().find(meets) {
                return Err(refused(&format!(
                    "the target {target} is where this mirror itself listens ({listen}): each request would come round again \
                     for ever"
                )));
            }
        }
        // A wrong one is told by the proxy.
        let Ok(server) = upstream.parse::<Target>() else { return Ok(()) };
        let same = addresses(&server.host, server.port)
            .into_iter()
            .map(canonical)
            .find(|address| self.addresses.contains(address));
        match same {
            Some(address) if !self.allowed => Err(refused(&format!(
                "the target {address} is the captured server ({upstream}), which would get every mirrored request twice \
                 (--allow-recorded-host if that is meant)"
            ))),
            _ => Ok(()),
        }
    }

    /// The same for an interface and the ports on it.
    #[cfg(feature = "live")]
    pub(super) fn check_ports(&self, ports: &[u16]) -> Result<(), Failure> {
        let captured = |target: &&SocketAddr| ports.contains(&target.port()) && is_local(target.ip());
        match self.addresses.iter().find(captured) {
            Some(target) if !self.allowed => Err(refused(&format!(
                "the target {target} is on this machine and its port is captured (--port {}): it is the captured server, which \
                 would get every mirrored request twice (--allow-recorded-host if that is meant)",
                target.port()
            ))),
            _ => Ok(()),
        }
    }

    /// Whether a mirror sent it.
    pub(super) fn is_own(exchange: &Exchange) -> bool {
        // Most heads do not hold the word, and need not be parsed for it.
        exchange.request.as_ref().is_some_and(|request| {
            contains(&request.head, MARK.as_bytes())
                && exchange.request_head().is_some_and(|head| head.get(MARK).is_some())
        })
    }

    /// What only the traffic shows: that it is the target's own.
    pub(super) fn check(&self, exchange: &Exchange) -> Result<(), Failure> {
        if self.allowed {
            return Ok(());
        }
        let server = exchange.connection.server.map(canonical);
        let met = server.filter(|server| self.addresses.contains(server)).map(|server| server.to_string());
        let met = met.or_else(|| {
            let host = (!self.hosts.is_empty()).then(|| exchange.host())?;
            self.hosts.contains(&host).then_some(host)
        });
        match met {
            Some(met) => Err(refused(&format!(
                "captured traffic goes to {met}, which is the target: it would get every mirrored request twice \
                 (--allow-recorded-host if that is meant; --port and --filter say what is captured)"
            ))),
            None => Ok(()),
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

fn refused(why: &str) -> Failure {
    fail(Exit::Usage, format!("refused: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_message::Message;

    fn guard(target: &str, allowed: bool) -> Guard {
        Guard::new(&Options {
            target: Some(target.parse().unwrap()),
            allow_recorded_host: allowed,
            ..Options::default()
        })
    }

    fn to(server: &str, head: &str) -> Exchange {
        Exchange {
            request: Some(Message {
                head: format!("GET / HTTP/1.1\r\n{head}\r\n").into(),
                ..Message::default()
            }),
            connection: mynah_traffic::Connection { server: server.parse().ok(), ..Default::default() },
            ..Exchange::default()
        }
    }

    #[test]
    fn the_proxys_own_ends_are_no_targets() {
        let one = guard("http://127.0.0.1:8080", false);
        assert!(one.check_proxy("127.0.0.1:8080", "http://127.0.0.1:3000").is_err());
        assert!(
            one.check_proxy(":8080", "http://127.0.0.1:3000").is_err(),
            "all addresses are that one, too"
        );
        assert!(one.check_proxy("127.0.0.1:81", "http://127.0.0.1:8080").is_err());
        assert!(one.check_proxy("127.0.0.1:81", "http://127.0.0.1:3000").is_ok());
        let allowed = guard("http://127.0.0.1:8080", true);
        assert!(allowed.check_proxy("127.0.0.1:81", "http://127.0.0.1:8080").is_ok());
        assert!(
            allowed.check_proxy(":8080", "http://127.0.0.1:3000").is_err(),
            "an endless loop is never meant"
        );
    }

    #[cfg(feature = "live")]
    #[test]
    fn captured_ports_of_this_machine_are_no_targets() {
        let one = guard("http://127.0.0.1:8080", false);
        assert!(one.check_ports(&[80, 8080]).is_err() && one.check_ports(&[80]).is_ok());
        // TEST-NET-1: no machine has it.
        assert!(guard("http://192.0.2.1:8080", false).check_ports(&[8080]).is_ok());
    }

    #[test]
    fn traffic_gives_the_target_away() {
        let one = guard("http://127.0.0.1:8080", false);
        assert!(one.check(&to("127.0.0.1:8080", "")).is_err());
        assert!(one.check(&to("[::ffff:127.0.0.1]:8080", "")).is_err());
        assert!(
            one.check(&to("127.0.0.1:80", "Host: 127.0.0.1:8080\r\n")).is_ok(),
            "loopback names are nobody's"
        );
        let named = guard("http://192.0.2.7", false);
        assert!(named.check(&to("10.0.0.1:80", "Host: 192.0.2.7:80\r\n")).is_err());
    }

    #[test]
    fn mirrored_requests_are_known_by_their_mark() {
        assert!(Guard::is_own(&to("127.0.0.1:80", &format!("{}: 1\r\n", MARK.to_lowercase()))));
        assert!(!Guard::is_own(&to("127.0.0.1:80", &format!("X: {MARK}\r\n"))));
    }
}
