//! How a terminal shows what a tenant says: text as text, buttons and list rows as numbers that can
//! be typed. Pure.

use serde_json::{Value, json};

use crate::cli::screen::one_line;
use crate::message::{Choice, ListMenu, MediaKind, Outbound, OutboundContent};

/// What can be chosen by number at the moment.
#[derive(Debug, Default)]
pub struct Offers(Vec<Choice>);

impl Offers {
    /// The lines that show this message; what it offers is numbered on from what is offered already.
    pub fn show(&mut self, outbound: &Outbound) -> Vec<String> {
        let mut lines = Vec::new();
        match &outbound.content {
            OutboundContent::Text { text } => lines.extend(paragraphs(text)),
            OutboundContent::Media(media) => {
                let named = media.filename.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
                lines.push(format!("[{}{}] {}", kind(media.kind), one_line(&named), one_line(&media.source)));
                lines.extend(media.caption.as_deref().map(paragraphs).into_iter().flatten());
            }
            OutboundContent::Buttons(buttons) => {
                lines.extend(paragraphs(&buttons.body));
                for choice in &buttons.buttons {
                    let number = self.offer(choice.clone());
                    lines.push(format!("  {number}) {}", one_line(&choice.title)));
                }
                lines.extend(buttons.footer.as_deref().map(one_line));
            }
            OutboundContent::List(list) => lines.extend(self.show_list(list)),
            OutboundContent::Location(location) => {
                let name = location.name.as_deref().or(location.address.as_deref()).unwrap_or("location");
                lines.push(format!("[{}] {}, {}", one_line(name), location.latitude, location.longitude));
            }
            OutboundContent::Contacts { contacts } => {
                for card in contacts {
                    let lines_of = card.organization.iter().chain(&card.phones).chain(&card.emails);
                    let more: Vec<String> = lines_of.map(|text| one_line(text)).collect();
                    lines.push(format!("[contact {}] {}", one_line(&card.name), more.join(", ")));
                }
            }
            OutboundContent::Template(template) => {
                let parameters: Vec<String> = template
                    .parameters
                    .iter()
                    .map(|parameter| format!("{}={}", one_line(&parameter.name), one_line(&parameter.value)))
                    .collect();
                lines.push(format!("[template {}] {}", one_line(&template.name), parameters.join(", ")));
            }
            OutboundContent::Reaction(reaction) => {
                lines.push(format!("[reaction] {}", one_line(&reaction.emoji)))
            }
        }
        lines
    }

    fn show_list(&mut self, list: &ListMenu) -> Vec<String> {
        let mut lines = paragraphs(&list.body);
        for section in &list.sections {
            lines.extend(section.title.as_deref().map(one_line));
            for row in &section.rows {
                let number = self.offer(Choice { id: row.id.clone(), title: row.title.clone() });
                let more = row.description.as_deref().map(|text| format!(": {}", one_line(text)));
                lines.push(format!("  {number}) {}{}", one_line(&row.title), more.unwrap_or_default()));
            }
        }
        lines.extend(list.footer.as_deref().map(one_line));
        lines
    }

    fn offer(&mut self, choice: Choice) -> usize {
        self.0.push(choice);
        self.0.len()
    }

    /// What typing this line means, and the end of what was offered: the choice with this number, or
    /// the text as it is.
    pub fn answer(&mut self, line: &str) -> Value {
        let number: Option<usize> = line.trim().parse().ok();
        let chosen = number.and_then(|number| self.0.get(number.checked_sub(1)?)).cloned();
        self.0.clear();
        match chosen {
            Some(choice) => json!({"choice": choice}),
            None => json!({"text": line}),
        }
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    text.lines().map(one_line).collect()
}

fn kind(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
        MediaKind::Voice => "voice",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(content: Value) -> Outbound {
        serde_json::from_value(json!({"content": content, "reply_to": null})).expect("an outbound message")
    }

    #[test]
    fn offers_are_numbered_on_and_chosen_by_number() {
        let mut offers = Offers::default();
        let buttons = outbound(json!({"type": "buttons", "body": "Buy or\nrent?", "footer": "Ask!",
            "buttons": [{"id": "b", "title": "Buy"}, {"id": "r", "title": "Rent"}]}));
        assert_eq!(offers.show(&buttons), ["Buy or", "rent?", "  1) Buy", "  2) Rent", "Ask!"]);
        let list = outbound(json!({"type": "list", "body": "Areas", "footer": null, "button": "Open",
            "sections": [{"title": "Dubai", "rows": [
                {"id": "m", "title": "Marina", "description": "by the sea"},
                {"id": "j", "title": "JVC\u{1b}[31m", "description": null}]}]}));
        assert_eq!(offers.show(&list), ["Areas", "Dubai", "  3) Marina: by the sea", "  4) JVC\\u{1b}[31m"]);
        assert_eq!(offers.answer(" 3 "), json!({"choice": {"id": "m", "title": "Marina"}}));
        // The offer is used up.
        assert_eq!(offers.answer("3"), json!({"text": "3"}));
    }

    #[test]
    fn a_number_that_is_not_offered_is_text() {
        let mut offers = Offers::default();
        let buttons =
            json!({"type": "buttons", "body": "?", "footer": null, "buttons": [{"id": "b", "title": "Buy"}]});
        offers.show(&outbound(buttons.clone()));
        assert_eq!(offers.answer("2"), json!({"text": "2"}));
        offers.show(&outbound(buttons.clone()));
        assert_eq!(offers.answer("0"), json!({"text": "0"}));
        offers.show(&outbound(buttons));
        assert_eq!(offers.answer("2 bedrooms"), json!({"text": "2 bedrooms"}));
    }
}
