//! Templates at Meta: `{business account}/message_templates`. They belong to the business account, so
//! that all its numbers share them.
//!
//! Meta never moves an approved template into another category at our request, and a template's name and
//! language are fixed; what is replaced is its content.

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::channel::json::{self, Object};
use crate::channel::meta::outcome::{self, Answering};
use crate::channel::meta::parameters::{in_order, is_named};
use crate::channel::meta::{META, graph};
use crate::channel::templates::{Api, Listed, Page, Submitted};
use crate::channel::{EncodeError, Outcome, Request};
use crate::template::placeholders::{Piece, pieces};
use crate::template::{Button, Category, Header, Status, Template};
use crate::tenant::Sender;

/// Meta's largest page.
const PAGE: usize = 100;

#[derive(Debug)]
pub struct Templates;

impl Api for Templates {
    fn submit(&self, sender: &Sender, template: &Template) -> Result<Request, EncodeError> {
        let path = format!("{}/message_templates", business(sender)?);
        graph::call(sender, Method::POST, &path, &body(template))
    }

    fn update(&self, sender: &Sender, id: &str, template: &Template) -> Result<Request, EncodeError> {
        let body = json!({ "components": components(template) });
        graph::call(sender, Method::POST, template_id(id)?, &body)
    }

    /// By name alone Meta deletes the template in every language.
    fn delete(&self, sender: &Sender, id: Option<&str>, template: &Template) -> Result<Request, EncodeError> {
        let Some(id) = id else {
            return Err(EncodeError(format!(
                "the id of template {} at Meta is not known, and by name alone Meta deletes all its languages; \
                 fetch the templates' state first: `switchboard template sync`",
                template.name
            )));
        };
        let path = format!("{}/message_templates?hsm_id={}", business(sender)?, template_id(id)?);
        let mut request = graph::get(sender, &format!("{path}&name={}", name(template)?))?;
        request.method = Method::DELETE;
        Ok(request)
    }

    fn list(&self, sender: &Sender, after: Option<&str>) -> Result<Request, EncodeError> {
        let fields = "id,name,language,status,category,rejected_reason";
        let mut path = format!("{}/message_templates?limit={PAGE}&fields={fields}", business(sender)?);
        if let Some(after) = after {
            path.extend(
                ["&after=".to_owned()]
                    .into_iter()
                    .chain(url::form_urlencoded::byte_serialize(after.as_bytes()).map(str::to_owned)),
            );
        }
        graph::get(sender, &path)
    }

    /// A replacement is answered with `success` alone: it waits for approval again.
    fn submitted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Submitted, Outcome> {
        taken(&META, status, headers, body)
    }

    fn deleted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Outcome> {
        match outcome::success(&META, status, headers, body) {
            Ok(_) => Ok(()),
            Err(_) if is_gone(status, body) => Ok(()),
            Err(outcome) => Err(outcome),
        }
    }

    fn listed(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Page, Outcome> {
        let answer = outcome::success(&META, status, headers, body)?;
        let Some(templates) = json::field(&answer, "data").and_then(Value::as_array) else {
            return Err(unreadable(&META, "a list of templates"));
        };
        let paging = json::object(&answer, &["paging"]);
        let more = paging.filter(|paging| json::text(paging, "next").is_some());
        let cursors = more.and_then(|paging| json::object(paging, &["cursors"]));
        Ok(Page {
            templates: templates.iter().filter_map(Value::as_object).filter_map(listed).collect(),
            next: cursors.and_then(|cursors| json::text(cursors, "after")).map(str::to_owned),
        })
    }
}

/// A template as the Cloud API is asked for it, whoever passes it on.
pub fn body(template: &Template) -> Value {
    let mut body = json!({
        "name": template.name,
        "language": template.language,
        "category": template.category.word(),
        "components": components(template),
    });
    if is_named(template) && template.category != Category::Authentication {
        body["parameter_format"] = "NAMED".into();
    }
    body
}

/// The answer to a submission.
pub fn taken(from: &Answering, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Submitted, Outcome> {
    let answer = outcome::success(from, status, headers, body)?;
    let word = json::text(&answer, "status");
    if word.is_none() && !json::flag(&answer, "success") && id(&answer).is_none() {
        return Err(unreadable(from, "a submitted template"));
    }
    Ok(Submitted {
        id: id(&answer),
        status: word.map_or(Status::Pending, Status::parse),
        category: json::text(&answer, "category").and_then(Category::parse),
    })
}

/// One of a list.
pub fn listed(template: &Object) -> Option<Listed> {
    let word = json::text(template, "status").unwrap_or_default();
    let status = Status::parse(word);
    let reason = json::text(template, "rejected_reason").filter(|reason| *reason != "NONE");
    Some(Listed {
        id: id(template),
        name: json::text(template, "name")?.to_owned(),
        language: json::text(template, "language")?.to_owned(),
        status,
        category: json::text(template, "category").and_then(Category::parse),
        reason: match status {
            Status::Unknown => Some(word.to_owned()),
            _ => reason.map(str::to_owned),
        },
    })
}

/// Text, or a number too large for some readers of JSON.
fn id(object: &Object) -> Option<String> {
    match json::field(object, "id")? {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Meta says so in words; the subcode is not documented.
fn is_gone(status: u16, body: &[u8]) -> bool {
    let answer: Option<Object> = json::parse(body).ok();
    let error = answer.as_ref().and_then(|answer| json::object(answer, &["error"]));
    let says = |name| {
        let words = error.and_then(|error| json::text(error, name)).unwrap_or_default().to_lowercase();
        words.contains("not found") || words.contains("does not exist") || words.contains("doesn't exist")
    };
    matches!(status, 400 | 404) && ["message", "error_user_title", "error_user_msg"].into_iter().any(says)
}

pub fn unreadable(from: &Answering, what: &str) -> Outcome {
    Outcome::failed(
        crate::message::Fate::Unknown,
        format!("what {} answered is not {what}; check the sender's base_url", from.who),
    )
}

fn business(sender: &Sender) -> Result<&str, EncodeError> {
    sender.settings.own().business_account().and_then(graph::id).ok_or_else(|| {
        EncodeError(format!(
            "the sender {} has no business_account: the id of the WhatsApp business account at Meta",
            sender.name
        ))
    })
}

fn template_id(id: &str) -> Result<&str, EncodeError> {
    graph::id(id).ok_or_else(|| EncodeError("the template's id is none of Meta's".into()))
}

fn name(template: &Template) -> Result<&str, EncodeError> {
    graph::id(&template.name)
        .ok_or_else(|| EncodeError(format!("{:?} is no name of a template", template.name)))
}

fn components(template: &Template) -> Vec<Value> {
    if template.category == Category::Authentication {
        // Meta writes the words itself, in the template's language.
        let copy = json!({ "type": "OTP", "otp_type": "COPY_CODE" });
        return vec![json!({ "type": "BODY" }), json!({ "type": "BUTTONS", "buttons": [copy] })];
    }
    let mut components = Vec::new();
    components.extend(template.header.as_ref().map(|header| self::header(template, header)));
    components.push(text(template, "BODY", "body_text", &template.body));
    components.extend(template.footer.as_ref().map(|footer| json!({ "type": "FOOTER", "text": footer })));
    if !template.buttons.is_empty() {
        let buttons: Vec<Value> = template.buttons.iter().map(|it| button(template, it)).collect();
        components.push(json!({ "type": "BUTTONS", "buttons": buttons }));
    }
    components
}

fn header(template: &Template, header: &Header) -> Value {
    let format = match header {
        Header::Text { text: words } => {
            let mut part = text(template, "HEADER", "header_text", words);
            part["format"] = "TEXT".into();
            return part;
        }
        Header::Image => "IMAGE",
        Header::Video => "VIDEO",
        Header::Document => "DOCUMENT",
    };
    let mut part = json!({ "type": "HEADER", "format": format });
    if let Some(example) = example(template, "header") {
        part["example"] = json!({ "header_handle": [example] });
    }
    part
}

/// A text with the examples of its placeholders.
fn text(template: &Template, kind: &str, example_field: &str, words: &str) -> Value {
    let mut part = json!({ "type": kind, "text": words });
    let found = in_order(words);
    let examples = || found.iter().filter_map(|name| Some((name, example(template, name)?)));
    if found.is_empty() {
        return part;
    }
    if is_named(template) {
        let named: Vec<Value> =
            examples().map(|(name, example)| json!({ "param_name": name, "example": example })).collect();
        part["example"] = json!({ format!("{example_field}_named_params"): named });
    } else {
        let values: Vec<&str> = examples().map(|(_, example)| example).collect();
        // A body may have several sets of examples, a header has one.
        let values = if kind == "BODY" { json!([values]) } else { json!(values) };
        part["example"] = json!({ example_field: values });
    }
    part
}

fn example<'a>(template: &'a Template, name: &str) -> Option<&'a str> {
    template.parameters.iter().find(|known| known.name == name).map(|known| known.example.as_str())
}

fn button(template: &Template, button: &Button) -> Value {
    match button {
        Button::QuickReply { text } => json!({ "type": "QUICK_REPLY", "text": text }),
        Button::Phone { text, number } => {
            json!({ "type": "PHONE_NUMBER", "text": text, "phone_number": number })
        }
        Button::CopyCode { example } => json!({ "type": "COPY_CODE", "example": example }),
        Button::Url { text, url } => {
            // In an address the placeholder is a number for Meta, whatever it is called here.
            let numbered: String = pieces(url)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Placeholder(_) => "{{1}}",
                })
                .collect();
            let mut part = json!({ "type": "URL", "text": text, "url": numbered });
            if numbered.contains("{{1}}") {
                part["example"] = json!([template.example_address(url)]);
            }
            part
        }
    }
}

#[cfg(test)]
mod tests;
