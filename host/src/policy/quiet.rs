//! Quiet hours: from one time of day until another, as the clocks on the tenant's walls show it.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::message::Timestamp;
use crate::tenant::policy::QuietHours;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    until: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("\"{0}\" is no time of day")]
    NoTime(String),
    #[error("they begin when they end")]
    Empty,
}

impl Hours {
    pub fn parse(written: &QuietHours) -> Result<Self, Error> {
        let (from, until) = (time(&written.from)?, time(&written.until)?);
        if from == until {
            return Err(Error::Empty);
        }
        Ok(Hours { from, until })
    }

    /// When the quiet hours that reign at `now` end; `None` where none do.
    pub fn end(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let local = jiff::Timestamp::from_millisecond(now.as_ms()).ok()?.to_zoned(zone.clone()).datetime();
        let (time, today) = (local.time(), local.date());
        let over_midnight = self.from > self.until;
        let quiet = match over_midnight {
            false => self.from <= time && time < self.until,
            true => self.from <= time || time < self.until,
        };
        if !quiet {
            return None;
        }
        let tomorrow = over_midnight && time >= self.from;
        let day = if tomorrow { today.tomorrow().ok()? } else { today };
        moment(zone, day, self.until, now)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from, self.until);
        write!(f, "{:02}:{:02} to {:02}:{:02}", from.hour(), from.minute(), until.hour(), until.minute())
    }
}

/// `22:00`.
fn time(text: &str) -> Result<Time, Error> {
    let refused = || Error::NoTime(text.to_owned());
    let (hour, minute) = text.split_once(':').ok_or_else(refused)?;
    let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() == 2 {
        true => part.parse::<i8>().map_err(|_| refused()),
        false => Err(refused()),
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| refused())
}

/// When the clocks show this after `now`. Where they skip it, when they have skipped it; where they
/// show it twice, the next time.
fn moment(zone: &TimeZone, day: Date, time: Time, now: Timestamp) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_zoned(day.to_datetime(time));
    let twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
    let ms = |at: jiff::Zoned| Timestamp::from_ms(at.timestamp().as_millisecond());
    let first = ms(ambiguous.clone().compatible().ok()?);
    if twice && first <= now {
        return ambiguous.later().ok().map(ms);
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, until: &str) -> Result<Hours, Error> {
        Hours::parse(&QuietHours { from: from.into(), until: until.into() })
    }

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
    }

    #[test]
    fn quiet_hours_end_in_the_tenants_morning() {
        for (case, zone, (from, until), now, end) in [
            (
                "before midnight",
                "UTC",
                ("22:00", "08:00"),
                "2026-03-01T23:30:00Z",
                Some("2026-03-02T08:00:00Z"),
            ),
            (
                "after midnight",
                "UTC",
                ("22:00", "08:00"),
                "2026-03-02T01:00:00Z",
                Some("2026-03-02T08:00:00Z"),
            ),
            (
                "when they begin",
                "UTC",
                ("22:00", "08:00"),
                "2026-03-01T22:00:00Z",
                Some("2026-03-02T08:00:00Z"),
            ),
            ("just before", "UTC", ("22:00", "08:00"), "2026-03-01T21:59:59.999Z", None),
            ("when they end", "UTC", ("22:00", "08:00"), "2026-03-02T08:00:00Z", None),
            (
                "just before the end",
                "UTC",
                ("22:00", "08:00"),
                "2026-03-02T07:59:59.999Z",
                Some("2026-03-02T08:00:00Z"),
            ),
            ("in the day", "UTC", ("13:00", "14:30"), "2026-03-02T14:00:00Z", Some("2026-03-02T14:30:00Z")),
            ("after the siesta", "UTC", ("13:00", "14:30"), "2026-03-02T14:30:00Z", None),
            (
                "elsewhere",
                "Asia/Dubai",
                ("22:00", "08:00"),
                "2026-03-01T18:30:00Z",
                Some("2026-03-02T04:00:00Z"),
            ),
            ("elsewhere by day", "Asia/Dubai", ("22:00", "08:00"), "2026-03-01T04:30:00Z", None),
            (
                "half an hour off",
                "Asia/Tehran",
                ("22:00", "08:00"),
                "2026-03-01T18:30:00Z",
                Some("2026-03-02T04:30:00Z"),
            ),
            // Clocks go forward on 2026-03-29 at 02:00 in Berlin: the night is an hour shorter.
            (
                "a short night",
                "Europe/Berlin",
                ("22:00", "08:00"),
                "2026-03-28T22:00:00Z",
                Some("2026-03-29T06:00:00Z"),
            ),
            (
                "an end that is skipped",
                "Europe/Berlin",
                ("22:00", "02:30"),
                "2026-03-28T22:00:00Z",
                Some("2026-03-29T01:30:00Z"),
            ),
            // And back on 2026-10-25 at 03:00: an hour longer, 02:00 to 03:00 comes twice.
            (
                "a long night",
                "Europe/Berlin",
                ("22:00", "08:00"),
                "2026-10-24T21:00:00Z",
                Some("2026-10-25T07:00:00Z"),
            ),
            (
                "an end that comes twice",
                "Europe/Berlin",
                ("22:00", "02:30"),
                "2026-10-24T21:00:00Z",
                Some("2026-10-25T00:30:00Z"),
            ),
            ("between the two", "Europe/Berlin", ("22:00", "02:30"), "2026-10-25T00:45:00Z", None),
            (
                "quiet once more",
                "Europe/Berlin",
                ("22:00", "02:30"),
                "2026-10-25T01:15:00Z",
                Some("2026-10-25T01:30:00Z"),
            ),
            // Beirut goes forward at midnight: there is no 00:00 on 2026-03-29.
            (
                "a midnight that is skipped",
                "Asia/Beirut",
                ("20:00", "00:00"),
                "2026-03-28T20:00:00Z",
                Some("2026-03-28T22:00:00Z"),
            ),
        ] {
            let zone = TimeZone::get(zone).expect("a zone");
            let found = hours(from, until).expect("hours").end(&zone, ms(now));
            assert_eq!(found, end.map(ms), "{case}");
        }
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        for (from, until, expected) in [
            ("22:00", "08:00", None),
            ("00:00", "23:59", None),
            ("24:00", "08:00", Some("\"24:00\" is no time of day")),
            ("22:60", "08:00", Some("\"22:60\" is no time of day")),
            ("22", "08:00", Some("\"22\" is no time of day")),
            ("22:00", "8:00", Some("\"8:00\" is no time of day")),
            ("22:00", "+8:00", Some("\"+8:00\" is no time of day")),
            ("", "08:00", Some("\"\" is no time of day")),
            ("08:00", "08:00", Some("they begin when they end")),
        ] {
            assert_eq!(
                hours(from, until).err().map(|error| error.to_string()).as_deref(),
                expected,
                "{from} {until}"
            );
        }
    }
}
