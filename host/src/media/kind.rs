//! What kind of file it is: the provider says it in the message and again with the file, not always
//! the same. Pure.

/// Nobody says what it is.
pub const UNKNOWN: &str = "application/octet-stream";

/// Types have no more characters.
const LONGEST: usize = 127;

/// The type to go by. What comes with the bytes outweighs the message, unless it says nothing; where
/// both agree, the message's may be more exact: `audio/ogg; codecs=opus`.
pub fn settle(declared: Option<&str>, answered: Option<&str>) -> String {
    let declared = declared.and_then(read);
    let Some(answered) = answered.and_then(read).filter(|found| says_something(found)) else {
        return declared.unwrap_or_else(|| UNKNOWN.to_owned());
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

/// Without parameters.
fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (declared, answered, expected) in [
            (Some("image/jpeg"), Some("image/jpeg"), "image/jpeg"),
            (Some("image/jpeg"), Some("IMAGE/PNG"), "image/png"),
            (Some("audio/ogg; codecs=opus"), Some("audio/ogg"), "audio/ogg; codecs=opus"),
            (Some("image/jpeg"), Some("application/octet-stream"), "image/jpeg"),
            (Some("image/jpeg"), None, "image/jpeg"),
            (Some("jpeg"), None, UNKNOWN),
            (None, Some("text/html; charset=utf-8"), "text/html; charset=utf-8"),
            (None, Some("text/html\r\nX-Evil: 1"), UNKNOWN),
            (None, Some("a b/c"), UNKNOWN),
            (None, Some("/"), UNKNOWN),
            (None, None, UNKNOWN),
        ] {
            assert_eq!(settle(declared, answered), expected, "{declared:?} {answered:?}");
        }
    }
}
