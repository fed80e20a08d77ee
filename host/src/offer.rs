//! What a contact means who answers a menu in words. Where buttons and lists go out as text with
//! numbers, nothing comes back but text: `2`, or the words of an option. Pure.
//!
//! Only what we said since the contact last spoke counts as offered: a number that answers another
//! question must not choose from an older menu. What means two different things is left as it is.

use crate::conversation::{HistoryEntry, Line};
use crate::glyph;
use crate::message::{Choice, DeliveryState, OutboundContent};

/// More than any option's title, in bytes: longer texts are no choice.
pub const LONGEST: usize = 300;

/// How many lines of a history there are to look at.
pub const LINES: usize = 10;

/// The option that `text` chooses of what was offered last. `history`: the newest lines, oldest first,
/// without the text itself. `offered`: what a reply offered in numbers, if it did.
pub fn chosen(
    text: &str,
    history: &[HistoryEntry],
    offered: impl Fn(&OutboundContent) -> Vec<Choice>,
) -> Option<Choice> {
    let since_heard = history.iter().rev().map_while(|entry| match &entry.line {
        Line::Said(outbound) => Some((outbound, entry.state)),
        Line::Heard(_) => None,
    });
    // What did not reach the contact offered nothing.
    let reached = since_heard.filter(|(_, state)| *state != Some(DeliveryState::Failed));
    let options =
        reached.map(|(outbound, _)| offered(&outbound.content)).find(|options| !options.is_empty())?;
    among(text, options)
}

/// The one option that the text names by its number or its title.
fn among(text: &str, options: Vec<Choice>) -> Option<Choice> {
    let by_number = number(text).and_then(|number| options.get(number.checked_sub(1)?));
    let words = folded(text);
    let mut titled = options.iter().filter(|option| !words.is_empty() && folded(&option.title) == words);
    let by_title = titled.next();
    if titled.next().is_some() {
        return None;
    }
    match (by_number, by_title) {
        (Some(number), Some(title)) if number != title => None,
        (found, other) => found.or(other).cloned(),
    }
}

/// `2`, `٢`, `2.`, `(2)`, `#2`, or the key with the number.
fn number(text: &str) -> Option<usize> {
    const KEYCAP: char = '\u{20E3}';
    let plain = glyph::plain(text).replace(KEYCAP, "");
    let digits = plain.trim().trim_start_matches(['#', '(']).trim_end_matches(['.', ')', '-', ':']).trim();
    let short = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if short { digits.parse().ok() } else { None }
}

/// Without case, invisible marks and superfluous spaces.
fn folded(text: &str) -> String {
    let seen: String = text.chars().filter(|c| !glyph::is_invisible(*c)).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Author, Heard};
    use crate::message::{Buttons, Content, Outbound, Timestamp};

    fn choice(title: &str) -> Choice {
        Choice { id: format!("id of {title}"), title: title.into() }
    }

    fn said(outbound: Outbound, state: DeliveryState) -> HistoryEntry {
        HistoryEntry {
            at: Timestamp::ZERO,
            author: Author::Brain,
            line: Line::Said(outbound),
            state: Some(state),
        }
    }

    fn menu(titles: &[&str]) -> HistoryEntry {
        let buttons = titles.iter().map(|title| choice(title)).collect();
        let content = OutboundContent::Buttons(Buttons { body: "Which?".into(), footer: None, buttons });
        said(Outbound { content, reply_to: None }, DeliveryState::Sent)
    }

    fn line(text: &str) -> HistoryEntry {
        said(Outbound::text(text), DeliveryState::Sent)
    }

    fn heard(text: &str) -> HistoryEntry {
        let heard = Heard {
            id: "m".into(),
            sent_at: Timestamp::ZERO,
            content: Content::Text { text: text.into() },
            quoted: None,
            referral: None,
        };
        HistoryEntry { at: Timestamp::ZERO, author: Author::Contact, line: Line::Heard(heard), state: None }
    }

    fn options(content: &OutboundContent) -> Vec<Choice> {
        match content {
            OutboundContent::Buttons(buttons) => buttons.buttons.clone(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_number_or_a_title_means_its_option() {
        let titles = ["Buy", "Rent a flat", "خانه", "2", "Same", "same"];
        for (text, expected) in [
            ("1", Some("Buy")),
            (" 1 ", Some("Buy")),
            ("۱", Some("Buy")),
            ("١", Some("Buy")),
            ("１", Some("Buy")),
            ("1.", Some("Buy")),
            ("1)", Some("Buy")),
            ("(1)", Some("Buy")),
            ("#1", Some("Buy")),
            ("1\u{FE0F}\u{20E3}", Some("Buy")),
            ("\u{200F}3\u{200F}", Some("خانه")),
            ("003", Some("خانه")),
            ("buy", Some("Buy")),
            ("  RENT   a Flat ", Some("Rent a flat")),
            ("خانه", Some("خانه")),
            // The second option, or the one called "2"?
            ("2", None),
            ("4", Some("2")),
            // Two are called so; their numbers are clear.
            ("same", None),
            ("5", Some("Same")),
            ("0", None),
            ("7", None),
            ("1 bedroom", None),
            ("-1", None),
            ("1000", None),
            ("Rent", None),
            ("", None),
            ("  ", None),
            (".", None),
        ] {
            let found = chosen(text, &[menu(&titles)], options);
            assert_eq!(found, expected.map(choice), "{text:?}");
        }
    }

    #[test]
    fn only_what_was_just_offered_counts() {
        let (old, new) = (menu(&["Buy", "Rent"]), menu(&["Dubai", "Beirut"]));
        let failed = HistoryEntry { state: Some(DeliveryState::Failed), ..new.clone() };
        for (case, history, expected) in [
            ("nothing was said", vec![], None),
            ("no menu", vec![line("Hello")], None),
            ("a menu", vec![heard("hi"), old.clone()], Some("Rent")),
            ("with words after it", vec![old.clone(), line("Type a number")], Some("Rent")),
            ("the newer of two", vec![old.clone(), new.clone()], Some("Beirut")),
            ("answered already", vec![old.clone(), heard("1")], None),
            ("another question since", vec![old.clone(), heard("buy"), line("How many rooms?")], None),
            ("asked again", vec![old.clone(), heard("what?"), old.clone()], Some("Rent")),
            ("never seen", vec![old.clone(), failed], Some("Rent")),
        ] {
            assert_eq!(chosen("2", &history, options), expected.map(choice), "{case}");
        }
    }
}
