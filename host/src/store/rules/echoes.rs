//! What our own numbers said without us: a human typed it on the phone. It is kept as a line of the
//! history, never as a turn. What we sent ourselves comes back the same way, sometimes before its
//! provider has answered us, and must not be taken for that.

use std::collections::BTreeSet;

use super::reached::{self, Reached};
use super::receipts::{self, Reported};
use super::{contact_tenants, contacts, ended, files, history, names, sends, views};
use crate::conversation::{Author, Conversation, Heard};
use crate::event::{Origin, Own, Receipt};
use crate::message::{
    ContactKey, Content, ConversationKey, DeliveryState, OutboundContent, Provider, SenderName, TenantId,
    Timestamp,
};
use crate::store::contacts::OwnKept;
use crate::store::rows::conversation::ConversationRow;
use crate::store::rows::history::{HistoryRow, Line, Times};
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::{EndedSends, Hash, Outbox, ReadRows, Rows, SentIds, Step};
use crate::store::shared::effect::Effect;
use crate::store::shared::pending_receipts::Report;
use crate::store::{OutboxState, SendId};

/// How long after a reply's last attempt an echo may still be that reply.
const ECHO_WITHIN_MS: i64 = 10 * 60_000;

/// Of a conversation so many replies that wait, and so many that have ended, are compared with an echo.
const LOOKED_AT: usize = 32;

/// A message of our own number to a person, read and encoded before it reaches the writer.
pub struct Said {
    contact: ContactKey,
    to: Option<String>,
    sender: SenderName,
    provider: Provider,
    account: String,
    id: String,
    /// As a report on a reply, if the id is one that we chose.
    named: Option<Reported>,
    content: Content,
    heard: Packed<Heard>,
    file: Option<files::Brought>,
    origin: Option<Origin>,
    /// Whose it is on a shared number, where its address said so.
    tenant: Option<TenantId>,
    at: Timestamp,
    now: Timestamp,
}

impl Said {
    /// `None`: there is nobody it was said to, or nothing was said. `secret`: the store's.
    pub fn new(
        own: Own,
        (sender, tenant): (SenderName, Option<TenantId>),
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Option<Self> {
        let Own { provider, account, id, contact, to_raw, sent_at, content, quoted, origin, .. } = own;
        let (contact, mut content) = (contact?, content?);
        let file = files::take(&mut content, (provider, &account, &id), secret);
        let heard =
            Packed::new(&Heard { id: id.clone(), sent_at, content: content.clone(), quoted, referral: None });
        let told = sent_at > Timestamp::ZERO && sent_at < now;
        let at = if told { sent_at } else { now };
        let gone_out = Receipt {
            provider,
            account: Some(account.clone()),
            message_id: id.clone(),
            other_ids: Vec::new(),
            reference: None,
            contact: None,
            from_raw: None,
            state: DeliveryState::Sent,
            at,
            reason: None,
            fate: None,
        };
        let named = Some(Reported::new(gone_out, secret)).filter(Reported::is_named);
        Some(Said {
            named,
            contact,
            to: to_raw,
            sender,
            provider,
            account,
            id,
            content,
            heard,
            file,
            origin,
            tenant,
            at,
            now,
        })
    }
}

/// Whether it settles a reply that it was not known for.
pub fn recognize(rows: &mut impl Rows, said: &Said) -> Step<bool> {
    let sent_id = names::sent(said.provider, &said.account, &said.id);
    if rows.has::<SentIds>(&sent_id)? {
        return Ok(false);
    }
    if let Some(reported) = &said.named {
        return receipts::recognize(rows, reported, said.now);
    }
    for key in conversations_of(rows, &said.contact)? {
        if is_ours(rows, &key, said, sent_id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub fn record(rows: &mut impl Rows, said: &Said) -> Step<OwnKept> {
    let sent_id = names::sent(said.provider, &said.account, &said.id);
    let known = rows.has::<SentIds>(&sent_id)? || said.named.is_some();
    // Before it is asked whose the number is now: what we sent is its sender's, however long ago.
    if recognize(rows, said)? || known {
        return Ok(OwnKept::Known);
    }
    let person = contacts::resolve(rows, &said.contact, &[])?;
    let directory = rows.index().directory.load_full();
    let dedicated = directory.senders.get(&said.sender).and_then(|sender| sender.tenant);
    let tenant = dedicated.or(person.lock.map(|lock| lock.tenant)).or(said.tenant);
    let Some(tenant) = tenant else { return Ok(OwnKept::Nothing) };
    let known = if dedicated.is_some() { &said.contact } else { &person.canonical };
    let key = ConversationKey { tenant, contact: views::of_tenant(rows, tenant, known)? };
    let known = history::conversation(rows, &key)?;
    if dedicated.is_some() {
        let usage = rows.usage(tenant);
        rows.index().allow_line(tenant, &usage)?;
        if known.is_none() {
            rows.index().allow_conversation(tenant, &usage)?;
        }
    }
    if let Some(file) = &said.file {
        files::expect(rows, tenant, &said.sender, file, said.now)?;
    }
    let mut row = match known {
        Some(row) => row,
        None => {
            contact_tenants::put(rows, &key.contact, tenant, KnownBy::Own)?;
            began(said)
        }
    };
    let seq = rows.seq();
    let line = HistoryRow {
        at: said.at,
        author: Author::Human,
        line: Line::Heard(said.heard.clone()),
        state: Some(DeliveryState::Sent),
        previous: row.last_line,
        message: None,
        sent_id: Some(sent_id),
        provider_id: Some(said.id.clone()),
        times: Times::default().reached(DeliveryState::Sent, said.now),
        on_receipt: false,
        attempt: 0,
        contact: key.contact.clone(),
    };
    history::put(rows, &key, seq, &line)?;
    rows.put::<SentIds>(&sent_id, &Place::new(seq, tenant))?;
    row.last_line = seq;
    history::keep(rows, &key, &row)?;
    rows.effect(Effect::Line(key.clone()));
    Ok(OwnKept::Said)
}

/// Every tenant's conversation with this person, and the gateway's own.
fn conversations_of(rows: &impl Rows, contact: &ContactKey) -> Step<Vec<ConversationKey>> {
    let person = contacts::resolve(rows, contact, &[])?;
    let mut tenants = BTreeSet::from([TenantId::GATEWAY]);
    tenants.extend(person.lock.map(|lock| lock.tenant));
    for key in contacts::keys_of(rows, &person.canonical)? {
        tenants.extend(contact_tenants::of(rows, &key)?.into_iter().map(|(tenant, _)| tenant));
    }
    let key = |tenant| Ok(ConversationKey { tenant, contact: views::of_tenant(rows, tenant, contact)? });
    tenants.into_iter().map(key).collect()
}

/// The human wrote first.
fn began(said: &Said) -> ConversationRow {
    let conversation = Conversation {
        created_at: said.now,
        sender: Some(said.sender.clone()),
        reply_to: said.to.clone().unwrap_or_else(|| said.contact.to_string()),
        ..Conversation::default()
    };
    ConversationRow { conversation, ..ConversationRow::default() }
}

/// Does it say what a reply says that is on its way, or that we were never told the end of? Then it is
/// that reply, and it has gone out.
fn is_ours(rows: &mut impl Rows, key: &ConversationKey, said: &Said, sent_id: Hash) -> Step<bool> {
    let Some((seq, reply)) = candidate(rows, key, said)? else { return Ok(false) };
    let report = Report { state: DeliveryState::Sent, reason: None, fate: None };
    let reached =
        Reached { sent_id: Some(sent_id), message_id: Some(&said.id), report: &report, now: said.now };
    let id = SendId { key: key.clone(), seq };
    if reply.state == OutboxState::Unknown {
        ended::take_back(rows, &id, reply.state)?;
        reached::write(rows, &id, &reply, &reached)?;
        rows.effect(Effect::Line(key.clone()));
    } else {
        let reply = OutboxRow { contact: key.contact.clone(), ..reply };
        reached::write(rows, &id, &reply, &reached)?;
        sends::leave(rows, &id)?;
    }
    rows.touch(said.now);
    Ok(true)
}

/// The reply that it is, as far as can be told: the first that says the same. What a program sent may
/// also be a picture without words, if only one reply can be meant.
fn candidate(rows: &impl Rows, key: &ConversationKey, said: &Said) -> Step<Option<(u64, OutboxRow)>> {
    if said.origin == Some(Origin::App) {
        return Ok(None);
    }
    let mut replies = sending_of(rows, key)?;
    replies.extend(unknown_of(rows, key)?);
    let mut alike = Vec::new();
    for (seq, reply) in replies {
        // What another number of ours said is none of this one's echoes.
        if reply.sender != said.sender {
            continue;
        }
        if said.origin == Some(Origin::Api)
            && reply.state == OutboxState::Unknown
            && is_long_ago(&reply, said)
        {
            continue;
        }
        match likeness(&reply, said)? {
            Likeness::Same => return Ok(Some((seq, reply))),
            Likeness::Wordless if said.origin == Some(Origin::Api) => alike.push((seq, reply)),
            Likeness::Wordless | Likeness::None => {}
        }
    }
    Ok(alike.pop().filter(|_| alike.is_empty()))
}

/// An echo comes at once. The last attempt was not before the reply fell due.
fn is_long_ago(reply: &OutboxRow, said: &Said) -> bool {
    reply.created_at.max(reply.due).plus_ms(ECHO_WITHIN_MS) < said.at
}

/// Of the conversation's replies those that are on their way: they stand first.
fn sending_of(rows: &impl Rows, key: &ConversationKey) -> Step<Vec<(u64, OutboxRow)>> {
    let waiting: Vec<u64> = rows.index().sends().items(key).take(LOOKED_AT).copied().collect();
    let mut found = Vec::new();
    for seq in waiting {
        let reply = rows.get::<Outbox>(&Place::new(seq, key.tenant))?;
        found.extend(reply.filter(|reply| reply.state == OutboxState::Sending).map(|reply| (seq, reply)));
    }
    Ok(found)
}

/// Of the conversation's newest replies that have ended those whose outcome nobody knows, the oldest first.
fn unknown_of(rows: &impl ReadRows, key: &ConversationKey) -> Step<Vec<(u64, OutboxRow)>> {
    let mut found = Vec::new();
    let newest = (key.clone(), u64::MAX);
    rows.each_back_of::<EndedSends>(
        &newest,
        LOOKED_AT,
        |(of, _)| of == key,
        |(_, seq), reply| {
            let reply = reply?;
            if reply.state == OutboxState::Unknown {
                found.push((seq, reply));
            }
            Ok(())
        },
    )?;
    found.reverse();
    Ok(found)
}

/// How much like a reply an echo is.
enum Likeness {
    Same,
    /// Files of one kind without words: one is like another.
    Wordless,
    None,
}

/// As far as can be told: buttons and lists may have gone out as text with their options below.
fn likeness(reply: &OutboxRow, said: &Said) -> Step<Likeness> {
    let outbound = reply.said.unpack("outbox")?;
    let text = said.content.text().unwrap_or_default().trim();
    let same = match (&outbound.content, &said.content) {
        (OutboundContent::Text { text: ours }, Content::Text { .. }) => ours.trim() == text,
        (OutboundContent::Buttons(ours), _) => !text.is_empty() && text.starts_with(ours.body.trim()),
        (OutboundContent::List(ours), _) => !text.is_empty() && text.starts_with(ours.body.trim()),
        (OutboundContent::Media(ours), Content::Media(theirs)) => {
            let alike =
                ours.kind == theirs.kind && ours.caption.as_deref().unwrap_or_default().trim() == text;
            if alike && text.is_empty() {
                return Ok(Likeness::Wordless);
            }
            alike
        }
        (OutboundContent::Location(ours), Content::Location(theirs)) => {
            let near = |one: f64, other: f64| (one - other).abs() < 1e-5;
            near(ours.latitude, theirs.latitude) && near(ours.longitude, theirs.longitude)
        }
        (OutboundContent::Contacts { contacts: ours }, Content::Contacts { contacts: theirs }) => {
            ours.iter().map(|card| card.name.trim()).eq(theirs.iter().map(|card| card.name.trim()))
        }
        (OutboundContent::Reaction(ours), Content::Reaction(theirs)) => ours.emoji == theirs.emoji,
        _ => false,
    };
    Ok(if same { Likeness::Same } else { Likeness::None })
}
