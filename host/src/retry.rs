//! How long to wait before the next attempt. Pure: randomness arrives as an argument.

/// No provider's hint holds a message back longer than this.
const LONGEST_HINT_MS: u64 = 24 * 3600 * 1000;

/// Doubling waits with jitter between `base_ms` and `max_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub base_ms: u64,
    pub max_ms: u64,
}

impl Backoff {
    /// The wait after the failed attempt number `attempt`, counted from 1. The wait doubles with each
    /// attempt up to `max_ms`; of that the upper half is random, so that those who failed together do
    /// not come back together. A `hint_ms` (`Retry-After`) is waited out at least, up to a day, and
    /// up to `base_ms` longer, for the same reason. `random` is any number, evenly spread.
    pub fn delay_ms(self, attempt: u32, hint_ms: Option<u64>, random: u64) -> u64 {
        let doublings = attempt.saturating_sub(1);
        let full = match 1_u64.checked_shl(doublings) {
            Some(factor) => self.base_ms.saturating_mul(factor).min(self.max_ms),
            None if self.base_ms == 0 => 0,
            None => self.max_ms,
        };
        let own = full - part(full / 2, random);
        match hint_ms {
            None => own,
            Some(hint) => own.max(hint.min(LONGEST_HINT_MS).saturating_add(part(self.base_ms, random))),
        }
    }
}

/// Between 0 and `most`, both included.
fn part(most: u64, random: u64) -> u64 {
    match most.checked_add(1) {
        Some(choices) => random % choices,
        None => random,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { base_ms: 1_000, max_ms: 60_000 };

    #[test]
    fn waits() {
        for (attempt, hint, random, expected) in [
            (0, None, 0, 1_000),
            (1, None, 0, 1_000),
            (1, None, 500, 500),
            (2, None, 0, 2_000),
            (3, None, 0, 4_000),
            (6, None, 0, 32_000),
            (7, None, 0, 60_000),
            (7, None, 30_000, 30_000),
            (64, None, 0, 60_000),
            (65, None, 0, 60_000),
            (u32::MAX, None, 0, 60_000),
            // A hint longer than the own wait is waited out, a shorter one changes nothing.
            (1, Some(5_000), 0, 5_000),
            (1, Some(5_000), 700, 5_700),
            (7, Some(5_000), 0, 60_000),
            (1, Some(0), 0, 1_000),
            // More than `max_ms`, because the provider says so, but not for ever.
            (1, Some(120_000), 0, 120_000),
            (1, Some(u64::MAX), 0, LONGEST_HINT_MS),
        ] {
            assert_eq!(BACKOFF.delay_ms(attempt, hint, random), expected, "{attempt} {hint:?} {random}");
        }
        assert_eq!(Backoff { base_ms: 0, max_ms: 60_000 }.delay_ms(u32::MAX, None, 7), 0);
        assert_eq!(Backoff { base_ms: 5, max_ms: 0 }.delay_ms(3, None, 7), 0);
    }

    proptest! {
        #[test]
        fn within_its_bounds(
            attempt: u32, random: u64, base_ms in 0_u64..=u64::MAX, max_ms in 0_u64..=u64::MAX, hint: Option<u64>,
        ) {
            let backoff = Backoff { base_ms, max_ms };
            let delay = backoff.delay_ms(attempt, hint, random);
            match hint {
                None => prop_assert!(delay <= max_ms),
                Some(hint) => prop_assert!(delay >= hint.min(LONGEST_HINT_MS)),
            }
        }

        #[test]
        fn never_less_than_half_of_the_doubled_wait(attempt in 1_u32..6, random: u64) {
            let full = 1_000_u64 << (attempt - 1);
            let delay = BACKOFF.delay_ms(attempt, None, random);
            prop_assert!(delay >= full / 2 && delay <= full, "{}", delay);
        }

        #[test]
        fn spread_out(attempt in 1_u32..20) {
            let delays: std::collections::BTreeSet<u64> =
                (0..1_000).map(|random| BACKOFF.delay_ms(attempt, None, random * 7_919)).collect();
            prop_assert!(delays.len() > 300, "{} different waits", delays.len());
        }
    }
}
