//! Ways to take more than one's share.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchboard_sdk::{Reply, Turn};

/// The bare instruction, without a panic before it.
pub fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort()
}

pub fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// An hour by whatever clock there is; a clock that stands still makes it for ever.
pub fn spin_on_the_clock() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3_600) {
        black_box(());
    }
}

/// Takes memory, and touches it, until there is no more.
pub fn bomb() -> ! {
    loop {
        std::mem::forget(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Calls itself until the stack ends.
pub fn deep(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    let below = if black_box(depth) == 0 { 0 } else { deep(depth.wrapping_add(1)) };
    below.wrapping_add(room[black_box(7)])
}

pub fn flood(reply: &mut Reply) {
    for n in 0..10_000 {
        reply.text(n.to_string());
    }
}

pub fn calls(turn: &Turn) -> ! {
    loop {
        black_box(turn.history(100));
    }
}

pub fn fill_the_log() -> ! {
    let line = "a line of a log that nobody reads ".repeat(30);
    loop {
        log::info!("{line}");
    }
}

/// 1 in a fresh instance, always.
pub fn count() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed) + 1
}
