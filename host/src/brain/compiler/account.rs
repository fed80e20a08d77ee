//! What compiling has cost whom, and what need not be tried again. Pure: time arrives as an argument.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::message::TenantId;

/// What a tenant spent is forgotten after this.
const HOUR: Duration = Duration::from_secs(3_600);

/// What was spent within this time is kept as one entry.
const GRAIN: Duration = Duration::from_secs(60);

/// So long it is known that a component cannot be compiled, and of so many.
const REMEMBERED: Duration = HOUR;
const REMEMBERED_AT_MOST: usize = 256;

/// Seconds of compiling by tenant, over the last hour.
#[derive(Debug, Default)]
pub struct Budget {
    spent: HashMap<TenantId, VecDeque<(Instant, Duration)>>,
}

/// A tenant that has spent what it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub used: Duration,
    /// Until it may spend again.
    pub free_in: Duration,
}

impl Budget {
    pub fn spend(&mut self, tenant: TenantId, cost: Duration, now: Instant) {
        self.spent.retain(|_, entries| {
            entries.retain(|(at, _)| now.saturating_duration_since(*at) < HOUR);
            !entries.is_empty()
        });
        let entries = self.spent.entry(tenant).or_default();
        match entries.back_mut().filter(|(at, _)| now.saturating_duration_since(*at) < GRAIN) {
            Some((_, spent)) => *spent += cost,
            None => entries.push_back((now, cost)),
        }
    }

    pub fn check(&self, tenant: TenantId, limit: Duration, now: Instant) -> Result<(), Spent> {
        let Some(entries) = self.spent.get(&tenant) else { return Ok(()) };
        let recent = entries.iter().filter(|(at, _)| now.saturating_duration_since(*at) < HOUR);
        let used: Duration = recent.clone().map(|(_, cost)| *cost).sum();
        let mut left = used;
        for (at, cost) in recent {
            if left < limit {
                break;
            }
            left -= *cost;
            if left < limit {
                return Err(Spent { used, free_in: (*at + HOUR).saturating_duration_since(now) });
            }
        }
        Ok(())
    }
}

/// Components that cannot be compiled, by digest, with the reason `R`.
#[derive(Debug)]
pub struct Failures<R> {
    known: HashMap<String, (Instant, R)>,
    order: VecDeque<String>,
}

impl<R> Default for Failures<R> {
    fn default() -> Self {
        Failures { known: HashMap::new(), order: VecDeque::new() }
    }
}

impl<R: Clone> Failures<R> {
    pub fn note(&mut self, digest: &str, reason: R, now: Instant) {
        if self.known.insert(digest.to_owned(), (now, reason)).is_none() {
            self.order.push_back(digest.to_owned());
        }
        while self.order.len() > REMEMBERED_AT_MOST {
            self.order.pop_front().and_then(|oldest| self.known.remove(&oldest));
        }
    }

    pub fn find(&self, digest: &str, now: Instant) -> Option<R> {
        let (at, reason) = self.known.get(digest)?;
        (now.saturating_duration_since(*at) < REMEMBERED).then(|| reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_is_free_again_an_hour_later() {
        let (two, three) = (TenantId::new(2).expect("not 0"), TenantId::new(3).expect("not 0"));
        let began = Instant::now();
        let after = |minutes: u64| began + Duration::from_secs(minutes * 60);
        let seconds = Duration::from_secs;
        let mut budget = Budget::default();
        budget.spend(two, seconds(40), after(0));
        budget.spend(two, seconds(50), after(10));
        assert_eq!(budget.check(two, seconds(100), after(10)), Ok(()));
        budget.spend(two, seconds(30), after(20));
        let spent = Spent { used: seconds(120), free_in: seconds(40 * 60) };
        assert_eq!(budget.check(two, seconds(100), after(20)), Err(spent));
        assert_eq!(budget.check(three, seconds(100), after(20)), Ok(()), "each has its own");
        assert_eq!(budget.check(two, seconds(100), after(60)), Ok(()));
    }

    #[test]
    fn failures_are_remembered_for_a_while_and_bounded() {
        let began = Instant::now();
        let mut failures = Failures::default();
        for n in 0..=REMEMBERED_AT_MOST {
            failures.note(&n.to_string(), n, began);
        }
        assert_eq!(failures.find("0", began), None, "the oldest made room");
        assert_eq!(failures.find("1", began), Some(1));
        assert_eq!(failures.find("1", began + REMEMBERED), None);
    }
}
