//! Message templates: what WhatsApp has approved beforehand, and the only thing that may go out when
//! the 24-hour window is closed. Shapes and rules, no I/O.
//!
//! Placeholders are written `{{1}}` or `{{customer}}` in header, body and button addresses; each is a
//! parameter with a kind. A header of a picture, video or document is the parameter `header`; a
//! coupon code is the parameter `code`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::message::{ContactKey, DeliveryState, SenderName, TemplateParameter, TenantId, Timestamp};
use crate::whatsapp_limits::template as limits;

mod kinds;
pub mod news;
pub mod placeholders;
pub mod rules;

/// A template as its tenant wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `a-z`, `0-9` and `_`; at most 512 characters.
    pub name: String,
    /// WhatsApp's form: `en`, `en_US`, `fa`.
    pub language: String,
    pub category: Category,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// Each placeholder once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
}

impl Template {
    /// The parameter that is an authentication template's code: `code`, or the first of its body.
    pub fn code(&self) -> Option<&str> {
        let declared = self.parameters.iter().map(|known| known.name.as_str()).find(|name| *name == "code");
        declared.or_else(|| placeholders::names(&self.body).into_iter().next())
    }

    /// A button's address as somebody might get it. The example of its placeholder is what follows the
    /// fixed part, or the whole address already.
    pub fn example_address(&self, url: &str) -> String {
        let examples = self.parameters.iter().map(|known| (known.name.as_str(), known.example.as_str()));
        let examples: BTreeMap<&str, &str> = examples.collect();
        let example = placeholders::names(url).first().and_then(|name| examples.get(name).copied());
        match example.filter(|example| example.starts_with("https://") || example.starts_with("http://")) {
            Some(whole) => whole.to_owned(),
            None => placeholders::fill(url, &examples),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    Marketing,
    Utility,
    Authentication,
}

impl Category {
    /// The provider's word, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "marketing" => Some(Category::Marketing),
            "utility" => Some(Category::Utility),
            "authentication" => Some(Category::Authentication),
            _ => None,
        }
    }

    /// `MARKETING`.
    pub const fn word(self) -> &'static str {
        match self {
            Category::Marketing => "MARKETING",
            Category::Utility => "UTILITY",
            Category::Authentication => "AUTHENTICATION",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Header {
    Text { text: String },
    Image,
    Video,
    Document,
}

impl Header {
    /// Is it the parameter `header`?
    pub fn is_file(&self) -> bool {
        !matches!(self, Header::Text { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Button {
    QuickReply { text: String },
    Url { text: String, url: String },
    Phone { text: String, number: String },
    CopyCode { example: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// `1`, `customer`, `header`, `code`.
    pub name: String,
    #[serde(default)]
    pub kind: Kind,
    /// Shown to those who approve the template.
    pub example: String,
}

/// What a parameter's value must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line.
    #[default]
    Text,
    /// Decimal digits with at most one point: `12.50`.
    Number,
    /// `EUR 12.50`: ISO 4217, a space, a number.
    Currency,
    /// RFC 3339 date, or date and time.
    Date,
    /// An `https` address, or what follows the fixed part of a button's address.
    Url,
    /// An `https` address, or the handle of a received file.
    Media,
}

/// A template with what became of it at the provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    pub tenant: TenantId,
    /// At whose account it is, or is to be.
    pub sender: SenderName,
    pub template: Template,
    pub status: Status,
    /// The provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Why it was rejected, paused or not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the provider put it into another category than its tenant had written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    pub changed_at: Timestamp,
    /// When the provider's list was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<Timestamp>,
    /// By the provider's clock: what its webhook told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// What happened to it, oldest first; the last [`news::CHANGES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not submitted.
    Draft,
    Pending,
    Approved,
    Rejected,
    Paused,
    Disabled,
    /// The provider no longer has it.
    Deleted,
    /// The provider said a word that is not known here; see the reason.
    Unknown,
}

impl Status {
    /// The provider's word, whatever its case. Words for "wait" count as pending.
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "approved" | "enabled" | "active" | "reinstated" | "unpaused" => Status::Approved,
            "pending" | "in_appeal" | "in appeal" | "submitted" | "pending_review" => Status::Pending,
            "rejected" | "failed" => Status::Rejected,
            "paused" | "flagged" => Status::Paused,
            "disabled" | "deactivated" | "limit_exceeded" | "locked" => Status::Disabled,
            "deleted" | "pending_deletion" | "archived" => Status::Deleted,
            _ => Status::Unknown,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Draft => "draft",
            Status::Pending => "pending",
            Status::Approved => "approved",
            Status::Rejected => "rejected",
            Status::Paused => "paused",
            Status::Disabled => "disabled",
            Status::Deleted => "deleted",
            Status::Unknown => "unknown",
        })
    }
}

/// Names a registered template. A tenant's lie together, and of those the ones of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub tenant: TenantId,
    pub name: String,
    pub language: String,
    pub sender: SenderName,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({}) at {}", self.tenant, self.name, self.language, self.sender)
    }
}

/// One thing that happened to a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub at: Timestamp,
    /// `status: pending, then approved`.
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A template that was sent, for those who must be able to say what was sent to whom: the parameters'
/// names, never their values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// The reply's id.
    pub id: String,
    /// When it was asked for.
    pub at: Timestamp,
    pub contact: ContactKey,
    pub sender: SenderName,
    pub name: String,
    pub language: String,
    /// In force at that time, where the template is registered.
    pub category: Option<Category>,
    pub parameters: Vec<String>,
    pub state: DeliveryState,
    /// When the state became this one.
    pub settled_at: Timestamp,
    pub error: Option<String>,
}

/// Something in a template, or in what is given for it, that cannot go out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}; {action}")]
pub struct Mistake {
    /// `body`, `buttons[1]`, `parameter customer`.
    pub place: String,
    pub what: String,
    pub action: String,
}

fn mistake(place: impl Into<String>, what: impl Into<String>, action: impl Into<String>) -> Mistake {
    Mistake { place: place.into(), what: what.into(), action: action.into() }
}

/// The value of each of a template's parameters: all are there, none is given twice or unknown, each is
/// of its kind, and no text becomes longer than WhatsApp takes.
pub fn values<'a>(
    template: &'a Template,
    given: &'a [TemplateParameter],
) -> Result<BTreeMap<&'a str, &'a str>, Mistake> {
    let mut values = BTreeMap::new();
    for TemplateParameter { name, value } in given {
        let place = || format!("parameter {name}");
        let Some(known) = template.parameters.iter().find(|known| known.name == *name) else {
            let names: Vec<&str> = template.parameters.iter().map(|known| known.name.as_str()).collect();
            let action = if names.is_empty() {
                format!("template {} has no parameters; give none", template.name)
            } else {
                format!("template {} has {}", template.name, names.join(", "))
            };
            return Err(mistake(place(), "there is no such parameter", action));
        };
        if let Err((what, action)) = kinds::check(known.kind, value) {
            return Err(mistake(place(), what, action));
        }
        if values.insert(known.name.as_str(), value.as_str()).is_some() {
            return Err(mistake(place(), "is given twice", "give it once"));
        }
    }
    if let Some(missing) = template.parameters.iter().find(|known| !values.contains_key(known.name.as_str()))
    {
        let action = format!("give it, such as {:?}", missing.example);
        return Err(mistake(format!("parameter {}", missing.name), "is missing", action));
    }
    let header = match &template.header {
        Some(Header::Text { text }) => Some(("header", text, limits::HEADER)),
        _ => None,
    };
    for (place, text, most) in header.into_iter().chain([("body", &template.body, limits::BODY)]) {
        let long = placeholders::fill(text, &values).chars().count();
        if long > most {
            let what = format!("has {long} characters with these values; {most} at most");
            return Err(mistake(place, what, "give shorter values"));
        }
    }
    Ok(values)
}
