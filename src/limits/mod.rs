//! How much of something somebody may do: told, not guessed. What is over a limit is refused with the
//! wait that makes it good, never dropped.
//!
//! What is dear or secret to guess is counted at all servers together where they share a Redis, and
//! else at each. What comes over a socket is counted where the socket is.

mod bounded;
mod budget;
mod clients;
mod log_ins;

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ChatId, UserId};
use data_encoding::HEXLOWER;

use self::budget::Budget;
pub use self::budget::{Meter, Rate, Standing};
use self::clients::Clients;
pub use self::log_ins::LogInName;
use self::log_ins::{LogIns, SHARED};
use crate::cluster::{Cluster, Taken};

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
    /// Requests over HTTP of one client.
    Requests,
    /// Requests of one client for the bytes of files.
    Downloads,
    /// Log-ins from one address, or to one account.
    LogIns,
    /// Accounts that are made from one address.
    Registrations,
    /// Refresh tokens that are used from one address.
    Refreshes,
    /// Requests from one address that have mail sent.
    Mail,
    /// Files that one person uploads.
    Uploads,
    /// Their bytes.
    UploadedBytes,
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
            Self::Requests => "requests",
            Self::Downloads => "downloads",
            Self::LogIns => "log_ins",
            Self::Registrations => "registrations",
            Self::Refreshes => "refreshes",
            Self::Mail => "mail",
            Self::Uploads => "uploads",
            Self::UploadedBytes => "uploaded_bytes",
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

/// What a request over HTTP is for: each kind has a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever is not named here.
    Anything,
    /// The bytes of a file: a page of a chat may show many.
    Bytes,
}

/// Who makes a request over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Somebody who logged in.
    User(UserId),
    /// A program or device, by what follows from its API key.
    Key([u8; 32]),
    /// Somebody at this address.
    Address(IpAddr),
}

/// What a client is told of its requests, refused or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Of what.
    pub scope: Scope,
    /// What is allowed.
    pub rate: Rate,
    /// What is left of it.
    pub standing: Standing,
    /// Whether this one was within it.
    pub taken: Result<(), Exceeded>,
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
    /// Requests over HTTP of one client.
    pub requests: Rate,
    /// Requests of one client for the bytes of files.
    pub downloads: Rate,
    /// Log-ins from one address.
    pub log_ins: Rate,
    /// Accounts that are made from one address.
    pub registrations: Rate,
    /// Refresh tokens that are used from one address.
    pub refreshes: Rate,
    /// Requests from one address that have mail sent.
    pub mail_requests: Rate,
    /// Mails to one address that somebody asked for.
    pub mails: Rate,
    /// Files that one person uploads.
    pub uploads: Rate,
    /// Their bytes, in MiB.
    pub uploaded_mib: Rate,
}

/// The limits of this node, and of those that count with it.
pub struct Limits {
    /// `None`: anybody may do anything.
    budgets: Option<Budgets>,
    cluster: Option<Cluster>,
}

struct Budgets {
    rates: Rates,
    users: Budget<UserId>,
    chats: Budget<(UserId, ChatId)>,
    new_chats: Budget<UserId>,
    addresses: Budget<IpAddr>,
    requests: Clients,
    downloads: Clients,
    log_ins: Budget<IpAddr>,
    guesses: LogIns,
    registrations: Budget<IpAddr>,
    refreshes: Budget<IpAddr>,
    mail_requests: Budget<IpAddr>,
    mails: Budget<LogInName>,
    uploads: Budget<UserId>,
    uploaded_mib: Budget<UserId>,
}

impl Budgets {
    fn clients(&self, wanted: Wanted) -> &Clients {
        match wanted {
            Wanted::Anything => &self.requests,
            Wanted::Bytes => &self.downloads,
        }
    }
}

impl Limits {
    /// Limits of these rates, counted together with other servers where there is a way to.
    pub fn new(rates: Rates, cluster: Option<Cluster>) -> Self {
        let budgets = Budgets {
            rates,
            users: Budget::new(rates.user),
            chats: Budget::new(rates.chat),
            new_chats: Budget::new(rates.new_chats),
            addresses: Budget::new(rates.address),
            requests: Clients::new(Scope::Requests, rates.requests),
            downloads: Clients::new(Scope::Downloads, rates.downloads),
            log_ins: Budget::new(rates.log_ins),
            guesses: LogIns::new(),
            registrations: Budget::new(rates.registrations),
            refreshes: Budget::new(rates.refreshes),
            mail_requests: Budget::new(rates.mail_requests),
            mails: Budget::new(rates.mails),
            uploads: Budget::new(rates.uploads),
            uploaded_mib: Budget::new(rates.uploaded_mib),
        };
        Self { budgets: Some(budgets), cluster }
    }

    /// No limits: for load tests, which measure the server and not its limits.
    pub fn none() -> Self {
        Self { budgets: None, cluster: None }
    }

    /// Takes one here, and then at all servers together. Whoever has too much here has it everywhere, and
    /// nobody else is asked.
    async fn take<K: Eq + Hash + Copy>(
        &self,
        budget: &Budget<K>,
        key: K,
        name: impl FnOnce() -> String,
        now: Timestamp,
    ) -> (Result<(), Duration>, Standing) {
        self.take_many(budget, key, 1, name, now).await
    }

    /// Takes so many as one, here and at all servers together, and tells what is left.
    async fn take_many<K: Eq + Hash + Copy>(
        &self,
        budget: &Budget<K>,
        key: K,
        count: u64,
        name: impl FnOnce() -> String,
        now: Timestamp,
    ) -> (Result<(), Duration>, Standing) {
        let (taken, standing) = budget.take_and_tell(key, count, now);
        let (Some(cluster), Ok(())) = (&self.cluster, taken) else { return (taken, standing) };
        let rate = budget.rate();
        let name = format!("limits:{}", name());
        match cluster.take(&name, rate.many(count).period_us(), rate.ahead_us()).await {
            Some(Taken { wait, early }) => {
                if wait.is_zero() {
                    return (Ok(()), rate.standing(early));
                }
                budget.give_back(key, count);
                (Err(wait), rate.standing(early))
            }
            None => (taken, standing),
        }
    }

    /// Takes a request of the connection whose meter this is.
    pub fn request(&self, meter: &mut Meter, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let taken = meter.take(budgets.rates.connection, now);
        taken.map_err(|wait| Exceeded { scope: Scope::Connection, wait })
    }

    /// Takes a message of `user` in `chat`.
    pub fn message(&self, user: UserId, chat: ChatId, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let taken = budgets.chats.take((user, chat), now);
        taken.map_err(|wait| Exceeded { scope: Scope::Chat, wait })?;
        let taken = budgets.users.take(user, now);
        taken.map_err(|wait| Exceeded { scope: Scope::User, wait })
    }

    /// Takes a chat that `user` opens.
    pub fn new_chat(&self, user: UserId, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let taken = budgets.new_chats.take(user, now);
        taken.map_err(|wait| Exceeded { scope: Scope::NewChats, wait })
    }

    /// Takes a connection from an address.
    pub fn connection(&self, from: IpAddr, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let taken = budgets.addresses.take(network(from), now);
        taken.map_err(|wait| Exceeded { scope: Scope::Address, wait })
    }

    /// Takes a request over HTTP. `None`: there are no limits to tell of.
    pub async fn http_request(
        &self,
        client: Client,
        wanted: Wanted,
        now: Timestamp,
    ) -> Option<Told> {
        let budgets = self.budgets.as_ref()?;
        let clients = budgets.clients(wanted);
        let scope = clients.scope;
        let (taken, standing) = match client {
            Client::User(user) => {
                let name = || format!("{}:user:{user}", scope.name());
                self.take(&clients.users, user, name, now).await
            }
            Client::Key(key) => {
                let name = || format!("{}:key:{}", scope.name(), HEXLOWER.encode(&key));
                self.take(&clients.keys, key, name, now).await
            }
            Client::Address(from) => {
                let from = network(from);
                let name = || format!("{}:address:{from}", scope.name());
                self.take(&clients.addresses, from, name, now).await
            }
        };
        let taken = taken.map_err(|wait| Exceeded { scope, wait });
        Some(Told { scope, rate: clients.rate(), standing, taken })
    }

    /// Whether a key made requests of late, and so was one.
    pub fn knows_key(&self, key: &[u8; 32]) -> bool {
        self.budgets.as_ref().is_none_or(|budgets| {
            budgets.requests.keys.knows(key) || budgets.downloads.keys.knows(key)
        })
    }

    /// Forgets a key that is good no more.
    pub fn forget_key(&self, key: &[u8; 32]) {
        if let Some(budgets) = &self.budgets {
            budgets.requests.keys.forget(key);
            budgets.downloads.keys.forget(key);
        }
    }

    /// Whether an address has a request of a kind left. Takes none.
    pub fn has_request_left(&self, from: IpAddr, wanted: Wanted, now: Timestamp) -> bool {
        let Some(budgets) = &self.budgets else { return true };
        budgets.clients(wanted).addresses.standing(network(from), now).left > 0
    }

    /// Takes a log-in from an address, to whatever account.
    pub async fn log_in_from(&self, from: IpAddr, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let from = network(from);
        let name = || format!("log_ins:{from}");
        let (taken, _) = self.take(&budgets.log_ins, from, name, now).await;
        taken.map_err(|wait| Exceeded { scope: Scope::LogIns, wait })
    }

    /// Takes a log-in to an account.
    pub async fn log_in(
        &self,
        to: LogInName,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let from = network(from);
        let shared = match &self.cluster {
            Some(cluster) => cluster.guess(&to.to_string(), &from.to_string(), SHARED).await,
            None => None,
        };
        let wait = match shared {
            Some(wait) if wait.is_zero() => {
                // Counted here as well: for when servers count each for itself.
                let _ = budgets.guesses.take(to, from, now);
                Ok(())
            }
            Some(wait) => Err(wait),
            None => budgets.guesses.take(to, from, now),
        };
        wait.map_err(|wait| Exceeded { scope: Scope::LogIns, wait })
    }

    /// A log-in succeeded.
    pub async fn logged_in(&self, to: LogInName, from: IpAddr, now: Timestamp) {
        self.knew_password(to, from, false, now).await;
    }

    /// The password of an account is another, set from this address.
    pub async fn password_changed(&self, of: LogInName, from: IpAddr, now: Timestamp) {
        self.knew_password(of, from, true, now).await;
    }

    /// Noted here as well: it holds when servers count each for itself.
    async fn knew_password(&self, of: LogInName, from: IpAddr, anew: bool, now: Timestamp) {
        let Some(budgets) = &self.budgets else { return };
        let from = network(from);
        if anew {
            budgets.guesses.changed(of, from, now);
        } else {
            budgets.guesses.succeeded(of, from, now);
        }
        let Some(cluster) = self.cluster.clone() else { return };
        let (of, from) = (of.to_string(), from.to_string());
        if anew {
            // Else a place where a thief was at home stays so.
            tokio::spawn(async move { cluster.guessed_anew(&of, &from, SHARED).await });
        } else {
            cluster.guessed(&of, &from, SHARED).await;
        }
    }

    /// A log-in that was taken was no try: nobody compared the password.
    pub async fn log_in_not_tried(&self, to: LogInName) {
        let Some(budgets) = &self.budgets else { return };
        budgets.guesses.give_back(to);
        if let Some(cluster) = &self.cluster {
            cluster.give_guess_back(&to.to_string()).await;
        }
    }

    /// Takes an account that is made from an address.
    pub async fn registration(&self, from: IpAddr, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let from = network(from);
        let name = || format!("registrations:{from}");
        let (taken, _) = self.take(&budgets.registrations, from, name, now).await;
        taken.map_err(|wait| Exceeded { scope: Scope::Registrations, wait })
    }

    /// Takes a refresh token that is used from an address.
    pub async fn refresh(&self, from: IpAddr, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let from = network(from);
        let name = || format!("refreshes:{from}");
        let (taken, _) = self.take(&budgets.refreshes, from, name, now).await;
        taken.map_err(|wait| Exceeded { scope: Scope::Refreshes, wait })
    }

    /// Takes a request from an address that has mail sent, to whomever.
    pub async fn mail_request(&self, from: IpAddr, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let from = network(from);
        let name = || format!("mail_requests:{from}");
        let (taken, _) = self.take(&budgets.mail_requests, from, name, now).await;
        taken.map_err(|wait| Exceeded { scope: Scope::Mail, wait })
    }

    /// Takes a mail that somebody asked for. `false`: it is one too many, of which nobody is told,
    /// as whoever asked for it may be anybody.
    pub async fn mail(&self, to: LogInName, now: Timestamp) -> bool {
        let Some(budgets) = &self.budgets else { return true };
        let (taken, _) = self.take(&budgets.mails, to, || format!("mails:{to}"), now).await;
        taken.is_ok()
    }

    /// Takes a file of so many bytes that `user` uploads.
    pub async fn upload(&self, user: UserId, bytes: u64, now: Timestamp) -> Result<(), Exceeded> {
        let Some(budgets) = &self.budgets else { return Ok(()) };
        let name = || format!("uploads:{user}");
        let (taken, _) = self.take(&budgets.uploads, user, name, now).await;
        taken.map_err(|wait| Exceeded { scope: Scope::Uploads, wait })?;
        let (mib, name) = (bytes.div_ceil(1 << 20), || format!("uploaded_mib:{user}"));
        let (taken, _) = self.take_many(&budgets.uploaded_mib, user, mib, name, now).await;
        taken.map_err(|wait| Exceeded { scope: Scope::UploadedBytes, wait })
    }

    /// Forgets whoever did nothing for a while.
    pub fn sweep(&self, now: Timestamp) {
        let Some(budgets) = &self.budgets else { return };
        budgets.users.sweep(now);
        budgets.chats.sweep(now);
        budgets.new_chats.sweep(now);
        budgets.addresses.sweep(now);
        budgets.requests.sweep(now);
        budgets.downloads.sweep(now);
        budgets.log_ins.sweep(now);
        budgets.guesses.sweep(now);
        budgets.registrations.sweep(now);
        budgets.refreshes.sweep(now);
        budgets.mail_requests.sweep(now);
        budgets.mails.sweep(now);
        budgets.uploads.sweep(now);
        budgets.uploaded_mib.sweep(now);
    }
}

/// What counts as one address: with IPv6 the network of a site, of which anybody has 2^64.
pub fn network(address: IpAddr) -> IpAddr {
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
