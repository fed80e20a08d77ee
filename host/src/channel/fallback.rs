//! Buttons and lists as text with numbered options, for providers that cannot show them, and for
//! menus larger than a provider shows. The contact answers with the number or the words. Contact cards as
//! text, where there are more than a provider sends.

use crate::message::{Buttons, Choice, ContactCard, ListMenu, OutboundContent};

/// What a contact may choose from, in the order of their numbers; 1 is the first.
pub fn options(content: &OutboundContent) -> Vec<Choice> {
    match content {
        OutboundContent::Buttons(buttons) => buttons.buttons.clone(),
        OutboundContent::List(list) => list
            .sections
            .iter()
            .flat_map(|section| &section.rows)
            .map(|row| Choice { id: row.id.clone(), title: row.title.clone() })
            .collect(),
        _ => Vec::new(),
    }
}

/// ```text
/// Buy or rent?
///
/// 1. Buy
/// 2. Rent
/// ```
pub fn buttons(buttons: &Buttons) -> String {
    let options: Vec<String> = buttons
        .buttons
        .iter()
        .enumerate()
        .map(|(at, button)| format!("{}. {}", at + 1, button.title))
        .collect();
    paragraphs([Some(buttons.body.as_str()), Some(&options.join("\n")), buttons.footer.as_deref()])
}

/// As buttons, with the sections' titles in bold; the numbers go on over all sections.
pub fn list(list: &ListMenu) -> String {
    let mut number = 0;
    let mut sections = Vec::new();
    for section in &list.sections {
        let mut lines = Vec::new();
        lines.extend(
            section.title.as_deref().filter(|title| !title.is_empty()).map(|title| format!("*{title}*")),
        );
        for row in &section.rows {
            number += 1;
            let described = row.description.as_deref().filter(|text| !text.is_empty());
            lines.push(match described {
                Some(description) => format!("{number}. {} ({description})", row.title),
                None => format!("{number}. {}", row.title),
            });
        }
        sections.push(lines.join("\n"));
    }
    paragraphs([Some(list.body.as_str()), Some(&sections.join("\n\n")), list.footer.as_deref()])
}

/// A paragraph a card, its name in bold and each of its numbers in a line.
pub fn cards(cards: &[ContactCard]) -> String {
    let card = |card: &ContactCard| {
        let mut lines = vec![format!("*{}*", card.name)];
        lines.extend(card.organization.clone());
        lines.extend(card.phones.iter().chain(&card.emails).cloned());
        lines.join("\n")
    };
    cards.iter().map(card).collect::<Vec<_>>().join("\n\n")
}

fn paragraphs<const N: usize>(parts: [Option<&str>; N]) -> String {
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}
