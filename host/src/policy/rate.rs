//! How fast may be written: the generic cell rate algorithm with its state as a value. A meter lets
//! `burst` pass at once and then one every interval; those that come too early are told when.

use crate::message::provider::Pace;
use crate::message::{Provider, Timestamp};

/// One every interval, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval_us: i64,
    burst: u32,
}

impl Rate {
    /// `per_second` and `burst` count from 1.
    pub fn per_second(per_second: u32, burst: u32) -> Self {
        Rate { interval_us: 1_000_000 / i64::from(per_second.max(1)), burst: burst.max(1) }
    }

    fn of(pace: Pace) -> Self {
        Rate::per_second(pace.per_second, pace.burst)
    }

    pub fn every_ms(every_ms: u64, burst: u32) -> Self {
        let interval_us = i64::try_from(every_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Rate { interval_us, burst: burst.max(1) }
    }

    /// What may pass ahead of the steady pace.
    fn tolerance_us(self) -> i64 {
        self.interval_us.saturating_mul(i64::from(self.burst - 1))
    }
}

/// A sender's rate: its own setting, else what its provider bears.
pub fn of_sender(provider: Provider, per_second: Option<u32>) -> Option<Rate> {
    match per_second {
        // A tenth of a second's worth at once: enough to make up for a loop's rounds.
        Some(own) => Some(Rate::per_second(own, own / 10)),
        None => provider.facts().platform.pace.map(Rate::of),
    }
}

/// The state: when the next would come if all kept the steady pace, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter(i64);

impl Meter {
    /// When the next may pass; not after `now`: it may pass now.
    pub fn free_at(self, rate: Rate, now: Timestamp) -> Timestamp {
        let at = self.0.saturating_sub(rate.tolerance_us());
        // Up, so that whoever comes then is not too early.
        Timestamp::from_ms(at.saturating_add(999).div_euclid(1_000)).max(now)
    }

    /// The place that was taken last is not used.
    pub fn give_back(&mut self, rate: Rate) {
        self.0 = self.0.saturating_sub(rate.interval_us);
    }

    /// Takes the next place, now or later: when it is.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Timestamp {
        let at = self.free_at(rate, now);
        let now_us = now.as_ms().saturating_mul(1_000);
        self.0 = self.0.max(now_us).saturating_add(rate.interval_us);
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_772_366_400_000 + ms)
    }

    /// `(rate, when they come, when they may pass)`, in milliseconds.
    #[test]
    fn places_are_given_in_order() {
        for (case, rate, come, pass) in [
            ("steady", Rate::per_second(10, 1), vec![0, 100, 200], vec![0, 100, 200]),
            ("at once", Rate::per_second(10, 1), vec![0, 0, 0], vec![0, 100, 200]),
            ("a burst", Rate::per_second(10, 3), vec![0, 0, 0, 0, 0], vec![0, 0, 0, 100, 200]),
            ("a pause pays back", Rate::per_second(10, 3), vec![0, 0, 0, 300, 300], vec![0, 0, 0, 300, 300]),
            (
                "but no more than the burst",
                Rate::per_second(10, 2),
                vec![0, 9_000, 9_000, 9_000],
                vec![0, 9_000, 9_000, 9_100],
            ),
            (
                "finer than a millisecond",
                Rate::per_second(80, 1),
                vec![0, 0, 0, 0, 0],
                vec![0, 13, 25, 38, 50],
            ),
            ("the pair's", Rate::every_ms(6_000, 2), vec![0, 1, 2, 3], vec![0, 1, 6_000, 12_000]),
            ("a pace of none is taken for one", Rate::per_second(0, 0), vec![0, 0], vec![0, 1_000]),
        ] {
            let mut meter = Meter::default();
            let passed: Vec<i64> =
                come.into_iter().map(|ms| meter.take(rate, at(ms)).as_ms() - at(0).as_ms()).collect();
            assert_eq!(passed, pass, "{case}");
        }
    }

    #[test]
    fn forty_five_at_once_and_then_one_in_six_seconds() {
        let (mut meter, rate) = (Meter::default(), Rate::every_ms(6_000, 45));
        for n in 0..45 {
            assert_eq!(meter.take(rate, at(0)), at(0), "number {n}");
        }
        assert_eq!(meter.take(rate, at(0)), at(6_000));
        assert_eq!(meter.free_at(rate, at(0)), at(12_000));
    }

    #[test]
    fn looking_takes_nothing() {
        let (mut meter, rate) = (Meter::default(), Rate::per_second(1, 1));
        assert_eq!(meter.free_at(rate, at(0)), at(0));
        meter.take(rate, at(0));
        assert_eq!((meter.free_at(rate, at(5)), meter.free_at(rate, at(2_000))), (at(1_000), at(2_000)));
    }

    #[test]
    fn each_provider_has_its_pace() {
        for (provider, own, expected) in [
            (Provider::Meta, None, Some(Rate::per_second(80, 8))),
            (Provider::Infobip, None, Some(Rate::per_second(80, 8))),
            (Provider::Gupshup, None, Some(Rate::per_second(80, 8))),
            (Provider::Waha, None, Some(Rate::per_second(5, 20))),
            (Provider::Simulator, None, None),
            (Provider::Meta, Some(1_000), Some(Rate::per_second(1_000, 100))),
            (Provider::Waha, Some(1), Some(Rate::per_second(1, 1))),
            (Provider::Simulator, Some(2), Some(Rate::per_second(2, 1))),
        ] {
            assert_eq!(of_sender(provider, own), expected, "{provider} {own:?}");
        }
    }

    proptest! {
        /// Whoever comes when, no second sees more than the burst and the pace.
        #[test]
        fn never_more_than_it_says(gaps in prop::collection::vec(0_i64..200, 1..200), per_second in 1_u32..200, burst in 1_u32..20) {
            let rate = Rate::per_second(per_second, burst);
            let (mut meter, mut now, mut passed) = (Meter::default(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                passed.push(meter.take(rate, at(now)).as_ms());
            }
            prop_assert!(passed.is_sorted());
            for (n, from) in passed.iter().enumerate() {
                let within = passed[n..].iter().take_while(|time| **time < from + 1_000).count();
                prop_assert!(within <= (per_second + burst) as usize + 1, "{} within a second", within);
            }
        }
    }
}
