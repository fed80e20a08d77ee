//! Local time: what the clock on the tenant's wall shows, right across changes of the clock. The
//! time zone database is compiled in; a brain that asks for no [`Zone`] carries none of it.

use std::fmt;

use jiff_bundled::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::time::Timestamp;

/// A place's rules for its clocks.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// By its IANA name, such as `Asia/Dubai`.
    pub fn named(name: &str) -> Result<Self, Fault> {
        // The bundled database, on every target: a brain computes the same in a test and in the gateway.
        match jiff_bundled::tz::TimeZoneDatabase::bundled().get(name) {
            Ok(zone) => Ok(Zone(zone)),
            Err(_) => Err(Fault::new("time-zone", format!("`{name}` is not an IANA time zone"))),
        }
    }

    pub fn utc() -> Self {
        Zone(TimeZone::UTC)
    }

    /// What a clock there shows at this time.
    pub fn local(&self, at: Timestamp) -> Local {
        let at = jiff_bundled::Timestamp::from_millisecond(at.as_ms())
            .unwrap_or(jiff_bundled::Timestamp::UNIX_EPOCH);
        let local = self.0.to_datetime(at);
        Local {
            date: Date(local.date()),
            hour: local.hour().unsigned_abs(),
            minute: local.minute().unsigned_abs(),
        }
    }

    /// When a clock there shows this. Of two such times (the clock went back) the first; of none
    /// (the clock went forward) `None`.
    pub fn at(&self, date: Date, hour: u8, minute: u8) -> Option<Timestamp> {
        let time = jiff_bundled::civil::Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0)
            .ok()?;
        let ambiguous = self.0.to_ambiguous_timestamp(date.0.to_datetime(time));
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            return None;
        }
        ambiguous.earlier().ok().map(|at| Timestamp::from_ms(at.as_millisecond()))
    }
}

/// A clock's face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    pub date: Date,
    pub hour: u8,
    pub minute: u8,
}

/// A day of the calendar. Text: `2026-03-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(jiff_bundled::civil::Date);

impl Date {
    /// `None` for a day that no calendar has.
    pub fn new(year: i16, month: u8, day: u8) -> Option<Self> {
        let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        jiff_bundled::civil::Date::new(year, month, day).ok().map(Date)
    }

    /// `2026-03-01`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    }

    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.0.month().unsigned_abs()
    }

    pub fn day(self) -> u8 {
        self.0.day().unsigned_abs()
    }

    /// 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> u8 {
        self.0.weekday().to_monday_zero_offset().unsigned_abs()
    }

    /// Stops at the ends of the calendar.
    pub fn plus_days(self, days: i32) -> Self {
        Date(self.0.saturating_add(jiff_bundled::Span::new().days(i64::from(days))))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year(), self.month(), self.day())
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Date::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a date")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text).expect("a date")
    }

    #[test]
    fn dubai_is_four_hours_ahead() {
        let zone = Zone::named("Asia/Dubai").expect("known");
        let at = zone.at(date("2026-03-02"), 9, 0).expect("there");
        assert_eq!(at.to_string(), "2026-03-02T05:00:00Z");
        let local = zone.local(at);
        assert_eq!((local.date, local.hour, local.minute), (date("2026-03-02"), 9, 0));
    }

    #[test]
    fn the_clock_goes_forward_and_back() {
        let zone = Zone::named("Europe/Berlin").expect("known");
        // 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
        assert_eq!(zone.at(date("2026-03-29"), 2, 30), None);
        let before = zone.at(date("2026-03-28"), 10, 0).expect("there");
        let after = zone.at(date("2026-03-29"), 10, 0).expect("there");
        assert_eq!(after.since(before), crate::time::hours(23));
        let twice = zone.at(date("2026-10-25"), 2, 30).expect("there");
        assert_eq!(twice.to_string(), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn dates_count_and_compare() {
        assert_eq!(date("2026-02-28").plus_days(1), date("2026-03-01"));
        assert_eq!(date("2026-03-02").weekday(), 0);
        assert_eq!(Date::parse("2026-02-30"), None);
        assert_eq!(Date::parse("soon"), None);
        assert!(Zone::named("Mars/Base").is_err());
    }
}
