//! The three languages, and which of them a text is written in.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    #[serde(rename = "en")]
    English,
    #[serde(rename = "ar")]
    Arabic,
    #[serde(rename = "fa")]
    Persian,
}

impl Language {
    pub const ALL: [Language; 3] = [Language::English, Language::Arabic, Language::Persian];

    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Arabic => "ar",
            Language::Persian => "fa",
        }
    }

    /// In itself.
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Arabic => "العربية",
            Language::Persian => "فارسی",
        }
    }

    /// Of a tag such as `fa-IR`.
    pub fn parse(tag: &str) -> Option<Self> {
        let code = tag.split(['-', '_']).next()?.to_lowercase();
        Language::ALL.into_iter().find(|language| language.code() == code)
    }

    /// By its letters; `None` where the letters do not tell (digits, names in Latin letters amid
    /// nothing). Arabic letters that both languages share leave `known` as it is.
    pub fn of(text: &str, known: Option<Language>) -> Option<Self> {
        let (mut latin, mut shared, mut arabic, mut persian) = (0, 0, 0, 0);
        for c in text.chars() {
            match c {
                'a'..='z' | 'A'..='Z' => latin += 1,
                // Letters, and the letter forms that Persian keyboards write.
                'پ' | 'چ' | 'ژ' | 'گ' | 'ک' | 'ی' | '\u{200c}' => persian += 1,
                'ة' | 'ي' | 'ك' | 'ى' | 'أ' | 'إ' | 'ؤ' => arabic += 1,
                '\u{0620}'..='\u{064a}' | '\u{066e}'..='\u{06d3}' => shared += 1,
                _ => {}
            }
        }
        if persian + arabic + shared == 0 {
            // A project's name in Latin letters does not make a Persian speaker English.
            return if latin > 0 && known.is_none() { Some(Language::English) } else { known };
        }
        match known {
            _ if persian > arabic => Some(Language::Persian),
            _ if arabic > persian => Some(Language::Arabic),
            Some(known @ (Language::Arabic | Language::Persian)) => Some(known),
            _ if persian_words(text) => Some(Language::Persian),
            _ => Some(Language::Arabic),
        }
    }
}

/// Words without a letter that only Persian has.
fn persian_words(text: &str) -> bool {
    const WORDS: [&str; 14] =
        ["خواب", "خوابه", "اجاره", "دو", "سه", "در", "با", "برای", "از", "تا", "زیر", "خانه", "سلام", "خرید"];
    text.split_whitespace().filter(|word| WORDS.contains(word)).count() > 0 && !text.contains("ال")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_tell_the_language() {
        use Language::{Arabic, English, Persian};
        for (text, known, expected) in [
            ("hello", None, Some(English)),
            ("42", None, None),
            ("42", Some(Persian), Some(Persian)),
            ("Dubai Marina", Some(Arabic), Some(Arabic)),
            ("می‌خواهم", None, Some(Persian)),
            ("أريد شقة في دبي مارينا", None, Some(Arabic)),
            ("یک آپارتمان در مارینا", Some(English), Some(Persian)),
            ("سلام", Some(Persian), Some(Persian)),
            ("سلام", Some(English), Some(Persian)),
            ("السلام عليكم", None, Some(Arabic)),
            ("دو خوابه", None, Some(Persian)),
        ] {
            assert_eq!(Language::of(text, known), expected, "{text}");
        }
        assert_eq!(Language::parse("fa-IR"), Some(Persian));
        assert_eq!(Language::parse("de"), None);
    }
}
