//! A text as words that compare: one case, one form of each letter, ASCII digits. Numbers and the
//! letters that stick to them (`2br`, `1.5m`) become words of their own.

/// The words of a text, in order, and the same with one space between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<String>, String);

/// A person writes a few lines; what is longer is cut, so that no text costs a turn.
const MOST_CHARS: usize = 2_000;

impl Words {
    pub fn of(text: &str) -> Self {
        let mut words = Words(Vec::new(), String::new());
        let mut word = String::new();
        let chars: Vec<char> = text.chars().take(MOST_CHARS).flat_map(normal).collect();
        for (i, &c) in chars.iter().enumerate() {
            let before = i.checked_sub(1).map(|i| chars[i]);
            let after = chars.get(i + 1).copied();
            let between_digits =
                before.is_some_and(|c| c.is_ascii_digit()) && after.is_some_and(|c| c.is_ascii_digit());
            match c {
                // Thousands: `2,000,000`. A comma between words only parts them.
                ',' if between_digits => {}
                '.' if between_digits => word.push(c),
                '-' | '–' | '—' | '/' | '+' | '<' | '>' | ':' => {
                    words.end(&mut word);
                    let sign = if matches!(c, '–' | '—') { '-' } else { c };
                    words.0.push(sign.to_string());
                }
                c if c.is_alphanumeric() => {
                    let digit = c.is_ascii_digit();
                    let part = word
                        .chars()
                        .next_back()
                        .is_some_and(|last| last != '.' && last.is_ascii_digit() != digit);
                    if part {
                        words.end(&mut word);
                    }
                    word.push(c);
                }
                _ => words.end(&mut word),
            }
        }
        words.end(&mut word);
        words.1 = words.0.join(" ");
        words
    }

    pub fn as_str(&self) -> &str {
        &self.1
    }

    fn end(&mut self, word: &mut String) {
        if !word.is_empty() {
            self.0.push(std::mem::take(word));
        }
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, at: usize) -> Option<&str> {
        self.0.get(at).map(String::as_str)
    }

    /// Is one of them one of these?
    pub fn any_of(&self, known: &[&str]) -> bool {
        self.0.iter().any(|word| is(word, known))
    }

    /// A cheap no to most names: the text has nothing that begins like this one.
    pub fn may_have(&self, name: &str) -> bool {
        let mut start = String::with_capacity(8);
        for c in name.chars().flat_map(normal).skip_while(|c| !c.is_alphanumeric()).take(3) {
            let other_word =
                start.chars().next_back().is_some_and(|last| last.is_ascii_digit() != c.is_ascii_digit());
            if other_word || !c.is_alphanumeric() {
                break;
            }
            start.push(c);
        }
        !start.is_empty() && self.1.contains(&start)
    }

    /// Do these words stand here, next to each other?
    pub fn has_at(&self, at: usize, phrase: &Words) -> bool {
        !phrase.is_empty()
            && phrase.0.iter().enumerate().all(|(i, wanted)| {
                self.get(at + i)
                    .is_some_and(|word| word == wanted || (i == 0 && bare(word).any(|it| it == wanted)))
            })
    }

    /// Is one of these phrases in the text? Phrases are written as [`Words::as_str`] gives them.
    pub fn has_phrase(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| {
            self.1.match_indices(phrase).any(|(at, _)| {
                let end = at + phrase.len();
                (at == 0 || self.1.as_bytes()[at - 1] == b' ')
                    && (end == self.1.len() || self.1.as_bytes()[end] == b' ')
            })
        })
    }

    /// Is the text as a whole one of these phrases?
    pub fn is_one_of(&self, phrases: &[&str]) -> bool {
        phrases.contains(&self.as_str())
    }

    /// The number here, in digits.
    pub fn number(&self, at: usize) -> Option<f64> {
        let word = self.get(at)?;
        if word.starts_with(|c: char| c.is_ascii_digit()) { word.parse().ok() } else { None }
    }
}

/// Is the word one of these, as it stands or without what Arabic joins to its front?
pub fn is(word: &str, known: &[&str]) -> bool {
    known.contains(&word) || bare(word).any(|word| known.contains(&word))
}

/// The word without the article and the prepositions that are written as one with it.
fn bare(word: &str) -> impl Iterator<Item = &str> {
    const FRONTS: [&str; 11] = ["وال", "بال", "لل", "ال", "فال", "كال", "کال", "و", "ب", "ل", "ف"];
    FRONTS.iter().filter_map(move |front| word.strip_prefix(front)).filter(|rest| rest.chars().count() >= 3)
}

/// One form for each letter and digit; nothing for marks that only change how a text looks.
fn normal(c: char) -> impl Iterator<Item = char> {
    if c.is_ascii() {
        return One::Single(Some(c.to_ascii_lowercase()));
    }
    let one = match c {
        '٠'..='٩' => char::from_digit(c as u32 - '٠' as u32, 10),
        '۰'..='۹' => char::from_digit(c as u32 - '۰' as u32, 10),
        'ي' | 'ى' | 'ئ' => Some('ی'),
        'ك' => Some('ک'),
        'ة' | 'ۀ' => Some('ه'),
        'أ' | 'إ' | 'آ' | 'ٱ' => Some('ا'),
        'ؤ' => Some('و'),
        '٫' => Some('.'),
        '٬' => Some(','),
        // Hamza alone, the lengthening stroke, vowel marks, marks of direction.
        'ء' | 'ـ' | '\u{064b}'..='\u{065f}' | '\u{0670}' => None,
        '\u{200b}'
        | '\u{200d}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => None,
        // Persian's half space parts words here.
        '\u{200c}' => Some(' '),
        // Arabic letters have one case.
        '\u{0600}'..='\u{06ff}' => Some(c),
        _ => return One::Many(c.to_lowercase()),
    };
    One::Single(one)
}

enum One {
    Single(Option<char>),
    Many(std::char::ToLowercase),
}

impl Iterator for One {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            One::Single(c) => c.take(),
            One::Many(chars) => chars.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_words() {
        for (text, words) in [
            ("2BR, Dubai-Marina!", "2|br|dubai|-|marina"),
            ("under 2,000,000 or 1.5m", "under|2000000|or|1.5|m"),
            ("۱٫۵ میلیون", "1.5|میلیون"),
            ("١٢٠ ألف/سنة", "120|الف|/|سنه"),
            ("می‌خواهم", "می|خواهم"),
            ("شُقّة  في «دبي»", "شقه|فی|دبی"),
            ("10:30, ok. Yes", "10|:|30|ok|yes"),
            ("شراء", "شرا"),
        ] {
            assert_eq!(Words::of(text).as_slice().join("|"), words, "{text}");
        }
    }

    #[test]
    fn a_name_that_is_there_may_be_there() {
        let words = Words::of("a villa in D3, Dubai-Marina or المارينا");
        for name in ["D3", "dubai marina", "«Marina»", "مارينا", "in"] {
            assert!(words.may_have(name), "{name}");
        }
        for name in ["Palm", "", "!", "جميرا"] {
            assert!(!words.may_have(name), "{name}");
        }
    }

    #[test]
    fn phrases_are_found_behind_a_preposition() {
        let marina = Words::of("دبي مارينا");
        assert!(Words::of("شقة بدبي مارينا").has_at(1, &marina));
        assert!(Words::of("للبيع").any_of(&["بیع"]));
        assert!(Words::of("talk to an agent please").has_phrase(&["an agent"]));
        assert!(!Words::of("agents").has_phrase(&["agent"]));
    }
}
