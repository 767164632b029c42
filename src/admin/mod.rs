//! The operators' port: health, metrics, commands, and with `--load-test` the routes that make
//! accounts and rooms.
//!
//! Health and metrics are open to whoever reaches the port; everything else asks for the token in
//! the data directory. The port answers before the store is open.

mod accounts;
mod audit;
pub mod client;
pub mod data;
mod health;
mod keys;
pub mod listings;
pub mod load_test;
mod metrics;
mod reports;
pub mod search;
mod second_factor;
mod status;
mod suspension;
mod token;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use barterline_protocol::error_code::ErrorCode;
use barterline_storage::bulk::Source;
use barterline_storage::health::Health;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use self::data::Keeper;
pub use self::token::Token;
use crate::rest::Limits;
use crate::rest::problem::{Code, Problem};
use crate::services::listings::Listings;
use crate::services::search::follower::Orders;
use crate::services::staff::Staff;
use crate::telemetry::process::Process;

/// What the routes look at. All clones are one.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

struct Inner {
    phase: AtomicU8,
    token: Token,
    metrics: Mutex<Registry>,
    /// Known once the store is open.
    store: OnceLock<Health>,
    /// The same, for what staff do.
    staff: OnceLock<Staff>,
    /// The same, for moving it.
    keeper: OnceLock<Keeper>,
    /// To put things up for sale.
    listings: OnceLock<Listings>,
    /// Where another search index is asked for, if there is one.
    search: OnceLock<Orders>,
    load_test: OnceLock<Router>,
}

/// What a request of the operator's may take.
const LIMITS: Limits = Limits { body_bytes_max: 2 << 20, timeout: Duration::from_secs(10) };

impl FromRef<Admin> for Limits {
    fn from_ref(_: &Admin) -> Self {
        LIMITS
    }
}

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Admin {
    /// The operators' view of a server that is starting.
    pub fn new(token: Token) -> Self {
        let mut metrics = Registry::with_prefix("barterline");
        metrics.register_collector(Box::new(Process));
        Self(Arc::new(Inner {
            phase: AtomicU8::new(STARTING),
            token,
            metrics: Mutex::new(metrics),
            store: OnceLock::new(),
            staff: OnceLock::new(),
            keeper: OnceLock::new(),
            listings: OnceLock::new(),
            search: OnceLock::new(),
            load_test: OnceLock::new(),
        }))
    }

    /// Adds metrics.
    pub fn register(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.0.metrics.lock());
    }

    /// Looks after the store from here on.
    pub fn watch(&self, store: Health) {
        // A second store would be a second server.
        let _ = self.0.store.set(store);
    }

    /// Lets the operator do what staff do from here on.
    pub fn staff(&self, staff: Staff) {
        let _ = self.0.staff.set(staff);
    }

    /// What staff work with, once the store is open.
    fn staff_tools(&self) -> Result<&Staff, Problem> {
        self.0.staff.get().ok_or_else(|| ErrorCode::Unavailable.into())
    }

    /// Lets the store be moved from here on.
    pub fn keep(&self, store: Arc<dyn Source>) {
        let _ = self.0.keeper.set(Keeper::new(store));
    }

    fn keeper(&self) -> Result<&Keeper, Problem> {
        self.0.keeper.get().ok_or_else(|| ErrorCode::Unavailable.into())
    }

    /// Puts things up for sale from here on.
    pub fn sell(&self, listings: Listings) {
        let _ = self.0.listings.set(listings);
    }

    fn listings(&self) -> Result<&Listings, Problem> {
        self.0.listings.get().ok_or_else(|| ErrorCode::Unavailable.into())
    }

    /// Looks after the search index from here on.
    pub fn search(&self, orders: Orders) {
        let _ = self.0.search.set(orders);
    }

    fn search_orders(&self) -> Result<&Orders, Problem> {
        self.0.search.get().ok_or_else(|| Code::SearchOff.into())
    }

    /// Offers the routes for load tests from here on.
    pub fn offer_load_test(&self, routes: Router) {
        let _ = self.0.load_test.set(routes);
    }

    /// Says "ready" from here on, as long as the store takes writes.
    pub fn serve(&self) {
        self.0.phase.store(SERVING, Ordering::Release);
    }

    /// Says "not ready" from here on.
    pub fn drain(&self) {
        self.0.phase.store(DRAINING, Ordering::Release);
    }

    /// Why nobody should be sent here; `None` when ready.
    fn refusal(&self) -> Option<String> {
        match self.0.phase.load(Ordering::Acquire) {
            STARTING => Some("starting".to_owned()),
            DRAINING => Some("draining".to_owned()),
            _ => self.0.store.get().and_then(Health::failure),
        }
    }

    /// The routes of the admin port.
    pub fn routes(self) -> Router {
        let guarded = Router::new()
            .route("/status", get(status::handle))
            .route("/export", get(data::export_state).post(data::begin_export))
            .route("/keys/reseal", post(keys::reseal))
            .route("/read-only", put(data::close).delete(data::open))
            .route("/accounts", post(accounts::create))
            .route("/accounts/{id}/roles", put(accounts::set_roles))
            .route("/password-codes", post(accounts::password_code))
            .route("/audit", get(audit::list))
            .route("/audit/verification", get(audit::verify))
            .route("/listings", post(listings::import))
            .route("/search", get(search::state))
            .route("/search/rebuild", post(search::rebuild))
            .route("/reports", get(reports::list))
            .route("/reports/{id}", get(reports::read))
            .route("/accounts/{id}/second-factor", delete(second_factor::end))
            .route("/accounts/{id}/suspension", put(suspension::suspend).delete(suspension::lift))
            .route_layer(from_fn_with_state(self.clone(), token::require));
        Router::new()
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(metrics::handle))
            .merge(guarded)
            .fallback(load_test::fallback)
            .method_not_allowed_fallback(async || Problem::from(Code::RouteMethod))
            .with_state(self)
    }
}
