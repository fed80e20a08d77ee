//! What a parameter's value must be, by its kind.

use crate::template::Kind;
use crate::whatsapp_limits::template as limits;

/// What is wrong with a value, and what to do; `Ok` if it is of its kind.
pub fn check(kind: Kind, value: &str) -> Result<(), (String, &'static str)> {
    let wrong = |what: &str, action| Err((what.to_owned(), action));
    if value.trim().is_empty() {
        return wrong("is empty", "WhatsApp takes no empty value; give one");
    }
    if value.contains(|char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')) {
        return wrong("has line breaks, tabs or control characters", "write it in one line");
    }
    match kind {
        Kind::Text if value.contains("     ") => {
            wrong("has more than four spaces in a row", "WhatsApp refuses them; take some away")
        }
        Kind::Text if value.chars().count() > limits::PARAMETER => {
            wrong(&format!("is longer than {} characters", limits::PARAMETER), "shorten it")
        }
        Kind::Text => Ok(()),
        Kind::Number if is_number(value) => Ok(()),
        Kind::Number => wrong("is no number", "write digits with at most one point, such as 12.50"),
        Kind::Currency if is_amount(value) => Ok(()),
        Kind::Currency => {
            wrong("is no amount of money", "write a currency, a space and a number, such as EUR 12.50")
        }
        Kind::Date if is_date(value) => Ok(()),
        Kind::Date => wrong("is no date", "write 2026-03-01 or 2026-03-01T12:00:00Z"),
        Kind::Url if is_address(value) || is_end_of_address(value) => Ok(()),
        Kind::Url => {
            wrong("is no address", "write an https address, or what follows the fixed part of the button's")
        }
        Kind::Media if is_address(value) || is_handle(value) || is_sample(value) => Ok(()),
        Kind::Media => wrong("is no file", "write an https address, or the handle of a received file"),
    }
}

fn is_number(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    value.len() <= 32
        && match value.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(value),
        }
}

fn is_amount(value: &str) -> bool {
    value.split_once(' ').is_some_and(|(currency, number)| {
        currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()) && is_number(number)
    })
}

fn is_date(value: &str) -> bool {
    // jiff also reads forms that nobody else does; the length and the dashes keep to RFC 3339.
    let bytes = value.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    match bytes.get(10) {
        None => value.parse::<jiff::civil::Date>().is_ok(),
        Some(b'T' | b't' | b' ') => value.parse::<jiff::Timestamp>().is_ok(),
        Some(_) => false,
    }
}

fn is_address(value: &str) -> bool {
    value.len() <= limits::URL
        && value.starts_with("https://")
        && url::Url::parse(value)
            .is_ok_and(|url| url.host().is_some() && url.username().is_empty() && url.password().is_none())
}

/// It is put behind a fixed beginning that holds the whole host; see [`super::rules`].
fn is_end_of_address(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'<' | b'>' | b'"');
    value.len() <= limits::URL && !value.contains("://") && value.bytes().all(plain)
}

fn is_handle(value: &str) -> bool {
    value.len() <= 128
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// `4::aW1hZ2UvcG5n:ARb…`: what WhatsApp calls a file that was handed over to show it to those who approve
/// a template.
fn is_sample(value: &str) -> bool {
    let marked = value.split_once("::").is_some_and(|(kind, rest)| {
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty()
    });
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":+/=-_.".contains(&byte);
    marked && value.len() <= limits::URL && value.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_takes_what_it_is_and_nothing_else() {
        let rows: [(Kind, &[&str], &[&str]); 6] = [
            (
                Kind::Text,
                &["Sara", "a    b", "سارا", "0"],
                &["", " ", "a\nb", "a\tb", "a     b", "a\u{2028}b"],
            ),
            (Kind::Number, &["0", "12", "12.50"], &["", "-1", "1.", ".5", "1,5", "1.2.3", "1e3", "١٢"]),
            (
                Kind::Currency,
                &["EUR 12.50", "AED 1000"],
                &["12.50", "eur 1", "EURO 1", "EUR  1", "EUR x", "EUR"],
            ),
            (
                Kind::Date,
                &["2026-03-01", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00+04:00"],
                &["2026-02-30", "01.03.2026", "20260301", "2026-03-01T25:00:00Z", "tomorrow", "2026-03-01Tx"],
            ),
            (
                Kind::Url,
                &["https://example.com/a?b=c", "orders/17?x=1", "17"],
                &["http://example.com", "javascript://x", "a b", "\\\\evil", "https://u:p@example.com"],
            ),
            (
                Kind::Media,
                &["https://example.com/a.png", "m-0123456789abcdef", "4::aW1hZ2UvcG5n:ARb+/="],
                &[
                    "4::",
                    "::x",
                    "x::y",
                    "4::a b",
                    "http://example.com/a.png",
                    "../etc",
                    "file:///etc/passwd",
                    "a b",
                ],
            ),
        ];
        for (kind, good, bad) in rows {
            for value in good {
                assert_eq!(check(kind, value), Ok(()), "{kind:?} {value:?}");
            }
            for value in bad {
                assert!(check(kind, value).is_err(), "{kind:?} {value:?}");
            }
        }
    }
}
