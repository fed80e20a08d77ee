//! Characters as people's keyboards and apps really send them: digits of other scripts, marks that
//! cannot be seen. Pure functions on one character; what they are used for is not known here.

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
pub fn shown(text: &str, at_most: usize) -> String {
    const CUT: char = '…';
    let mut line = String::with_capacity(text.len().min(at_most));
    // Where the text may end so that the sign of the cut still fits.
    let mut end = 0;
    for c in text.chars() {
        if misleads(c) {
            line.extend(c.escape_unicode())
        } else {
            line.push(c)
        }
        if line.len() > at_most {
            line.truncate(end);
            line.push(CUT);
            return line;
        }
        if line.len() + CUT.len_utf8() <= at_most {
            end = line.len();
        }
    }
    line
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
}
