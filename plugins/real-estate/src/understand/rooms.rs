//! Bedrooms: `2br`, `two bedrooms or more`, `2-3 bed`, `دو خوابه`, `غرفتين`, `studio`.

use crate::criteria::Rooms;
use crate::understand::money::{counting_word, near, or_more_after};
use crate::words::{Words, is};

const UNITS: &[&str] = &[
    "bed",
    "beds",
    "bedroom",
    "bedrooms",
    "bdr",
    "bdrm",
    "br",
    "brs",
    "bhk",
    "bd",
    "room",
    "rooms",
    "bedroomed",
    "خواب",
    "خوابه",
    "خوابی",
    "اتاق",
    "اتاقه",
    "اتاقخواب",
    "غرفه",
    "غرف",
    "غرفتین",
    "غرفتان",
    "bedder",
    "bdrs",
    "خوابها",
    "اطاق",
    "bhks",
    "rm",
    "rms",
    "حجره",
];

const STUDIO: &[&str] = &["studio", "studios", "استودیو", "ستودیو", "استدیو", "استودیویی"];

/// Fewer than for money: `to rent 2 beds` and Arabic's `apartment of (from) two rooms` set no bound.
const AT_LEAST: &[&str] = &["least", "min", "minimum", "over", "above", "حداقل", "بیشتر", "اکثر"];
const AT_MOST: &[&str] = &["most", "max", "maximum", "up", "upto", "under", "حداکثر", "کمتر", "اقصی"];

/// With `asked`, a number alone is an answer too.
pub fn rooms(words: &Words, asked: bool) -> Option<Rooms> {
    if words.any_of(STUDIO) {
        return Some(Rooms::exactly(0));
    }
    for at in 0..words.len() {
        if let Some(rooms) = rooms_at(words, at) {
            return Some(rooms);
        }
    }
    if asked && words.len() <= 3 {
        let at = (0..words.len()).find(|at| small(words, *at).is_some())?;
        return small(words, at).map(|n| open(words, at, at + 1, n));
    }
    None
}

fn rooms_at(words: &Words, at: usize) -> Option<Rooms> {
    // Arabic says one and two without a number.
    if is(words.get(at)?, &["غرفتین", "غرفتان", "غرفتی"]) {
        return Some(open(words, at, at + 1, 2));
    }
    if is(words.get(at)?, &["غرفه"])
        && matches!(words.get(at + 1), Some("واحده" | "نوم"))
        && !counted(words, at)
    {
        return Some(open(words, at, at + 2, 1));
    }
    let first = small(words, at)?;
    let mut end = at + 1;
    let mut last = first;
    if matches!(words.get(end), Some("-" | "to" | "or" | "تا" | "یا" | "الی" | "او" | "و")) {
        if let Some(second) = small(words, end + 1) {
            last = second;
            end += 2;
        }
    }
    let plus = words.get(end) == Some("+");
    while matches!(words.get(end), Some("-" | "+" | "تا")) {
        end += 1;
    }
    if !is(words.get(end)?, UNITS) {
        return None;
    }
    if plus {
        return Some(Rooms::at_least(first));
    }
    if last > first {
        return Some(Rooms { min: first, max: last });
    }
    Some(open(words, at, end + 1, first))
}

/// Is there a number before the word?
fn counted(words: &Words, at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| small(words, before).is_some())
}

/// At least, at most or exactly, by the words around.
fn open(words: &Words, start: usize, end: usize, n: u8) -> Rooms {
    if near(words, start, AT_LEAST) || or_more_after(words, end) {
        Rooms::at_least(n)
    } else if near(words, start, AT_MOST) {
        Rooms { min: 0, max: n }
    } else {
        Rooms::exactly(n)
    }
}

/// A count of rooms, in digits or as a word.
fn small(words: &Words, at: usize) -> Option<u8> {
    if let Some(number) = words.number(at) {
        return (number.fract() == 0.0 && (0.0..=20.0).contains(&number)).then_some(number as u8);
    }
    counting_word(words.get(at)?)
}
