//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::network;

/// The places that a listener has.
#[derive(Debug, Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    /// How many each network has; only those that have any, so never more than there are places.
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    of_one_max: usize,
}

/// One connection's place; an extension of each request. Who takes the connection over keeps it for
/// as long as that lives.
#[derive(Debug, Clone)]
pub struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
    _share: Option<Arc<Share>>,
}

/// One of the places that a network has.
#[derive(Debug)]
struct Share {
    network: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Places {
    /// So many places, of which one address (with IPv6, one network of 64 bits) has at most
    /// `of_one_max`.
    pub fn new(max: usize, of_one_max: usize) -> Self {
        let free = Arc::new(Semaphore::new(max));
        Self { free, taken: Arc::default(), of_one_max }
    }

    /// Waits for a place of nobody in particular. Cancel safe.
    pub async fn take(&self) -> io::Result<Place> {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(io::Error::other)?;
        Ok(Place { _permit: Arc::new(permit), _share: None })
    }

    /// Counts a place as one of this address. `None`: it has as many as it may.
    pub fn share(&self, place: Place, address: IpAddr) -> Option<Place> {
        let network = network(address);
        {
            let mut taken = self.taken.lock();
            let count = taken.entry(network).or_default();
            if *count >= self.of_one_max {
                return None;
            }
            *count += 1;
        }
        let share = Share { network, taken: Arc::clone(&self.taken) };
        Some(Place { _share: Some(Arc::new(share)), ..place })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_takes_no_more_than_its_share() {
        let places = Places::new(4, 2);
        let share = async |address: &str| {
            let place = places.take().await.expect("a place");
            places.share(place, address.parse().expect("an address"))
        };
        let first = share("2001:db8::1").await.expect("a share");
        let second = share("2001:db8::2").await.expect("a share of the same network");
        assert!(share("2001:db8::3").await.is_none());
        let other = share("192.0.2.1").await.expect("another's share");
        drop(first.clone());
        assert!(share("2001:db8::3").await.is_none(), "a copy is the same place");
        drop((first, second, other));
        assert!(places.taken.lock().is_empty(), "nothing is kept of those that went");
        assert_eq!(places.free.available_permits(), 4);
    }
}
