//! Panics of the server's tasks. A runtime catches them, so somebody has to look.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics of this process's threads instead of printing them.
pub fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if tokio::task::try_id().is_none() {
                // Not the server's: the model itself is wrong.
                print(info);
                return;
            }
            LAST.with_borrow_mut(|last| *last = Some(info.to_string()));
        }));
    });
}

/// Forgets what another schedule left.
pub fn forget() {
    LAST.with_borrow_mut(|last| *last = None);
}

/// Whether no task has panicked.
pub fn none() -> bool {
    LAST.with_borrow(Option::is_none)
}

/// What the last panic said.
pub fn last() -> String {
    LAST.with_borrow(|last| last.clone().unwrap_or_default())
}
