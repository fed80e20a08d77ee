//! When viewings are possible: the personality's opening hours on the tenant's clock. Pure.

use std::collections::HashMap;

use serde::Deserialize;
use switchboard_sdk::{Date, Timestamp, Zone, hours};

/// The personality's `viewing`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// By the weekday's English name: `monday = ["09:00-13:00", "16:00-19:00"]`.
    pub hours: HashMap<String, Vec<String>>,
    pub slot_minutes: u32,
    /// The earliest viewing is this far from now.
    pub notice_hours: u32,
    pub days_ahead: u16,
    /// Hours before the viewing.
    pub reminder_hours: Vec<u16>,
    /// Days without viewings.
    pub closed: Vec<Date>,
    /// Sent instead of the reminder where the provider allows no free text any more.
    pub reminder_template: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let hours = WEEKDAYS.map(|day| (day.to_owned(), vec!["09:00-18:00".to_owned()]));
        Settings {
            hours: HashMap::from(hours),
            slot_minutes: 60,
            notice_hours: 2,
            days_ahead: 10,
            reminder_hours: vec![24, 2],
            closed: Vec::new(),
            reminder_template: None,
        }
    }
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A viewing that could be agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub at: Timestamp,
    pub hour: u8,
    pub minute: u8,
}

impl Settings {
    /// The slots of a day that are still possible, in order.
    pub fn slots(&self, zone: &Zone, now: Timestamp, date: Date) -> Vec<Slot> {
        if self.closed.contains(&date) {
            return Vec::new();
        }
        let earliest = now + hours(i64::from(self.notice_hours));
        let step = self.slot_minutes.clamp(5, 24 * 60);
        let ranges =
            self.hours.get(WEEKDAYS[usize::from(date.weekday())]).map(Vec::as_slice).unwrap_or_default();
        let mut slots = Vec::new();
        for (open, close) in ranges.iter().filter_map(|range| minutes_of(range)) {
            let mut start = open;
            while start + step <= close {
                let (hour, minute) = ((start / 60) as u8, (start % 60) as u8);
                // A time that the clock skips is no time.
                if let Some(at) = zone.at(date, hour, minute).filter(|at| *at >= earliest) {
                    slots.push(Slot { at, hour, minute });
                }
                start += step;
            }
        }
        slots.sort_by_key(|slot| slot.at);
        slots.dedup();
        slots
    }

    /// The days with a slot, from today on, with their slots.
    pub fn days(&self, zone: &Zone, now: Timestamp) -> Vec<(Date, Vec<Slot>)> {
        let today = zone.local(now).date;
        (0..=i32::from(self.days_ahead))
            .map(|ahead| today.plus_days(ahead))
            .map(|date| (date, self.slots(zone, now, date)))
            .filter(|(_, slots)| !slots.is_empty())
            .collect()
    }
}

/// `09:00-18:00` in minutes of the day.
fn minutes_of(range: &str) -> Option<(u32, u32)> {
    let minutes = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (open, close) = range.split_once('-')?;
    let (open, close) = (minutes(open)?, minutes(close)?.min(24 * 60));
    (open < close).then_some((open, close))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &Zone, date: &str, hour: u8) -> Timestamp {
        zone.at(Date::parse(date).expect("a day"), hour, 0).expect("a time")
    }

    fn shown(slots: &[Slot]) -> Vec<String> {
        slots.iter().map(|slot| format!("{:02}:{:02}", slot.hour, slot.minute)).collect()
    }

    #[test]
    fn slots_lie_in_the_opening_hours_and_not_too_soon() {
        let zone = Zone::named("Asia/Dubai").expect("known");
        let settings = Settings {
            hours: HashMap::from([("monday".into(), vec!["09:00-12:00".into(), "16:00-17:30".into()])]),
            ..Settings::default()
        };
        let monday = Date::parse("2026-03-02").expect("a day");
        let early = settings.slots(&zone, at(&zone, "2026-03-02", 6), monday);
        assert_eq!(shown(&early), ["09:00", "10:00", "11:00", "16:00"]);
        let later = settings.slots(&zone, at(&zone, "2026-03-02", 9), monday);
        assert_eq!(shown(&later), ["11:00", "16:00"]);
        let days = settings.days(&zone, at(&zone, "2026-03-02", 15));
        assert_eq!(days.iter().map(|(day, _)| *day).collect::<Vec<_>>(), [monday.plus_days(7)]);
        let closed = Settings { closed: vec![monday], ..settings };
        assert_eq!(closed.slots(&zone, at(&zone, "2026-03-02", 6), monday), []);
    }

    #[test]
    fn a_day_on_which_the_clock_changes_is_right() {
        let zone = Zone::named("Europe/Berlin").expect("known");
        let settings = Settings {
            hours: HashMap::from([("sunday".into(), vec!["01:00-05:00".into()])]),
            ..Settings::default()
        };
        let day = Date::parse("2026-03-29").expect("a day");
        let slots = settings.slots(&zone, at(&zone, "2026-03-28", 10), day);
        assert_eq!(shown(&slots), ["01:00", "03:00", "04:00"]);
        assert_eq!(slots[1].at.since(slots[0].at), hours(1));
        // Noon is ten in UTC on that Sunday; the day before it was eleven.
        assert_eq!(at(&zone, "2026-03-29", 12).to_string(), "2026-03-29T10:00:00Z");
        assert_eq!(at(&zone, "2026-03-28", 12).to_string(), "2026-03-28T11:00:00Z");
    }

    #[test]
    fn hours_that_make_no_sense_are_no_hours() {
        for range in ["", "9-18", "18:00-09:00", "25:00-26:00", "09:00-09:00", "a:b-c:d"] {
            assert_eq!(minutes_of(range), None, "{range}");
        }
        assert_eq!(minutes_of("00:00 - 24:00"), Some((0, 1440)));
    }
}
