//! A template's part of a message: which template, and the values of its parameters, each where it
//! stands.
//!
//! Numbered placeholders are sent in their order, money and dates with their kind; named ones are sent
//! as text under their name. An authentication template has one value, its code, which Meta wants in the
//! body and again in the button that copies it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::channel::meta::media::reference;
use crate::channel::{EncodeError, media};
use crate::message::TemplateParameter;
use crate::template::placeholders::{is_number, names};
use crate::template::{self, Button, Category, Header, Kind, Template};

/// Refuses what is missing, unknown or of the wrong kind, by name.
pub fn part(
    template: &Template,
    given: &[TemplateParameter],
    media: Option<&media::Source>,
) -> Result<Value, EncodeError> {
    let values = template::values(template, given)
        .map_err(|mistake| EncodeError(format!("template {}: {mistake}", template.name)))?;
    let filled = Filled { template, values };
    let components = match template.category {
        Category::Authentication => filled.code()?,
        Category::Marketing | Category::Utility => filled.components(media)?,
    };
    let mut part = json!({ "name": template.name, "language": { "code": template.language } });
    if !components.is_empty() {
        part["components"] = components.into();
    }
    Ok(part)
}

/// Are its placeholders sent by name?
pub fn is_named(template: &Template) -> bool {
    let header = match &template.header {
        Some(Header::Text { text }) => text.as_str(),
        _ => "",
    };
    names(header).into_iter().chain(names(&template.body)).any(|name| !is_number(name))
}

/// The placeholders of a text in the order in which Meta counts them, each once.
pub fn in_order(text: &str) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let mut found: Vec<&str> = names(text).into_iter().filter(|name| seen.insert(*name)).collect();
    if found.iter().all(|name| is_number(name)) {
        found.sort_by_key(|name| name.parse::<u32>().unwrap_or(u32::MAX));
    }
    found
}

struct Filled<'a> {
    template: &'a Template,
    values: BTreeMap<&'a str, &'a str>,
}

impl Filled<'_> {
    fn value(&self, name: &str) -> Result<&str, EncodeError> {
        self.values.get(name).copied().ok_or_else(|| {
            EncodeError(format!("template {}: {{{{{name}}}}} is no parameter of it", self.template.name))
        })
    }

    fn components(&self, media: Option<&media::Source>) -> Result<Vec<Value>, EncodeError> {
        let mut components = Vec::new();
        let header = match &self.template.header {
            None => Vec::new(),
            Some(Header::Text { text }) => self.texts(text)?,
            Some(Header::Image) => vec![self.file("image", media)?],
            Some(Header::Video) => vec![self.file("video", media)?],
            Some(Header::Document) => vec![self.file("document", media)?],
        };
        for (kind, parameters) in [("header", header), ("body", self.texts(&self.template.body)?)] {
            if !parameters.is_empty() {
                components.push(json!({ "type": kind, "parameters": parameters }));
            }
        }
        for (index, button) in self.template.buttons.iter().enumerate() {
            let (sub_type, parameter) = match button {
                Button::Url { url, .. } => match names(url).first() {
                    Some(name) => ("url", json!({ "type": "text", "text": self.value(name)? })),
                    None => continue,
                },
                Button::CopyCode { .. } => {
                    ("copy_code", json!({ "type": "coupon_code", "coupon_code": self.value("code")? }))
                }
                Button::QuickReply { .. } | Button::Phone { .. } => continue,
            };
            components.push(button_component(sub_type, index, &parameter));
        }
        Ok(components)
    }

    /// Meta writes the words of an authentication template itself.
    fn code(&self) -> Result<Vec<Value>, EncodeError> {
        let name = self.template.code().ok_or_else(|| {
            EncodeError(format!(
                "template {}: an authentication template has a parameter for its code; declare `code`",
                self.template.name
            ))
        })?;
        let parameter = json!({ "type": "text", "text": self.value(name)? });
        Ok(vec![
            json!({ "type": "body", "parameters": [parameter.clone()] }),
            button_component("url", 0, &parameter),
        ])
    }

    fn texts(&self, text: &str) -> Result<Vec<Value>, EncodeError> {
        let named = is_named(self.template);
        in_order(text).into_iter().map(|name| self.text(name, named)).collect()
    }

    fn text(&self, name: &str, named: bool) -> Result<Value, EncodeError> {
        let value = self.value(name)?;
        if named {
            return Ok(json!({ "type": "text", "parameter_name": name, "text": value }));
        }
        let kind = self.template.parameters.iter().find(|known| known.name == name).map(|known| known.kind);
        Ok(match (kind, kind.and_then(|_| amount(value))) {
            (Some(Kind::Currency), Some((code, amount_1000))) => json!({
                "type": "currency",
                "currency": { "fallback_value": value, "code": code, "amount_1000": amount_1000 },
            }),
            (Some(Kind::Date), _) => {
                json!({ "type": "date_time", "date_time": { "fallback_value": value } })
            }
            _ => json!({ "type": "text", "text": value }),
        })
    }

    fn file(&self, kind: &str, source: Option<&media::Source>) -> Result<Value, EncodeError> {
        let address = self.value("header")?;
        let mut file = reference(address, source)?;
        if kind == "document" {
            file["filename"] = media::file_name(None, address, source).into();
        }
        Ok(json!({ "type": kind, kind: file }))
    }
}

fn button_component(sub_type: &str, index: usize, parameter: &Value) -> Value {
    json!({ "type": "button", "sub_type": sub_type, "index": index.to_string(), "parameters": [parameter] })
}

/// `EUR 12.50` in thousandths; `None` where they are too many to count.
fn amount(value: &str) -> Option<(&str, i64)> {
    let (code, number) = value.split_once(' ')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some((code, whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(thousandths)?))
}

#[cfg(test)]
mod tests;
