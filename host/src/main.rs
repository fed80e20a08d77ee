//! The one binary. Everything is in the library; see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    switchboard::cli::main()
}
