//! Templates of the business account: made, replaced, deleted by name or by id, listed in pages.

use serde_json::{Value, json};

use super::{Meta, list, object, only, parameter, text};
use crate::peer::{Call, Reply};

#[derive(Clone, Debug)]
pub struct Kept {
    pub id: String,
    pub name: String,
    pub language: String,
    pub category: String,
    pub status: String,
    pub components: Vec<Value>,
}

impl Kept {
    /// How many different values its body takes.
    pub fn placeholders(&self) -> usize {
        if self.category == "AUTHENTICATION" {
            return 1;
        }
        let body = self.components.iter().find(|component| component["type"] == "BODY");
        let body = body.and_then(|body| body["text"].as_str()).unwrap_or_default();
        let names: std::collections::BTreeSet<&str> =
            body.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name).collect();
        names.len()
    }
}

pub fn call(meta: &mut Meta, call: &Call) -> Result<Reply, Reply> {
    match call.method.as_str() {
        "POST" => submit(meta, call),
        "DELETE" => delete(meta, call),
        _ => Ok(page(meta, call)),
    }
}

fn submit(meta: &mut Meta, call: &Call) -> Result<Reply, Reply> {
    let body = Value::Object(object(call)?);
    only(&body, "", &["name", "language", "category", "components", "parameter_format"])?;
    let name = text(&body, "", "name", 512)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let category = text(&body, "", "category", 32)?;
    if !name.bytes().all(plain) || !["MARKETING", "UTILITY", "AUTHENTICATION"].contains(&category) {
        return Err(parameter("Invalid parameter".into()));
    }
    let language = text(&body, "", "language", 16)?;
    if meta.templates.iter().any(|kept| kept.name == name && kept.language == language) {
        return Err(parameter("Content in this language already exists".into()));
    }
    let components = components(&body)?;
    let id = meta.number();
    meta.templates.push(Kept {
        id: id.clone(),
        name: name.to_owned(),
        language: language.to_owned(),
        category: category.to_owned(),
        status: "PENDING".into(),
        components,
    });
    Ok(Reply::json(200, &json!({ "id": id, "status": "PENDING", "category": category })))
}

pub fn replace(meta: &mut Meta, id: &str, call: &Call) -> Result<Reply, Reply> {
    let body = Value::Object(object(call)?);
    only(&body, "", &["category", "components"])?;
    let components = components(&body)?;
    let Some(kept) = meta.templates.iter_mut().find(|kept| kept.id == id) else {
        return Err(super::missing(id));
    };
    kept.components = components;
    kept.status = "PENDING".into();
    Ok(Reply::json(200, &json!({ "success": true })))
}

fn components(body: &Value) -> Result<Vec<Value>, Reply> {
    let components = list(body, "", "components", 10)?;
    for component in components {
        only(component, "component", &["type", "format", "text", "example", "buttons"])?;
        let words = component["text"].as_str().unwrap_or_default();
        let explained = component.get("example").is_some();
        let known = match component["type"].as_str() {
            Some("HEADER") => component["format"] == "TEXT" || explained,
            Some("BODY" | "FOOTER") => true,
            Some("BUTTONS") => {
                list(component, "component", "buttons", 10)?.iter().all(|it| it["type"].is_string())
            }
            _ => false,
        };
        if !known || words.contains("{{") != (explained && !words.is_empty()) {
            return Err(parameter("Invalid parameter: the component lacks what its type needs".into()));
        }
    }
    Ok(components.clone())
}

fn delete(meta: &mut Meta, call: &Call) -> Result<Reply, Reply> {
    let named =
        |wanted: &str| call.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let Some(name) = named("name") else {
        return Err(parameter("The parameter name is required.".into()));
    };
    let before = meta.templates.len();
    meta.templates.retain(|kept| kept.name != name || named("hsm_id").is_some_and(|id| kept.id != id));
    if meta.templates.len() == before {
        let mut error = super::error(100, "Invalid parameter");
        error["error"]["error_user_title"] = "Message Template Not Found".into();
        return Err(Reply::json(404, &error));
    }
    Ok(Reply::json(200, &json!({ "success": true })))
}

fn page(meta: &Meta, call: &Call) -> Reply {
    let number = |wanted: &str| {
        let value = call.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        value.and_then(|value| value.parse::<usize>().ok())
    };
    let (from, limit) = (number("after").unwrap_or(0), number("limit").unwrap_or(25));
    let shown = meta.templates.iter().skip(from).take(limit).map(|kept| {
        json!({ "id": kept.id, "name": kept.name, "language": kept.language, "category": kept.category,
            "status": kept.status, "rejected_reason": "NONE" })
    });
    let mut paging =
        json!({ "cursors": { "before": from.to_string(), "after": (from + limit).to_string() } });
    if from + limit < meta.templates.len() {
        paging["next"] = format!("{}{}", meta.url, call.path).into();
    }
    Reply::json(200, &json!({ "data": shown.collect::<Vec<_>>(), "paging": paging }))
}
