//! Clients' addresses in the log.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of a client's address the log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// None of it.
    None,
    /// The network: 24 bits of an IPv4 address, 48 of an IPv6 one. Enough to tell an attack from a
    /// crowd, too little to tell who it was.
    Network,
    /// All of it.
    Full,
}

impl Addresses {
    /// That much of one.
    pub fn shown(self, ip: IpAddr) -> Option<IpAddr> {
        match (self, ip) {
            (Self::None, _) => None,
            (Self::Full, ip) => Some(ip),
            (Self::Network, IpAddr::V4(ip)) => {
                Some(Ipv4Addr::from_bits(ip.to_bits() >> 8 << 8).into())
            }
            (Self::Network, IpAddr::V6(ip)) => {
                Some(Ipv6Addr::from_bits(ip.to_bits() >> 80 << 80).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_as_much_of_an_address_as_it_may() {
        let check = |address: &str, expected: &str| {
            let ip: IpAddr = address.parse().expect("an address");
            assert_eq!(Addresses::Network.shown(ip), Some(expected.parse().expect("an address")));
            assert_eq!(Addresses::Full.shown(ip), Some(ip));
            assert_eq!(Addresses::None.shown(ip), None);
        };
        check("192.0.2.77", "192.0.2.0");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1::");
    }
}
