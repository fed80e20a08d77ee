//! The contract's types on our side. `bindings` is generated from `wit/`; this file turns what we
//! know into what a brain is shown. The way back, from what a brain wants to what we do, is
//! [`actions`]. Shapes only: no engine, no limits on the way in.

use crate::brain::Ask;
use crate::conversation::{Author, HistoryEntry, Line, Trigger};
use crate::message::{
    Choice, ContactCard, Content, DeliveryState, Location, Media, MediaKind, Order, OutboundContent,
    Reaction, Timestamp,
};

pub use bindings::switchboard::brain::types as wit;

pub mod actions;

/// The contract that this gateway speaks.
pub const PACKAGE: &str = "switchboard:brain";
pub const VERSION: &str = "0.1.0";

/// Generated from the WIT file, where the documentation is.
pub mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "full-brain",
        // Calls give way to other turns: what the gateway does for a guest costs the guest no fuel.
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

fn ms(at: Timestamp) -> u64 {
    at.as_ms().max(0) as u64
}

/// Why the turn runs, as the brain is told.
pub fn trigger(trigger: &Trigger) -> wit::Trigger {
    match trigger {
        Trigger::Started { first, attribution, message } => wit::Trigger::Started(wit::Start {
            first: *first,
            attribution: attribution.clone(),
            message: heard(message),
        }),
        Trigger::Messages { messages } => wit::Trigger::Messages(messages.iter().map(heard).collect()),
        Trigger::Timer { key, payload } => {
            wit::Trigger::Timer(wit::Timer { key: key.clone(), payload: payload.clone() })
        }
        Trigger::Handback { said } => {
            wit::Trigger::Handback(wit::Handback { said: said.iter().map(history_entry).collect() })
        }
        Trigger::Receipt { message_id, state, reason } => wit::Trigger::Receipt(wit::Receipt {
            message_id: message_id.clone(),
            state: delivery_state(*state),
            reason: reason.clone(),
        }),
    }
}

/// Where the turn runs, as the brain is told.
pub fn context(ask: &Ask, contact_language: Option<&str>, brain_version: &str) -> wit::Context {
    wit::Context {
        now: ms(ask.now),
        seed: ask.seed,
        tenant_id: ask.tenant.id.get(),
        tenant_name: ask.tenant.name.clone(),
        time_zone: ask.tenant.time_zone.clone(),
        language: ask.tenant.language.clone(),
        contact: wit::Contact {
            key: ask.key.contact.as_str().to_owned(),
            display_name: ask.conversation.display_name.clone(),
            language: contact_language.map(str::to_owned),
        },
        sender: ask.sender.clone(),
        window_open_until: ask.window_open_until.map(ms),
        turn: ask.conversation.turns + 1,
        brain_version: brain_version.to_owned(),
        lead: ask
            .lead
            .as_ref()
            .map(|lead| wit::LeadSummary { stage: lead.stage.clone(), fields: json_text(&lead.fields) }),
    }
}

/// A line of the conversation. What we said in buttons or a list is told by its body: the brain knows
/// what it offered.
pub fn history_entry(entry: &HistoryEntry) -> wit::HistoryEntry {
    wit::HistoryEntry {
        at: ms(entry.at),
        author: match entry.author {
            Author::Contact => wit::Author::Contact,
            // The fallback text stood in for the brain.
            Author::Brain | Author::Gateway => wit::Author::Brain,
            Author::Human => wit::Author::Human,
        },
        content: match &entry.line {
            Line::Heard(heard) => content(&heard.content),
            Line::Said(outbound) => said(&outbound.content),
        },
    }
}

fn said(content: &OutboundContent) -> wit::Content {
    match content {
        OutboundContent::Text { text } => wit::Content::Text(text.clone()),
        OutboundContent::Buttons(buttons) => wit::Content::Text(buttons.body.clone()),
        OutboundContent::List(list) => wit::Content::Text(list.body.clone()),
        OutboundContent::Media(media) => wit::Content::Media(wit::Media {
            kind: media_kind(media.kind),
            handle: media.source.clone(),
            mime_type: None,
            filename: media.filename.clone(),
            caption: media.caption.clone(),
            size: None,
        }),
        OutboundContent::Location(at) => wit::Content::Location(location(at)),
        OutboundContent::Contacts { contacts } => wit::Content::Contacts(contacts.iter().map(card).collect()),
        OutboundContent::Reaction(given) => wit::Content::Reaction(reaction(given)),
        OutboundContent::Template(template) => {
            wit::Content::Unknown(wit::Unknown { kind: "template".into(), data: json_text(template) })
        }
    }
}

fn heard(heard: &crate::conversation::Heard) -> wit::Message {
    wit::Message {
        id: heard.id.clone(),
        sent_at: ms(heard.sent_at),
        content: content(&heard.content),
        quoted: heard.quoted.clone(),
    }
}

pub(super) fn content(content: &Content) -> wit::Content {
    match content {
        Content::Text { text } => wit::Content::Text(text.clone()),
        Content::Media(file) => wit::Content::Media(media(file)),
        Content::Location(at) => wit::Content::Location(location(at)),
        Content::Contacts { contacts } => wit::Content::Contacts(contacts.iter().map(card).collect()),
        Content::Choice(Choice { id, title }) => {
            wit::Content::Choice(wit::Choice { id: id.clone(), title: title.clone() })
        }
        Content::Reaction(given) => wit::Content::Reaction(reaction(given)),
        Content::Order(placed) => wit::Content::Order(order(placed)),
        Content::Unknown { kind, data } => {
            wit::Content::Unknown(wit::Unknown { kind: kind.clone(), data: data.clone() })
        }
    }
}

fn media(media: &Media) -> wit::Media {
    wit::Media {
        kind: media_kind(media.kind),
        handle: media.handle.clone(),
        mime_type: media.mime_type.clone(),
        filename: media.filename.clone(),
        caption: media.caption.clone(),
        size: media.size,
    }
}

fn location(location: &Location) -> wit::Location {
    wit::Location {
        latitude: location.latitude,
        longitude: location.longitude,
        name: location.name.clone(),
        address: location.address.clone(),
    }
}

fn card(card: &ContactCard) -> wit::ContactCard {
    wit::ContactCard {
        name: card.name.clone(),
        phones: card.phones.clone(),
        emails: card.emails.clone(),
        organization: card.organization.clone(),
    }
}

fn reaction(reaction: &Reaction) -> wit::Reaction {
    wit::Reaction { message_id: reaction.message_id.clone(), emoji: reaction.emoji.clone() }
}

fn order(order: &Order) -> wit::Order {
    wit::Order {
        catalog_id: order.catalog_id.clone(),
        text: order.text.clone(),
        items: order
            .items
            .iter()
            .map(|item| wit::OrderItem {
                product_id: item.product_id.clone(),
                quantity: item.quantity,
                price: item.price.clone(),
                currency: item.currency.clone(),
            })
            .collect(),
    }
}

fn media_kind(kind: MediaKind) -> wit::MediaKind {
    match kind {
        MediaKind::Image => wit::MediaKind::Image,
        MediaKind::Video => wit::MediaKind::Video,
        MediaKind::Audio => wit::MediaKind::Audio,
        MediaKind::Voice => wit::MediaKind::Voice,
        MediaKind::Document => wit::MediaKind::Document,
        MediaKind::Sticker => wit::MediaKind::Sticker,
    }
}

fn delivery_state(state: DeliveryState) -> wit::DeliveryState {
    match state {
        DeliveryState::Queued => wit::DeliveryState::Queued,
        DeliveryState::Unknown => wit::DeliveryState::Unknown,
        DeliveryState::Sent => wit::DeliveryState::Sent,
        DeliveryState::Failed => wit::DeliveryState::Failed,
        DeliveryState::Delivered => wit::DeliveryState::Delivered,
        DeliveryState::Read => wit::DeliveryState::Read,
    }
}

fn json_text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own shapes have text keys and no failing parts")
}
