//! Back-off: how long to wait before the next attempt. Pure; randomness is an argument.

/// Milliseconds until the attempt after the `attempt`th (from 1): doubled each time from `base_ms`,
/// at most `max_ms`, jittered over its upper half by `random`, and never before the other side's
/// own `hint_ms`.
pub fn delay_ms(attempt: u32, base_ms: u64, max_ms: u64, hint_ms: Option<u64>, random: u64) -> u64 {
    let doubled =
        base_ms.saturating_mul(1u64.checked_shl(attempt.saturating_sub(1).min(32)).unwrap_or(u64::MAX));
    let ceiling = doubled.min(max_ms).max(1);
    let half = ceiling / 2;
    let jittered = half + random % (ceiling - half + 1);
    jittered.max(hint_ms.unwrap_or(0))
}
