//! How much WhatsApp takes and shows of a message, in characters where nothing else is said. A title that is too
//! long must not cost the contact an answer: it is cut, and the log says so. The native harness makes a
//! failed test of it instead.

use crate::action::{Action, OutgoingContent};

pub const TEXT: usize = 4096;
/// The words beside a file.
pub const CAPTION: usize = 1024;
/// The text above buttons or a list.
pub const BODY: usize = 1024;
pub const FOOTER: usize = 60;
/// How many.
pub const BUTTONS: usize = 3;
pub const BUTTON_TITLE: usize = 20;
pub const BUTTON_ID: usize = 256;
/// The words that open a list.
pub const LIST_BUTTON: usize = 20;
/// How many, over all sections.
pub const ROWS: usize = 10;
pub const ROW_TITLE: usize = 24;
pub const ROW_DESCRIPTION: usize = 72;
pub const ROW_ID: usize = 200;
pub const SECTION_TITLE: usize = 24;
/// How many contact cards.
pub const CARDS: usize = 5;
/// Numbers of a card, and addresses of it.
pub const CARD_LINES: usize = 20;
/// Each text of a card.
pub const CARD_TEXT: usize = 256;
/// The gateway's own: of a timer's key, in bytes.
pub const TIMER_KEY: usize = 128;

/// Cuts what is too long; a line for each cut.
pub(crate) fn clip(actions: &mut [Action]) -> Vec<String> {
    let mut problems = Vec::new();
    for action in actions {
        if let Action::Send(outgoing) = action {
            content(&mut outgoing.content, &mut problems);
        }
    }
    problems
}

fn content(content: &mut OutgoingContent, problems: &mut Vec<String>) {
    match content {
        OutgoingContent::Text { text: body } => text("a text", body, TEXT, problems),
        OutgoingContent::Media(media) => {
            if let Some(caption) = &mut media.caption {
                text("a caption", caption, CAPTION, problems);
            }
        }
        OutgoingContent::Buttons(buttons) => {
            text("the text above buttons", &mut buttons.body, BODY, problems);
            if let Some(footer) = &mut buttons.footer {
                text("a footer", footer, FOOTER, problems);
            }
            if buttons.buttons.len() > BUTTONS {
                problems.push(format!("{} buttons, WhatsApp shows {BUTTONS}", buttons.buttons.len()));
                buttons.buttons.truncate(BUTTONS);
            }
            for button in &mut buttons.buttons {
                text("a button's title", &mut button.title, BUTTON_TITLE, problems);
            }
        }
        OutgoingContent::List(list) => {
            text("the text above a list", &mut list.body, BODY, problems);
            text("the button that opens a list", &mut list.button, LIST_BUTTON, problems);
            if let Some(footer) = &mut list.footer {
                text("a footer", footer, FOOTER, problems);
            }
            let mut room = ROWS;
            let all: usize = list.sections.iter().map(|section| section.rows.len()).sum();
            if all > ROWS {
                problems.push(format!("a list of {all} rows, WhatsApp shows {ROWS}"));
            }
            for section in &mut list.sections {
                section.rows.truncate(room);
                room -= section.rows.len();
                if let Some(title) = &mut section.title {
                    text("a section's title", title, SECTION_TITLE, problems);
                }
                for row in &mut section.rows {
                    text("a row's title", &mut row.title, ROW_TITLE, problems);
                    if let Some(description) = &mut row.description {
                        text("a row's description", description, ROW_DESCRIPTION, problems);
                    }
                }
            }
            list.sections.retain(|section| !section.rows.is_empty());
        }
        OutgoingContent::Location(_)
        | OutgoingContent::Contacts { .. }
        | OutgoingContent::Template(_)
        | OutgoingContent::Reaction(_) => {}
    }
}

fn text(what: &str, text: &mut String, limit: usize, problems: &mut Vec<String>) {
    let used = text.chars().count();
    if used <= limit {
        return;
    }
    let start: String = text.chars().take(24).collect();
    problems.push(format!("{what} has {used} characters, WhatsApp shows {limit}: `{start}…`"));
    *text = text.chars().take(limit - 1).chain(['…']).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::ListMenu;
    use crate::reply::Reply;

    #[test]
    fn what_fits_is_left_alone() {
        let mut reply = Reply::new();
        reply.text("hello").buttons("sure?", [("a", "نعم"), ("b", "12345678901234567890")]);
        let mut actions = reply.actions().to_vec();
        let before = actions.clone();
        assert_eq!(clip(&mut actions), Vec::<String>::new());
        assert_eq!(actions, before);
    }

    #[test]
    fn what_is_too_long_is_cut_and_told() {
        let mut reply = Reply::new();
        reply.buttons("?", [("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]);
        let rows = (0..12).fold(ListMenu::new("choose", "open").section("one"), |list, n| {
            let list = if n == 11 { list.section("two") } else { list };
            list.row(n.to_string(), "a title that is far too long")
        });
        reply.list(rows);
        let (actions, _, problems) = reply.finish();
        assert_eq!(problems[0], "4 buttons, WhatsApp shows 3");
        assert_eq!(problems[1], "a list of 12 rows, WhatsApp shows 10");
        assert_eq!(problems.len(), 2 + 10);
        let Action::Send(outgoing) = &actions[1] else { panic!("{actions:?}") };
        let OutgoingContent::List(list) = &outgoing.content else { panic!("{outgoing:?}") };
        assert_eq!(list.sections.len(), 1);
        assert_eq!(list.sections[0].rows[0].title.chars().count(), 24);
    }
}
