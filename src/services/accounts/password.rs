//! Hashing passwords: dear on purpose, so off the async threads and bounded.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, PasswordHash};
use barterline_domain::account::Password;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::services::threads::step_back;

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
    /// To the threads that hash: as many as may be under way.
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl PasswordHashing {
    /// At most `running` at once, each on a thread that is there as long as this or a clone of it, and `waiting`
    /// more in line.
    pub fn new(running: usize, waiting: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..running {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name("hashing".to_owned()).spawn(move || serve(&queue))?;
        }
        Ok(Self {
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(running + waiting)),
            jobs,
        })
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
        let job = move || {
            // The places are given back by who asked: this thread may wait long for others in the middle of that.
            let _ = done.send((work(), turn, admitted));
        };
        self.jobs.send(Box::new(job)).map_err(|_| HashingBusy)?;
        let (result, ..) = result.await.map_err(|_| HashingBusy)?;
        Ok(result)
    }
}

/// Does what comes, until nobody is left who could ask.
fn serve(queue: &Mutex<Receiver<Job>>) {
    step_back("hashing of passwords");
    loop {
        let job = queue.lock().recv();
        let Ok(job) = job else { return };
        if panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a password could not be hashed");
        }
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
        let hashing = PasswordHashing::new(1, 4).expect("threads");
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

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_and_goes_on_when_one_hash_fails() {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};

        let hashing = PasswordHashing::new(1, 4).expect("threads");
        let failed = hashing.run(|| panic!("on purpose")).await;
        assert_eq!(failed, Err::<(), _>(HashingBusy));
        let policy = hashing.run(thread_priority::thread_schedule_policy).await.expect("a turn");
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(policy.expect("a policy"), idle);
    }

    #[tokio::test]
    async fn too_many_at_once_are_refused_at_once() {
        let hashing = PasswordHashing::new(1, 0).expect("threads");
        let busy = Arc::clone(&hashing.admitted).try_acquire_owned().expect("free");
        assert_eq!(hashing.hash(password("correct horse")).await, Err(HashingBusy));
        drop(busy);
        assert!(hashing.hash(password("correct horse")).await.is_ok());
    }
}
