//! Hands for the cases: contacts that say things, brains that answer, a clock that is set by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchboard::conversation::{Cost, JournalEntry, LeadChange, Mode, TimerChange, Trigger};
use switchboard::event::Receipt;
use switchboard::message::{
    ContactKey, Content, ConversationKey, DeliveryState, Inbound, OrganizationId, Outbound, OutboundContent,
    Provider, SenderName, TenantId, Timestamp,
};
use switchboard::schedule::{Limits, Pace};
use switchboard::seal::{KEY_BYTES, Key, Ring};
use switchboard::store::embedded::space::Reserve;
use switchboard::store::upkeep::StoreFile;
use switchboard::store::{
    Accepted, Arrival, Filter, SendClaim, Settlement, Store, TurnClaim, TurnCommit, TurnFailure, TurnFate,
};
use switchboard::tenant::quotas::Quotas;
use switchboard::tenant::{Organization, Sender, Tenant};

#[derive(Clone, Debug)]
pub struct Options {
    pub notice: bool,
    pub coalesce_ms: u64,
    pub quotas: Quotas,
    pub reserve: Reserve,
    pub turns_per_tenant: usize,
    pub sends: Limits,
    pub fetches: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            notice: false,
            coalesce_ms: 0,
            quotas: Quotas::default(),
            reserve: Reserve::none(),
            turns_per_tenant: 100,
            sends: Limits { in_all: 300, per_group: 200, per_tenant: 100 },
            fetches: Limits { in_all: 300, per_group: 200, per_tenant: 100 },
        }
    }
}

/// The store alone, as a backup holds it, in a file of its own.
pub async fn copied(store: &dyn StoreFile, to: &Path) -> PathBuf {
    std::fs::create_dir_all(to.parent().expect("a directory")).expect("made");
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(to).expect("a new file");
    store.backup(file, 0).await.expect("a copy");
    to.to_owned()
}

/// Opens the same store, again and again.
pub trait Factory: Send + Sync {
    fn open(&self) -> Opened;
}

/// A store, and the file that it lies in, if it lies in one.
pub struct Opened {
    pub store: Arc<dyn Store>,
    pub file: Option<Arc<dyn StoreFile>>,
}

/// A store in which organization 1 has tenants 1 and 2, organization 2 has tenant 3 and the inactive
/// tenant 4; `main` is shared, `own` is tenant 2's.
pub struct Lab<'f> {
    factory: &'f dyn Factory,
    opened: Option<Opened>,
}

/// `ms` after a moment in 2026.
pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_772_366_400_000 + ms)
}

/// What the senders of these stores are sealed with.
pub fn test_keys() -> Ring {
    Ring::new([Key::new([7; KEY_BYTES].into())])
}

pub fn tenant_id(id: u32) -> TenantId {
    TenantId::from_stored(id)
}

pub fn contact(key: &str) -> ContactKey {
    ContactKey::from_stored(key)
}

pub fn key(tenant: u32, who: &str) -> ConversationKey {
    ConversationKey { tenant: tenant_id(tenant), contact: contact(who) }
}

pub fn tenant(id: u32, organization: u32) -> Tenant {
    serde_json::from_value(serde_json::json!({
        "id": id, "name": format!("Homes {id}"), "organization": organization, "brain": "echo", "active": id != 4,
    }))
    .expect("a tenant")
}

pub fn sender(name: &str, account: &str, tenant: Option<u32>) -> Sender {
    serde_json::from_value(serde_json::json!({
        "name": name, "provider": "waha", "account": account, "tenant": tenant, "api_key": "hush",
    }))
    .expect("a sender")
}

pub fn organization(id: u32) -> Organization {
    Organization { id: OrganizationId(id), name: format!("Group {id}"), personality: serde_json::Map::new() }
}

pub async fn furnish(store: &dyn Store) {
    for id in [1, 2] {
        store.put_organization(organization(id), "test").await.expect("put");
    }
    for (id, organization) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
        store.put_tenant(tenant(id, organization), "test").await.expect("put");
    }
    for (name, account, tenant) in
        [("main", "default", None), ("other", "second", None), ("own", "own", Some(2))]
    {
        store.put_sender(sender(name, account, tenant), "test").await.expect("put");
    }
}

/// A text message to sender `main`, sent half a second before it is received.
pub fn arrival(who: &str, id: &str, text: &str, received_at: Timestamp) -> Arrival {
    Arrival {
        inbound: Inbound {
            provider: Provider::Waha,
            account: "default".into(),
            id: id.into(),
            contact: contact(who),
            aliases: Vec::new(),
            from_raw: format!("{who}@c.us"),
            display_name: Some(format!("Name of {who}")),
            sent_at: received_at.plus_ms(-500),
            content: Content::Text { text: text.into() },
            quoted: None,
            referral: None,
        },
        sender: SenderName::new("main"),
        tenant: None,
        received_at,
    }
}

/// WAHA tells of a message that we sent through its first session.
pub fn receipt(id: &str, state: DeliveryState) -> Receipt {
    Receipt {
        provider: Provider::Waha,
        account: Some("default".into()),
        message_id: id.into(),
        other_ids: Vec::new(),
        reference: None,
        contact: None,
        from_raw: None,
        state,
        at: at(0),
        reason: None,
        fate: None,
    }
}

/// What a test brain answers.
#[derive(Default)]
pub struct Answer {
    pub says: Vec<&'static str>,
    pub memory: Option<&'static str>,
    pub timers: Vec<TimerChange>,
    pub leads: Vec<LeadChange>,
    pub mode: Option<Mode>,
}

pub fn says(texts: &[&'static str]) -> Answer {
    Answer { says: texts.to_vec(), ..Answer::default() }
}

pub fn journal(claim: &TurnClaim, now: Timestamp) -> JournalEntry {
    JournalEntry {
        turn: claim.conversation.turns + 1,
        at: now,
        brain_version: "v1".into(),
        seed: claim.seed,
        trigger: claim.trigger.clone(),
        memory_before: claim.conversation.memory.clone(),
        host_calls: Vec::new(),
        outcome: serde_json::json!({ "actions": [] }),
        cost: Cost { fuel: 7, ..Cost::default() },
    }
}

pub fn turn(claim: &TurnClaim, answer: Answer, now: Timestamp) -> TurnCommit {
    TurnCommit {
        key: claim.key.clone(),
        entries: claim.entries.clone(),
        memory: answer.memory.map(str::to_owned),
        brain_version: "v1".into(),
        sends: answer.says.iter().map(|text| Outbound::text(*text)).collect(),
        timers: answer.timers,
        leads: answer.leads,
        mode: answer.mode,
        wants_receipts: false,
        journal: journal(claim, now),
        now,
    }
}

pub fn failure(claim: &TurnClaim, fate: TurnFate, now: Timestamp) -> TurnFailure {
    TurnFailure {
        key: claim.key.clone(),
        entries: claim.entries.clone(),
        trigger: claim.trigger.clone(),
        code: "trap".into(),
        message: "unreachable".into(),
        fate,
        journal: Some(journal(claim, now)),
        now,
    }
}

/// The words of a trigger.
pub fn words(trigger: &Trigger) -> Vec<String> {
    let text = |content: &Content| content.text().unwrap_or("").to_owned();
    match trigger {
        Trigger::Messages { messages } => messages.iter().map(|heard| text(&heard.content)).collect(),
        Trigger::Started { message, .. } => vec![format!("started: {}", text(&message.content))],
        Trigger::Timer { key, payload } => vec![format!("timer: {key} {payload}")],
        other => vec![format!("{other:?}")],
    }
}

pub fn text_of(outbound: &Outbound) -> &str {
    match &outbound.content {
        OutboundContent::Text { text } => text,
        _ => "(not a text)",
    }
}

/// Everything.
pub fn all() -> Filter {
    Filter { limit: 1000, ..Filter::default() }
}

/// Claims sends that are due, whatever their pace.
pub async fn claim_sends(store: &dyn Store, n: usize, ms: i64) -> Vec<SendClaim> {
    store.claim_sends(n, at(ms), &mut |_| Pace::Go).await.expect("claimed")
}

/// The same, and begins them.
pub async fn begin(store: &dyn Store, n: usize, ms: i64) -> Vec<SendClaim> {
    let claims = claim_sends(store, n, ms).await;
    let ids: Vec<_> = claims.iter().map(|claim| claim.id.clone()).collect();
    if ids.is_empty() { claims } else { store.begin_sends(&ids).await.expect("begun") }
}

impl<'f> Lab<'f> {
    pub async fn new(factory: &'f dyn Factory) -> Self {
        let opened = factory.open();
        furnish(opened.store.as_ref()).await;
        Lab { factory, opened: Some(opened) }
    }

    /// As it was left.
    pub fn open(factory: &'f dyn Factory) -> Self {
        Lab { factory, opened: Some(factory.open()) }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.opened.as_ref().expect("open").store
    }

    pub fn file(&self) -> &Arc<dyn StoreFile> {
        self.opened.as_ref().and_then(|opened| opened.file.as_ref()).expect("it lies in a file")
    }

    /// The process ends and another begins.
    pub fn restart(&mut self) {
        // Closed before it is opened again: two processes never have it at the same time.
        self.opened = None;
        self.opened = Some(self.factory.open());
    }

    pub async fn accept(&self, arrival: Arrival) -> Accepted {
        self.store().accept(arrival).await.expect("accepted")
    }

    /// A contact says something; its id is made of what and when.
    pub async fn hears(&self, who: &str, text: &str, ms: i64) -> Accepted {
        self.accept(arrival(who, &format!("{who}/{text}/{ms}"), text, at(ms))).await
    }

    /// A contact opens a tenant's link, and the turn of it is over.
    pub async fn meets(&self, who: &str, tenant: u32, ms: i64) {
        self.hears(who, &format!("start_realty_{tenant}"), ms).await;
        let claims = self.claim(100, ms).await;
        let claim = claims.iter().find(|claim| claim.key == key(tenant, who)).expect("the link makes a turn");
        self.commit(claim, Answer::default(), ms).await;
        for other in claims.iter().filter(|other| other.key != claim.key) {
            self.store().release_turn(&other.key);
        }
    }

    pub async fn claim(&self, n: usize, ms: i64) -> Vec<TurnClaim> {
        self.store().claim_turns(n, at(ms)).await.expect("claimed")
    }

    pub async fn claim_one(&self, ms: i64) -> TurnClaim {
        let mut claims = self.claim(2, ms).await;
        assert_eq!(claims.len(), 1, "exactly one turn is due");
        claims.remove(0)
    }

    pub async fn commit(&self, claim: &TurnClaim, answer: Answer, ms: i64) {
        self.store().commit_turn(turn(claim, answer, at(ms))).await.expect("committed");
    }

    pub async fn fail(&self, claim: &TurnClaim, fate: TurnFate, ms: i64) {
        self.store().fail_turn(failure(claim, fate, at(ms))).await.expect("failed as told");
    }

    /// A contact of a tenant has these replies waiting.
    pub async fn owes(&self, who: &str, tenant: u32, texts: &[&'static str], ms: i64) {
        self.meets(who, tenant, ms).await;
        self.hears(who, "hello", ms + 1).await;
        let claim = self.claim_one(ms + 1).await;
        self.commit(&claim, says(texts), ms + 1).await;
    }

    /// Claims and begins.
    pub async fn sends(&self, n: usize, ms: i64) -> Vec<SendClaim> {
        begin(self.store().as_ref(), n, ms).await
    }

    pub async fn settle(&self, claim: &SendClaim, settlement: Settlement, ms: i64) {
        self.store().settle_send(&claim.id, settlement, at(ms)).await.expect("settled");
    }

    /// Sends the next reply and returns its text.
    pub async fn sends_one(&self, ms: i64) -> String {
        let claims = self.sends(1, ms).await;
        let claim = claims.first().expect("a reply is due");
        self.settle(claim, Settlement::Sent { provider_id: None }, ms).await;
        text_of(&claim.entry.outbound).to_owned()
    }

    /// The history as `who: text (state)`.
    pub async fn lines(&self, tenant: u32, who: &str) -> Vec<String> {
        use switchboard::conversation::Line;
        let history = self.store().history(&key(tenant, who), None, 1000).await.expect("history");
        let line = |line: &Line| match line {
            Line::Heard(heard) => heard.content.text().unwrap_or("").to_owned(),
            Line::Said(outbound) => text_of(outbound).to_owned(),
        };
        history
            .iter()
            .map(|(_, entry)| match entry.state {
                None => format!("{:?}: {}", entry.author, line(&entry.line)),
                Some(state) => format!("{:?}: {} ({state:?})", entry.author, line(&entry.line)),
            })
            .collect()
    }

    pub async fn assert_counters_true(&self) {
        assert_eq!(self.store().counters(), self.store().recount().await.expect("recounted"));
        assert_eq!(self.store().usage(), self.store().recount_usage().await.expect("recounted"));
        assert_eq!(self.store().late_refusals(), 0, "what is refused has written nothing");
    }
}
