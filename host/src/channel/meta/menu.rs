//! Buttons and lists as Meta shows them, if they are within its limits. Beyond them the options go out
//! as text, so that what is shown and what is sent are decided by the same two functions.

use serde_json::{Value, json};

use crate::channel::length::{distinct, fills};
use crate::message::{Buttons, ListMenu, ListRow, ListSection};
use crate::whatsapp_limits as limits;

/// `None`: Meta would refuse it.
pub fn buttons(menu: &Buttons) -> Option<Value> {
    let fits = (1..=limits::BUTTONS).contains(&menu.buttons.len())
        && menu
            .buttons
            .iter()
            .all(|it| fills(&it.id, limits::BUTTON_ID) && fills(&it.title, limits::BUTTON_TITLE))
        && distinct(menu.buttons.iter().map(|it| it.id.as_str()))
        && distinct(menu.buttons.iter().map(|it| it.title.as_str()));
    let mut part = words("button", &menu.body, menu.footer.as_deref()).filter(|_| fits)?;
    let buttons: Vec<Value> = menu
        .buttons
        .iter()
        .map(|it| json!({ "type": "reply", "reply": { "id": it.id, "title": it.title } }))
        .collect();
    part["action"] = json!({ "buttons": buttons });
    Some(part)
}

/// `None`: Meta would refuse it.
pub fn list(menu: &ListMenu) -> Option<Value> {
    let rows = || menu.sections.iter().flat_map(|section| &section.rows);
    let fits = (1..=limits::ROWS).contains(&rows().count())
        && fills(&menu.button, limits::LIST_BUTTON)
        && menu.sections.iter().all(|section| section_fits(section, menu.sections.len()))
        && rows().all(row_fits)
        && distinct(rows().map(|row| row.id.as_str()));
    let mut part = words("list", &menu.body, menu.footer.as_deref()).filter(|_| fits)?;
    let sections: Vec<Value> = menu.sections.iter().map(section_part).collect();
    part["action"] = json!({ "button": menu.button, "sections": sections });
    Some(part)
}

/// Where there are several sections, each must have a title.
fn section_fits(section: &ListSection, of: usize) -> bool {
    match section.title.as_deref().filter(|title| !title.is_empty()) {
        Some(title) => fills(title, limits::SECTION_TITLE) && !section.rows.is_empty(),
        None => of == 1,
    }
}

fn row_fits(row: &ListRow) -> bool {
    let described = row.description.as_deref().unwrap_or_default();
    fills(&row.id, limits::ROW_ID)
        && fills(&row.title, limits::ROW_TITLE)
        && described.chars().count() <= limits::ROW_DESCRIPTION
}

fn section_part(section: &ListSection) -> Value {
    let rows: Vec<Value> = section
        .rows
        .iter()
        .map(|row| {
            let mut part = json!({ "id": row.id, "title": row.title });
            if let Some(description) = row.description.as_deref().filter(|text| !text.trim().is_empty()) {
                part["description"] = description.into();
            }
            part
        })
        .collect();
    let mut part = json!({ "rows": rows });
    if let Some(title) = section.title.as_deref().filter(|title| !title.is_empty()) {
        part["title"] = title.into();
    }
    part
}

/// What all interactive messages have.
fn words(kind: &str, body: &str, footer: Option<&str>) -> Option<Value> {
    let footer = footer.filter(|footer| !footer.trim().is_empty());
    if !fills(body, limits::BODY) || footer.is_some_and(|footer| !fills(footer, limits::FOOTER)) {
        return None;
    }
    let mut part = json!({ "type": kind, "body": { "text": body } });
    if let Some(footer) = footer {
        part["footer"] = json!({ "text": footer });
    }
    Some(part)
}
