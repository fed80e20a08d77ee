//! Amounts: `under 2M`, `1.5-2 million`, `120k/year`, `AED 90,000`, `زیر ۲ میلیون`, `بين مليون ومليونين`.

use crate::criteria::{Budget, Purpose};
use crate::words::{Words, is};

const THOUSAND: &[&str] = &["k", "thousand", "thousands", "الف", "الاف", "هزار", "هزارتا"];
const MILLION: &[&str] =
    &["m", "mn", "mln", "mil", "mio", "million", "millions", "ملیون", "میلیون", "ملایین", "میلیونی", "ملیونی"];
const CURRENCY: &[&str] = &["aed", "dhs", "dh", "dirham", "dirhams", "درهم", "دراهم", "درهمی", "امارات"];
const NOT_MONEY: &[&str] = &[
    "sqft", "sq", "sqm", "ft", "feet", "foot", "meter", "meters", "metre", "metres", "فوت", "متر", "مترا",
    "قدم", "مربع", "متری",
];
const HALF: &[&str] = &["half", "نیم", "نصف", "نص", "ونصف", "ونص"];
const AT_MOST: &[&str] = &[
    "under",
    "below",
    "max",
    "maximum",
    "most",
    "up",
    "upto",
    "less",
    "within",
    "cheaper",
    "to",
    "till",
    "until",
    "تا",
    "زیر",
    "کمتر",
    "حداکثر",
    "سقف",
    "تحت",
    "اقل",
    "حتی",
    "اقصی",
];
const AT_LEAST: &[&str] = &[
    "over",
    "above",
    "min",
    "minimum",
    "least",
    "from",
    "more",
    "بالای",
    "بیشتر",
    "حداقل",
    "از",
    "اکثر",
    "فوق",
    "من",
];
const ABOUT: &[&str] =
    &["around", "about", "approximately", "roughly", "حدود", "تقریبا", "حوالی", "حدودا", "بحدود"];

/// One amount in the text, and where it stands.
#[derive(Clone, Copy, Debug)]
struct Amount {
    value: f64,
    /// Did it say thousand or million itself?
    scaled: bool,
    /// Does something but its size show that it is money?
    sure: bool,
    start: usize,
    end: usize,
}

/// With `asked`, a small number alone is an answer too: thousands of rent, millions of a price.
pub fn budget(words: &Words, asked: bool, purpose: Option<Purpose>) -> Option<Budget> {
    let amounts = amounts(words);
    for pair in amounts.windows(2) {
        if let Some(range) = range(words, pair[0], pair[1]) {
            return Some(range);
        }
    }
    if let Some(amount) = amounts.iter().find(|amount| amount.sure || amount.value >= 10_000.0) {
        return Some(bounded(words, *amount, amount.value));
    }
    let amount = amounts.first().filter(|_| asked)?;
    let scale = match (purpose, amount.value) {
        (Some(Purpose::Buy), 0.1..100.0) => 1_000_000.0,
        (_, 10.0..2_000.0) => 1_000.0,
        (_, 2_000.0..10_000.0) => 1.0,
        _ => return None,
    };
    Some(bounded(words, *amount, amount.value * scale))
}

/// A month's rent was meant.
pub fn is_monthly(words: &Words) -> bool {
    words.any_of(&[
        "month",
        "monthly",
        "mo",
        "pm",
        "ماه",
        "ماهی",
        "ماهانه",
        "ماهیانه",
        "شهر",
        "شهریا",
        "شهری",
    ])
}

pub fn is_yearly(words: &Words) -> bool {
    words.any_of(&[
        "year",
        "yearly",
        "annual",
        "annually",
        "pa",
        "yr",
        "سال",
        "سالی",
        "سالانه",
        "سنه",
        "سنویا",
        "سنوی",
    ])
}

fn amounts(words: &Words) -> Vec<Amount> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match amount_at(words, at) {
            Some(amount) => {
                at = amount.end;
                found.push(amount);
            }
            None => at += 1,
        }
    }
    found
}

fn amount_at(words: &Words, at: usize) -> Option<Amount> {
    let word = words.get(at)?;
    // A phone number is no price.
    if at.checked_sub(1).and_then(|before| words.get(before)) == Some("+") && word.len() > 6 {
        return None;
    }
    let (mut value, mut end, digits) = number_at(words, at)?;
    // `one and a half million`, `یک و نیم میلیون`.
    if let Some(after) = and_a_half(words, end) {
        if words.get(after).and_then(scale).is_some() {
            value += 0.5;
            end = after;
        }
    }
    let scaled = words.get(end).and_then(scale);
    if let Some(scale) = scaled {
        value *= scale;
        end += 1;
        if let Some(after) = and_a_half(words, end) {
            value += 0.5 * scale;
            end = after;
        }
    } else if !digits && value < 1_000.0 {
        return None;
    }
    let scaled = scaled.is_some() || !digits;
    // `90 m2` reads as `90 m 2`.
    let metres = words.get(end) == Some("2") && words.get(end - 1) == Some("m");
    if metres || words.get(end).is_some_and(|word| is(word, NOT_MONEY)) {
        return None;
    }
    if !scaled && looks_like_a_phone(word) {
        return None;
    }
    let currency = |at: Option<usize>| at.and_then(|at| words.get(at)).is_some_and(|word| is(word, CURRENCY));
    let sure = scaled || currency(at.checked_sub(1)) || currency(Some(end));
    Some(Amount { value, scaled, sure, start: at, end })
}

fn looks_like_a_phone(word: &str) -> bool {
    word.len() >= 9 || (word.len() > 1 && word.starts_with('0') && !word.contains('.'))
}

/// A number in digits or words: its value, the word after it, and whether it was in digits.
fn number_at(words: &Words, at: usize) -> Option<(f64, usize, bool)> {
    if let Some(number) = words.number(at) {
        return Some((number, at + 1, true));
    }
    let word = words.get(at)?;
    match word {
        "ملیونین" | "وملیونین" | "ملیونان" => {
            return Some((2_000_000.0, at + 1, false));
        }
        "الفین" => return Some((2_000.0, at + 1, false)),
        _ => {}
    }
    // `a million`, `half a million`, `مليون ونصف`: the scale is the number.
    if is(word, HALF) && words.get(at + 1).is_some() {
        let next = if matches!(words.get(at + 1), Some("a" | "an")) { at + 2 } else { at + 1 };
        return words.get(next).and_then(scale).map(|_| (0.5, next, false));
    }
    if word.len() > 3 && scale(word).is_some() {
        return Some((1.0, at, false));
    }
    let number = counting_word(word)?;
    let next = words.get(at + 1)?;
    let follows = scale(next).is_some()
        || and_a_half(words, at + 1).is_some_and(|after| words.get(after).and_then(scale).is_some());
    follows.then_some((f64::from(number), at + 1, false))
}

/// The place after `and a half`, if that is what stands here.
fn and_a_half(words: &Words, at: usize) -> Option<usize> {
    match words.get(at)? {
        "ونصف" | "ونص" | "ونیم" => return Some(at + 1),
        "and" | "و" => {}
        _ => return None,
    }
    let next = if words.get(at + 1) == Some("a") { at + 2 } else { at + 1 };
    is(words.get(next)?, HALF).then_some(next + 1)
}

fn scale(word: &str) -> Option<f64> {
    if is(word, THOUSAND) {
        Some(1e3)
    } else if is(word, MILLION) {
        Some(1e6)
    } else {
        None
    }
}

/// One to ten in the three languages.
pub fn counting_word(word: &str) -> Option<u8> {
    const WORDS: [&[&str]; 10] = [
        &["one", "یک", "یه", "واحد", "واحده"],
        &["two", "دو", "اثنان", "اثنین", "اثنتین"],
        &["three", "سه", "ثلاث", "ثلاثه"],
        &["four", "چهار", "چار", "اربع", "اربعه"],
        &["five", "پنج", "خمس", "خمسه"],
        &["six", "شش", "شیش", "ست", "سته"],
        &["seven", "هفت", "سبع", "سبعه"],
        &["eight", "هشت", "ثمان", "ثمانیه", "ثمانی"],
        &["nine", "نه", "تسع", "تسعه"],
        &["ten", "ده", "عشر", "عشره"],
    ];
    let place = WORDS.iter().position(|names| names.contains(&word))?;
    u8::try_from(place + 1).ok()
}

/// Two amounts with a hyphen, `to` or `and` between them.
fn range(words: &Words, first: Amount, second: Amount) -> Option<Budget> {
    let between: Vec<&str> = (first.end..second.start).filter_map(|at| words.get(at)).collect();
    let joins = |word: &&str| {
        matches!(*word, "-" | "to" | "and" | "تا" | "الی" | "و" | "حتی" | "until") || is(word, CURRENCY)
    };
    // Arabic writes its "and" as one with what follows.
    let joined = words.get(second.start).is_some_and(|word| word.starts_with('و'));
    if !(joined && between.is_empty() || !between.is_empty() && between.iter().all(joins)) {
        return None;
    }
    if !(second.sure || second.value >= 10_000.0) {
        return None;
    }
    // `1-2m`: the million is for both.
    let mut low = first.value;
    if !first.scaled && second.scaled && low < 1_000.0 {
        low *= if second.value >= 1e6 { 1e6 } else { 1e3 };
    }
    let (low, high) = (whole(low), whole(second.value));
    (low > 0 && low < high).then_some(Budget { min: Some(low), max: Some(high) })
}

/// By the words around it: at most (also where nothing is said), at least, or about.
fn bounded(words: &Words, amount: Amount, value: f64) -> Budget {
    let value = value.min(1e12);
    if near(words, amount.start, ABOUT) {
        return Budget { min: Some(whole(value * 0.85)), max: Some(whole(value * 1.15)) };
    }
    let least = or_more_after(words, amount.end)
        || (at_least_before(words, amount.start) && !at_most_before(words, amount.start));
    if least {
        Budget { min: Some(whole(value)), max: None }
    } else {
        Budget { min: None, max: Some(whole(value)) }
    }
}

fn whole(value: f64) -> u64 {
    // Rounded and bounded above, so the cast keeps the value.
    value.round() as u64
}

fn at_most_before(words: &Words, at: usize) -> bool {
    // "no more than" and "not over".
    near(words, at, AT_MOST) || (near(words, at, AT_LEAST) && near(words, at, &["no", "not"]))
}

fn at_least_before(words: &Words, at: usize) -> bool {
    near(words, at, AT_LEAST) && !near(words, at, &["no", "not", "کمتر", "اقل", "less"])
        || near(words, at, &["حداقل", "least", "الاقل"])
}

/// `+`, `or more`, `and above`, `به بالا`, `فما فوق`.
pub fn or_more_after(words: &Words, at: usize) -> bool {
    let after = |n: usize| words.get(at + n);
    after(0) == Some("+")
        || (0..3).any(|n| {
            after(n).is_some_and(|word| is(word, &["بالا", "فوق", "plus", "بیشتر"]))
                || (matches!(after(n), Some("or" | "and"))
                    && matches!(after(n + 1), Some("more" | "above" | "up" | "over")))
                || (matches!(after(n), Some("او")) && after(n + 1) == Some("اکثر"))
        })
}

/// Is one of these among the three words before? Only words that do not belong to another number.
pub fn near(words: &Words, at: usize, known: &[&str]) -> bool {
    for before in (at.saturating_sub(3)..at).rev() {
        let Some(word) = words.get(before) else { return false };
        if is(word, known) {
            return true;
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
    }
    false
}
