//! Templates as Gupshup keeps them: applied for with examples, known by an id of Gupshup's, sent with as
//! many values as they have placeholders.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::refusal;
use crate::peer::Reply;

const FIELDS: [&str; 15] = [
    "elementName",
    "languageCode",
    "category",
    "vertical",
    "templateType",
    "content",
    "example",
    "header",
    "exampleHeader",
    "exampleMedia",
    "footer",
    "buttons",
    "enableSample",
    "allowTemplateCategoryChange",
    "appId",
];

/// Does a message fit the template that it names?
pub fn check(templates: &[Value], sent: &Value, message: &Value) -> Result<(), Reply> {
    let known = templates.iter().find(|template| template["id"] == sent["id"]);
    let Some(template) = known else { return Err(refusal(400, "Template not found")) };
    if template["status"] != "APPROVED" {
        return Err(refusal(400, "Template is not approved"));
    }
    let params = sent["params"].as_array().cloned().unwrap_or_default();
    let all_texts = params.iter().all(|param| param.as_str().is_some_and(|text| !text.is_empty()));
    if !all_texts || params.len() != placeholders(template) {
        return Err(refusal(400, "Template params do not match"));
    }
    if sent.as_object().is_none_or(|sent| sent.keys().any(|name| name != "id" && name != "params")) {
        return Err(refusal(400, "Unknown field in template"));
    }
    let kind = template["templateType"].as_str().unwrap_or_default().to_lowercase();
    let file = message[&kind]["link"].as_str().is_some_and(|link| link.starts_with("http"));
    let named = message[&kind]["filename"].as_str().is_some_and(|name| !name.trim().is_empty());
    let fits = match kind.as_str() {
        "text" => message.is_null(),
        kind => message["type"] == kind && file && named == (kind == "document"),
    };
    if fits { Ok(()) } else { Err(refusal(400, "The message does not fit the template's type")) }
}

/// Those of header, body and buttons; in each text a number counts once. The button that copies a code
/// wants it once more.
fn placeholders(template: &Value) -> usize {
    let in_text =
        |text: &str| (1..=99).take_while(|number| text.contains(&format!("{{{{{number}}}}}"))).count();
    let buttons: Value =
        serde_json::from_str(template["buttons"].as_str().unwrap_or("[]")).unwrap_or_default();
    let urls = buttons.as_array().into_iter().flatten().filter_map(|button| button["url"].as_str());
    let texts = ["header", "content"].into_iter().filter_map(|name| template[name].as_str());
    let copies = buttons.as_array().into_iter().flatten();
    let copies = copies.filter(|button| matches!(button["type"].as_str(), Some("OTP" | "COPY_CODE"))).count();
    texts.chain(urls).map(in_text).sum::<usize>() + copies
}

/// The calls below `/wa/app/{appId}/template`.
pub fn manage(
    templates: &mut Vec<Value>,
    method: &Method,
    path: &[&str],
    form: &BTreeMap<String, String>,
) -> Result<Reply, Reply> {
    match (method, path) {
        (&Method::GET, []) => Ok(Reply::json(200, &json!({"status": "success", "templates": templates}))),
        (&Method::POST, []) => {
            fits(
                form,
                &[
                    "elementName",
                    "languageCode",
                    "category",
                    "vertical",
                    "templateType",
                    "content",
                    "example",
                ],
            )?;
            let name = &form["elementName"];
            let there = |known: &Value| {
                known["elementName"] == **name && known["languageCode"] == *form["languageCode"]
            };
            if templates.iter().any(there) {
                return Err(refusal(
                    400,
                    "Template Already exists with same namespace and elementName and languageCode",
                ));
            }
            let mut template = json!(form);
            template["id"] = json!(format!("t-{}", templates.len() + 1));
            template["status"] = json!("PENDING");
            templates.push(template.clone());
            Ok(Reply::json(200, &json!({"status": "success", "template": template})))
        }
        (&Method::PUT, [id]) => {
            fits(form, &["content", "templateType", "example"])?;
            let Some(template) = templates.iter_mut().find(|template| template["id"] == **id) else {
                return Err(refusal(400, "Template Does not exists."));
            };
            if form.contains_key("elementName") {
                return Err(refusal(400, "elementName cannot be edited"));
            }
            for (name, value) in form {
                template[name] = json!(value);
            }
            template["status"] = json!("PENDING");
            Ok(Reply::json(200, &json!({"status": "success", "template": template})))
        }
        (&Method::DELETE, [name, id @ ..]) if id.len() <= 1 => {
            let before = templates.len();
            templates.retain(|template| {
                template["elementName"] != **name || id.first().is_some_and(|id| template["id"] != **id)
            });
            match templates.len() == before {
                true => Err(refusal(400, "Template Does not exists.")),
                false => Ok(Reply::json(200, &json!({"status": "success"}))),
            }
        }
        _ => Err(refusal(404, "Not Found")),
    }
}

fn fits(form: &BTreeMap<String, String>, required: &[&str]) -> Result<(), Reply> {
    if let Some(missing) = required.iter().find(|name| form.get(**name).is_none_or(String::is_empty)) {
        return Err(refusal(400, &format!("{missing} is missing")));
    }
    if let Some(unknown) = form.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(refusal(400, &format!("Unknown parameter {unknown}")));
    }
    let text = |name: &str| form.get(name).map_or("", String::as_str);
    if !["", "AUTHENTICATION", "MARKETING", "UTILITY"].contains(&text("category")) {
        return Err(refusal(
            400,
            "Invalid category provided, kindly use category from these option AUTHENTICATION, MARKETING, UTILITY.",
        ));
    }
    if text("elementName").chars().count() > 180 {
        return Err(refusal(400, "elementName is longer than 180 characters"));
    }
    if text("category") == "AUTHENTICATION" {
        let buttons: Value = serde_json::from_str(text("buttons")).unwrap_or_default();
        let copies = buttons.as_array().is_some_and(|it| it.len() == 1 && it[0]["type"] == "OTP");
        if !text("content").starts_with("{{1}} is your verification code.") || !copies {
            return Err(refusal(400, "The code comes first in an authentication template, with its button"));
        }
    }
    if text("content").chars().count() > 1028 || text("example").contains("{{") {
        return Err(refusal(400, "Invalid content or example"));
    }
    if text("templateType") != "TEXT" && text("exampleMedia").is_empty() {
        return Err(refusal(400, "exampleMedia is missing"));
    }
    Ok(())
}
