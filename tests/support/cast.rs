//! A cast for stores: organizations and tenants, contacts that say things, brains that answer.

use switchboard::conversation::{Cost, JournalEntry, LeadChange, Mode, TimerChange, Trigger};
use switchboard::event::Receipt;
use switchboard::message::{
    ContactKey, Content, ConversationKey, DeliveryState, Inbound, OrganizationId, Outbound, OutboundContent,
    Provider, SenderName, TenantId, Timestamp,
};
use switchboard::schedule::Pace;
use switchboard::seal::{KEY_BYTES, Key, Ring};
use switchboard::store::{Arrival, Filter, SendClaim, Store, TurnClaim, TurnCommit, TurnFailure, TurnFate};
use switchboard::tenant::{Organization, Sender, Tenant};

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
