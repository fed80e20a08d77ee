//! How long a reply is worth sending: since it was said, or since an operator asked for it.

use crate::message::Timestamp;
use crate::store::{OutboxEntry, Settlement};

#[derive(Clone, Copy, Debug)]
pub struct Patience {
    give_up_ms: i64,
}

impl Patience {
    pub fn minutes(minutes: u32) -> Self {
        Patience { give_up_ms: i64::from(minutes) * 60_000 }
    }

    /// When a reply that fell due then is given up at the latest.
    pub fn ends(self, due: Timestamp) -> Timestamp {
        due.plus_ms(self.give_up_ms)
    }

    /// The end of a reply that has waited for too long, whatever kept it: `error`.
    pub fn end(self, entry: &OutboxEntry, error: &str, now: Timestamp) -> Option<Settlement> {
        let since = entry.retried_at.unwrap_or(entry.created_at);
        let waited_ms = now.as_ms().saturating_sub(since.as_ms());
        (waited_ms >= self.give_up_ms).then(|| Settlement::Dead {
            error: format!(
                "{error}; given up after {} minutes (delivery.give_up_after_minutes)",
                waited_ms / 60_000
            ),
        })
    }
}
