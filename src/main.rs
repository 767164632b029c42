//! The server's executable: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    barterline::cli::run()
}
