//! Time, to the microsecond. tokio's timer counts milliseconds, which is a hundred times longer
//! than a delivery; so paced sending waits on a timer of the kernel.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use anyhow::Context as _;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Nanoseconds since the run began.
#[derive(Debug, Clone, Copy)]
pub struct RunClock(Instant);

impl RunClock {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The present.
    pub fn now(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// Waits for points in time.
#[derive(Debug)]
pub struct Pacer {
    clock: RunClock,
    timer: AsyncFd<OwnedFd>,
}

impl Pacer {
    /// A pacer by `clock`.
    pub fn new(clock: RunClock) -> anyhow::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )
        .context("creating a timer")?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for the sake of types that do not own their \
                      descriptor; this one does"
        )]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Self { clock, timer })
    }

    /// Returns at `due_ns`, or lets others run for a moment if that has passed. Gives the present.
    pub async fn until(&self, due_ns: u64) -> io::Result<u64> {
        let now = self.clock.now();
        if now >= due_ns {
            tokio::task::yield_now().await;
            return Ok(now);
        }
        let wait = due_ns - now;
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: (wait / 1_000_000_000).cast_signed(),
                tv_nsec: (wait % 1_000_000_000).cast_signed(),
            },
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.timer.readable().await?;
            let mut count = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut count) {
                Ok(_) => {
                    // It fires once: what is left of the readiness is stale.
                    ready.clear_ready();
                    return Ok(self.clock.now());
                }
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pacer_is_never_early() {
        let clock = RunClock::start();
        let pacer = Pacer::new(clock).expect("a timer");
        for micros in [0, 1, 50, 400] {
            let due = clock.now() + micros * 1_000;
            assert!(pacer.until(due).await.expect("the timer works") >= due || micros == 0);
        }
    }
}
