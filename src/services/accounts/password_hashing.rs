//! Password hashes, away from the async threads and within bounds.
//!
//! Each hash takes 19 MiB and some 20 ms of a core by design, so a stranger who tries passwords must
//! not be able to order as many as they like: a few run, a few wait, the rest is told to come back.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use barterline_domain::account::Password;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Hashes that wait at most, unless said otherwise: on two cores the last one waits under a second.
pub const WAITING_MAX: usize = 64;
/// How long one waits at most for its turn.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a caller is told who finds the queue full: by then a full queue has drained.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why there is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// Too many passwords at once.
    #[error("too many passwords are being checked")]
    Busy {
        /// Try again after this time.
        retry_after: Duration,
    },
    /// The hash could not be computed or read: a damaged credential, or no memory.
    #[error("the password hash could not be computed")]
    Failed,
}

/// How much hashing may go on at once.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Hashes that run.
    pub running_max: NonZeroUsize,
    /// Hashes that wait.
    pub waiting_max: usize,
    /// How long one waits.
    pub wait_timeout: Duration,
}

impl Default for Bounds {
    /// One for each core; [`WAITING_MAX`]; [`WAIT_TIMEOUT`].
    fn default() -> Self {
        Self {
            running_max: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            waiting_max: WAITING_MAX,
            wait_timeout: WAIT_TIMEOUT,
        }
    }
}

/// Hashes passwords and checks them. Clones share the bounds.
#[derive(Clone)]
pub struct PasswordHashing(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    /// Checked for an address that nobody registered.
    dummy: String,
    running: Arc<Semaphore>,
    /// Those who run or wait.
    admitted: Arc<Semaphore>,
    wait_timeout: Duration,
}

/// The right to use a core and 19 MiB, given back when it is dropped.
struct Turn {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl PasswordHashing {
    /// Argon2id as OWASP asks for: 19,456 KiB, two passes, one lane.
    pub fn new(bounds: Bounds) -> Self {
        let params = Params::new(19_456, 2, 1, None).expect("sound parameters");
        Self::with_params(params, bounds)
    }

    /// Hashes that cost next to nothing and protect nobody, for tests about something else.
    pub fn weak_for_tests(bounds: Bounds) -> Self {
        let params = Params::new(Params::MIN_M_COST, 1, 1, None).expect("sound parameters");
        Self::with_params(params, bounds)
    }

    fn with_params(params: Params, bounds: Bounds) -> Self {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = argon2
            .hash_password(b"the password of nobody")
            .expect("memory for one hash at start")
            .to_string();
        let running = bounds.running_max.get();
        Self(Arc::new(Inner {
            argon2,
            dummy,
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(running + bounds.waiting_max)),
            wait_timeout: bounds.wait_timeout,
        }))
    }

    /// Hashes a password with a fresh salt, as a PHC string.
    pub async fn hash(&self, password: &Password) -> Result<String, HashingError> {
        let password = password.expose().to_vec();
        let hash = move |argon2: &Argon2<'_>| {
            let hash = argon2.hash_password(&password);
            hash.map(|hash| hash.to_string()).map_err(|_| HashingError::Failed)
        };
        self.run(hash).await?
    }

    /// Checks a password against a PHC string. Without one it takes as long and is `false`.
    pub async fn verify(
        &self,
        password: &Password,
        hash: Option<&str>,
    ) -> Result<bool, HashingError> {
        let password = password.expose().to_vec();
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.0.dummy).to_owned();
        let verify = move |argon2: &Argon2<'_>| {
            let hash = PasswordHash::new(&hash).map_err(|_| HashingError::Failed)?;
            Ok(argon2.verify_password(&password, &hash).is_ok() && known)
        };
        self.run(verify).await?
    }

    /// Runs `work` on the blocking pool when it is its turn. Work that has begun holds its turn
    /// to the end, even when the caller has gone.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'_>) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let turn = self.turn().await?;
        let inner = Arc::clone(&self.0);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&inner.argon2)
        });
        work.await.map_err(|_| HashingError::Failed)
    }

    async fn turn(&self) -> Result<Turn, HashingError> {
        let busy = HashingError::Busy { retry_after: RETRY_AFTER };
        let admitted = Arc::clone(&self.0.admitted);
        let admitted = admitted.try_acquire_owned().map_err(|_| busy)?;
        let running = Arc::clone(&self.0.running).acquire_owned();
        let running = timeout(self.0.wait_timeout, running).await;
        // Neither semaphore is ever closed.
        let running = running.map_err(|_| busy)?.map_err(|_| busy)?;
        Ok(Turn { _running: running, _admitted: admitted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(waiting_max: usize) -> Bounds {
        Bounds { running_max: NonZeroUsize::MIN, waiting_max, wait_timeout: Duration::from_secs(5) }
    }

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).expect("a password")
    }

    #[tokio::test]
    async fn the_hash_is_what_owasp_asks_for() {
        let hashing = PasswordHashing::new(bounds(1));
        let hash = hashing.hash(&password("correct horse")).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |text, hash| hashing.verify(&password(text), hash).await;
        assert_eq!(verify("correct horse", Some(&*hash)).await, Ok(true));
        assert_eq!(verify("battery staple", Some(&*hash)).await, Ok(false));
        assert_eq!(verify("the password of nobody", None).await, Ok(false));
        assert_eq!(verify("correct horse", Some("rot")).await, Err(HashingError::Failed));
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_differ() {
        let hashing = PasswordHashing::weak_for_tests(bounds(1));
        let password = password("correct horse");
        let first = hashing.hash(&password).await;
        assert_ne!(first, hashing.hash(&password).await);
    }

    #[tokio::test]
    async fn beyond_the_queue_callers_are_sent_away() {
        let hashing = PasswordHashing::weak_for_tests(bounds(1));
        let running = hashing.turn().await.expect("a turn");
        let waiting = tokio::spawn({
            let hashing = hashing.clone();
            async move { hashing.turn().await.is_ok() }
        });
        while hashing.0.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let busy = Err(HashingError::Busy { retry_after: RETRY_AFTER });
        assert_eq!(hashing.hash(&password("correct horse")).await, busy);
        drop(running);
        assert!(waiting.await.expect("no panic"));
        assert!(hashing.hash(&password("correct horse")).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let hashing =
            PasswordHashing::weak_for_tests(Bounds { wait_timeout: Duration::ZERO, ..bounds(1) });
        let _running = hashing.turn().await.expect("a turn");
        let busy = Err(HashingError::Busy { retry_after: RETRY_AFTER });
        assert_eq!(hashing.hash(&password("correct horse")).await, busy);
    }
}
