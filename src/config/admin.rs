//! Where the operator connects.

use std::net::{Ipv4Addr, SocketAddr};

use super::section::{Any, section};

section! {
    /// The operator's listener: health, metrics, commands.
    pub struct Admin = "admin" {
        /// Address and port; port 0 takes any free one. Never open it to strangers.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)), Any("ADDRESS:PORT");
    }
}
