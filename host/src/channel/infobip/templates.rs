//! Templates at Infobip: `/whatsapp/2/senders/{sender}/templates`. It tells of approval by webhook and in
//! the list.
//!
//! Authentication templates have a form of their own there: WhatsApp fixes their words and the button
//! that copies the code.

use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::channel::infobip::encode::{authorized, base, is_address, number};
use crate::channel::infobip::outcome;
use crate::channel::infobip::placeholders::{numbered, ordered};
use crate::channel::json::{self, Object, word};
use crate::channel::templates::{Api, Listed, Page, Submitted};
use crate::channel::{EncodeError, Outcome, Request};
use crate::message::Fate;
use crate::template::placeholders::names;
use crate::template::{Button, Category, Header, Status, Template};
use crate::tenant::Sender;

#[derive(Debug)]
pub struct Templates;

impl Api for Templates {
    fn submit(&self, sender: &Sender, template: &Template) -> Result<Request, EncodeError> {
        let body = json!({
            "name": template.name, "language": template.language,
            "category": template.category.word(), "structure": structure(template)?,
        });
        authorized(Request::json(http::Method::POST, folder(sender)?, &body), sender)
    }

    fn update(&self, sender: &Sender, id: &str, template: &Template) -> Result<Request, EncodeError> {
        let body = json!({ "category": template.category.word(), "structure": structure(template)? });
        let url = format!("{}/{}", folder(sender)?, utf8_percent_encode(id, NON_ALPHANUMERIC));
        authorized(Request::json(http::Method::PATCH, url, &body), sender)
    }

    /// By name: all its languages go.
    fn delete(
        &self,
        sender: &Sender,
        _id: Option<&str>,
        template: &Template,
    ) -> Result<Request, EncodeError> {
        // An underscore needs no escape, and every name has some.
        let url = format!("{}/{}", folder(sender)?, template.name);
        if !template.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(EncodeError(format!("`{}` is no name of a template", template.name)));
        }
        authorized(Request { method: http::Method::DELETE, ..Request::get(url) }, sender)
    }

    fn list(&self, sender: &Sender, after: Option<&str>) -> Result<Request, EncodeError> {
        let url = match after {
            None => folder(sender)?,
            Some(page) => format!("{}?page={}", folder(sender)?, utf8_percent_encode(page, NON_ALPHANUMERIC)),
        };
        authorized(Request::get(url), sender)
    }

    fn submitted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Submitted, Outcome> {
        let answer = read(status, headers, body)?;
        Ok(Submitted {
            id: word(&answer, "id"),
            // Without a word of it, it waits.
            status: json::text(&answer, "status").map_or(Status::Pending, Status::parse),
            category: json::text(&answer, "category").and_then(Category::parse),
        })
    }

    fn deleted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Outcome> {
        // A 404 in other words than Infobip's comes from elsewhere.
        let gone = status == 404
            && json::parse::<Object>(body)
                .is_ok_and(|it| it.contains_key("requestError") || it.contains_key("errorCode"));
        if gone || (200..300).contains(&status) {
            return Ok(());
        }
        Err(outcome::failure(status, headers, body))
    }

    fn deletes_all_languages(&self) -> bool {
        true
    }

    fn listed(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Page, Outcome> {
        let answer = read(status, headers, body)?;
        let Some(Value::Array(found)) =
            json::field(&answer, "templates").or_else(|| json::field(&answer, "results"))
        else {
            return Err(Outcome::failed(Fate::Permanent, "Infobip's answer has no list of templates"));
        };
        Ok(Page {
            templates: found.iter().filter_map(|it| listed(it.as_object()?)).collect(),
            next: next(&answer),
        })
    }
}

fn folder(sender: &Sender) -> Result<String, EncodeError> {
    Ok(format!("{}/whatsapp/2/senders/{}/templates", base(sender)?, number(sender)))
}

fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Object, Outcome> {
    if !(200..300).contains(&status) {
        return Err(outcome::failure(status, headers, body));
    }
    json::parse(body)
        .map_err(|error| Outcome::failed(Fate::Unknown, format!("Infobip's answer cannot be read: {error}")))
}

fn listed(template: &Object) -> Option<Listed> {
    let said = json::text(template, "status");
    let status = said.map_or(Status::Unknown, Status::parse);
    let reason = json::text(template, "rejectionReason").or_else(|| json::text(template, "reason"));
    Some(Listed {
        id: word(template, "id"),
        name: json::text(template, "name")?.to_owned(),
        language: json::text(template, "language").unwrap_or_default().to_owned(),
        status,
        category: json::text(template, "category").and_then(Category::parse),
        reason: reason.or_else(|| said.filter(|_| status == Status::Unknown)).map(str::to_owned),
    })
}

/// Pages are counted from 0.
fn next(answer: &Object) -> Option<String> {
    let paging = json::object(answer, &["paging"])?;
    let count = |name| json::field(paging, name).and_then(json::number);
    let (page, pages) = (count("page")?, count("totalPages")?);
    (page + 1.0 < pages).then(|| (page as u64 + 1).to_string())
}

fn structure(template: &Template) -> Result<Value, EncodeError> {
    if template.category == Category::Authentication {
        let copy = json!({ "otpType": "COPY_CODE" });
        return Ok(json!({ "body": {}, "footer": {}, "buttons": [copy] }));
    }
    let example = |name: &str| {
        let found = template.parameters.iter().find(|parameter| parameter.name == name);
        found.map(|parameter| parameter.example.as_str()).ok_or_else(|| {
            EncodeError(format!("the template `{}`: its placeholder `{name}` has no example", template.name))
        })
    };
    let examples = |text: &str| ordered(text).into_iter().map(example).collect::<Result<Vec<_>, _>>();
    let mut body = json!({ "text": numbered(&template.body) });
    let shown = examples(&template.body)?;
    if !shown.is_empty() {
        body["examples"] = json!(shown);
    }
    let mut structure = json!({ "body": body });
    let media = |format: &str| {
        let shown = example("header")?;
        if !is_address(shown) {
            return Err(EncodeError(format!(
                "the template `{}`: Infobip shows WhatsApp a sample file by its address; the example of the \
                 parameter `header` must be one",
                template.name
            )));
        }
        Ok(json!({ "format": format, "example": shown }))
    };
    let header = match &template.header {
        None => None,
        Some(Header::Text { text }) => {
            let mut header = json!({ "format": "TEXT", "text": numbered(text) });
            if let Some(example) = examples(text)?.first() {
                header["example"] = (*example).into();
            }
            Some(header)
        }
        Some(Header::Image) => Some(media("IMAGE")?),
        Some(Header::Video) => Some(media("VIDEO")?),
        Some(Header::Document) => Some(media("DOCUMENT")?),
    };
    if let Some(header) = header {
        structure["header"] = header;
    }
    if let Some(footer) = template.footer.as_deref().filter(|footer| !footer.is_empty()) {
        structure["footer"] = json!({ "text": footer });
    }
    if !template.buttons.is_empty() {
        structure["buttons"] = template.buttons.iter().map(|it| button(template, it)).collect();
    }
    Ok(structure)
}

fn button(template: &Template, button: &Button) -> Value {
    match button {
        Button::QuickReply { text } => json!({ "type": "QUICK_REPLY", "text": text }),
        Button::Phone { text, number } => {
            json!({ "type": "PHONE_NUMBER", "text": text, "phoneNumber": number })
        }
        Button::CopyCode { example } => json!({ "type": "COPY_CODE", "example": example }),
        Button::Url { text, url } => {
            let mut shown = json!({ "type": "URL", "text": text, "url": numbered(url) });
            if !names(url).is_empty() {
                shown["example"] = template.example_address(url).into();
            }
            shown
        }
    }
}
