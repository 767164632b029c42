//! How much of something somebody may do: told, not guessed. What is over a limit is refused with the
//! wait that makes it good, never dropped.

mod budget;

use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ChatId, UserId};

use self::budget::Budget;
pub use self::budget::{Meter, Rate};

/// Of what there was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Requests of one connection.
    Connection,
    /// Messages of one person.
    User,
    /// Messages of one person in one chat.
    Chat,
    /// Chats that one person opens.
    NewChats,
    /// Connections from one address.
    Address,
}

impl Scope {
    /// The name that clients are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::User => "user",
            Self::Chat => "chat",
            Self::NewChats => "new_chats",
            Self::Address => "address",
        }
    }
}

/// Too much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Of what.
    pub scope: Scope,
    /// When the same would be within the limit.
    pub wait: Duration,
}

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Requests of one connection.
    pub connection: Rate,
    /// Messages of one person.
    pub user: Rate,
    /// Messages of one person in one chat.
    pub chat: Rate,
    /// Chats that one person opens.
    pub new_chats: Rate,
    /// Connections from one address.
    pub address: Rate,
}

/// The limits of this node.
pub struct Limits(Option<Budgets>);

struct Budgets {
    rates: Rates,
    users: Budget<UserId>,
    chats: Budget<(UserId, ChatId)>,
    new_chats: Budget<UserId>,
    addresses: Budget<IpAddr>,
}

impl Limits {
    /// Limits of these rates.
    pub fn new(rates: Rates) -> Self {
        Self(Some(Budgets {
            rates,
            users: Budget::new(rates.user),
            chats: Budget::new(rates.chat),
            new_chats: Budget::new(rates.new_chats),
            addresses: Budget::new(rates.address),
        }))
    }

    /// No limits: for load tests, which measure the server and not its limits.
    pub fn none() -> Self {
        Self(None)
    }

    /// Takes a request of the connection whose meter this is.
    pub fn request(&self, meter: &mut Meter, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.0 else { return Ok(()) };
        let taken = meter.take(budgets.rates.connection, now);
        taken.map_err(|wait| Exceeded { scope: Scope::Connection, wait })
    }

    /// Takes a message of `user` in `chat`.
    pub fn message(&self, user: UserId, chat: ChatId, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.0 else { return Ok(()) };
        let taken = budgets.chats.take((user, chat), now);
        taken.map_err(|wait| Exceeded { scope: Scope::Chat, wait })?;
        let taken = budgets.users.take(user, now);
        taken.map_err(|wait| Exceeded { scope: Scope::User, wait })
    }

    /// Takes a chat that `user` opens.
    pub fn new_chat(&self, user: UserId, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.0 else { return Ok(()) };
        let taken = budgets.new_chats.take(user, now);
        taken.map_err(|wait| Exceeded { scope: Scope::NewChats, wait })
    }

    /// Takes a connection from an address.
    pub fn connection(&self, from: IpAddr, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.0 else { return Ok(()) };
        let taken = budgets.addresses.take(network(from), now);
        taken.map_err(|wait| Exceeded { scope: Scope::Address, wait })
    }

    /// Forgets whoever did nothing for a while.
    pub fn sweep(&self, now: Timestamp) {
        let Some(budgets) = &self.0 else { return };
        budgets.users.sweep(now);
        budgets.chats.sweep(now);
        budgets.new_chats.sweep(now);
        budgets.addresses.sweep(now);
    }
}

/// What counts as one address: with IPv6 the network of a site, of which anybody has 2^64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_is_one_address() {
        let same = |a: &str, b: &str| {
            let network = |text: &str| network(text.parse().expect("an address"));
            network(a) == network(b)
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
