//! Takes a message in: deduplication, decision, lock and inbox in one commit.

use redb::ReadableTable;

use super::batch::{Batch, Step};
use super::codec::{conversation_key, heard_hash, message_hash, pack, place};
use super::contacts::Known;
use super::lines::{self, NewLine};
use super::merge::{self, By, GATEWAY};
use super::mirror::{Due, Effect};
use super::replies::Why;
use super::rows::{Kept, Waiting, WaitingKind, answer, wrote_at};
use super::ties::By as Tied;
use super::wishes::Word;
use super::{Settings, contacts, files, lookups, opt_outs, replies, ties, timers, views, ways};
use crate::conversation::{Author, Conversation, Heard, Mode};
use crate::deep_link::{self, Link};
use crate::message::{ContactKey, ConversationKey, Outbound, Referral, SenderName, TenantId, Timestamp};
use crate::route::{Answer, Decision, Lock, Reason, Via, decide};
use crate::store::quotas::Shelf;
use crate::store::{Accepted, Arrival, AuditEntry, Error, InboxId};
use crate::tenant::Sender;
use crate::tenant::quotas::Kind;

/// An arrival, read and encoded before it reaches the writer.
pub struct Incoming {
    hash: [u8; 16],
    /// Under which earlier programs remembered it: the provider may be sending one of theirs again.
    hash_of_old: [u8; 16],
    message_id: String,
    contact: ContactKey,
    aliases: Vec<ContactKey>,
    reply_to: String,
    display_name: Option<String>,
    sender: SenderName,
    tenant: Option<TenantId>,
    link: Option<Link>,
    /// What it says about messages themselves.
    word: Option<Word>,
    /// The advertisement that led here.
    source: Option<String>,
    at: Timestamp,
    received_at: Timestamp,
    heard: Vec<u8>,
    file: Option<files::Brought>,
}

impl Incoming {
    pub fn new(arrival: Arrival, settings: &Settings, secret: &[u8; 32]) -> Self {
        let Arrival { mut inbound, sender, tenant, received_at } = arrival;
        let message = (inbound.provider, inbound.account.as_str(), inbound.id.as_str());
        let file = files::take(&mut inbound.content, message, secret);
        let text = inbound.content.text();
        let link = text.and_then(|text| deep_link::parse(text, &settings.prefixes));
        // Providers give no time, or one that our clock has not reached: such a message is ordered
        // by its arrival.
        let told = inbound.sent_at > Timestamp::ZERO && inbound.sent_at < received_at;
        let at = if told { inbound.sent_at } else { received_at };
        // A link is followed, whatever else it may spell.
        let word = if link.is_none() { Word::of(&inbound.content) } else { None };
        let source = inbound.referral.as_ref().and_then(source_of);
        let heard = Heard {
            id: inbound.id,
            sent_at: inbound.sent_at,
            content: inbound.content,
            quoted: inbound.quoted,
            referral: inbound.referral,
        };
        Incoming {
            hash: heard_hash(inbound.provider, &inbound.account, &heard.id),
            hash_of_old: message_hash(inbound.provider, &inbound.account, &heard.id),
            contact: inbound.contact,
            aliases: inbound.aliases,
            reply_to: inbound.from_raw,
            display_name: inbound.display_name,
            sender,
            tenant,
            link,
            word,
            source,
            at,
            received_at,
            heard: pack(&heard),
            file,
            message_id: heard.id,
        }
    }
}

/// An advertisement in a few words, for the lead: `ad 120210000000000`.
fn source_of(referral: &Referral) -> Option<String> {
    let what = referral.source_id.as_deref().or(referral.url.as_deref()).or(referral.headline.as_deref());
    let words = [Some(referral.kind.as_str()), what].into_iter().flatten().filter(|word| !word.is_empty());
    let text = words.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| text.chars().take(128).collect())
}

pub fn accept(batch: &mut Batch<'_>, incoming: &Incoming) -> Step<Accepted> {
    if let Some((answer, message)) = answered(batch, incoming)? {
        return Ok(Accepted { answer, duplicate: true, message, via: None, for_human: false });
    }
    let directory = batch.mirror.directory.load_full();
    let sender = directory.senders.get(&incoming.sender);
    let sender = sender.ok_or_else(|| Error::NotFound(format!("there is no sender {}", incoming.sender)))?;
    // What a dedicated sender says of a person it says to its tenant.
    let own = sender.tenant;
    let known = match own {
        Some(tenant) => views::resolve(batch, tenant, &incoming.contact, &incoming.aliases)?,
        None => contacts::resolve(batch, &incoming.contact, &incoming.aliases)?,
    };
    let (link, lock) = (incoming.link.as_ref(), known.lock.as_ref());
    let named = incoming.tenant.filter(|_| lock.is_none() && sender.tenant.is_none());
    // To this one contact it is the named tenant's own number.
    let as_its_own = named.map(|tenant| Sender { tenant: Some(tenant), ..(**sender).clone() });
    let sender = as_its_own.as_ref().unwrap_or(sender);
    let now = incoming.received_at;
    let mut taken_in = None;
    let answer = match decide(&directory, sender, link, lock, now) {
        Decision::Ignored(reason) => {
            // Who wants no messages is told nothing.
            if matches!(reason, Reason::NoTenant | Reason::UnknownTenant) && incoming.word.is_none() {
                notice(batch, incoming, sender, &known.canonical)?;
            }
            // It may be somebody whom we know by phone number.
            lookups::wanted(batch, &incoming.contact, &known.canonical, &incoming.sender, now)?;
            Answer::Ignored(reason)
        }
        Decision::Routed { tenant, new_lock, start, conflict } => {
            has_room(batch, sender, tenant, &known)?;
            let by = By { actor: GATEWAY, reason: "one message named both", now };
            let is_new_lock = new_lock.is_some();
            let contact = match own {
                Some(tenant) => {
                    merge::for_tenant(batch, tenant, &known, &by)?;
                    known.canonical.clone()
                }
                None => {
                    merge::all(batch, &known, &by)?;
                    if let Some(lock) = new_lock {
                        contacts::lock(batch, &known.canonical, lock)?;
                    }
                    meets(batch, tenant, &known.canonical, is_new_lock, named.is_some())?
                }
            };
            let key = ConversationKey { tenant, contact };
            // Asked only where it is told.
            let first = (start.is_some() || sender.tenant.is_some()) && is_new(batch, &key)?;
            if first && sender.tenant.is_some() {
                ties::put(batch, &key.contact, tenant, Tied::Own)?;
            }
            let start = start.map(|start| start.attribution);
            let via = via(own, named, is_new_lock);
            taken_in = Some(take_in(batch, incoming, &key, start, (first, via))?);
            if let (Some(other), Some(lock)) = (conflict, lock) {
                report_conflict(batch, incoming, &key, lock, other)?;
            }
            let is_new_session = is_new_lock || (sender.tenant.is_some() && first);
            lookups::wanted(batch, &incoming.contact, &known.canonical, &incoming.sender, now)?;
            batch.state.accepted += 1;
            batch.state.touch(now);
            Answer::Routed { tenant, contact: key.contact, is_new_session }
        }
    };
    remember(batch, incoming, answer, taken_in.as_ref())
}

/// By what it found its tenant.
fn via(own: Option<TenantId>, named: Option<TenantId>, is_new_lock: bool) -> Via {
    match (own, named) {
        (Some(_), _) => Via::OwnNumber,
        (None, Some(_)) => Via::Address,
        (None, None) if is_new_lock => Via::Link,
        (None, None) => Via::Lock,
    }
}

/// For when it comes again.
fn remember(
    batch: &mut Batch<'_>,
    incoming: &Incoming,
    answer: Answer,
    taken_in: Option<&TakenIn>,
) -> Step<Accepted> {
    let message = taken_in.map(|taken| taken.seq);
    answer::write(&mut batch.buffer, &answer, message);
    batch.tables.dedup.put()?.insert(&incoming.hash, batch.buffer.as_slice())?;
    batch.hashes.extend_from_slice(&incoming.hash);
    batch.hashes_at = batch.hashes_at.max(incoming.received_at);
    Ok(Accepted {
        answer,
        duplicate: false,
        message,
        via: taken_in.map(|taken| taken.via),
        for_human: taken_in.is_some_and(|taken| taken.for_human),
    })
}

/// What was answered to it when it came before.
fn answered(batch: &Batch<'_>, incoming: &Incoming) -> Step<Option<(Answer, Option<u64>)>> {
    let known = batch.tables.dedup.get()?;
    let mut row = known.get(&incoming.hash)?;
    if row.is_none() && incoming.hash_of_old != incoming.hash {
        row = known.get(&incoming.hash_of_old)?;
    }
    Ok(match row {
        Some(row) => Some(answer::read(row.value())?),
        None => None,
    })
}

/// A number that others share is not told to wait for one of them.
fn has_room(batch: &Batch<'_>, sender: &Sender, tenant: TenantId, known: &Known) -> Step<()> {
    if sender.tenant.is_none() {
        return Ok(());
    }
    let usage = batch.usage(tenant);
    batch.mirror.allow(tenant, Kind::WaitingTurns, usage.of(Shelf::Inbox).rows + 1)?;
    let mut begins = true;
    for contact in std::iter::once(&known.canonical).chain(&known.others) {
        let key = ConversationKey { tenant, contact: views::of_tenant(batch, tenant, contact)? };
        if batch.mirror.is_human(&key) {
            batch.mirror.allow_line(tenant, &usage)?;
        }
        begins &= !batch.met.contains(&key) && is_unknown(batch, &key)?;
    }
    if begins {
        batch.mirror.allow_conversation(tenant, &usage)?;
    }
    Ok(())
}

/// Somebody writes to a tenant on a shared sender: the key that the tenant keeps the person under.
fn meets(
    batch: &mut Batch<'_>,
    tenant: TenantId,
    canonical: &ContactKey,
    is_new_lock: bool,
    is_named: bool,
) -> Step<ContactKey> {
    if is_new_lock
        || is_named && ties::find(batch.tables.ties.get()?, canonical, tenant)? != Some(Tied::Shared)
    {
        if is_named {
            ties::put(batch, canonical, tenant, Tied::Shared)?;
        }
        views::gain(batch, tenant, canonical)?;
    }
    views::of_tenant(batch, tenant, canonical)
}

/// A message that is kept.
struct TakenIn {
    seq: u64,
    via: Via,
    for_human: bool,
}

/// Into the inbox, or straight into the history while a human answers. What the message tells of its
/// conversation stays with the message until its turn is committed, so that nothing of the
/// conversation is read or written here. `first`: nothing came before it.
fn take_in(
    batch: &mut Batch<'_>,
    incoming: &Incoming,
    key: &ConversationKey,
    start: Option<Option<String>>,
    (first, via): (bool, Via),
) -> Step<TakenIn> {
    if let Some(file) = &incoming.file {
        files::expect(batch, key.tenant, &incoming.sender, file, incoming.received_at)?;
    }
    let seq = batch.seq();
    let kind = match &start {
        None => WaitingKind::Message,
        Some(_) => WaitingKind::Started { first },
    };
    let word = match &incoming.word {
        Some(word) if word.matters(batch, key, incoming.at)? => Some(word),
        _ => None,
    };
    if word.is_none() && !incoming.word.as_ref().is_some_and(Word::is_stop) {
        opt_outs::wrote(batch, key, incoming.at)?;
    }
    let due = incoming.received_at.plus_ms(patience(batch, key.tenant, kind));
    let at = in_order(batch, key, incoming);
    let attribution = start.as_ref().and_then(Option::as_deref).or(incoming.source.as_deref());
    let waiting = Waiting {
        kind,
        via,
        told: word.is_some(),
        failures: 0,
        at,
        received_at: incoming.received_at,
        due,
        contact: key.contact.as_str(),
        sender: incoming.sender.as_str(),
        reply_to: &incoming.reply_to,
        display_name: incoming.display_name.as_deref(),
        attribution,
        error: None,
        payload: &incoming.heard,
    };
    if (word.is_some() || batch.mirror.is_human(key))
        && put_down(batch, incoming, key, &waiting, (seq, word))?
    {
        return Ok(TakenIn { seq, via, for_human: true });
    }
    waiting.write(&mut batch.buffer);
    batch.tables.inbox.put()?.insert(&place(seq, key.tenant), batch.buffer.as_slice())?;
    batch.state.inbox += 1;
    batch.effects.push(Effect::Waits {
        key: key.clone(),
        id: InboxId { at, seq },
        due: Due { at: due, decided_at: incoming.received_at },
        class: waiting.class(),
        alone: waiting.alone(),
    });
    Ok(TakenIn { seq, via, for_human: false })
}

/// What only our clock stamped does not come before what waits already: the clock may have been set back.
fn in_order(batch: &Batch<'_>, key: &ConversationKey, incoming: &Incoming) -> Timestamp {
    if incoming.at != incoming.received_at {
        return incoming.at;
    }
    let last = batch.mirror.turns().items(key).next_back().map(|last| last.at);
    last.map_or(incoming.at, |last| last.max(incoming.at))
}

/// Into the history at once, where a human answers or the message is a word about messages. Whether that
/// is all, because a human answers.
fn put_down(
    batch: &mut Batch<'_>,
    incoming: &Incoming,
    key: &ConversationKey,
    waiting: &Waiting<'_>,
    (seq, word): (u64, Option<&Word>),
) -> Step<bool> {
    let row = conversation_key(key);
    let mut kept = lines::kept(batch, &row)?.unwrap_or_default();
    // The row has the last word: a human may have given the conversation back just now.
    let is_human = kept.conversation.mode == Mode::Human;
    if !is_human && word.is_none() {
        return Ok(false);
    }
    kept.hear(waiting);
    timers::awake(batch, key, &mut kept)?;
    lines::append(batch, key, &mut kept, NewLine::heard(waiting, seq), seq)?;
    let confirmed = match word {
        Some(word) => word.keep(batch, key, &mut kept, (seq, incoming.at, incoming.received_at))?,
        None => None,
    };
    ways::put_down(batch, (key.tenant, seq), waiting, confirmed)?;
    lines::keep(batch, &row, &kept)?;
    batch.effects.push(Effect::Line(key.clone()));
    Ok(is_human)
}

/// Has nothing come in this conversation yet, neither before nor in this batch?
fn is_new(batch: &mut Batch<'_>, key: &ConversationKey) -> Step<bool> {
    Ok(is_unknown(batch, key)? && batch.met.insert(key.clone()))
}

/// The same, but for this batch.
fn is_unknown(batch: &Batch<'_>, key: &ConversationKey) -> Step<bool> {
    let row = conversation_key(key);
    Ok(batch.tables.conversations.get()?.get(row.as_slice())?.is_none()
        && batch.mirror.turns().items(key).next().is_none())
}

/// How long a message waits for others to make one turn with.
fn patience(batch: &Batch<'_>, tenant: TenantId, kind: WaitingKind) -> i64 {
    if kind != WaitingKind::Message {
        return 0;
    }
    i64::try_from(super::coalesce_ms(batch.mirror, tenant)).unwrap_or(i64::MAX)
}

fn report_conflict(
    batch: &mut Batch<'_>,
    incoming: &Incoming,
    key: &ConversationKey,
    lock: &Lock,
    other: TenantId,
) -> Step<()> {
    batch.state.conflicts += 1;
    batch.audit(&AuditEntry {
        at: incoming.received_at,
        actor: GATEWAY.into(),
        action: "conflict".into(),
        subject: key.contact.to_string(),
        detail: serde_json::json!({
            "locked_to": lock.tenant, "link_of": other, "message": incoming.message_id,
        }),
    })
}

/// Tells a contact that nobody has claimed to use an agent's link; the same contact rarely.
fn notice(batch: &mut Batch<'_>, incoming: &Incoming, sender: &Sender, contact: &ContactKey) -> Step<()> {
    let settings = &batch.mirror.settings;
    let Some(text) = &settings.notice else { return Ok(()) };
    if sender.tenant.is_some() || !sender.active {
        return Ok(());
    }
    let every_ms = settings.notice_every_ms;
    let now = incoming.received_at;
    let told = batch.tables.notices.get()?.get(contact.as_str().as_bytes())?.map(|row| row.value());
    if told.is_some_and(|told| now.as_ms().saturating_sub(told) < every_ms) {
        return Ok(());
    }
    // Strangers are many: beyond the bound they are told another time.
    let waiting = batch.usage(TenantId::GATEWAY).of(Shelf::Outbox).rows + 1;
    if batch.mirror.allow(TenantId::GATEWAY, Kind::WaitingReplies, waiting).is_err() {
        return Ok(());
    }
    let payload = pack(&Outbound::text(text.as_str()));
    let key = ConversationKey { tenant: TenantId::GATEWAY, contact: contact.clone() };
    let row = conversation_key(&key);
    let kept = lines::kept(batch, &row)?;
    batch.tables.notices.put()?.insert(contact.as_str().as_bytes(), now.as_ms())?;
    let mut kept = kept.unwrap_or_else(|| Kept {
        conversation: Conversation { created_at: now, ..Conversation::default() },
        ..Kept::default()
    });
    let sender = incoming.sender.clone();
    kept.conversation.sender = Some(sender.clone());
    kept.conversation.reply_to.clone_from(&incoming.reply_to);
    kept.conversation.last_inbound_at = now;
    kept.conversation.wrote_at = kept.conversation.wrote_at.max(wrote_at(incoming.at, now));
    let why = Why::answer(Author::Gateway, 0, Timestamp::ZERO);
    replies::queue(batch, &key, (&mut kept, sender), why, &payload, now)?;
    lines::keep(batch, &row, &kept)
}
