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
}
