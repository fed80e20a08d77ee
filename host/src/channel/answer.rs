//! What all providers' answers have in common: when to come again, and words that may be shown.

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::glyph;

/// Of the provider's words, at most this many characters.
const ERROR_CHARS: usize = 200;

/// Seconds, or a date; a date counts from the answer's own `Date`, because this code has no clock.
pub fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1e3) as u64);
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text.trim()).ok().map(|at| at.timestamp());
    let until = date(value)?;
    let now = date(headers.get(DATE)?.to_str().ok()?)?;
    Some(u64::try_from(until.as_millisecond() - now.as_millisecond()).unwrap_or(0))
}

/// One line, cut, with long digit strings masked: they are somebody's phone number.
pub fn without_numbers(words: &str) -> String {
    let mut text = String::new();
    let mut digits = 0;
    for c in words.chars().take(ERROR_CHARS) {
        if c.is_ascii_digit() {
            digits += 1;
            match digits {
                1..=6 => text.push(c),
                7 => {
                    text.truncate(text.len() - 6);
                    text.push_str("*****");
                }
                _ => {}
            }
        } else {
            digits = 0;
            text.push(if c.is_control() { ' ' } else { c });
        }
    }
    // Marks that turn the order around are left, among others.
    glyph::shown(text, usize::MAX)
}
