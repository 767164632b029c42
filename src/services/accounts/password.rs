//! Hashing passwords: dear on purpose, so off the async threads and bounded.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, PasswordHash};
use barterline_domain::account::Password;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How far hashing steps back where there are fewer cores than work: to a tenth of what others get.
const BEHIND_OTHERS: i32 = 10;
/// Longest wait for a turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// Hash of no password, for addresses that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$YmFydGVybGluZS1ub2JvZHk$\
    mZ0Vb1cQz0xqk1qJ0n0m3mJcS3v3cN1Z0G5m0b6m0aA";

/// Too many passwords are being hashed: try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many log-ins at once")]
pub struct HashingBusy;

/// Where passwords are hashed: argon2id with OWASP's parameters (m = 19 MiB, t = 2, p = 1), which
/// takes 19 MiB and about 20 ms of a core each time.
#[derive(Clone)]
pub struct PasswordHashing {
    /// Hashes under way: bounds memory and cores.
    running: Arc<Semaphore>,
    /// Hashes under way or waiting: beyond, the answer is "busy" at once.
    admitted: Arc<Semaphore>,
}

impl PasswordHashing {
    /// At most `running` at once and `waiting` more in line.
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    /// Hashes a password with a fresh salt, in PHC string format.
    pub async fn hash(&self, password: Password) -> Result<String, HashingBusy> {
        self.run(move || {
            let hash = Argon2::default().hash_password(password.expose());
            hash.expect("sound parameters hash anything").to_string()
        })
        .await
    }

    /// Whether a password matches a hash. Without a hash it never does, after the same work.
    pub async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<bool, HashingBusy> {
        self.run(move || {
            let text = hash.as_deref().unwrap_or(NOBODY);
            let matches = PasswordHash::new(text).is_ok_and(|parsed| {
                Argon2::default().verify_password(password.expose(), &parsed).is_ok()
            });
            matches && hash.is_some()
        })
        .await
    }

    /// Whether a hash is of other parameters than those that are made today.
    pub fn is_dated(hash: &str) -> bool {
        let today = Argon2::default();
        let (algorithm, params) = (Algorithm::default(), today.params());
        let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
        !hash.starts_with(&format!("${}$v=19$m={m},t={t},p={p}$", algorithm.as_str()))
    }

    /// Does something else that takes a core for a while, in turn with hashes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashingBusy> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| HashingBusy)?;
        let turn = timeout(TURN_TIMEOUT, Arc::clone(&self.running).acquire_owned()).await;
        let turn = turn.map_err(|_| HashingBusy)?.map_err(|_| HashingBusy)?;
        let (done, result) = oneshot::channel();
        // A thread of its own, as it takes a thousand times what that costs, and steps back behind those
        // that carry messages: priority goes by thread, and is not given back.
        let thread = std::thread::Builder::new().name("hashing".to_owned());
        let started = thread.spawn(move || {
            step_back();
            let result = work();
            drop((turn, admitted));
            let _ = done.send(result);
        });
        if let Err(error) = started {
            tracing::error!(%error, "no thread to hash a password on");
            return Err(HashingBusy);
        }
        result.await.map_err(|_| HashingBusy)
    }
}

/// Has this thread wait for others. Elsewhere than on Linux it would be the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(BEHIND_OTHERS) {
        tracing::debug!(%error, "a password is hashed at full priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).expect("a password")
    }

    #[tokio::test]
    async fn only_the_password_matches_its_hash() {
        let hashing = PasswordHashing::new(1, 4);
        let hash = hashing.hash(password("correct horse")).await.expect("a turn");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |text: &str, hash: Option<String>| {
            hashing.verify(password(text), hash).await.expect("a turn")
        };
        assert!(verify("correct horse", Some(hash.clone())).await);
        assert!(!verify("battery staple", Some(hash.clone())).await);
        assert!(!verify("correct horse", None).await);
        assert!(![&hash, NOBODY].into_iter().any(PasswordHashing::is_dated));
        assert!(PasswordHashing::is_dated("$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA"));
        // An unknown address costs a real hash: nothing else stops it before the comparison.
        let nobody = PasswordHash::new(NOBODY).expect("a hash");
        let compared = Argon2::default().verify_password(b"correct horse", &nobody);
        assert_eq!(compared, Err(argon2::password_hash::Error::PasswordInvalid));
        let costs = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
        assert_eq!(costs(NOBODY), costs(&hash));
    }

    #[tokio::test]
    async fn too_many_at_once_are_refused_at_once() {
        let hashing = PasswordHashing::new(1, 0);
        let busy = Arc::clone(&hashing.admitted).try_acquire_owned().expect("free");
        assert_eq!(hashing.hash(password("correct horse")).await, Err(HashingBusy));
        drop(busy);
        assert!(hashing.hash(password("correct horse")).await.is_ok());
    }
}
