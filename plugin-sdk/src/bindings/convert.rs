//! From generated types to the SDK's and back: moves, field by field.

use super::wit;
use super::world::switchboard::brain::{details, log, records as wit_records};
use crate::action::*;
use crate::fault::{Fault, Refusal};
use crate::level::Level;
use crate::message::*;
use crate::query::{Comparison, Query};
use crate::time::Timestamp;

fn timestamp(ms: u64) -> Timestamp {
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_ms()).unwrap_or(0)
}

fn all<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(Into::into).collect()
}

/// Records whose fields convert one by one.
macro_rules! convert {
    ($from:path => $to:path { $($field:ident),* $(; all $($many:ident),*)? }) => {
        impl From<$from> for $to {
            fn from(it: $from) -> Self {
                $to { $($field: it.$field.into(),)* $($($many: all(it.$many),)*)? }
            }
        }
    };
}

/// Enums whose cases have the same names.
macro_rules! same_cases {
    ($from:path => $to:path { $($case:ident),* }) => {
        impl From<$from> for $to {
            fn from(it: $from) -> Self {
                match it { $(<$from>::$case => <$to>::$case,)* }
            }
        }
    };
}

// What comes in.

impl From<wit::Trigger> for Trigger {
    fn from(trigger: wit::Trigger) -> Self {
        match trigger {
            wit::Trigger::Started(start) => Trigger::Started {
                first: start.first,
                attribution: start.attribution,
                message: start.message.into(),
            },
            wit::Trigger::Messages(messages) => Trigger::Messages { messages: all(messages) },
            wit::Trigger::Timer(timer) => Trigger::Timer { key: timer.key, payload: timer.payload },
            wit::Trigger::Handback(handback) => Trigger::Handback { said: all(handback.said) },
            wit::Trigger::Receipt(receipt) => Trigger::Receipt {
                message_id: receipt.message_id,
                state: receipt.state.into(),
                reason: receipt.reason,
            },
        }
    }
}

impl From<wit::Message> for Message {
    fn from(message: wit::Message) -> Self {
        Message {
            id: message.id,
            sent_at: timestamp(message.sent_at),
            content: message.content.into(),
            quoted: message.quoted,
        }
    }
}

impl From<wit::Content> for Content {
    fn from(content: wit::Content) -> Self {
        match content {
            wit::Content::Text(text) => Content::Text { text },
            wit::Content::Media(media) => Content::Media(media.into()),
            wit::Content::Location(location) => Content::Location(location.into()),
            wit::Content::Contacts(contacts) => Content::Contacts { contacts: all(contacts) },
            wit::Content::Choice(choice) => Content::Choice(choice.into()),
            wit::Content::Reaction(reaction) => Content::Reaction(reaction.into()),
            wit::Content::Order(order) => Content::Order(order.into()),
            wit::Content::Unknown(unknown) => Content::Unknown { kind: unknown.kind, data: unknown.data },
        }
    }
}

convert!(wit::Media => Media { kind, handle, mime_type, filename, caption, size });
convert!(wit::Location => Location { latitude, longitude, name, address });
convert!(wit::ContactCard => ContactCard { name, phones, emails, organization });
convert!(wit::Choice => Choice { id, title });
convert!(wit::Reaction => Reaction { message_id, emoji });
convert!(wit::Order => Order { catalog_id, text; all items });
convert!(wit::OrderItem => OrderItem { product_id, quantity, price, currency });
convert!(wit::Contact => Contact { key, display_name, language });
same_cases!(wit::MediaKind => MediaKind { Image, Video, Audio, Voice, Document, Sticker });
same_cases!(wit::DeliveryState => DeliveryState { Queued, Sent, Delivered, Read, Failed, Unknown });
same_cases!(wit::Author => Author { Contact, Brain, Human });

impl From<wit::HistoryEntry> for HistoryEntry {
    fn from(entry: wit::HistoryEntry) -> Self {
        HistoryEntry { at: timestamp(entry.at), author: entry.author.into(), content: entry.content.into() }
    }
}

impl From<wit::Context> for Context {
    fn from(context: wit::Context) -> Self {
        Context {
            now: timestamp(context.now),
            seed: context.seed,
            tenant_id: context.tenant_id,
            tenant_name: context.tenant_name,
            time_zone: context.time_zone,
            language: context.language,
            contact: context.contact.into(),
            sender: context.sender,
            window_open_until: context.window_open_until.map(timestamp),
            turn: context.turn,
            brain_version: context.brain_version,
            lead: context.lead.map(Into::into),
        }
    }
}

impl From<wit::LeadSummary> for LeadSummary {
    fn from(lead: wit::LeadSummary) -> Self {
        // The contract says that it is an object.
        LeadSummary { stage: lead.stage, fields: serde_json::from_str(&lead.fields).unwrap_or_default() }
    }
}

convert!(details::Referrer => Referral { kind, source_id, url, headline, body, click_id });
convert!(wit::Refusal => Refusal { code, message, retryable });

// What goes out.

convert!(Fault => wit::Fault { code, message, retryable });
convert!(Location => wit::Location { latitude, longitude, name, address });
convert!(ContactCard => wit::ContactCard { name, phones, emails, organization });
convert!(Choice => wit::Choice { id, title });
convert!(Reaction => wit::Reaction { message_id, emoji });
convert!(OutgoingMedia => wit::OutgoingMedia { kind, source, caption, filename });
convert!(Buttons => wit::Buttons { body, footer; all buttons });
convert!(ListMenu => wit::ListMenu { body, footer, button; all sections });
convert!(ListSection => wit::ListSection { title; all rows });
convert!(ListRow => wit::ListRow { id, title, description });
convert!(Template => wit::Template { name, language; all parameters });
convert!(TemplateParameter => wit::TemplateParameter { name, value });
same_cases!(MediaKind => wit::MediaKind { Image, Video, Audio, Voice, Document, Sticker });
same_cases!(Level => log::Level { Trace, Debug, Info, Warn, Error });
same_cases!(Comparison => wit_records::Comparison {
    Equal, NotEqual, Less, AtMost, Greater, AtLeast, Contains, OneOf
});

impl From<Action> for wit::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Send(outgoing) => wit::Action::Send(wit::Outgoing {
                content: outgoing.content.into(),
                reply_to: outgoing.reply_to,
            }),
            Action::Schedule(schedule) => wit::Action::Schedule(wit::Schedule {
                key: schedule.key,
                at: milliseconds(schedule.at),
                payload: schedule.payload,
            }),
            Action::Cancel { key } => wit::Action::Cancel(key),
            Action::UpdateLead(update) => wit::Action::UpdateLead(wit::LeadUpdate {
                stage: update.stage,
                fields: serde_json::Value::Object(update.fields).to_string(),
            }),
            Action::HandOff { reason } => wit::Action::HandOff(reason),
            Action::EndConversation => wit::Action::EndConversation,
        }
    }
}

impl From<OutgoingContent> for wit::OutgoingContent {
    fn from(content: OutgoingContent) -> Self {
        match content {
            OutgoingContent::Text { text } => wit::OutgoingContent::Text(text),
            OutgoingContent::Media(media) => wit::OutgoingContent::Media(media.into()),
            OutgoingContent::Buttons(buttons) => wit::OutgoingContent::Buttons(buttons.into()),
            OutgoingContent::List(list) => wit::OutgoingContent::List(list.into()),
            OutgoingContent::Location(location) => wit::OutgoingContent::Location(location.into()),
            OutgoingContent::Contacts { contacts } => wit::OutgoingContent::Contacts(all(contacts)),
            OutgoingContent::Template(template) => wit::OutgoingContent::Template(template.into()),
            OutgoingContent::Reaction(reaction) => wit::OutgoingContent::Reaction(reaction.into()),
        }
    }
}

impl From<&Query> for wit_records::Query {
    fn from(query: &Query) -> Self {
        wit_records::Query {
            collection: query.collection.clone(),
            filters: query
                .filters
                .iter()
                .map(|filter| wit_records::Filter {
                    field: filter.field.clone(),
                    comparison: filter.comparison.into(),
                    value: filter.value.to_string(),
                })
                .collect(),
            sort: query
                .sort
                .iter()
                .map(|sort| wit_records::Sort { field: sort.field.clone(), descending: sort.descending })
                .collect(),
            limit: query.limit,
            offset: query.offset,
        }
    }
}
