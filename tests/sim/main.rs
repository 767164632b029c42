//! The real server between socket and store, under random schedules. See ARCHITECTURE.md.
//!
//! `BARTERLINE_SEED=n` runs one schedule and prints its steps; `SCHEDULES=n` sets how many are run.

mod client;
mod disk;
mod frames;
mod laws;
mod panics;
mod people;
mod pipe;
mod rng;
mod schedule;
mod server;
mod store;

use std::sync::atomic::{AtomicU64, Ordering};

use barterline::fault::Fault;
use parking_lot::Mutex;

use schedule::Outcome;

/// What is run where nobody says how many: 10,000 take under three minutes on two cores.
const SCHEDULES: u64 = 10_000;
/// Schedules run at a time.
const THREADS: u64 = 2;

#[expect(clippy::disallowed_methods, reason = "a test has no config")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run(seed: u64, trace: bool) -> Outcome {
    panics::keep();
    panics::forget();
    schedule::run(seed, trace)
}

/// Plants a fault in this thread, in a build that has any.
fn plant(fault: Option<Fault>) {
    #[cfg(feature = "planted-faults")]
    barterline::fault::plant(fault);
    #[cfg(not(feature = "planted-faults"))]
    assert_eq!(fault, None, "this build has no faults: --features planted-faults");
}

/// The lowest seed among those that were found to break a law, with what it breaks.
fn first_broken(fault: Option<Fault>) -> Option<(u64, Outcome)> {
    let schedules = number("SCHEDULES").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(0);
    let broken: Mutex<Option<(u64, Outcome)>> = Mutex::new(None);
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                plant(fault);
                while broken.lock().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= schedules {
                        return;
                    }
                    let outcome = run(seed, false);
                    if outcome.broken.is_some() {
                        let mut broken = broken.lock();
                        if broken.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *broken = Some((seed, outcome));
                        }
                    }
                }
            });
        }
    });
    broken.into_inner()
}

#[test]
fn the_sound_server_keeps_every_law() {
    if let Some(seed) = number("BARTERLINE_SEED") {
        let outcome = run(seed, true);
        assert_eq!(outcome.broken, None, "seed {seed}");
        return;
    }
    if let Some((seed, outcome)) = first_broken(None) {
        let broken = outcome.broken.expect("a violation");
        panic!("{broken}\nits steps: BARTERLINE_SEED={seed} cargo test --test sim sound");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..100 {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
}

#[cfg(feature = "planted-faults")]
#[test]
fn every_planted_fault_is_caught() {
    let mut missed = 0;
    for fault in Fault::ALL {
        let name = fault.name();
        let broken = first_broken(Some(*fault));
        if let Some((seed, Outcome { broken: Some(broken), .. })) = broken {
            println!("{name}: caught by seed {seed}, {}", broken.law);
        } else {
            println!("{name}: missed");
            missed += 1;
        }
    }
    println!("model: {} caught, {missed} missed", Fault::ALL.len() - missed);
    assert_eq!(missed, 0, "faults went unnoticed");
}
