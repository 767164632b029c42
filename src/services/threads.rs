//! Threads of our own for work that takes a core for long.

#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy,
};

/// How nice such work is where it may not be idle.
#[cfg(target_os = "linux")]
const BEHIND_OTHERS: i32 = 10;

/// Has this thread give way at once to whoever wants its core. A niceness would not do: who is nice still ends the
/// slice that it has begun, of milliseconds. Nor does a thread give way that steps back in the middle of its first
/// slice, which is why these are there before there is work. Where messages take every core for long, it waits.
pub fn step_back(work: &'static str) {
    #[cfg(target_os = "linux")]
    {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let thread = thread_priority::thread_native_id();
        let set = set_thread_priority_and_policy(thread, ThreadPriority::Min, idle);
        if let Err(error) = set {
            tracing::warn!(?error, work, "done at the priority of messages, or nearly so");
            let _ = rustix::process::nice(BEHIND_OTHERS);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = work;
}
