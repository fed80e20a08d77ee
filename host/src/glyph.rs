//! Characters as people's keyboards and apps really send them: digits of other scripts, marks that
//! cannot be seen; and how text that others wrote is shown among ours: [`Shown`]. Pure; what it is used
//! for is not known here.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// Takes no place on the screen and carries no meaning in a token: bidi marks and isolates, joiners,
/// the soft hyphen, byte order marks, variation selectors, tags, and control characters that are not
/// white space.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}' | '\u{E0100}'..='\u{E01EF}')
        || (c.is_control() && !c.is_whitespace())
}

/// Changes how the text around it is read without being seen itself: controls, line and paragraph
/// separators, bidi marks, embeddings and isolates, the byte order mark, tags.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// What a guest, contact or stranger wrote, as one line of at most `at_most` bytes that can be shown
/// in a log, an audit entry, a terminal or an answer: characters that mislead become `\u{..}`, and what
/// is cut off is told by `…`. It stays a value among ours and is never a message or a format itself.
pub fn shown(text: impl Display, at_most: usize) -> String {
    let mut line = Bounded { line: String::new(), end: 0, at_most, cut: false };
    // Ends early where the line is full: what is not shown need not be written.
    let _ = write!(line, "{text}");
    line.line
}

/// The same, lines and all: only what a terminal would obey or show in the wrong order is replaced.
pub fn shown_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && misleads(c) { lines.extend(c.escape_unicode()) } else { lines.push(c) }
    }
    lines
}

/// JSON that reads the same and misleads nobody who sees it. (What misleads stands in texts only, and
/// there JSON has an escape for it.)
pub fn shown_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !misleads(c) {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// A line that is made of whatever is written to it.
struct Bounded {
    line: String,
    /// Where the text may end so that the sign of the cut still fits.
    end: usize,
    at_most: usize,
    cut: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const CUT: char = '…';
        for c in text.chars() {
            if self.cut {
                return Err(fmt::Error);
            }
            if misleads(c) {
                self.line.extend(c.escape_unicode())
            } else {
                self.line.push(c)
            }
            if self.line.len() > self.at_most {
                self.line.truncate(self.end);
                self.line.push(CUT);
                self.cut = true;
            } else if self.line.len() + CUT.len_utf8() <= self.at_most {
                self.end = self.line.len();
            }
        }
        Ok(())
    }
}

/// One line of what others wrote, as [`shown`] makes it: reasons, errors and faults hold nothing else, so
/// that they can be logged, audited, kept, answered and printed as they are.
#[derive(Clone, Debug, Default, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Shown(String);

impl Shown {
    /// In bytes. Enough for a sentence, a place and the first frames of a trap.
    pub const MOST: usize = 2_000;

    pub fn new(text: impl Display) -> Self {
        Shown(shown(text, Self::MOST))
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        // What is fine already is not written anew.
        if text.len() <= Self::MOST && !text.chars().any(misleads) { Shown(text) } else { Shown::new(text) }
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Shown::new(text)
    }
}

impl From<Shown> for String {
    fn from(line: Shown) -> Self {
        line.0
    }
}

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Deref for Shown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for Shown {
    fn eq(&self, other: &T) -> bool {
        self.0 == other.as_ref()
    }
}

impl Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// A text without what cannot be seen, in ASCII where a character has an ASCII form.
pub fn plain(text: &str) -> Cow<'_, str> {
    // Almost every address and id is: nothing is copied.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !is_invisible(*c)).map(to_ascii).collect())
}

/// The same character in ASCII, where it is a decimal digit of a script that is written with ten of
/// them in a row (Arabic-Indic, Persian, Devanagari, ...) or a fullwidth form; else the character.
pub fn to_ascii(c: char) -> char {
    /// The zeros; nine follow each.
    const ZEROS: [char; 18] = [
        '\u{0660}', '\u{06F0}', '\u{07C0}', '\u{0966}', '\u{09E6}', '\u{0A66}', '\u{0AE6}', '\u{0B66}',
        '\u{0BE6}', '\u{0C66}', '\u{0CE6}', '\u{0D66}', '\u{0E50}', '\u{0ED0}', '\u{0F20}', '\u{1040}',
        '\u{17E0}', '\u{1810}',
    ];
    if c.is_ascii() {
        return c;
    }
    if let '\u{FF01}'..='\u{FF5E}' = c {
        return char::from_u32(c as u32 - 0xFEE0).unwrap_or(c);
    }
    for zero in ZEROS {
        if let Some(value) = (c as u32).checked_sub(zero as u32)
            && value < 10
        {
            return char::from_digit(value, 10).unwrap_or(c);
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_other_scripts_become_ascii_and_nothing_else_changes() {
        let digits = "٠١٢٣٤٥٦٧٨٩ ۰۱۲۳۴۵۶۷۸۹ ０１２３４５６７８９ ०१२३४५६७८९ ０";
        let plain: String = digits.chars().map(to_ascii).collect();
        assert_eq!(plain, "0123456789 0123456789 0123456789 0123456789 0");
        for same in ['a', 'é', 'س', '二', '²', '½', '👋', '\u{0659}', '\u{066A}'] {
            assert_eq!(to_ascii(same), same);
        }
    }

    #[test]
    fn marks_are_invisible_and_letters_and_spaces_are_not() {
        for mark in ['\u{200E}', '\u{200D}', '\u{200C}', '\u{FEFF}', '\u{AD}', '\u{FE0F}', '\u{2067}', '\0'] {
            assert!(is_invisible(mark), "{mark:?}");
        }
        for seen in ['a', '_', ' ', '\n', '\u{00A0}', '2', 'ی'] {
            assert!(!is_invisible(seen), "{seen:?}");
        }
    }

    #[test]
    fn what_misleads_is_made_visible_and_what_is_long_is_cut() {
        let cases = [
            ("Sara سارا 👋", 100, "Sara سارا 👋"),
            ("می\u{200C}خواهم", 100, "می\u{200C}خواهم"),
            ("a\nERROR b\r\t", 100, "a\\u{a}ERROR b\\u{d}\\u{9}"),
            ("\u{202E}txt.exe\u{2028}\0\x1b[31m", 100, "\\u{202e}txt.exe\\u{2028}\\u{0}\\u{1b}[31m"),
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abc…"),
            ("سسسس", 7, "سس…"),
            ("\n\n\n", 8, "\\u{a}…"),
        ];
        for (text, at_most, expected) in cases {
            let line = shown(text, at_most);
            assert_eq!(line, expected, "{text:?}");
            assert!(line.len() <= at_most, "{text:?}");
        }
    }

    #[test]
    fn a_line_stays_as_it_is_when_it_is_shown_again_and_is_bounded_when_it_is_read_back() {
        let line = Shown::from("a\nERROR b\u{202E}".repeat(1_000));
        assert!(line.len() <= Shown::MOST && line.ends_with('…'), "{line}");
        assert_eq!(Shown::from(line.to_string()), line);
        let read: Shown = serde_json::from_str(r#""a\nb""#).expect("a text");
        assert_eq!(&*read, "a\\u{a}b");
        assert_eq!(serde_json::to_string(&read).expect("a text"), r#""a\\u{a}b""#);
    }

    #[test]
    fn an_endless_text_is_written_as_far_as_it_is_shown() {
        struct Endless;
        impl Display for Endless {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    formatter.write_str("again ")?;
                }
            }
        }
        assert_eq!(shown(Endless, 16), "again again a…");
    }

    #[test]
    fn many_lines_and_json_keep_their_shape() {
        assert_eq!(shown_lines("a\n\tb\r\u{202E}\x1b[1m"), "a\n\\u{9}b\\u{d}\\u{202e}\\u{1b}[1m");
        let value = serde_json::json!({"a\u{85}": "\u{E0041}\u{202E}\n\u{7F}", "b": "سارا"});
        let json = shown_json(&format!("{value:#}"));
        assert!(!json.chars().any(|c| c != '\n' && misleads(c)), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON"), value);
    }
}
