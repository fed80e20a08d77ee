//! Which buttons and lists WhatsApp shows through Infobip, and their form there. What is larger goes
//! out as text with numbered options; nothing is ever cut.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::channel::length::fills;
use crate::message::{Buttons, ListMenu};
use crate::whatsapp_limits as limits;

pub fn shows_buttons(buttons: &Buttons) -> bool {
    let mut ids = HashSet::new();
    (1..=limits::BUTTONS).contains(&buttons.buttons.len())
        && fills(&buttons.body, limits::BODY)
        && fits_or_none(buttons.footer.as_deref(), limits::FOOTER)
        && buttons.buttons.iter().all(|button| {
            fills(&button.title, limits::BUTTON_TITLE)
                && fills(&button.id, limits::BUTTON_ID)
                && ids.insert(&button.id)
        })
}

pub fn shows_list(list: &ListMenu) -> bool {
    let several = list.sections.len() > 1;
    let rows: usize = list.sections.iter().map(|section| section.rows.len()).sum();
    let mut ids = HashSet::new();
    (1..=limits::SECTIONS).contains(&list.sections.len())
        && rows <= limits::ROWS
        && fills(&list.body, limits::BODY)
        && fits_or_none(list.footer.as_deref(), limits::FOOTER)
        && fills(&list.button, limits::LIST_BUTTON)
        && list.sections.iter().all(|section| {
            let title = section.title.as_deref();
            let titled = if several { fills(title.unwrap_or_default(), limits::SECTION_TITLE) } else { true };
            titled
                && fits_or_none(title, limits::SECTION_TITLE)
                && !section.rows.is_empty()
                && section.rows.iter().all(|row| {
                    fills(&row.title, limits::ROW_TITLE)
                        && fills(&row.id, limits::ROW_ID)
                        && fits_or_none(row.description.as_deref(), limits::ROW_DESCRIPTION)
                        && ids.insert(&row.id)
                })
        })
}

/// The content of `/interactive/buttons`.
pub fn buttons(buttons: &Buttons) -> Value {
    let options: Vec<Value> = buttons
        .buttons
        .iter()
        .map(|button| json!({"type": "REPLY", "id": button.id, "title": button.title}))
        .collect();
    with_footer(
        json!({"body": {"text": buttons.body}, "action": {"buttons": options}}),
        buttons.footer.as_deref(),
    )
}

/// The content of `/interactive/list`.
pub fn list(list: &ListMenu) -> Value {
    let sections: Vec<Value> = list
        .sections
        .iter()
        .map(|section| {
            let rows: Vec<Value> = section
                .rows
                .iter()
                .map(|row| {
                    let mut shown = json!({"id": row.id, "title": row.title});
                    set(&mut shown, "description", row.description.as_deref());
                    shown
                })
                .collect();
            let mut shown = json!({});
            set(&mut shown, "title", section.title.as_deref());
            shown["rows"] = rows.into();
            shown
        })
        .collect();
    let content =
        json!({"body": {"text": list.body}, "action": {"title": list.button, "sections": sections}});
    with_footer(content, list.footer.as_deref())
}

fn with_footer(mut content: Value, footer: Option<&str>) -> Value {
    if let Some(footer) = footer.filter(|footer| !footer.is_empty()) {
        content["footer"] = json!({"text": footer});
    }
    content
}

fn set(object: &mut Value, name: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        object[name] = text.into();
    }
}

fn fits_or_none(text: Option<&str>, most: usize) -> bool {
    text.is_none_or(|text| text.chars().count() <= most)
}
