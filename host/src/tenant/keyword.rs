//! The word that contacts must write before every text to a number that several accounts share: it says
//! whose the text is, and is no part of what was said. Pure.

use crate::message::Content;

/// Takes it from the beginning of a text or a caption. A text of the keyword alone stays.
pub fn take_away(keyword: &str, content: &mut Content) {
    let text = match content {
        Content::Text { text } => text,
        Content::Media(media) => match &mut media.caption {
            Some(caption) => caption,
            None => return,
        },
        _ => return,
    };
    if let Some(rest) = behind(keyword, text) {
        *text = rest.to_owned();
    }
}

fn behind<'a>(keyword: &str, text: &'a str) -> Option<&'a str> {
    let text = text.trim_start();
    let end = keyword.chars().count();
    let at = text.char_indices().nth(end).map(|(at, _)| at)?;
    let (word, rest) = text.split_at(at);
    let same = word.to_lowercase() == keyword.to_lowercase();
    let rest = rest.strip_prefix(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '.'))?.trim_start();
    Some(rest).filter(|rest| same && !keyword.is_empty() && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_a_text() {
        for (text, rest) in [
            ("CLINICAX start_realty_2", Some("start_realty_2")),
            ("  clinicax  hello there", Some("hello there")),
            ("CLINICAX: STOP", Some("STOP")),
            ("CLINICAX\nstart_realty_2", Some("start_realty_2")),
            ("CLINICAX", None),
            ("CLINICAX ", None),
            ("CLINICAXY hello", None),
            ("hello CLINICAX", None),
            ("", None),
        ] {
            assert_eq!(behind("CLINICAX", text), rest, "{text:?}");
        }
        assert_eq!(behind("کلینیک", "کلینیک start_realty_2"), Some("start_realty_2"));
        assert_eq!(behind("", " hello"), None);
    }
}
