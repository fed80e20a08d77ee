//! What kind of file it is: the provider says it in the message and again with the file, not always
//! the same, and the file's name may say it too. Pure.

use crate::channel::mime::{self, essence};

/// Nobody says what it is.
pub const UNKNOWN: &str = "application/octet-stream";

/// Types have no more characters.
const LONGEST: usize = 127;

/// The type to go by. What comes with the bytes outweighs the message, unless it says nothing; where
/// both agree, the message's may be more exact: `audio/ogg; codecs=opus`. Where neither says anything, the
/// end of the file's name does.
pub fn settle(declared: Option<&str>, answered: Option<&str>, filename: Option<&str>) -> String {
    let declared = declared.and_then(read);
    let Some(answered) = answered.and_then(read).filter(|found| says_something(found)) else {
        let by_name = || filename.and_then(mime::of_name).map(str::to_owned);
        let said = declared.clone().filter(|found| says_something(found));
        return said.or_else(by_name).or(declared).unwrap_or_else(|| UNKNOWN.to_owned());
    };
    match declared {
        Some(declared) if essence(&declared) == essence(&answered) => declared,
        _ => answered,
    }
}

fn says_something(found: &str) -> bool {
    !matches!(essence(found), UNKNOWN | "binary/octet-stream" | "application/binary")
}

/// In small letters; `None` where it is no type.
fn read(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let (kind, subtype) = essence(&text).split_once('/')?;
    let word = |word: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
        !word.is_empty() && word.bytes().all(allowed)
    };
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    (word(kind) && word(subtype) && printable && text.len() <= LONGEST).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (declared, answered, filename, expected) in [
            (Some("image/jpeg"), Some("image/jpeg"), None, "image/jpeg"),
            (Some("image/jpeg"), Some("IMAGE/PNG"), None, "image/png"),
            (Some("audio/ogg; codecs=opus"), Some("audio/ogg"), None, "audio/ogg; codecs=opus"),
            (Some("image/jpeg"), Some("application/octet-stream"), None, "image/jpeg"),
            (Some("image/jpeg"), None, Some("a.png"), "image/jpeg"),
            (Some("jpeg"), None, None, UNKNOWN),
            (None, Some("text/html; charset=utf-8"), Some("a.txt"), "text/html; charset=utf-8"),
            (None, Some("text/html\r\nX-Evil: 1"), None, UNKNOWN),
            (None, Some("a b/c"), None, UNKNOWN),
            (None, Some("/"), None, UNKNOWN),
            (None, None, None, UNKNOWN),
            (None, None, Some("tour.WebM"), "video/webm"),
            (Some(UNKNOWN), Some("binary/octet-stream"), Some("plan.pdf"), "application/pdf"),
            (Some("application/binary"), None, Some("plan"), "application/binary"),
        ] {
            let settled = settle(declared, answered, filename);
            assert_eq!(settled, expected, "{declared:?} {answered:?} {filename:?}");
        }
    }
}
