//! Pictures are made anew on threads of their own: dear, so off the async threads, bounded, and behind
//! everything else.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use barterline_media::{Encoded, ImageError, Kind, re_encode};
use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::services::threads::step_back;

/// Where pictures are made anew.
#[derive(Clone)]
pub struct Pictures {
    /// As many as are in memory at a time.
    turns: Arc<Semaphore>,
    /// To the threads: as many as there are turns.
    jobs: Sender<Job>,
}

/// The right to have one picture in memory.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// A picture that was made anew.
pub struct Made {
    /// Its sizes, the largest first.
    pub sizes: Vec<Encoded>,
    /// SHA-256 of the largest.
    pub digest: [u8; 32],
}

/// The server goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no pictures are made any more")]
pub struct Closed;

type Job = Box<dyn FnOnce() + Send>;

impl Pictures {
    /// So many at a time, each on a thread that is there as long as this or a clone of it.
    pub fn new(workers: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..workers {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name("pictures".to_owned()).spawn(move || serve(&queue))?;
        }
        Ok(Self { turns: Arc::new(Semaphore::new(workers)), jobs })
    }

    /// Waits for a turn: whoever reads a picture has one first.
    pub async fn turn(&self) -> Result<Turn, Closed> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.map(|permit| Turn { _permit: permit }).map_err(|_| Closed)
    }

    /// Makes a picture anew, in its sizes, and says what the largest is known by. The turn is given back, as what was made is in memory still.
    pub async fn re_encode(
        &self,
        turn: Turn,
        bytes: Bytes,
        kind: Kind,
        pixels_max: u64,
    ) -> Result<(Result<Made, ImageError>, Turn), Closed> {
        let (done, made) = oneshot::channel();
        let job = move || {
            let making = AssertUnwindSafe(|| {
                let sizes = re_encode(&bytes, kind, pixels_max)?;
                // Here, as it takes milliseconds.
                let digest = sizes.first().map(|whole| Sha256::digest(&whole.bytes).into());
                Ok(Made { sizes, digest: digest.unwrap_or_default() })
            });
            let made = panic::catch_unwind(making);
            let made = made.unwrap_or_else(|_| {
                tracing::error!(?kind, "a picture could not be made anew");
                Err(ImageError::Damaged("it cannot be encoded".to_owned()))
            });
            drop(bytes);
            // Whoever waited may be gone: the turn goes with what was made.
            let _ = done.send((made, turn));
        };
        self.jobs.send(Box::new(job)).map_err(|_| Closed)?;
        made.await.map_err(|_| Closed)
    }
}

/// Does what comes, until nobody is left who could ask.
fn serve(queue: &Mutex<Receiver<Job>>) {
    step_back("making pictures anew");
    loop {
        let job = queue.lock().recv();
        let Ok(job) = job else { return };
        if panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a picture could not be told of");
        }
    }
}
