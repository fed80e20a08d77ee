//! What a tenant has used of its quotas lately, and what that means: sliding windows over steady time,
//! and words that are said once. Pure; the quotas themselves are in [`crate::tenant::quotas`].

use serde::Serialize;

use crate::message::Timestamp;
use crate::tenant::quotas::{Kind, Quotas};

/// Steady time made of the wall clock: it never goes back, and goes on at once when the clock was set
/// back. A clock that jumps ahead frees early, and holds nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady {
    last: Option<Timestamp>,
    ms: u64,
}

impl Steady {
    pub fn at(&mut self, now: Timestamp) -> u64 {
        let gone = self.last.map_or(0, |last| now.as_ms().saturating_sub(last.as_ms()).max(0));
        self.last = Some(now);
        self.ms = self.ms.saturating_add(gone.unsigned_abs());
        self.ms
    }
}

/// The window in parts, and one that has only begun.
const PARTS: usize = 12;

/// What was used within a stretch of time. Never less than the truth; what was used leaves it by twelfths.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// One part.
    part_ms: u64,
    used: [u64; PARTS + 1],
    /// Which part was written last.
    newest: u64,
}

impl Window {
    pub const fn of_ms(length_ms: u64) -> Self {
        Window { part_ms: length_ms / PARTS as u64, used: [0; PARTS + 1], newest: 0 }
    }

    fn slot(part: u64) -> usize {
        (part % (PARTS as u64 + 1)) as usize
    }

    fn advance(&mut self, steady_ms: u64) {
        let part = steady_ms / self.part_ms;
        let gone = part.saturating_sub(self.newest).min(PARTS as u64 + 1);
        for step in 1..=gone {
            self.used[Self::slot(self.newest + step)] = 0;
        }
        if gone > PARTS as u64 {
            self.used = [0; PARTS + 1];
        }
        self.newest = self.newest.max(part);
    }

    pub fn add(&mut self, amount: u64, steady_ms: u64) {
        self.advance(steady_ms);
        let slot = &mut self.used[Self::slot(self.newest)];
        *slot = slot.saturating_add(amount);
    }

    /// What was just added was not used.
    pub fn take_back(&mut self, amount: u64, steady_ms: u64) {
        self.advance(steady_ms);
        let slot = &mut self.used[Self::slot(self.newest)];
        *slot = slot.saturating_sub(amount);
    }

    pub fn used(&mut self, steady_ms: u64) -> u64 {
        self.advance(steady_ms);
        self.used.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    /// In how many milliseconds less than `limit` is used; 0: it is now.
    pub fn frees_in(&mut self, limit: u64, steady_ms: u64) -> u64 {
        let mut used = self.used(steady_ms);
        let oldest = self.newest.saturating_sub(PARTS as u64);
        let mut part = oldest;
        while used >= limit.max(1) && part <= self.newest {
            used = used.saturating_sub(self.used[Self::slot(part)]);
            part += 1;
        }
        match part == oldest {
            true => 0,
            // The part before this one leaves when it lies a whole window back.
            false => ((part + PARTS as u64) * self.part_ms).saturating_sub(steady_ms).max(1),
        }
    }
}

/// How near a limit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    Fine,
    /// Four fifths are used.
    Near,
    /// Nothing is left.
    Over,
}

impl Level {
    pub fn of(used: u64, limit: u64) -> Self {
        if used >= limit {
            Level::Over
        } else if used >= limit - limit / 5 {
            Level::Near
        } else {
            Level::Fine
        }
    }
}

/// The same is said again after this at the earliest.
const SAID_FOR_MS: u64 = 60 * 60 * 1000;

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    level: Level,
    until_ms: u64,
}

/// One tenant's windows, and what was said of its quotas. Some hundred bytes.
#[derive(Clone, Debug)]
pub struct Meter {
    pub turns: Window,
    pub journal: Window,
    pub log: Window,
    pub uploads: Window,
    pub changes: Window,
    said: [Said; Kind::ALL.len()],
}

const MINUTE_MS: u64 = 60 * 1000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

impl Default for Meter {
    fn default() -> Self {
        Meter {
            turns: Window::of_ms(MINUTE_MS),
            journal: Window::of_ms(MINUTE_MS),
            log: Window::of_ms(MINUTE_MS),
            uploads: Window::of_ms(HOUR_MS),
            changes: Window::of_ms(HOUR_MS),
            said: [Said::default(); Kind::ALL.len()],
        }
    }
}

impl Meter {
    /// The window that a quota is measured in, where it has one.
    pub fn window(&mut self, kind: Kind) -> Option<&mut Window> {
        match kind {
            Kind::TurnsPerMinute => Some(&mut self.turns),
            Kind::JournalBytesPerMinute => Some(&mut self.journal),
            Kind::LogBytesPerMinute => Some(&mut self.log),
            Kind::UploadsPerHour => Some(&mut self.uploads),
            Kind::ChangesPerHour => Some(&mut self.changes),
            _ => None,
        }
    }

    /// Is this to be said? Once for each level that is reached, and again after an hour.
    pub fn is_news(&mut self, kind: Kind, level: Level, steady_ms: u64) -> bool {
        let said = &mut self.said[kind as usize];
        if steady_ms >= said.until_ms {
            said.level = Level::Fine;
        }
        if level <= said.level {
            return false;
        }
        *said = Said { level, until_ms: steady_ms.saturating_add(SAID_FOR_MS) };
        true
    }
}

/// The days that are counted by, in UTC.
pub fn day_of(now: Timestamp) -> u32 {
    u32::try_from(now.as_ms().div_euclid(DAY_MS)).unwrap_or_default()
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// When the day after this one begins.
pub fn next_day(now: Timestamp) -> Timestamp {
    Timestamp::from_ms((now.as_ms().div_euclid(DAY_MS) + 1).saturating_mul(DAY_MS))
}

/// What is said to whom a quota refuses something.
pub fn refusal(kind: Kind, quotas: &Quotas, used: u64, frees_at: Option<Timestamp>) -> String {
    let (name, unit, limit) = (kind.name(), kind.unit().name(), quotas.of(kind));
    let frees = match frees_at {
        Some(at) => format!("it is free again at {at}"),
        None => "it is free again when something is removed".into(),
    };
    format!(
        "the quota {name} is used up: limit {limit} {unit}, used {used}; {frees}. The operator raises it with \
         quotas.{name} of the tenant, or [quotas] {name} for all"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_772_366_400_000 + ms)
    }

    #[test]
    fn steady_time_never_goes_back_and_never_stands_still() {
        let mut steady = Steady::default();
        let told: Vec<u64> =
            [0, 10, -3_600_000, -3_599_990, 0].into_iter().map(|ms| steady.at(at(ms))).collect();
        assert_eq!(told, [0, 10, 10, 20, 3_600_010]);
    }

    #[test]
    fn a_window_frees_what_is_older_than_it() {
        let mut window = Window::of_ms(60_000);
        for _ in 0..10 {
            window.add(1, 1_000);
        }
        window.add(5, 30_000);
        assert_eq!(
            (window.used(59_999), window.used(64_999)),
            (15, 15),
            "a part too long rather than too short"
        );
        assert_eq!(window.frees_in(16, 59_999), 0);
        assert_eq!(window.frees_in(15, 60_000), 5_000);
        assert_eq!(window.frees_in(5, 60_000), 35_000, "the ten are not enough");
        assert_eq!(window.used(65_000), 5);
        assert_eq!((window.used(94_999), window.used(95_000), window.used(10_000_000)), (5, 0, 0));
        assert_eq!(window.frees_in(1, 10_000_000), 0);
    }

    #[test]
    fn each_level_is_said_once_an_hour() {
        let mut meter = Meter::default();
        let mut say = |level, ms| meter.is_news(Kind::TurnsPerMinute, level, ms);
        assert!(!say(Level::Fine, 0) && say(Level::Near, 0) && !say(Level::Near, 1));
        assert!(say(Level::Over, 2) && !say(Level::Near, 3) && !say(Level::Over, 4), "flickering is no news");
        assert!(!say(Level::Over, 3_600_001) && say(Level::Over, 3_600_002));
        assert!(meter.is_news(Kind::Files, Level::Near, 5), "each quota for itself");
    }

    #[test]
    fn levels() {
        for (used, limit, level) in [
            (0, 10, Level::Fine),
            (7, 10, Level::Fine),
            (8, 10, Level::Near),
            (10, 10, Level::Over),
            (11, 10, Level::Over),
            (0, 0, Level::Over),
            (0, 1, Level::Fine),
        ] {
            assert_eq!(Level::of(used, limit), level, "{used} of {limit}");
        }
    }

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!(next_day(Timestamp::from_ms(1)), Timestamp::from_ms(DAY_MS));
        assert_eq!((day_of(Timestamp::from_ms(DAY_MS - 1)), day_of(Timestamp::from_ms(DAY_MS))), (0, 1));
    }

    proptest! {
        /// Whoever asks before each step has never used more than the limit within any whole window, and
        /// is let on when it was told.
        #[test]
        fn never_more_than_the_limit_within_a_window(gaps in prop::collection::vec(0_u64..20_000, 1..150), limit in 1_u64..20) {
            let (mut window, mut now, mut taken) = (Window::of_ms(60_000), 0_u64, Vec::new());
            for gap in gaps {
                now += gap;
                let wait = window.frees_in(limit, now);
                if wait > 0 {
                    prop_assert!(window.frees_in(limit, now + wait - 1) > 0 || wait == 1);
                    now += wait;
                }
                prop_assert_eq!(window.frees_in(limit, now), 0);
                window.add(1, now);
                taken.push(now);
            }
            for (n, from) in taken.iter().enumerate() {
                let within = taken[n..].iter().take_while(|time| **time < from + 60_000).count();
                prop_assert!(within as u64 <= limit, "{} within a minute", within);
            }
        }
    }
}
