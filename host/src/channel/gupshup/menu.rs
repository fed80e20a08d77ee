//! Buttons and lists as Gupshup shows them, if they are within WhatsApp's limits. Beyond them the
//! options go out as text: what is shown and what is sent are decided by the same two functions.
//!
//! A list at Gupshup has a headline, which ours have not, and no footer: the words that open it are its
//! headline, and the footer follows the body.

use serde_json::{Value, json};

use crate::channel::length::{distinct, fills};
use crate::message::{Buttons, ListMenu, ListRow, ListSection};
use crate::whatsapp_limits as limits;

/// `None`: it would be refused. `name`: ours for the menu, which answers to it bring back.
pub fn buttons(menu: &Buttons, name: &str) -> Option<Value> {
    let footer = said(menu.footer.as_deref());
    let fits = (1..=limits::BUTTONS).contains(&menu.buttons.len())
        && fills(&menu.body, limits::BODY)
        && footer.is_none_or(|footer| fills(footer, limits::FOOTER))
        && menu
            .buttons
            .iter()
            .all(|it| fills(&it.id, limits::BUTTON_ID) && fills(&it.title, limits::BUTTON_TITLE))
        && distinct(menu.buttons.iter().map(|it| it.id.as_str()))
        && distinct(menu.buttons.iter().map(|it| it.title.as_str()));
    if !fits {
        return None;
    }
    let option = |title: &str, id: &str| json!({ "type": "text", "title": title, "postbackText": id });
    let options: Vec<Value> = menu.buttons.iter().map(|it| option(&it.title, &it.id)).collect();
    let mut content = json!({ "type": "text", "text": menu.body });
    if let Some(footer) = footer {
        content["caption"] = footer.into();
    }
    Some(json!({ "type": "quick_reply", "msgid": name, "content": content, "options": options }))
}

/// `None`: it would be refused.
pub fn list(menu: &ListMenu, name: &str) -> Option<Value> {
    let rows = || menu.sections.iter().flat_map(|section| &section.rows);
    let body = match said(menu.footer.as_deref()) {
        Some(footer) => format!("{}\n\n{footer}", menu.body),
        None => menu.body.clone(),
    };
    let fits = (1..=limits::ROWS).contains(&rows().count())
        && fills(&menu.button, limits::LIST_BUTTON)
        && fills(&menu.body, limits::BODY)
        && fills(&body, limits::BODY)
        && menu.sections.iter().all(|section| section_fits(section, menu.sections.len()))
        && rows().all(row_fits)
        && distinct(rows().map(|row| row.id.as_str()));
    if !fits {
        return None;
    }
    let items: Vec<Value> = menu.sections.iter().map(|section| item(section, &menu.button)).collect();
    Some(json!({
        "type": "list",
        "title": menu.button,
        "body": body,
        "msgid": name,
        "globalButtons": [{ "type": "text", "title": menu.button }],
        "items": items,
    }))
}

/// One section needs no title; several do.
fn section_fits(section: &ListSection, sections: usize) -> bool {
    let title = said(section.title.as_deref());
    !section.rows.is_empty() && title.map_or(sections == 1, |title| fills(title, limits::SECTION_TITLE))
}

fn row_fits(row: &ListRow) -> bool {
    fills(&row.id, limits::ROW_ID)
        && fills(&row.title, limits::ROW_TITLE)
        && said(row.description.as_deref()).is_none_or(|text| fills(text, limits::ROW_DESCRIPTION))
}

fn item(section: &ListSection, otherwise: &str) -> Value {
    let title = said(section.title.as_deref()).unwrap_or(otherwise);
    let options: Vec<Value> = section.rows.iter().map(option).collect();
    json!({ "title": title, "subtitle": title, "options": options })
}

/// Gupshup wants a description of every row, and WhatsApp wants none that is empty: where a row has none,
/// its title stands there once more.
fn option(row: &ListRow) -> Value {
    let description = said(row.description.as_deref()).unwrap_or(&row.title);
    json!({ "type": "text", "title": row.title, "description": description, "postbackText": row.id })
}

fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Choice;

    fn three(title: &str, id: &str, body: &str, footer: Option<&str>) -> Buttons {
        let choice = |id: &str, title: &str| Choice { id: id.into(), title: title.into() };
        Buttons {
            body: body.into(),
            footer: footer.map(String::from),
            buttons: vec![choice("buy", "Buy"), choice(id, title), choice("none", "Neither")],
        }
    }

    #[test]
    fn the_limits_of_buttons() {
        let (long, longer) = ("ل".repeat(20), "x".repeat(21));
        for (menu, expected) in [
            (three(&long, "rent", "Buy or rent?", Some("Choose")), true),
            (three(&longer, "rent", "Buy or rent?", None), false),
            (three("", "rent", "Buy or rent?", None), false),
            (three("Buy", "rent", "Buy or rent?", None), false),
            (three("Rent", "buy", "Buy or rent?", None), false),
            (three("Rent", "", "Buy or rent?", None), false),
            (three("Rent", &"i".repeat(257), "Buy or rent?", None), false),
            (three("Rent", "rent", " ", None), false),
            (three("Rent", "rent", &"b".repeat(1025), None), false),
            (three("Rent", "rent", "Buy or rent?", Some(&"f".repeat(61))), false),
            (three("Rent", "rent", "Buy or rent?", Some("")), true),
        ] {
            assert_eq!(buttons(&menu, "m").is_some(), expected, "{menu:?}");
        }
        let mut four = three("Rent", "rent", "Buy or rent?", None);
        four.buttons.push(Choice { id: "4".into(), title: "Four".into() });
        assert_eq!(buttons(&four, "m"), None);
        four.buttons.clear();
        assert_eq!(buttons(&four, "m"), None);
    }

    #[test]
    fn the_limits_of_lists() {
        let row = |number: usize| ListRow {
            id: number.to_string(),
            title: format!("Row {number}"),
            description: None,
        };
        let section = |title: Option<&str>, rows: std::ops::Range<usize>| ListSection {
            title: title.map(String::from),
            rows: rows.map(row).collect(),
        };
        let menu =
            |sections| ListMenu { body: "Which?".into(), footer: None, button: "Areas".into(), sections };
        let one = || menu(vec![section(None, 0..10)]);
        assert!(list(&one(), "m").is_some());
        assert!(list(&menu(vec![section(Some("A"), 0..5), section(Some("B"), 5..10)]), "m").is_some());
        let mut described = one();
        described.sections[0].rows[0].description = Some("d".repeat(72));
        described.footer = Some("Choose".into());
        let shown = list(&described, "m").expect("within the limits");
        assert_eq!(shown["body"], "Which?\n\nChoose");
        described.sections[0].rows[0].description = Some("d".repeat(73));
        let mut twice = one();
        twice.sections[0].rows[1].id = "0".into();
        let mut long = one();
        long.sections[0].rows[1].title = "t".repeat(25);
        for refused in [
            menu(vec![]),
            menu(vec![section(None, 0..11)]),
            menu(vec![section(None, 0..0)]),
            menu(vec![section(Some("A"), 0..5), section(None, 5..10)]),
            menu(vec![section(Some(&"s".repeat(25)), 0..1)]),
            ListMenu { button: "b".repeat(21), ..one() },
            ListMenu { body: "b".repeat(1020), footer: Some("Choose".into()), ..one() },
            described,
            twice,
            long,
        ] {
            assert_eq!(list(&refused, "m"), None, "{refused:?}");
        }
    }
}
