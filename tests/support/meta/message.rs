//! `POST /{number}/messages`: what Meta takes for a message, part by part, and read marks.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Meta, Sent, list, maybe, object, only, parameter, refused, text};
use crate::peer::{Call, Reply};

pub fn take(meta: &mut Meta, number: &str, call: &Call) -> Result<(Option<Sent>, Reply), Reply> {
    let body = Value::Object(object(call)?);
    if body["messaging_product"] != "whatsapp" {
        return Err(parameter("The parameter messaging_product is required.".into()));
    }
    if body.get("status").is_some() {
        return Ok((None, read(meta, &body)?));
    }
    let to = recipient(&body)?.to_owned();
    let kind = text(&body, "", "type", 32)?;
    let around = [
        "messaging_product",
        "recipient_type",
        "to",
        "recipient",
        "type",
        "context",
        "biz_opaque_callback_data",
        kind,
    ];
    only(&body, "", &around)?;
    if body.get("recipient_type").is_some_and(|it| it != "individual") {
        return Err(parameter("Param recipient_type must be one of {INDIVIDUAL}.".into()));
    }
    maybe(&body, "", "biz_opaque_callback_data", 512)?;
    if let Some(context) = body.get("context") {
        only(context, "context", &["message_id"])?;
        text(context, "context", "message_id", 512)?;
    }
    part(meta, kind, &body[kind])?;
    let id = meta.wamid(&to);
    let contact = match (body.get("recipient"), meta.wa_ids.get(&to)) {
        (Some(_), _) => json!({ "input": to, "user_id": to }),
        (None, Some(wa_id)) => json!({ "input": to, "wa_id": wa_id }),
        (None, None) => json!({ "input": to, "wa_id": to }),
    };
    let answer =
        json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [{ "id": id }] });
    Ok((Some(Sent { number: number.to_owned(), to, body, id }), Reply::json(200, &answer)))
}

fn read(meta: &mut Meta, body: &Value) -> Result<Reply, Reply> {
    only(body, "", &["messaging_product", "status", "message_id", "typing_indicator"])?;
    let id = text(body, "", "message_id", 512)?;
    if body["status"] != "read" || !id.starts_with("wamid.") {
        return Err(refused(131_009, "(#131009) Parameter value is not valid"));
    }
    if let Some(typing) = body.get("typing_indicator") {
        only(typing, "typing_indicator", &["type"])?;
        if typing["type"] != "text" {
            return Err(refused(131_009, "(#131009) Parameter value is not valid"));
        }
    }
    meta.reads.push((id.to_owned(), body.get("typing_indicator").is_some()));
    Ok(Reply::json(200, &json!({ "success": true })))
}

/// Exactly one of the two.
fn recipient(body: &Value) -> Result<&str, Reply> {
    match (body.get("to"), body.get("recipient")) {
        (Some(to), None) => match to.as_str() {
            Some(to) if is_number(to) => Ok(to),
            _ => Err(parameter("Param to must be a phone number.".into())),
        },
        (None, Some(recipient)) => match recipient.as_str() {
            Some(recipient) if is_scoped(recipient) => Ok(recipient),
            _ => Err(parameter("Param recipient must be a business-scoped user id.".into())),
        },
        _ => Err(parameter("The parameter to is required.".into())),
    }
}

fn is_number(to: &str) -> bool {
    (1..=15).contains(&to.len()) && !to.starts_with('0') && to.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_scoped(recipient: &str) -> bool {
    recipient.split_once('.').is_some_and(|(country, id)| {
        country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) && !id.is_empty()
    })
}

fn part(meta: &Meta, kind: &str, part: &Value) -> Result<(), Reply> {
    match kind {
        "text" => {
            only(part, "text", &["body", "preview_url"])?;
            if part.get("preview_url").is_some_and(|it| !it.is_boolean()) {
                return Err(parameter("Param text['preview_url'] must be a boolean.".into()));
            }
            text(part, "text", "body", 4096).map(drop)
        }
        "image" | "video" => file(meta, kind, part, &["caption"]),
        "document" => file(meta, kind, part, &["caption", "filename"]),
        "audio" | "sticker" => file(meta, kind, part, &[]),
        "location" => {
            only(part, "location", &["latitude", "longitude", "name", "address"])?;
            let within = |name: &str, most: f64| part[name].as_f64().is_some_and(|it| it.abs() <= most);
            if within("latitude", 90.0) && within("longitude", 180.0) {
                return Ok(());
            }
            Err(parameter("Param location must have a latitude and a longitude.".into()))
        }
        "contacts" => contacts(part),
        "reaction" => {
            only(part, "reaction", &["message_id", "emoji"])?;
            text(part, "reaction", "message_id", 512)?;
            match part["emoji"].as_str() {
                Some(_) => Ok(()),
                None => Err(parameter("The parameter reaction['emoji'] is required.".into())),
            }
        }
        "interactive" => interactive(part),
        "template" => template(meta, part),
        _ => Err(parameter(format!("Param type must be one of {{AUDIO, …}} - got \"{kind}\"."))),
    }
}

fn contacts(part: &Value) -> Result<(), Reply> {
    let cards = part.as_array().filter(|cards| (1..=5).contains(&cards.len()));
    let Some(cards) = cards else { return Err(parameter("Param contacts must have 1 to 5 items.".into())) };
    for card in cards {
        only(card, "contacts", &["name", "phones", "emails", "org"])?;
        only(&card["name"], "name", &["formatted_name", "first_name"])?;
        text(&card["name"], "name", "formatted_name", 1000)?;
        // A name that has no part is not taken.
        text(&card["name"], "name", "first_name", 1000)?;
        for (list, field, more) in [("phones", "phone", "wa_id"), ("emails", "email", "type")] {
            for item in card[list].as_array().into_iter().flatten() {
                only(item, list, &[field, more])?;
                text(item, list, field, 1000)?;
            }
        }
        maybe(&card["org"], "org", "company", 1000)?;
    }
    Ok(())
}

fn file(meta: &Meta, kind: &str, part: &Value, more: &[&str]) -> Result<(), Reply> {
    let known: Vec<&str> = ["id", "link"].iter().chain(more).copied().collect();
    only(part, kind, &known)?;
    maybe(part, kind, "caption", 1024)?;
    maybe(part, kind, "filename", 240)?;
    match (part["id"].as_str(), part["link"].as_str()) {
        (Some(id), None) if meta.files.contains_key(id) => Ok(()),
        (Some(_), None) => Err(parameter(format!(
            "Param {kind}['id'] is not a valid whatsapp business account media attachment ID"
        ))),
        (None, Some(link)) if link.starts_with("https://") || link.starts_with("http://") => Ok(()),
        _ => Err(parameter(format!("Param {kind} must have one of id and link."))),
    }
}

fn interactive(part: &Value) -> Result<(), Reply> {
    only(part, "interactive", &["type", "body", "footer", "action"])?;
    only(&part["body"], "interactive['body']", &["text"])?;
    text(&part["body"], "interactive['body']", "text", 1024)?;
    if let Some(footer) = part.get("footer") {
        only(footer, "interactive['footer']", &["text"])?;
        text(footer, "interactive['footer']", "text", 60)?;
    }
    let (action, place) = (&part["action"], "interactive['action']");
    match part["type"].as_str() {
        Some("button") => {
            only(action, place, &["buttons"])?;
            let mut seen = BTreeSet::new();
            for button in list(action, place, "buttons", 3)? {
                only(button, "button", &["type", "reply"])?;
                only(&button["reply"], "reply", &["id", "title"])?;
                let id = text(&button["reply"], "reply", "id", 256)?;
                let title = text(&button["reply"], "reply", "title", 20)?;
                if button["type"] != "reply"
                    || !seen.insert(format!("id {id}"))
                    || !seen.insert(format!("title {title}"))
                {
                    return Err(refused(131_009, "(#131009) Parameter value is not valid: Duplicate button"));
                }
            }
            Ok(())
        }
        Some("list") => sections(action, place),
        _ => Err(parameter("Param interactive['type'] must be one of {LIST, BUTTON}.".into())),
    }
}

fn sections(action: &Value, place: &str) -> Result<(), Reply> {
    only(action, place, &["button", "sections"])?;
    text(action, place, "button", 20)?;
    let sections = list(action, place, "sections", 10)?;
    let mut ids = BTreeSet::new();
    for section in sections {
        only(section, "section", &["title", "rows"])?;
        if sections.len() > 1 || section.get("title").is_some() {
            text(section, "section", "title", 24)?;
        }
        for row in list(section, "section", "rows", 10)? {
            only(row, "row", &["id", "title", "description"])?;
            text(row, "row", "title", 24)?;
            maybe(row, "row", "description", 72)?;
            if !ids.insert(text(row, "row", "id", 200)?) {
                return Err(refused(131_009, "(#131009) Parameter value is not valid: Duplicated row id"));
            }
        }
    }
    if ids.len() > 10 {
        return Err(refused(
            131_009,
            "(#131009) Parameter value is not valid: Total row count exceed max allowed count: 10",
        ));
    }
    Ok(())
}

/// Only what was approved, with as many values as its body has placeholders.
fn template(meta: &Meta, part: &Value) -> Result<(), Reply> {
    only(part, "template", &["name", "language", "components"])?;
    only(&part["language"], "template['language']", &["code"])?;
    let name = text(part, "template", "name", 512)?;
    let language = text(&part["language"], "template['language']", "code", 16)?;
    let kept = meta.templates.iter().find(|kept| kept.name == name && kept.language == language);
    let Some(kept) = kept.filter(|kept| kept.status == "APPROVED") else {
        return Err(Reply::json(
            404,
            &super::error(132_001, "(#132001) Template name does not exist in the translation"),
        ));
    };
    let nothing = Vec::new();
    let components = part["components"].as_array().unwrap_or(&nothing);
    let mut given = 0;
    for component in components {
        only(component, "component", &["type", "sub_type", "index", "parameters"])?;
        let parameters = list(component, "component", "parameters", 100)?;
        match component["type"].as_str() {
            Some("body") => given = parameters.len(),
            Some("header") => {}
            Some("button") if component["index"].is_string() && component["sub_type"].is_string() => {}
            _ => {
                return Err(parameter(
                    "Param component['type'] must be one of {HEADER, BODY, BUTTON}.".into(),
                ));
            }
        }
        for value in parameters {
            template_value(value)?;
        }
    }
    if given != kept.placeholders() {
        return Err(refused(
            132_000,
            "(#132000) Number of parameters does not match the expected number of params",
        ));
    }
    Ok(())
}

fn template_value(value: &Value) -> Result<(), Reply> {
    let Some(kind) = value["type"].as_str() else {
        return Err(parameter("The parameter parameter['type'] is required.".into()));
    };
    let fits = match kind {
        "text" => value["text"].as_str().is_some_and(|text| !text.is_empty() && !text.contains('\n')),
        "currency" => value["currency"]["amount_1000"].is_i64() && value["currency"]["code"].is_string(),
        "date_time" => value["date_time"]["fallback_value"].is_string(),
        "coupon_code" => value["coupon_code"].is_string(),
        "image" | "video" => value[kind]["id"].is_string() || value[kind]["link"].is_string(),
        // Without a name people read "Untitled".
        "document" => {
            (value[kind]["id"].is_string() || value[kind]["link"].is_string())
                && value[kind]["filename"].as_str().is_some_and(|name| !name.trim().is_empty())
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(refused(132_012, "(#132012) Parameter format does not match format in the created template"))
    }
}
