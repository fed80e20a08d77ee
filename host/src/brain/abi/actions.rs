//! What a brain wants, checked and made ours. An outcome is untrusted: every count, text, key and
//! address in it is looked at here, and a failure names the action by its number and the field.
//! Nothing is cut to fit: a reply that cannot be sent as written fails the turn, visibly.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use check::Check;

use super::wit;
use crate::brain::budget::{Exceeded, TEXT_SUM_FACTOR};
use crate::conversation::{LeadChange, Mode, TimerChange};
use crate::message::{
    Buttons, Choice, ContactCard, ListMenu, ListRow, ListSection, Location, MediaKind, Outbound,
    OutboundContent, OutboundMedia, Reaction, Template, TemplateParameter, Timestamp,
};
use crate::tenant::ResolvedLimits;
use crate::whatsapp_limits as whatsapp;

mod check;

/// The telephone numbers and the e-mail addresses of a card, and the characters of each of its texts: more
/// than a phone shows.
const CARD_LINES: usize = 20;
const CARD_TEXT: usize = 256;

/// A timer is due this long after the turn at the earliest: timers that are due at once would be a
/// loop that nobody writes to.
const TIMER_MS: i64 = 1_000;

/// Timer keys are part of the store's keys.
const TIMER_KEY: usize = 128;

/// An outcome that passed.
#[derive(Debug, Default)]
pub struct Wanted {
    pub sends: Vec<Outbound>,
    pub timers: Vec<TimerChange>,
    pub leads: Vec<LeadChange>,
    pub mode: Option<Mode>,
    pub hand_off_reason: Option<String>,
    pub memory: Option<String>,
    /// The actions as JSON, in the order given; the SDK's `Action` reads it.
    pub outcome: Value,
}

/// Why an outcome did not pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    pub code: &'static str,
    pub message: String,
}

impl From<Exceeded> for Rejected {
    fn from(exceeded: Exceeded) -> Self {
        Rejected { code: exceeded.of.code(), message: exceeded.to_string() }
    }
}

/// What the media of an outcome are said to be, in order: addresses, or handles of files.
pub fn sources<'o>(outcome: &'o wit::Outcome, limits: &ResolvedLimits) -> Vec<&'o str> {
    let most = limits.actions as usize;
    let sources = outcome.actions.iter().take(most).filter_map(|action| match action {
        wit::Action::Send(outgoing) => match &outgoing.content {
            wit::OutgoingContent::Media(media) => Some(media.source.as_str()),
            _ => None,
        },
        _ => None,
    });
    sources.collect()
}

/// Checks the outcome of a turn at `now`. `known_handle` tells whether a handle names a file of the tenant's.
pub fn check(
    outcome: wit::Outcome,
    limits: &ResolvedLimits,
    known_handle: &dyn Fn(&str) -> bool,
    now: Timestamp,
) -> Result<Wanted, Rejected> {
    if outcome.actions.len() > limits.actions as usize {
        return Err(Exceeded::actions(limits, outcome.actions.len()).into());
    }
    let mut wanted = Wanted { memory: memory(outcome.memory, limits)?, ..Wanted::default() };
    let mut journal = Vec::with_capacity(outcome.actions.len());
    let mut texts = 0;
    for (index, action) in outcome.actions.into_iter().enumerate() {
        let mut check =
            Check { number: index + 1, name: name(&action), limits, known_handle, now, texts: &mut texts };
        journal.push(wanted.take(action, &mut check)?);
    }
    if texts > limits.text_bytes.saturating_mul(TEXT_SUM_FACTOR) {
        return Err(Exceeded::texts(limits, texts).into());
    }
    wanted.outcome = Value::Array(journal);
    Ok(wanted)
}

/// The memory that a brain returns: JSON of a bounded size.
pub fn memory(memory: Option<String>, limits: &ResolvedLimits) -> Result<Option<String>, Rejected> {
    let Some(memory) = memory else { return Ok(None) };
    if memory.len() as u64 > limits.state_bytes {
        return Err(Exceeded::state(limits, memory.len()).into());
    }
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&memory) {
        return Err(Rejected {
            code: "state",
            message: format!("the memory that the brain wants kept is not JSON: {error}"),
        });
    }
    Ok(Some(memory))
}

fn name(action: &wit::Action) -> &'static str {
    use wit::OutgoingContent as Content;
    match action {
        wit::Action::Send(outgoing) => match outgoing.content {
            Content::Text(_) => "send text",
            Content::Media(_) => "send media",
            Content::Buttons(_) => "send buttons",
            Content::List(_) => "send list",
            Content::Location(_) => "send location",
            Content::Contacts(_) => "send contacts",
            Content::Template(_) => "send template",
            Content::Reaction(_) => "send reaction",
        },
        wit::Action::Schedule(_) => "schedule",
        wit::Action::Cancel(_) => "cancel",
        wit::Action::UpdateLead(_) => "update-lead",
        wit::Action::HandOff(_) => "hand-off",
        wit::Action::EndConversation => "end-conversation",
    }
}

impl Wanted {
    /// Takes one action; what it is in the journal.
    fn take(&mut self, action: wit::Action, check: &mut Check<'_>) -> Result<Value, Rejected> {
        Ok(match action {
            wit::Action::Send(outgoing) => {
                let outbound = outbound(outgoing, check)?;
                let entry = json!({ "kind": "send", "content": to_json(&outbound.content), "reply_to": outbound.reply_to });
                self.sends.push(outbound);
                entry
            }
            wit::Action::Schedule(schedule) => {
                let key = timer_key(schedule.key, check)?;
                let payload = check.json("payload", schedule.payload)?;
                let at = i64::try_from(schedule.at)
                    .map_err(|_| check.wrong("at", format!("{} is not a time", schedule.at)))?;
                let at = at.max(check.now.plus_ms(TIMER_MS).as_ms());
                let entry = json!({ "kind": "schedule", "key": key, "at": at, "payload": payload });
                self.timers.push(TimerChange::Set { key, at: Timestamp::from_ms(at), payload });
                entry
            }
            wit::Action::Cancel(key) => {
                let key = timer_key(key, check)?;
                let entry = json!({ "kind": "cancel", "key": key });
                self.timers.push(TimerChange::Cancel { key });
                entry
            }
            wit::Action::UpdateLead(update) => {
                let change = lead(update, check)?;
                let entry = json!({ "kind": "update-lead", "stage": change.stage, "fields": change.fields });
                self.leads.push(change);
                entry
            }
            wit::Action::HandOff(reason) => {
                let reason = check.text("reason", reason)?;
                let entry = json!({ "kind": "hand-off", "reason": reason });
                self.mode = Some(Mode::Human);
                self.hand_off_reason = Some(reason);
                entry
            }
            wit::Action::EndConversation => {
                // Whoever asks for a human gets one, whatever else the brain ends.
                self.mode.get_or_insert(Mode::Ended);
                json!({ "kind": "end-conversation" })
            }
        })
    }
}

fn timer_key(key: String, check: &mut Check<'_>) -> Result<String, Rejected> {
    if key.len() > TIMER_KEY {
        return Err(check.wrong("key", format!("{} bytes; at most {TIMER_KEY}", key.len())));
    }
    check.filled("key", key)
}

fn lead(update: wit::LeadUpdate, check: &mut Check<'_>) -> Result<LeadChange, Rejected> {
    let stage = update.stage.map(|stage| check.filled("stage", stage)).transpose()?;
    let fields = check.text("fields", update.fields)?;
    let fields: Map<String, Value> = serde_json::from_str(&fields)
        .map_err(|error| check.wrong("fields", format!("not a JSON object: {error}")))?;
    Ok(LeadChange { stage, fields })
}

fn outbound(outgoing: wit::Outgoing, check: &mut Check<'_>) -> Result<Outbound, Rejected> {
    use wit::OutgoingContent as Content;
    let content = match outgoing.content {
        Content::Text(text) => OutboundContent::Text { text: check.filled("text", text)? },
        Content::Media(media) => OutboundContent::Media(OutboundMedia {
            kind: media_kind(media.kind),
            source: source(media.source, check)?,
            caption: check.optional("caption", media.caption)?,
            filename: check.optional("filename", media.filename)?,
        }),
        Content::Buttons(menu) => OutboundContent::Buttons(buttons(menu, check)?),
        Content::List(menu) => OutboundContent::List(list(menu, check)?),
        Content::Location(location) => OutboundContent::Location(place(location, check)?),
        Content::Contacts(cards) => OutboundContent::Contacts { contacts: contacts(cards, check)? },
        Content::Template(template) => OutboundContent::Template(Template {
            name: check.filled("name", template.name)?,
            language: check.filled("language", template.language)?,
            parameters: template
                .parameters
                .into_iter()
                .map(|parameter| {
                    Ok(TemplateParameter {
                        name: check.filled("parameter name", parameter.name)?,
                        value: check.text("parameter value", parameter.value)?,
                    })
                })
                .collect::<Result<_, Rejected>>()?,
        }),
        Content::Reaction(reaction) => OutboundContent::Reaction(Reaction {
            message_id: check.filled("message-id", reaction.message_id)?,
            emoji: check.text("emoji", reaction.emoji)?,
        }),
    };
    Ok(Outbound { content, reply_to: check.optional("reply-to", outgoing.reply_to)? })
}

/// An `https` address, or the handle of a file of the tenant's: the provider would fetch whatever
/// address it is given, so no other may be named.
fn source(source: String, check: &mut Check<'_>) -> Result<String, Rejected> {
    let source = check.filled("source", source)?;
    let host = source.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    match host {
        Some("") => Err(check.wrong("source", "the address names no host")),
        Some(_) if source.contains(char::is_whitespace) => {
            Err(check.wrong("source", "the address holds white space; encode it as %20"))
        }
        Some(_) => Ok(source),
        None if (check.known_handle)(&source) => Ok(source),
        None => Err(check
            .wrong("source", "neither an `https://` address nor the handle of a file that this tenant has")),
    }
}

fn buttons(menu: wit::Buttons, check: &mut Check<'_>) -> Result<Buttons, Rejected> {
    check.count("buttons", menu.buttons.len(), whatsapp::BUTTONS)?;
    let mut ids = HashSet::new();
    Ok(Buttons {
        body: check.filled("body", menu.body)?,
        footer: check.short_optional("footer", menu.footer, whatsapp::FOOTER)?,
        buttons: menu
            .buttons
            .into_iter()
            .map(|choice| {
                let id = check.short("button id", choice.id, whatsapp::BUTTON_ID)?;
                let title = check.short("button title", choice.title, whatsapp::BUTTON_TITLE)?;
                check.once("button id", &mut ids, &id)?;
                Ok(Choice { id, title })
            })
            .collect::<Result<_, Rejected>>()?,
    })
}

fn list(menu: wit::ListMenu, check: &mut Check<'_>) -> Result<ListMenu, Rejected> {
    check.count("rows", menu.sections.iter().map(|section| section.rows.len()).sum(), whatsapp::ROWS)?;
    let sections = menu.sections.len();
    let mut ids = HashSet::new();
    Ok(ListMenu {
        body: check.filled("body", menu.body)?,
        footer: check.short_optional("footer", menu.footer, whatsapp::FOOTER)?,
        button: check.short("button", menu.button, whatsapp::LIST_BUTTON)?,
        sections: menu
            .sections
            .into_iter()
            .map(|section| {
                let title = check.short_optional("section title", section.title, whatsapp::SECTION_TITLE)?;
                if sections > 1 && title.is_none() {
                    return Err(
                        check.wrong("section title", "missing; where there are several, each needs one")
                    );
                }
                let rows = section.rows.into_iter().map(|entry| row(entry, &mut ids, check));
                Ok(ListSection { title, rows: rows.collect::<Result<_, Rejected>>()? })
            })
            .collect::<Result<_, Rejected>>()?,
    })
}

fn row(row: wit::ListRow, ids: &mut HashSet<String>, check: &mut Check<'_>) -> Result<ListRow, Rejected> {
    let id = check.short("row id", row.id, whatsapp::ROW_ID)?;
    check.once("row id", ids, &id)?;
    Ok(ListRow {
        id,
        title: check.short("row title", row.title, whatsapp::ROW_TITLE)?,
        description: check.short_optional("row description", row.description, whatsapp::ROW_DESCRIPTION)?,
    })
}

fn place(location: wit::Location, check: &mut Check<'_>) -> Result<Location, Rejected> {
    let inside = |value: f64, bound: f64| value.is_finite() && value.abs() <= bound;
    if !inside(location.latitude, 90.0) {
        return Err(check.wrong("latitude", format!("{} is not between -90 and 90", location.latitude)));
    }
    if !inside(location.longitude, 180.0) {
        return Err(check.wrong("longitude", format!("{} is not between -180 and 180", location.longitude)));
    }
    Ok(Location {
        latitude: location.latitude,
        longitude: location.longitude,
        name: check.optional("name", location.name)?,
        address: check.optional("address", location.address)?,
    })
}

fn contacts(cards: Vec<wit::ContactCard>, check: &mut Check<'_>) -> Result<Vec<ContactCard>, Rejected> {
    check.count("contacts", cards.len(), whatsapp::CARDS)?;
    let mut checked = Vec::with_capacity(cards.len());
    for card in cards {
        for (field, count) in [("phones", card.phones.len()), ("emails", card.emails.len())] {
            if count > CARD_LINES {
                return Err(check.wrong(field, format!("{count}; at most {CARD_LINES}")));
            }
        }
        checked.push(ContactCard {
            name: check.short("contact name", card.name, CARD_TEXT)?,
            phones: lines("phone", card.phones, check)?,
            emails: lines("email", card.emails, check)?,
            organization: check.short_optional("organization", card.organization, CARD_TEXT)?,
        });
    }
    Ok(checked)
}

fn lines(field: &str, lines: Vec<String>, check: &mut Check<'_>) -> Result<Vec<String>, Rejected> {
    lines.into_iter().map(|line| check.short(field, line, CARD_TEXT)).collect()
}

fn media_kind(kind: wit::MediaKind) -> MediaKind {
    match kind {
        wit::MediaKind::Image => MediaKind::Image,
        wit::MediaKind::Video => MediaKind::Video,
        wit::MediaKind::Audio => MediaKind::Audio,
        wit::MediaKind::Voice => MediaKind::Voice,
        wit::MediaKind::Document => MediaKind::Document,
        wit::MediaKind::Sticker => MediaKind::Sticker,
    }
}

fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("our own shapes have text keys and no failing parts")
}

#[cfg(test)]
mod tests;
