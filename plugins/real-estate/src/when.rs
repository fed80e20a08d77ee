//! Days and times in words: `tomorrow at 5pm`, `الثلاثاء ١٠:٣٠`, `پنجشنبه ساعت ۵ عصر`. Pure.

use switchboard_sdk::Date;

use crate::words::{Words, is};

/// What a text says of a time; either part may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    pub date: Option<Date>,
    pub time: Option<Time>,
}

/// A time of day as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub hour: u8,
    pub minute: u8,
    /// `5` may be the afternoon's; `17:00`, `5pm` and `9 صباحا` are sure.
    pub sure: bool,
}

impl Time {
    /// The times it may mean, the likeliest first.
    pub fn readings(self) -> impl Iterator<Item = (u8, u8)> {
        let later = (!self.sure && self.hour < 12).then_some((self.hour + 12, self.minute));
        std::iter::once((self.hour, self.minute)).chain(later)
    }
}

const WEEKDAYS: [&[&str]; 7] = [
    &["monday", "mon", "دوشنبه", "دو شنبه", "الاثنین", "اثنین", "الاتنین"],
    &["tuesday", "tue", "tues", "سهشنبه", "سه شنبه", "الثلاثا", "ثلاثا"],
    &["wednesday", "wed", "چهارشنبه", "چهار شنبه", "الاربعا", "اربعا"],
    &["thursday", "thu", "thurs", "پنجشنبه", "پنج شنبه", "الخمیس", "خمیس"],
    &["friday", "fri", "جمعه", "الجمعه"],
    &["saturday", "sat", "شنبه", "السبت", "سبت"],
    &["sunday", "sun", "یکشنبه", "یک شنبه", "الاحد", "احد"],
];
const TODAY: &[&str] = &["today", "tonight", "امروز", "الیوم", "اليوم"];
const TOMORROW: &[&str] = &["tomorrow", "tmrw", "tomorow", "فردا", "غدا", "بکره", "بکرا"];
const AFTER_TOMORROW: &[&str] = &["day after tomorrow", "پس فردا", "پسفردا", "بعد غد", "بعد بکره"];
const AM: &[&str] = &["am", "morning", "صبح", "صباحا", "الصبح", "ص"];
const PM: &[&str] = &[
    "pm",
    "afternoon",
    "evening",
    "عصر",
    "ظهر",
    "شب",
    "بعدازظهر",
    "بعد از ظهر",
    "مسا",
    "المسا",
    "عصرا",
    "ظهرا",
    "م",
];
const AT: &[&str] = &["at", "ساعت", "الساعه", "ساعه"];

/// `today` is the date on the tenant's clock.
pub fn when(words: &Words, today: Date) -> When {
    When { date: date(words, today), time: time(words) }
}

fn date(words: &Words, today: Date) -> Option<Date> {
    if words.has_phrase(AFTER_TOMORROW) {
        return Some(today.plus_days(2));
    }
    if words.has_phrase(TOMORROW) {
        return Some(today.plus_days(1));
    }
    if words.has_phrase(TODAY) {
        return Some(today);
    }
    // The longest name: Persian's Saturday is the end of every other day's name.
    let named =
        WEEKDAYS.iter().enumerate().flat_map(|(day, names)| names.iter().map(move |name| (day, *name)));
    let (day, _) = named.filter(|(_, name)| words.has_phrase(&[name])).max_by_key(|(_, name)| name.len())?;
    let ahead = (7 + i32::try_from(day).ok()? - i32::from(today.weekday())) % 7;
    Some(today.plus_days(ahead))
}

fn time(words: &Words) -> Option<Time> {
    (0..words.len()).find_map(|at| time_at(words, at))
}

fn time_at(words: &Words, at: usize) -> Option<Time> {
    let hour = words.number(at).filter(|hour| hour.fract() == 0.0 && (0.0..24.0).contains(hour))? as u8;
    let minutes = || words.number(at + 2).filter(|minute| (0.0..60.0).contains(minute));
    let (minute, end, clock) = match (words.get(at + 1), minutes()) {
        (Some(":"), Some(minute)) => (minute as u8, at + 3, true),
        _ => (0, at + 1, false),
    };
    let half = |word: &[&str]| words.get(end).is_some_and(|next| is(next, word));
    let after_ghable = |word: &[&str]| {
        // `5 بعد از ظهر` is three words.
        let rest: Vec<&str> = (end..end + 3).filter_map(|at| words.get(at)).collect();
        word.contains(&rest.join(" ").as_str())
    };
    if half(PM) || after_ghable(PM) {
        let hour = if hour < 12 { hour + 12 } else { hour };
        return Some(Time { hour, minute, sure: true });
    }
    if half(AM) {
        return Some(Time { hour: hour % 12, minute, sure: true });
    }
    let asked = at.checked_sub(1).and_then(|before| words.get(before)).is_some_and(|word| AT.contains(&word));
    (clock || asked || words.len() == 1).then_some(Time { hour, minute, sure: hour > 12 || hour == 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_understood() {
        // A Monday.
        let today = Date::new(2026, 3, 2).expect("a day");
        for (text, days, time) in [
            ("tomorrow at 5pm", Some(1), Some((17, 0, true))),
            ("Tuesday 10:30", Some(1), Some((10, 30, false))),
            ("monday", Some(0), None),
            ("on Sunday, please", Some(6), None),
            ("day after tomorrow", Some(2), None),
            ("at 4", None, Some((4, 0, false))),
            ("17:00", None, Some((17, 0, true))),
            ("12 pm", None, Some((12, 0, true))),
            ("12 am", None, Some((0, 0, true))),
            ("غداً الساعة ٥ مساءً", Some(1), Some((17, 0, true))),
            ("الثلاثاء ١٠:٣٠", Some(1), Some((10, 30, false))),
            ("الخميس صباحاً", Some(3), None),
            ("فردا ساعت ۵", Some(1), Some((5, 0, false))),
            ("پنجشنبه ۵ عصر", Some(3), Some((17, 0, true))),
            ("سه‌شنبه", Some(1), None),
            ("شنبه ساعت ۱۱", Some(5), Some((11, 0, false))),
            ("یک‌شنبه ۳ بعد از ظهر", Some(6), Some((15, 0, true))),
            ("I have 2 children", None, None),
            ("hello", None, None),
        ] {
            let found = when(&Words::of(text), today);
            assert_eq!(found.date, days.map(|days| today.plus_days(days)), "{text}");
            let said = found.time.map(|time| (time.hour, time.minute, time.sure));
            assert_eq!(said, time, "{text}");
        }
    }
}
