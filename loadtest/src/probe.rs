//! What processes cost: CPU clocks and resident memory, read from the kernel.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use tokio::task::JoinHandle;

/// CPU time of a process: all its threads, also those that have ended, to the nanosecond. `None`
/// when there is no such process.
pub fn cpu_ns(pid: u32) -> Option<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).ok()?;
    let time = clock_gettime(clock).ok()?;
    u64::try_from(time.num_nanoseconds()).ok()
}

/// CPU time of this process.
pub fn own_cpu_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .ok()
        .and_then(|time| u64::try_from(time.num_nanoseconds()).ok())
        .unwrap_or(0)
}

/// Resident memory of a process in bytes.
pub fn rss_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024)
}

/// CPU time that the whole machine spent on anything, in ticks of 10 ms as nanoseconds.
pub fn machine_busy_ns() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let busy = ticks.iter().take(8).sum::<u64>() - ticks.get(3)? - ticks.get(4)?;
    Some(busy * 10_000_000)
}

/// Lets this process open as many sockets as it may.
pub fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("raising the limit of open files: {error}");
    }
}

/// The CPU time of a server over its restarts.
#[derive(Debug, Default)]
pub struct ProcessCpu {
    pid: Cell<Option<u32>>,
    /// Of processes that have ended.
    before: Cell<u64>,
    /// A reading of the present one, kept while it may be killed at any moment.
    last: RefCell<Option<u64>>,
}

impl ProcessCpu {
    /// Follows a process, if any.
    pub fn of(pid: Option<u32>) -> Self {
        Self { pid: Cell::new(pid), ..Self::default() }
    }

    /// The process is about to be killed: what it has used by now is kept. What it uses until then
    /// is lost, so figures of runs with kills are a little low.
    pub fn about_to_end(&self) {
        *self.last.borrow_mut() = self.pid.get().and_then(cpu_ns);
    }

    /// Another process has taken its place.
    pub fn follow(&self, pid: Option<u32>) {
        let ended = self.last.borrow_mut().take().unwrap_or(0);
        self.before.set(self.before.get() + ended);
        self.pid.set(pid);
    }

    /// CPU time so far.
    pub fn read(&self) -> Option<u64> {
        let present = self.pid.get().and_then(cpu_ns).or(*self.last.borrow())?;
        Some(self.before.get() + present)
    }

    /// Resident memory of the present process.
    pub fn rss_bytes(&self) -> Option<u64> {
        self.pid.get().and_then(rss_bytes)
    }
}

/// Follows the resident memory of a server over its restarts, until it is dropped.
#[derive(Debug)]
pub struct MemoryWatch {
    start: Option<u64>,
    max: Rc<Cell<Option<u64>>>,
    task: JoinHandle<()>,
}

impl MemoryWatch {
    /// Starts now, and reads once in `every`. Must run within a `LocalSet`.
    pub fn start(server: &Rc<ProcessCpu>, every: Duration) -> Self {
        let start = server.rss_bytes();
        let max = Rc::new(Cell::new(start));
        let (server, highest) = (Rc::clone(server), Rc::clone(&max));
        let task = tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(every).await;
                highest.set(highest.get().max(server.rss_bytes()));
            }
        });
        Self { start, max, task }
    }

    /// At the start.
    pub fn start_bytes(&self) -> Option<u64> {
        self.start
    }

    /// The most so far.
    pub fn max_bytes(&self) -> Option<u64> {
        self.max.get()
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Readings at one moment, to be subtracted from those of a later one.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: std::time::Instant,
    server_ns: Option<u64>,
    own_ns: u64,
    machine_ns: Option<u64>,
}

/// What was used between two readings.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Time that passed.
    pub elapsed: Duration,
    /// By the server.
    pub server_ns: Option<u64>,
    /// By the harness.
    pub own_ns: u64,
    /// By anything else on the machine, in cores. Ticks are coarse: it may be a little below zero.
    pub other_cores: Option<f64>,
}

impl Reading {
    /// Reads all clocks.
    pub fn take(server: &ProcessCpu) -> Self {
        Self {
            at: std::time::Instant::now(),
            server_ns: server.read(),
            own_ns: own_cpu_ns(),
            machine_ns: machine_busy_ns(),
        }
    }

    /// What was used since `earlier`.
    pub fn since(&self, earlier: &Self) -> Used {
        let difference = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        let elapsed = self.at - earlier.at;
        let server_ns = difference(self.server_ns, earlier.server_ns);
        let own_ns = self.own_ns - earlier.own_ns;
        let machine_ns = difference(self.machine_ns, earlier.machine_ns);
        let other_cores = machine_ns.map(|machine| {
            let known = server_ns.unwrap_or(0) + own_ns;
            (machine as f64 - known as f64) / elapsed.as_nanos().max(1) as f64
        });
        Used { elapsed, server_ns, own_ns, other_cores }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_some_cpu_and_memory() {
        let pid = std::process::id();
        let before = cpu_ns(pid).expect("our own clock");
        let sum: u64 = std::hint::black_box((0..2_000_000_u64).fold(0, u64::wrapping_add));
        assert_ne!(sum, 0);
        assert!(cpu_ns(pid).expect("our own clock") > before);
        assert!(own_cpu_ns() > before);
        assert!(rss_bytes(pid).expect("our own memory") > 100_000);
        assert!(machine_busy_ns().is_some());
    }

    #[test]
    fn cpu_time_adds_up_over_restarts() {
        let cpu = ProcessCpu::of(Some(std::process::id()));
        cpu.about_to_end();
        cpu.follow(Some(std::process::id()));
        assert!(cpu.read() > cpu_ns(std::process::id()));
        assert_eq!(ProcessCpu::of(None).read(), None);
    }
}
