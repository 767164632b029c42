//! Stores that break their contract, one sentence each: a sound store behind a wrapper. A law is
//! worth something when it fails on one of them; without a breach each wrapper keeps every law.

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};

pub mod chat_log;
pub mod inbox;

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod blocks;
pub mod codes;
pub mod credentials;
pub mod favourites;
pub mod identities;
pub mod listing_views;
pub mod listings;
pub mod media;
pub mod reports;
pub mod saved_searches;
pub mod sessions;
pub mod user_state;

/// Lists the breaches of a contract, so that none is forgotten.
macro_rules! breaches {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// How the contract is broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Breach {
            $($(#[$doc])* $name,)+
        }

        impl $crate::conformance::mutants::Breaches for Breach {
            const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}
use breaches;

/// All the ways to break one contract.
pub trait Breaches: Debug + Copy + PartialEq + Sized + 'static {
    /// Every one.
    const ALL: &'static [Self];
}

/// Notices calls that are made at once.
#[derive(Debug, Default)]
pub struct AtOnce(AtomicUsize);

impl AtOnce {
    /// Whether another call comes while this one stands aside: of several at once all but the last
    /// hear yes.
    pub async fn another_comes(&self) -> bool {
        let mine = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::task::yield_now().await;
        self.0.load(Ordering::Relaxed) != mine
    }
}
