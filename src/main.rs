//! The server's executable: arguments in, exit code out.

use std::process::ExitCode;

/// What belongs to one connection or message lies together, and is given back from other threads
/// (docs/decisions/0006).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    barterline::cli::run()
}
