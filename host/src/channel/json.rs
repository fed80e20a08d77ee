//! Reading JSON from outside: errors name the place, null is the same as absent, and field names of
//! the engines' raw data are compared without case (`selectedRowId`, `selectedRowID`).

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::channel::DecodeError;
use crate::glyph;

pub type Object = Map<String, Value>;

/// Reads a body that is one object. (A list would fill a struct field by field.) Half of a surrogate pair,
/// which JavaScript lets through where it cut a text inside an emoji, becomes U+FFFD instead of costing the
/// whole message. A byte order mark is passed over; of a name that stands twice the last value counts, as
/// everywhere in JavaScript, which is why webhooks are read as [`Object`] and never into a struct.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    is_object(body)?;
    read(body)
}

/// An error if the body begins as anything but an object.
pub fn is_object(body: &[u8]) -> Result<(), DecodeError> {
    match unmarked(body).iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Ok(()),
        _ => Err(DecodeError { what: "expected an object".into(), place: "line 1 column 1".into() }),
    }
}

/// Reads several bodies that a file holds as a list.
pub fn parse_list(body: &[u8]) -> Result<Vec<Value>, DecodeError> {
    read(body)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    mended(body, |body| serde_json::from_slice(body))
}

/// Reads the body, if need be with its lone surrogates replaced.
pub fn mended<T>(body: &[u8], read: impl Fn(&[u8]) -> serde_json::Result<T>) -> Result<T, DecodeError> {
    let body = unmarked(body);
    read(body).or_else(|error| match mend(body) {
        Some(mended) => read(&mended).map_err(|error| syntax(&error)),
        None => Err(syntax(&error)),
    })
}

/// Without the mark that some writers of UTF-8 begin with.
pub fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// What is wrong with a body, in words.
const WHAT_BYTES: usize = 200;

/// What is wrong with a text, and where.
pub fn syntax(error: &serde_json::Error) -> DecodeError {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    // It may quote a field's name, which is as long as somebody likes.
    DecodeError {
        what: glyph::shown(what, WHAT_BYTES),
        place: format!("line {} column {}", error.line(), error.column()),
    }
}

/// The body with every lone surrogate escape replaced; `None` if it has none.
fn mend(body: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < body.len() {
        if body[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(body, at) {
            Some(0xD800..=0xDBFF) if matches!(unit(body, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                mended.get_or_insert_with(|| body.to_vec())[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            // Any other escape, `\\` among them: past its second character.
            _ => at += 2,
        }
    }
    mended
}

/// The UTF-16 unit that is escaped at this place.
fn unit(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The field, unless it is null.
pub fn field<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let found = object
        .get(name)
        .or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// The object under these names, one inside the other.
pub fn object<'a>(object: &'a Object, path: &[&str]) -> Option<&'a Object> {
    path.iter().try_fold(object, |object, name| field(object, name)?.as_object())
}

/// The text under this name, if there is one and it is not empty. For what may be missing: another
/// shape counts as missing.
pub fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    field(object, name)?.as_str().filter(|text| !text.is_empty())
}

/// The text under this name, null being none; another shape is an error. For what must not be lost.
pub fn strict_text<'a>(object: &'a Object, name: &str, place: &str) -> Result<Option<&'a str>, DecodeError> {
    match field(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(missing(object, name, place)),
    }
}

/// An id or a number, written as text or as a whole number; blanks are none.
pub fn word(object: &Object, name: &str) -> Option<String> {
    match field(object, name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// The same, for what an item cannot be without.
pub fn required(object: &Object, name: &str, place: &str) -> Result<String, DecodeError> {
    word(object, name).ok_or_else(|| missing(object, name, place))
}

/// Text that an item cannot be without.
pub fn required_text<'a>(object: &'a Object, name: &str, place: &str) -> Result<&'a str, DecodeError> {
    text(object, name).ok_or_else(|| missing(object, name, place))
}

/// The value as an object.
pub fn as_object<'a>(value: &'a Value, place: &str) -> Result<&'a Object, DecodeError> {
    value.as_object().ok_or_else(|| unlike(Wanted::Object, Some(value), place))
}

/// The list under this name; nothing is none, another shape an error. `place`: the list's own.
pub fn list<'a>(object: &'a Object, name: &str, place: &str) -> Result<Option<&'a Vec<Value>>, DecodeError> {
    match field(object, name) {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        other => Err(unlike(Wanted::List, other, place)),
    }
}

/// What a place should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Text,
    Object,
    List,
}

/// Something else stands there, or nothing; of a wanted text `none` is an empty one.
pub fn unlike(wanted: Wanted, found: Option<&Value>, place: &str) -> DecodeError {
    let found = match (wanted, found) {
        (Wanted::Text, Some(Value::String(_))) => "none",
        (_, found) => found.map_or("nothing", kind),
    };
    let wanted = match wanted {
        Wanted::Text => "text",
        Wanted::Object => "an object",
        Wanted::List => "a list",
    };
    DecodeError { what: format!("expected {wanted}, found {found}"), place: place.to_owned() }
}

/// For a text that an item cannot be without.
pub fn missing(item: &Object, name: &str, place: &str) -> DecodeError {
    unlike(Wanted::Text, field(item, name), &inside(place, name))
}

/// The place of a name; the names of the body itself have no other before them.
fn inside(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// Of a name from outside, this many characters.
const NAME_CHARS: usize = 64;

/// A name from outside, for a reason: one line, cut.
pub fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect()
}

/// True, also where it is written as text.
pub fn flag(object: &Object, name: &str) -> bool {
    match field(object, name) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// A number, also where it is written as text.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// What a value is, for errors.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (body, expected) in [
            (r#"{"":"a\ud83d"}"#, "a\u{FFFD}"),
            (r#"{"":"\udc4b a"}"#, "\u{FFFD} a"),
            (r#"{"":"\ud83d\ud83d\udc4b"}"#, "\u{FFFD}👋"),
            (r#"{"":"\ud83d\udc4b"}"#, "👋"),
            (r#"{"":"\\ud83d \ud83d\n"}"#, "\\ud83d \u{FFFD}\n"),
        ] {
            let object = parse::<Object>(body.as_bytes()).expect("an object");
            assert_eq!(object[""], Value::from(expected), "{body}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_the_last_of_two_names_counts() {
        let object = parse::<Object>(b"\xef\xbb\xbf {\"a\":1,\"a\":2}").expect("an object");
        assert_eq!(object["a"], Value::from(2));
        assert!(parse::<Object>(b"\xef\xbb\xbf[]").is_err());
        assert!(parse::<Object>(b"\xef\xbb\xbf\xef\xbb\xbf{}").is_err());
    }

    #[test]
    fn errors_name_the_place_and_not_the_text() {
        let error = parse::<Value>(b"{\"text\": \"secret\",\n oops}").expect_err("no JSON");
        assert_eq!(error.place, "line 2 column 2");
        assert_eq!(error.what, "key must be a string");
        assert!(parse::<Value>(b"").is_err());
        assert!(parse::<Value>(b"\xff\xfe").is_err());
        assert!(parse::<Value>(b"{\"a\":\"\xff\"}").is_err());
        assert!(parse::<Value>(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()).is_err());
        assert!(parse::<Value>(br#"{"":"\ud83d"#).is_err());
        assert!(parse::<Value>(b"[{}]").is_err());
    }
}
