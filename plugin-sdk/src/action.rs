//! What a brain wants done: the shapes a turn returns. Plain Rust data with the same JSON as the
//! gateway's own. [`crate::Reply`] builds them.

use serde::{Deserialize, Serialize};

use crate::message::{Choice, ContactCard, Location, MediaKind, Reaction};
use crate::time::Timestamp;

/// JSON: `{"kind":"send","content":{"type":"text","text":"hello"},"reply_to":null}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Action {
    Send(Outgoing),
    Schedule(Schedule),
    /// Forget the timer with this key.
    Cancel {
        key: String,
    },
    UpdateLead(LeadUpdate),
    /// Hand the conversation to a human, and why.
    HandOff {
        reason: String,
    },
    EndConversation,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    pub content: OutgoingContent,
    /// The id of the message to quote.
    pub reply_to: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum OutgoingContent {
    Text {
        text: String,
    },
    Media(OutgoingMedia),
    Buttons(Buttons),
    List(ListMenu),
    Location(Location),
    /// 1 to 5 cards.
    Contacts {
        contacts: Vec<ContactCard>,
    },
    Template(Template),
    Reaction(Reaction),
}

impl OutgoingContent {
    /// What the contact reads first: the text, the body above buttons and lists, a caption, a card's name.
    pub fn body(&self) -> &str {
        match self {
            OutgoingContent::Text { text } => text,
            OutgoingContent::Media(media) => media.caption.as_deref().unwrap_or_default(),
            OutgoingContent::Buttons(buttons) => &buttons.body,
            OutgoingContent::List(list) => &list.body,
            OutgoingContent::Location(location) => location.name.as_deref().unwrap_or_default(),
            OutgoingContent::Contacts { contacts } => contacts.first().map_or("", |card| &card.name),
            OutgoingContent::Template(template) => &template.name,
            OutgoingContent::Reaction(reaction) => &reaction.emoji,
        }
    }

    /// The buttons or rows that the contact may choose, in order.
    pub fn choices(&self) -> Vec<Choice> {
        match self {
            OutgoingContent::Buttons(buttons) => buttons.buttons.clone(),
            OutgoingContent::List(list) => list
                .sections
                .iter()
                .flat_map(|section| &section.rows)
                .map(|row| Choice::new(&row.id, &row.title))
                .collect(),
            _ => Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMedia {
    pub kind: MediaKind,
    /// A handle of a received file, or an `https` address.
    pub source: String,
    pub caption: Option<String>,
    pub filename: Option<String>,
}

/// At most 3 buttons, titles of at most 20 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buttons {
    pub body: String,
    pub footer: Option<String>,
    pub buttons: Vec<Choice>,
}

/// At most 10 rows over all sections, titles of at most 24 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListMenu {
    pub body: String,
    pub footer: Option<String>,
    /// What opens the list.
    pub button: String,
    pub sections: Vec<ListSection>,
}

impl ListMenu {
    /// `button` is what the contact presses to open the list.
    pub fn new(body: impl Into<String>, button: impl Into<String>) -> Self {
        ListMenu { body: body.into(), footer: None, button: button.into(), sections: Vec::new() }
    }

    /// Under a small line at the end of the message.
    pub fn footer(mut self, footer: impl Into<String>) -> Self {
        self.footer = Some(footer.into());
        self
    }

    /// The rows that follow stand under this title.
    pub fn section(mut self, title: impl Into<String>) -> Self {
        self.sections.push(ListSection { title: Some(title.into()), rows: Vec::new() });
        self
    }

    pub fn row(self, id: impl Into<String>, title: impl Into<String>) -> Self {
        self.push(ListRow { id: id.into(), title: title.into(), description: None })
    }

    pub fn row_with(
        self,
        id: impl Into<String>,
        title: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.push(ListRow { id: id.into(), title: title.into(), description: Some(description.into()) })
    }

    fn push(mut self, row: ListRow) -> Self {
        match self.sections.last_mut() {
            Some(section) => section.rows.push(row),
            None => self.sections.push(ListSection { title: None, rows: vec![row] }),
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSection {
    pub title: Option<String>,
    pub rows: Vec<ListRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

/// A message that the provider approved beforehand; the only one allowed outside the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub name: String,
    /// BCP 47 or the provider's form: `en_US`.
    pub language: String,
    pub parameters: Vec<TemplateParameter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateParameter {
    /// `1`, or the parameter's name.
    pub name: String,
    pub value: String,
}

/// One timer per key and conversation: setting it again replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub key: String,
    pub at: Timestamp,
    /// JSON text; comes back with the timer.
    pub payload: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadUpdate {
    /// None leaves the stage as it is.
    pub stage: Option<String>,
    /// Merged into the lead's fields; a null takes a field away.
    pub fields: serde_json::Map<String, serde_json::Value>,
}
