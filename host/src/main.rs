//! The one binary. Everything is in the library; see `cli`.

use std::process::ExitCode;

/// A message allocates a few hundred times, most of it small and freed by another thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    switchboard::cli::main()
}
