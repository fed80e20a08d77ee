//! Takes a message in: deduplication, decision, lock and inbox in one commit.

use super::contacts::Known;
use super::merge::{self, By, GATEWAY, unify};
use super::replies::Why;
use super::wishes::{Saying, Word};
use super::{
    contact_tenants, contacts, files, history, inbox, lookups, names, opt_outs, replies, timers, views, ways,
};
use crate::conversation::{Author, Conversation, Heard, Mode};
use crate::deep_link::{self, Link};
use crate::message::{ContactKey, ConversationKey, Outbound, Referral, SenderName, TenantId, Timestamp};
use crate::route::{Answer, Decision, Lock, Reason, Via, decide};
use crate::store::quotas::Shelf;
use crate::store::rows::conversation::{ConversationRow, wrote_at};
use crate::store::rows::inbox::{InboxRow, What};
use crate::store::rows::known_by::KnownBy;
use crate::store::rows::packed::Packed;
use crate::store::rows::{Conversations, Dedup, Hash, Notices, Rows, Step};
use crate::store::shared::effect::Effect;
use crate::store::shared::settings::Settings;
use crate::store::{Accepted, Arrival, AuditEntry, Error};
use crate::tenant::Sender;
use crate::tenant::quotas::Kind;

/// An arrival, read and encoded before it reaches the writer.
pub struct Incoming {
    hash: Hash,
    /// Under which earlier programs remembered it: the provider may be sending one of theirs again.
    hash_of_old: Hash,
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
    heard: Packed<Heard>,
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
            hash: names::heard(inbound.provider, &inbound.account, &heard.id),
            hash_of_old: names::message(inbound.provider, &inbound.account, &heard.id),
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
            heard: Packed::new(&heard),
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

pub fn accept(rows: &mut impl Rows, incoming: &Incoming) -> Step<Accepted> {
    if let Some((answer, message)) = answered(rows, incoming)? {
        return Ok(Accepted { answer, duplicate: true, message, via: None, for_human: false });
    }
    let directory = rows.index().directory.load_full();
    let sender = directory.senders.get(&incoming.sender);
    let sender = sender.ok_or_else(|| Error::NotFound(format!("there is no sender {}", incoming.sender)))?;
    // What a dedicated sender says of a person it says to its tenant.
    let own = sender.tenant;
    let known = match own {
        Some(tenant) => views::resolve(rows, tenant, &incoming.contact, &incoming.aliases)?,
        None => contacts::resolve(rows, &incoming.contact, &incoming.aliases)?,
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
                notice(rows, incoming, sender, &known.canonical)?;
            }
            // It may be somebody whom we know by phone number.
            lookups::wanted(rows, &incoming.contact, &known.canonical, &incoming.sender, now)?;
            Answer::Ignored(reason)
        }
        Decision::Routed { tenant, new_lock, start, conflict } => {
            has_room(rows, sender, tenant, &known)?;
            let by = By { actor: GATEWAY, reason: "one message named both", now };
            let is_new_lock = new_lock.is_some();
            let contact = match own {
                Some(tenant) => {
                    merge::for_tenant(rows, tenant, &known, &by)?;
                    known.canonical.clone()
                }
                None => {
                    merge::all(rows, &known, &by)?;
                    if let Some(lock) = new_lock {
                        contacts::lock(rows, &known.canonical, lock)?;
                    }
                    meets(rows, tenant, &known.canonical, is_new_lock, named.is_some())?
                }
            };
            let key = ConversationKey { tenant, contact };
            // Asked only where it is told.
            let first = (start.is_some() || sender.tenant.is_some()) && is_new(rows, &key)?;
            if first && sender.tenant.is_some() {
                contact_tenants::put(rows, &key.contact, tenant, KnownBy::Own)?;
            }
            let start = start.map(|start| start.attribution);
            let via = via(own, named, is_new_lock);
            taken_in = Some(take_in(rows, incoming, &key, start, (first, via))?);
            if let (Some(other), Some(lock)) = (conflict, lock) {
                report_conflict(rows, incoming, &key, lock, other)?;
            }
            let is_new_session = is_new_lock || (sender.tenant.is_some() && first);
            lookups::wanted(rows, &incoming.contact, &known.canonical, &incoming.sender, now)?;
            rows.changes_mut().state.accepted += 1;
            rows.touch(now);
            Answer::Routed { tenant, contact: key.contact, is_new_session }
        }
    };
    remember(rows, incoming, answer, taken_in.as_ref())
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
    rows: &mut impl Rows,
    incoming: &Incoming,
    answer: Answer,
    taken_in: Option<&TakenIn>,
) -> Step<Accepted> {
    let message = taken_in.map(|taken| taken.seq);
    rows.put::<Dedup>(&incoming.hash, &(answer.clone(), message))?;
    let changes = rows.changes_mut();
    changes.hashes.push(incoming.hash);
    changes.hashes_at = changes.hashes_at.max(incoming.received_at);
    Ok(Accepted {
        answer,
        duplicate: false,
        message,
        via: taken_in.map(|taken| taken.via),
        for_human: taken_in.is_some_and(|taken| taken.for_human),
    })
}

/// What was answered to it when it came before.
fn answered(rows: &impl Rows, incoming: &Incoming) -> Step<Option<(Answer, Option<u64>)>> {
    let known = rows.get::<Dedup>(&incoming.hash)?;
    if known.is_none() && incoming.hash_of_old != incoming.hash {
        return rows.get::<Dedup>(&incoming.hash_of_old);
    }
    Ok(known)
}

/// A number that others share is not told to wait for one of them.
fn has_room(rows: &impl Rows, sender: &Sender, tenant: TenantId, known: &Known) -> Step<()> {
    if sender.tenant.is_none() {
        return Ok(());
    }
    let usage = rows.usage(tenant);
    rows.index().allow(tenant, Kind::WaitingTurns, usage.of(Shelf::Inbox).rows + 1)?;
    let mut begins = true;
    for contact in std::iter::once(&known.canonical).chain(&known.others) {
        let key = ConversationKey { tenant, contact: views::of_tenant(rows, tenant, contact)? };
        if rows.index().is_human(&key) {
            rows.index().allow_line(tenant, &usage)?;
        }
        begins &= !rows.changes().met.contains(&key) && is_unknown(rows, &key)?;
    }
    if begins {
        rows.index().allow_conversation(tenant, &usage)?;
    }
    Ok(())
}

/// Somebody writes to a tenant on a shared sender: the key that the tenant keeps the person under.
fn meets(
    rows: &mut impl Rows,
    tenant: TenantId,
    canonical: &ContactKey,
    is_new_lock: bool,
    is_named: bool,
) -> Step<ContactKey> {
    if is_new_lock || is_named && contact_tenants::find(rows, canonical, tenant)? != Some(KnownBy::Shared) {
        if is_named {
            contact_tenants::put(rows, canonical, tenant, KnownBy::Shared)?;
        }
        unify::gain(rows, tenant, canonical)?;
    }
    views::of_tenant(rows, tenant, canonical)
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
    rows: &mut impl Rows,
    incoming: &Incoming,
    key: &ConversationKey,
    start: Option<Option<String>>,
    (first, via): (bool, Via),
) -> Step<TakenIn> {
    if let Some(file) = &incoming.file {
        files::expect(rows, key.tenant, &incoming.sender, file, incoming.received_at)?;
    }
    let seq = rows.seq();
    let heard = incoming.heard.clone();
    let what = match &start {
        None => What::Message(heard),
        Some(_) => What::Started { first, heard },
    };
    let word = match &incoming.word {
        Some(word) if word.matters(rows, key, incoming.at)? => Some(word),
        _ => None,
    };
    if word.is_none() && !incoming.word.as_ref().is_some_and(Word::is_stop) {
        opt_outs::wrote(rows, key, incoming.at)?;
    }
    let due = incoming.received_at.plus_ms(patience(rows, key.tenant, &what));
    let at = in_order(rows, key, incoming);
    let waiting = InboxRow {
        what,
        via,
        told: word.is_some(),
        failures: 0,
        at,
        received_at: incoming.received_at,
        due,
        contact: key.contact.clone(),
        sender: Some(incoming.sender.clone()),
        reply_to: incoming.reply_to.clone(),
        display_name: incoming.display_name.clone(),
        attribution: start.flatten().or_else(|| incoming.source.clone()),
        error: None,
    };
    if (word.is_some() || rows.index().is_human(key)) && put_down(rows, incoming, key, &waiting, (seq, word))?
    {
        return Ok(TakenIn { seq, via, for_human: true });
    }
    rows.changes_mut().state.inbox += 1;
    inbox::put(rows, key, seq, &waiting, incoming.received_at)?;
    Ok(TakenIn { seq, via, for_human: false })
}

/// What only our clock stamped does not come before what waits already: the clock may have been set back.
fn in_order(rows: &impl Rows, key: &ConversationKey, incoming: &Incoming) -> Timestamp {
    if incoming.at != incoming.received_at {
        return incoming.at;
    }
    let last = rows.index().turns().items(key).next_back().map(|last| last.at);
    last.map_or(incoming.at, |last| last.max(incoming.at))
}

/// Into the history at once, where a human answers or the message is a word about messages. Whether that
/// is all, because a human answers.
fn put_down(
    rows: &mut impl Rows,
    incoming: &Incoming,
    key: &ConversationKey,
    waiting: &InboxRow,
    (seq, word): (u64, Option<&Word>),
) -> Step<bool> {
    let mut row = history::conversation(rows, key)?.unwrap_or_default();
    // The row has the last word: a human may have given the conversation back just now.
    let is_human = row.conversation.mode == Mode::Human;
    if !is_human && word.is_none() {
        return Ok(false);
    }
    row.hear(waiting);
    timers::awake(rows, key, &mut row)?;
    let (at, heard) = (waiting.received_at, incoming.heard.clone());
    history::append(rows, key, &mut row, history::NewLine { at, message: seq, heard }, seq)?;
    let confirmed = match word {
        Some(word) => {
            let saying = Saying { message: seq, at: incoming.at, now: incoming.received_at };
            word.keep(rows, key, &mut row, saying)?
        }
        None => None,
    };
    ways::put_down(rows, (key.tenant, seq), waiting, confirmed)?;
    history::keep(rows, key, &row)?;
    rows.effect(Effect::Line(key.clone()));
    Ok(is_human)
}

/// Has nothing come in this conversation yet, neither before nor in this rows?
fn is_new(rows: &mut impl Rows, key: &ConversationKey) -> Step<bool> {
    Ok(is_unknown(rows, key)? && rows.changes_mut().met.insert(key.clone()))
}

/// The same, but for this rows.
fn is_unknown(rows: &impl Rows, key: &ConversationKey) -> Step<bool> {
    Ok(!rows.has::<Conversations>(key)? && rows.index().turns().items(key).next().is_none())
}

/// How long a message waits for others to make one turn with.
fn patience(rows: &impl Rows, tenant: TenantId, what: &What) -> i64 {
    if what.alone() {
        return 0;
    }
    i64::try_from(rows.index().coalesce_ms(tenant)).unwrap_or(i64::MAX)
}

fn report_conflict(
    rows: &mut impl Rows,
    incoming: &Incoming,
    key: &ConversationKey,
    lock: &Lock,
    other: TenantId,
) -> Step<()> {
    rows.changes_mut().state.conflicts += 1;
    rows.audit(&AuditEntry {
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
fn notice(rows: &mut impl Rows, incoming: &Incoming, sender: &Sender, contact: &ContactKey) -> Step<()> {
    let Settings { notice, notice_every_ms, .. } = &rows.index().settings;
    let Some(text) = notice.clone() else { return Ok(()) };
    if sender.tenant.is_some() || !sender.active {
        return Ok(());
    }
    let (every_ms, now) = (*notice_every_ms, incoming.received_at);
    let told = rows.get::<Notices>(contact)?;
    if told.is_some_and(|told| now.as_ms().saturating_sub(told.as_ms()) < every_ms) {
        return Ok(());
    }
    // Strangers are many: beyond the bound they are told another time.
    let waiting = rows.usage(TenantId::GATEWAY).of(Shelf::Outbox).rows + 1;
    if rows.index().allow(TenantId::GATEWAY, Kind::WaitingReplies, waiting).is_err() {
        return Ok(());
    }
    let said = Packed::new(&Outbound::text(text));
    let key = ConversationKey { tenant: TenantId::GATEWAY, contact: contact.clone() };
    let row = history::conversation(rows, &key)?;
    rows.put::<Notices>(contact, &now)?;
    let mut row = row.unwrap_or_else(|| ConversationRow {
        conversation: Conversation { created_at: now, ..Conversation::default() },
        ..ConversationRow::default()
    });
    let sender = incoming.sender.clone();
    row.conversation.sender = Some(sender.clone());
    row.conversation.reply_to.clone_from(&incoming.reply_to);
    row.conversation.last_inbound_at = now;
    row.conversation.wrote_at = row.conversation.wrote_at.max(wrote_at(incoming.at, now));
    let why = Why::answer(Author::Gateway, None, None);
    replies::queue(rows, &key, (&mut row, sender), why, said, now)?;
    history::keep(rows, &key, &row)
}
