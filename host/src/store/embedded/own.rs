//! What our own numbers said without us: a human typed it on the phone. It is kept as a line of the
//! history, never as a turn. What we sent ourselves comes back the same way, sometimes before its
//! provider has answered us, and must not be taken for that.

use std::collections::BTreeSet;
use std::ops::Bound;

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{
    Place, after_prefix, conversation_key, conversation_prefix, pack, place, read_under, sent_hash, unpack,
};
use super::early::Report;
use super::mirror::Effect;
use super::reached::{self, Reached};
use super::receipts::{self, Reported};
use super::rows::{Kept, Reply, Spoken, Times};
use super::{contacts, files, lines, sends, ties, views};
use crate::conversation::{Author, Conversation, Heard};
use crate::event::{Origin, Own, Receipt};
use crate::message::{
    ContactKey, Content, ConversationKey, DeliveryState, Outbound, OutboundContent, Provider, SenderName,
    TenantId, Timestamp,
};
use crate::store::contacts::OwnKept;
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
    heard: Vec<u8>,
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
            pack(&Heard { id: id.clone(), sent_at, content: content.clone(), quoted, referral: None });
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
pub fn recognize(batch: &mut Batch<'_>, said: &Said) -> Step<bool> {
    let sent_id = sent_hash(said.provider, &said.account, &said.id);
    if batch.tables.sent_ids.get()?.get(&sent_id)?.is_some() {
        return Ok(false);
    }
    if let Some(reported) = &said.named {
        return receipts::recognize(batch, reported, said.now);
    }
    for key in conversations_of(batch, &said.contact)? {
        if is_ours(batch, &key, said, sent_id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub fn record(batch: &mut Batch<'_>, said: &Said) -> Step<OwnKept> {
    let sent_id = sent_hash(said.provider, &said.account, &said.id);
    let known = batch.tables.sent_ids.get()?.get(&sent_id)?.is_some() || said.named.is_some();
    // Before it is asked whose the number is now: what we sent is its sender's, however long ago.
    if recognize(batch, said)? || known {
        return Ok(OwnKept::Known);
    }
    let person = contacts::resolve(batch, &said.contact, &[])?;
    let directory = batch.mirror.directory.load_full();
    let dedicated = directory.senders.get(&said.sender).and_then(|sender| sender.tenant);
    let tenant = dedicated.or(person.lock.map(|lock| lock.tenant)).or(said.tenant);
    let Some(tenant) = tenant else { return Ok(OwnKept::Nothing) };
    let known = if dedicated.is_some() { &said.contact } else { &person.canonical };
    let key = ConversationKey { tenant, contact: views::of_tenant(batch, tenant, known)? };
    let row = conversation_key(&key);
    let known = lines::kept(batch, &row)?;
    if dedicated.is_some() {
        let usage = batch.usage(tenant);
        batch.mirror.allow_line(tenant, &usage)?;
        if known.is_none() {
            batch.mirror.allow_conversation(tenant, &usage)?;
        }
    }
    if let Some(file) = &said.file {
        files::expect(batch, tenant, &said.sender, file, said.now)?;
    }
    let mut kept = match known {
        Some(kept) => kept,
        None => {
            ties::put(batch, &key.contact, tenant, ties::By::Own)?;
            began(said)
        }
    };
    let seq = batch.seq();
    let line = Spoken {
        at: said.at,
        author: Author::Human,
        said: false,
        state: Some(DeliveryState::Sent),
        previous: kept.last_line,
        message: 0,
        sent_id: Some(sent_id),
        provider_id: Some(&said.id),
        times: Times::default().reached(DeliveryState::Sent, said.now),
        on_receipt: false,
        attempt: 0,
        contact: key.contact.as_str(),
        payload: &said.heard,
    };
    lines::put(batch, &key, seq, &line)?;
    let at: Place = place(seq, tenant);
    batch.tables.sent_ids.put()?.insert(&sent_id, &at)?;
    kept.last_line = seq;
    lines::keep(batch, &row, &kept)?;
    batch.effects.push(Effect::Line(key.clone()));
    Ok(OwnKept::Said)
}

/// Every tenant's conversation with this person, and the gateway's own.
fn conversations_of(batch: &Batch<'_>, contact: &ContactKey) -> Step<Vec<ConversationKey>> {
    let person = contacts::resolve(batch, contact, &[])?;
    let mut tenants = BTreeSet::from([TenantId::GATEWAY]);
    tenants.extend(person.lock.map(|lock| lock.tenant));
    for key in contacts::keys_of(batch, &person.canonical)? {
        tenants.extend(ties::of(batch, &key)?.into_iter().map(|(tenant, _)| tenant));
    }
    let key = |tenant| Ok(ConversationKey { tenant, contact: views::of_tenant(batch, tenant, contact)? });
    tenants.into_iter().map(key).collect()
}

/// The human wrote first.
fn began(said: &Said) -> Kept {
    let conversation = Conversation {
        created_at: said.now,
        sender: Some(said.sender.clone()),
        reply_to: said.to.clone().unwrap_or_else(|| said.contact.to_string()),
        ..Conversation::default()
    };
    Kept { conversation, ..Kept::default() }
}

/// Does it say what a reply says that is on its way, or that we were never told the end of? Then it is
/// that reply, and it has gone out.
fn is_ours(batch: &mut Batch<'_>, key: &ConversationKey, said: &Said, sent_id: [u8; 16]) -> Step<bool> {
    let Some((seq, row)) = candidate(batch, key, said)? else { return Ok(false) };
    let report = Report { state: DeliveryState::Sent, reason: None, fate: None };
    let reached =
        Reached { sent_id: Some(sent_id), message_id: Some(&said.id), report: &report, now: said.now };
    let id = SendId { key: key.clone(), seq };
    let reply = Reply::read(&row)?;
    if reply.state == OutboxState::Unknown {
        sends::take_back(batch, &id, &reply)?;
        reached::write(batch, &id, &reply, &reached)?;
        batch.effects.push(Effect::Line(key.clone()));
    } else {
        let reply = Reply { contact: key.contact.as_str(), ..reply };
        reached::write(batch, &id, &reply, &reached)?;
        sends::leave(batch, &id)?;
    }
    batch.state.touch(said.now);
    Ok(true)
}

/// The reply that it is, as far as can be told: the first that says the same. What a program sent may
/// also be a picture without words, if only one reply can be meant.
fn candidate(batch: &Batch<'_>, key: &ConversationKey, said: &Said) -> Step<Option<(u64, Vec<u8>)>> {
    if said.origin == Some(Origin::App) {
        return Ok(None);
    }
    let mut replies = sending_of(batch, key)?;
    replies.extend(unknown_of(batch, key)?);
    let mut alike = Vec::new();
    for (seq, row) in replies {
        let reply = Reply::read(&row)?;
        // What another number of ours said is none of this one's echoes.
        if reply.sender != said.sender.as_str() {
            continue;
        }
        if said.origin == Some(Origin::Api)
            && reply.state == OutboxState::Unknown
            && is_long_ago(&reply, said)
        {
            continue;
        }
        match likeness(&reply, said)? {
            Likeness::Same => return Ok(Some((seq, row))),
            Likeness::Wordless if said.origin == Some(Origin::Api) => alike.push((seq, row)),
            Likeness::Wordless | Likeness::None => {}
        }
    }
    Ok(alike.pop().filter(|_| alike.is_empty()))
}

/// An echo comes at once. The last attempt was not before the reply fell due.
fn is_long_ago(reply: &Reply<'_>, said: &Said) -> bool {
    reply.created_at.max(reply.due).plus_ms(ECHO_WITHIN_MS) < said.at
}

/// Of the conversation's replies those that are on their way: they stand first.
fn sending_of(batch: &Batch<'_>, key: &ConversationKey) -> Step<Vec<(u64, Vec<u8>)>> {
    let waiting: Vec<u64> = batch.mirror.sends().items(key).take(LOOKED_AT).copied().collect();
    let mut found = Vec::new();
    for seq in waiting {
        let row = batch.tables.outbox.get()?.get(&place(seq, key.tenant))?.map(|row| row.value().to_vec());
        let Some(row) = row else { continue };
        if Reply::read(&row)?.state == OutboxState::Sending {
            found.push((seq, row));
        }
    }
    Ok(found)
}

/// Of the conversation's newest replies that have ended those whose outcome nobody knows, the oldest first.
fn unknown_of(batch: &Batch<'_>, key: &ConversationKey) -> Step<Vec<(u64, Vec<u8>)>> {
    let first = conversation_prefix(key);
    let end = after_prefix(&first);
    let range = (Bound::Included(first.as_slice()), end.as_deref().map_or(Bound::Unbounded, Bound::Excluded));
    let mut found = Vec::new();
    for row in batch.tables.ended_sends.get()?.range::<&[u8]>(range)?.rev().take(LOOKED_AT) {
        let (name, row) = row?;
        let rest = read_under("ended_sends", name.value())?.1;
        if let Some(seq) = rest.first_chunk::<8>()
            && Reply::read(row.value())?.state == OutboxState::Unknown
        {
            found.push((u64::from_be_bytes(*seq), row.value().to_vec()));
        }
    }
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
fn likeness(reply: &Reply<'_>, said: &Said) -> Step<Likeness> {
    let outbound: Outbound = unpack("outbox", reply.payload)?;
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
