//! The rules, one door for both edges; isolated from each other by the stores they hold.

pub mod accounts;
pub mod audit;
pub mod chats;
pub mod erasure;
pub mod favourites;
pub mod listings;
pub mod media;
pub mod people;
pub mod reports;
pub mod saved_searches;
pub mod search;
pub mod sources;
pub mod staff;
mod threads;
pub mod views;

/// Carries on to the end what must not stop half-way, also when whoever asked for it goes away.
pub async fn to_the_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The server has gone away, and whoever waits with it.
        Err(_) => std::future::pending().await,
    }
}
