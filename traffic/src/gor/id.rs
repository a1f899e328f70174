//! Identifiers as GoReplay makes them: they tell the connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::Connection;

/// An identifier of 24 hexadecimal digits: client port, server port, the client's IPv4 address (the last four bytes of an IPv6
/// address), and a number that is the acknowledgement on the wire. All but the number is the same on one connection.
///
/// Identifiers of other lengths, older ones of 40 digits among them, tell nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// The first eight bytes: equal on one connection.
    pub connection: u64,
    /// The last four.
    pub number: u32,
}

impl Id {
    /// Reads an identifier; `None` when it is of another form.
    pub fn parse(text: &str) -> Option<Id> {
        if text.len() != 24 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let connection = u64::from_str_radix(text.get(..16)?, 16).ok()?;
        Some(Id { connection, number: u32::from_str_radix(text.get(16..)?, 16).ok()? })
    }

    /// For an exchange of this connection. Where the address of the client is not known, or is none of IPv4, the ports are zero
    /// and the connection's number (its lower half) stands in the place of the address.
    pub fn of(connection: &Connection, number: u32) -> Id {
        let known = match (connection.client, connection.server) {
            (Some(SocketAddr::V4(client)), server) if client.port() > 0 => {
                let server = server.map_or(0, |server| server.port());
                let ports = u64::from(client.port()) << 48 | u64::from(server) << 32;
                Some(ports | u64::from(u32::from(*client.ip())))
            }
            _ => None,
        };
        Id { connection: known.unwrap_or(connection.id & u64::from(u32::MAX)), number }
    }

    /// The client's address, where the identifier has one.
    pub fn client(self) -> Option<SocketAddr> {
        let port = (self.connection >> 48) as u16;
        let address = Ipv4Addr::from(self.connection as u32);
        (port > 0).then_some(SocketAddr::new(IpAddr::V4(address), port))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:08x}", self.connection, self.number)
    }
}
