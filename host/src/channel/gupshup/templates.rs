//! Templates at Gupshup: known by an id of its own, filled by a plain list of values, managed per app
//! under names that it calls `elementName`. Its form has `{{1}}` for every placeholder, counted in each
//! text by itself; ours may have names.

use http::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::channel::gupshup::media::link;
use crate::channel::gupshup::{api, outcome};
use crate::channel::json::{self, Object, word};
use crate::channel::length::Most;
use crate::channel::templates::{Api, Listed, Page, Submitted};
use crate::channel::{EncodeError, Outcome, Outgoing, Request, media};
use crate::message::{self, Fate};
use crate::template::placeholders::{Piece, is_number, names, pieces};
use crate::template::{self, Button, Category, Header, Status, Template};
use crate::tenant::Sender;

/// What a template is about, which Gupshup wants to know and WhatsApp does not.
const VERTICAL: &str = "Customer messages";

/// WhatsApp takes longer names of templates.
const NAME: Most = Most { chars: 180, by: "Gupshup", rest: "" };

/// WhatsApp fixes the words of an authentication template, in every language; Gupshup wants to read them
/// all the same.
const CODE_FIRST: &str = "{{1}} is your verification code.";

/// The fields of a message that is made from a template.
pub fn fields(
    outgoing: &Outgoing<'_>,
    wanted: &message::Template,
) -> Result<Vec<(&'static str, String)>, EncodeError> {
    let known =
        |what: &str| EncodeError(format!("the template `{}` ({}) {what}", wanted.name, wanted.language));
    let template = outgoing.template.ok_or_else(|| known("is not one of this sender's"))?;
    let id = outgoing.template_id.ok_or_else(|| {
        known("has no id yet: Gupshup gives one when it is submitted; see `switchboard template list`")
    })?;
    let values =
        template::values(template, &wanted.parameters).map_err(|mistake| known(&mistake.to_string()))?;
    let value = |name: &str| values.get(name).map(|value| (*value).to_owned());
    let params: Vec<String> = params(template).into_iter().filter_map(value).collect();
    let mut fields = vec![("template", json!({ "id": id, "params": params }).to_string())];
    let kind = match &template.header {
        Some(Header::Image) => "image",
        Some(Header::Video) => "video",
        Some(Header::Document) => "document",
        Some(Header::Text { .. }) | None => return Ok(fields),
    };
    let address = value("header").unwrap_or_default();
    let mut file = json!({ "link": link(&address, outgoing.media)? });
    if kind == "document" {
        file["filename"] = media::file_name(None, &address, outgoing.media).into();
    }
    fields.push(("message", json!({ "type": kind, kind: file }).to_string()));
    Ok(fields)
}

/// The parameters in Gupshup's order: those of the header's text, of the body, of the buttons. An
/// authentication template has its code alone, and again for the button that copies it.
fn params(template: &Template) -> Vec<&str> {
    let mut params = Vec::new();
    if template.category == Category::Authentication {
        return template.code().map(|code| vec![code, code]).unwrap_or_default();
    }
    if let Some(Header::Text { text }) = &template.header {
        params.extend(in_order(text));
    }
    params.extend(in_order(&template.body));
    for button in &template.buttons {
        match button {
            Button::Url { url, .. } => params.extend(in_order(url)),
            Button::CopyCode { .. } => params.push("code"),
            Button::QuickReply { .. } | Button::Phone { .. } => {}
        }
    }
    params
}

/// The placeholders of a text, each once: numbers by number, names as they come.
fn in_order(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for name in names(text) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    if found.iter().all(|name| is_number(name)) {
        found.sort_by_key(|name| name.parse::<u32>().unwrap_or(u32::MAX));
    }
    found
}

/// The text with each placeholder as `write` says, which gets its place, from 1, and its name.
fn rewritten(text: &str, write: impl Fn(usize, &str) -> String) -> String {
    let order = in_order(text);
    let mut rewritten = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => rewritten.push_str(text),
            Piece::Placeholder(name) => {
                let place = order.iter().position(|known| *known == name).unwrap_or_default();
                rewritten.push_str(&write(place + 1, name));
            }
        }
    }
    rewritten
}

fn numbered(text: &str) -> String {
    rewritten(text, |place, _| format!("{{{{{place}}}}}"))
}

/// With the examples that its parameters have.
fn example(text: &str, template: &Template) -> String {
    rewritten(text, |_, name| {
        let known = template.parameters.iter().find(|known| known.name == name);
        known.map(|known| known.example.clone()).unwrap_or_default()
    })
}

#[derive(Debug)]
pub struct Management;

impl Api for Management {
    fn submit(&self, sender: &Sender, template: &Template) -> Result<Request, EncodeError> {
        NAME.allow("the template's name", &template.name)?;
        let mut fields = vec![
            ("elementName", template.name.clone()),
            ("languageCode", template.language.clone()),
            ("vertical", VERTICAL.to_owned()),
            // WhatsApp may put it into another category rather than reject it.
            ("allowTemplateCategoryChange", "true".to_owned()),
        ];
        fields.extend(described(template)?);
        api::form(sender, Method::POST, &templates(sender)?, &fields)
    }

    fn update(&self, sender: &Sender, id: &str, template: &Template) -> Result<Request, EncodeError> {
        let path = format!("{}/{}", templates(sender)?, part(id));
        api::form(sender, Method::PUT, &path, &described(template)?)
    }

    /// By name, and by id where it is known, because a name has all its languages.
    fn delete(&self, sender: &Sender, id: Option<&str>, template: &Template) -> Result<Request, EncodeError> {
        let mut path = format!("{}/{}", templates(sender)?, part(&template.name));
        if let Some(id) = id {
            path = format!("{path}/{}", part(id));
        }
        api::call(sender, Method::DELETE, &path)
    }

    /// All of them at once.
    fn list(&self, sender: &Sender, _after: Option<&str>) -> Result<Request, EncodeError> {
        api::call(sender, Method::GET, &templates(sender)?)
    }

    fn submitted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Submitted, Outcome> {
        let answer = well(status, headers, body)?;
        let nothing = Object::new();
        let template = json::object(&answer, &["template"]).unwrap_or(&nothing);
        let told = json::text(template, "status");
        Ok(Submitted {
            id: word(template, "id"),
            status: told.map_or(Status::Pending, Status::parse),
            category: json::text(template, "category").and_then(Category::parse),
        })
    }

    fn deleted(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<(), Outcome> {
        let words = json::parse::<Object>(body).ok();
        let words = words.as_ref().and_then(|answer| json::text(answer, "message")).unwrap_or_default();
        // "Template Does not exists."
        if (400..=499).contains(&status) && words.to_lowercase().starts_with("template does not exist") {
            return Ok(());
        }
        well(status, headers, body).map(drop)
    }

    fn listed(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Page, Outcome> {
        let answer = well(status, headers, body)?;
        let Some(Value::Array(templates)) = json::field(&answer, "templates") else {
            return Err(Outcome::failed(Fate::Permanent, "Gupshup's answer has no list of templates"));
        };
        let listed = |template: &Object| {
            Some(Listed {
                id: word(template, "id"),
                name: json::text(template, "elementName")?.to_owned(),
                language: json::text(template, "languageCode")?.to_owned(),
                status: Status::parse(json::text(template, "status").unwrap_or_default()),
                category: json::text(template, "category").and_then(Category::parse),
                reason: json::text(template, "reason").map(str::to_owned),
            })
        };
        let templates = templates.iter().filter_map(Value::as_object).filter_map(listed).collect();
        Ok(Page { templates, next: None })
    }
}

/// The answer, if it is a good one.
fn well(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Object, Outcome> {
    let answer: Option<Object> = json::parse(body).ok();
    if let Some(failed) = outcome::failed(status, headers, answer.as_ref()) {
        return Err(failed);
    }
    answer.ok_or_else(|| Outcome::failed(Fate::Unknown, "Gupshup's answer cannot be read"))
}

fn templates(sender: &Sender) -> Result<String, EncodeError> {
    let app = sender.settings.own().other_account().filter(|app| !app.is_empty()).ok_or_else(|| {
        EncodeError(format!("the sender {} has no app_id: Gupshup keeps templates under it", sender.name))
    })?;
    Ok(format!("/wa/app/{}/template", part(app)))
}

/// A part of a path.
pub fn part(text: &str) -> impl std::fmt::Display {
    // Ids and names are mostly plain; the dash and the underscore stay readable.
    const SET: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(text, SET)
}

/// What the template says, with examples.
fn described(template: &Template) -> Result<Vec<(&'static str, String)>, EncodeError> {
    if let Some(mistake) = template::rules::check(template).first() {
        return Err(EncodeError(format!("the template `{}`: {mistake}", template.name)));
    }
    if template.category == Category::Authentication {
        return authentication(template);
    }
    let mut fields = vec![
        ("category", template.category.word().to_owned()),
        ("content", numbered(&template.body)),
        ("example", example(&template.body, template)),
        ("enableSample", "true".to_owned()),
    ];
    let kind = match &template.header {
        None => "TEXT",
        Some(Header::Text { text }) => {
            fields.push(("header", numbered(text)));
            fields.push(("exampleHeader", example(text, template)));
            "TEXT"
        }
        Some(file) => {
            fields.push(("exampleMedia", sample(template)?));
            match file {
                Header::Video => "VIDEO",
                Header::Document => "DOCUMENT",
                Header::Image | Header::Text { .. } => "IMAGE",
            }
        }
    };
    fields.push(("templateType", kind.to_owned()));
    if let Some(footer) = template.footer.as_deref().filter(|footer| !footer.is_empty()) {
        fields.push(("footer", footer.to_owned()));
    }
    if !template.buttons.is_empty() {
        let buttons: Vec<Value> = template.buttons.iter().map(|it| button(it, template)).collect();
        fields.push(("buttons", Value::from(buttons).to_string()));
    }
    Ok(fields)
}

/// The fixed words with the code at their start, and the button that copies it, whatever buttons the
/// template has.
fn authentication(template: &Template) -> Result<Vec<(&'static str, String)>, EncodeError> {
    let code = template.code().and_then(|code| template.parameters.iter().find(|known| known.name == code));
    let Some(code) = code else {
        return Err(EncodeError(format!(
            "the template `{}`: an authentication template has a parameter for its code; declare `code`",
            template.name
        )));
    };
    let copy = json!([{ "type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code" }]);
    Ok(vec![
        ("category", template.category.word().to_owned()),
        ("content", CODE_FIRST.to_owned()),
        ("example", CODE_FIRST.replace("{{1}}", &code.example)),
        ("enableSample", "true".to_owned()),
        ("templateType", "TEXT".to_owned()),
        ("buttons", copy.to_string()),
    ])
}

/// Gupshup shows WhatsApp a file that was handed over before, by the handle it gave for it.
fn sample(template: &Template) -> Result<String, EncodeError> {
    let header = template.parameters.iter().find(|known| known.name == "header");
    let handle = header.map(|header| header.example.as_str()).filter(|example| !example.contains("://"));
    handle.map(str::to_owned).ok_or_else(|| {
        EncodeError(format!(
            "the template `{}`: the example of its parameter `header` must be the handle id that Gupshup gave \
             for a sample file; an address is not enough",
            template.name
        ))
    })
}

fn button(button: &Button, template: &Template) -> Value {
    match button {
        Button::QuickReply { text } => json!({ "type": "QUICK_REPLY", "text": text }),
        Button::Url { text, url } if names(url).is_empty() => {
            json!({ "type": "URL", "text": text, "url": url })
        }
        Button::Url { text, url } => json!({
            "type": "URL", "text": text, "url": numbered(url), "example": [template.example_address(url)],
        }),
        Button::Phone { text, number } => {
            json!({ "type": "PHONE_NUMBER", "text": text, "phone_number": number })
        }
        Button::CopyCode { example } => {
            json!({ "type": "COPY_CODE", "text": "Copy offer code", "example": example })
        }
    }
}
